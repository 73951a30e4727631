//! The Rekor v2 log of an instance: what an operator says about it, and how it is opened.

use super::{logs::Opening, shards::ShardOpener};
use anyhow::ensure;
use chancery_daemon::signer::Use;
use chancery_log::rekor_v2::{self, RekorV2};
use chancery_verify::key::KeyKind;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::JoinHandle;

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct RekorV2Arguments {
    /// Kind of key the Rekor v2 log is made with, p256 unless given: witnesses want ed25519, and a policy-controller refuses
    /// every trusted root with such a log
    #[arg(long = "rekor-v2-key", value_name = "KIND")]
    pub(crate) key: Option<CheckpointKey>,
    /// Take DSSE envelopes into the Rekor v2 log, as sigstore-js and cosign 2.6 to 3.0 send them for attestations; other
    /// clients cannot verify such entries
    #[arg(long = "rekor-v2-dsse")]
    pub(crate) dsse: bool,
    /// Take no more entries into the Rekor v2 log, which can still be read
    #[arg(long = "rekor-v2-frozen")]
    pub(crate) frozen: bool,
    /// Which Rekor signers are told of unless they ask for another: v1 where clients send it DSSE envelopes, as sigstore-js and
    /// cosign 2.6 to 3.0 do for attestations and images; v2 unless given, or frozen
    #[arg(long = "default-rekor", value_name = "VERSION")]
    pub(crate) default: Option<RekorVersion>,
}

/// A protocol of signature logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RekorVersion {
    /// Rekor v1
    V1,
    /// Rekor v2, and Rekor v1 for signers that do not know it
    V2,
}

/// What checkpoints can be signed with.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckpointKey {
    /// ECDSA on P-256
    P256,
    /// Ed25519
    Ed25519,
}

impl CheckpointKey {
    const fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::Ed25519 => KeyKind::Ed25519,
        }
    }
}

impl RekorV2Arguments {
    /// The highest version of the protocol that signers are told of unless they ask for another.
    pub(super) fn default_major_api_version(&self) -> u32 {
        match self.default {
            Some(RekorVersion::V1) => 1,
            None if self.frozen => 1,
            Some(RekorVersion::V2) | None => 2,
        }
    }

    /// The log and its sequencer. Its kind of key is decided for ever when it is made.
    pub(super) async fn open(
        &self,
        opening: &Opening<'_>,
        opener: &ShardOpener,
    ) -> anyhow::Result<(RekorV2, JoinHandle<()>)> {
        let kind = self.key.map_or(KeyKind::P256, CheckpointKey::kind);
        let signer = opening.setup.data.key_at(Use::Checkpoints, rekor_v2::NAME, kind, &**opening.random).await?;
        ensure!(
            self.key.is_none() || signer.public_key().kind() == kind,
            "the rekor2 log has a key of another kind than --rekor-v2-key says, and keeps it"
        );
        let host = opening.setup.addresses.host.clone();
        let (log, sequencer) =
            opening.log_with(opener, signer, rekor_v2::NAME, host, rekor_v2::scheme, self.frozen).await?;
        Ok((RekorV2::new(log).accepting_dsse(self.dsse), sequencer))
    }
}
