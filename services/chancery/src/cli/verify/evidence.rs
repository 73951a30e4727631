//! How much evidence a signature must have: flags beside a policy's thresholds.

use anyhow::{Context as _, ensure};
use chancery_verify::{
    bundle::Form,
    cosignature::{self, Witness},
    policy::Policy,
    verifier::{Options, Thresholds},
};
use clap::Args;

/// The required evidence.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(in crate::cli) struct EvidenceArguments {
    /// Do not require an entry in a transparency log; if there is one, it must verify
    #[arg(long)]
    pub(in crate::cli) insecure_ignore_tlog: bool,
    /// Do not require an SCT in the certificate; if there is one, it must verify
    #[arg(long)]
    pub(in crate::cli) insecure_ignore_sct: bool,
    /// Require a timestamp of a timestamp authority
    #[arg(long)]
    use_signed_timestamps: bool,
    #[command(flatten)]
    witnesses: WitnessArguments,
}

/// The required cosignatures.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(in crate::cli) struct WitnessArguments {
    /// Require that the witness with this verifier key has cosigned the checkpoint of the log; repeatable
    #[arg(long, value_name = "VERIFIER_KEY")]
    witness: Vec<String>,
    /// Require this quorum of the witnesses; by default all
    #[arg(long, value_name = "N", requires = "witness")]
    witness_quorum: Option<usize>,
}

impl EvidenceArguments {
    /// Options of a verifier; `only_keys` where no certificate is expected.
    pub(in crate::cli) fn options(&self, policy: Option<&Policy>, only_keys: bool) -> anyhow::Result<Options> {
        let asked = policy.map(Policy::thresholds).unwrap_or_default();
        let mut thresholds = Thresholds {
            log_entries: asked.logs.into(),
            times: asked.times.into(),
            timestamps: asked.timestamps.into(),
            scts: asked.scts.into(),
            witnesses: self.witnesses.policy(asked.witnesses.into())?,
        };
        if only_keys {
            // A key does not expire: it needs no time.
            (thresholds.times, thresholds.scts) = (asked.timestamps.into(), 0);
        }
        let mut authorities = policy.map(|policy| policy.thresholds_of_authorities().to_vec()).unwrap_or_default();
        for own in &authorities {
            self.witnesses.policy(own.thresholds.witnesses.into())?;
        }
        // The flags are about every certificate, whichever authority has issued it.
        if self.insecure_ignore_tlog {
            thresholds.log_entries = 0;
            for own in &mut authorities {
                own.thresholds.logs = 0;
            }
        }
        if self.insecure_ignore_sct {
            thresholds.scts = 0;
            for own in &mut authorities {
                own.thresholds.scts = 0;
            }
        }
        if self.use_signed_timestamps {
            thresholds.timestamps = thresholds.timestamps.max(1);
            thresholds.times = thresholds.times.max(1);
            for own in &mut authorities {
                own.thresholds.timestamps = own.thresholds.timestamps.max(1);
                own.thresholds.times = own.thresholds.times.max(1);
            }
        }
        Ok(Options { thresholds, authorities, minimum_form: Form::Detached, ..Options::default() })
    }
}

impl WitnessArguments {
    /// The witnesses that count, and their quorum, at least `asked`.
    pub(in crate::cli) fn policy(&self, asked: usize) -> anyhow::Result<Option<cosignature::Policy>> {
        let witnesses = self
            .witness
            .iter()
            .map(|text| {
                Witness::parse(text).with_context(|| format!("--witness {text} is not the verifier key of a witness"))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let quorum = self.witness_quorum.unwrap_or(if asked > 0 { asked } else { witnesses.len() }).max(asked);
        ensure!(
            quorum <= witnesses.len(),
            "a quorum of {quorum} is larger than the number of witnesses, {}: add --witness VERIFIER_KEY",
            witnesses.len()
        );
        if quorum == 0 {
            return Ok(None);
        }
        Ok(Some(cosignature::Policy::new(witnesses, quorum).context("the witnesses and the quorum do not fit")?))
    }
}
