//! `chancery conformance verify-bundle`.

use super::{
    super::verify::{OwnedArtifact, artifact},
    refused,
};
use crate::output;
use anyhow::{Context as _, anyhow, bail};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_verify::{
    PublicKey,
    bundle::Bundle,
    policy::{Kind, Policy, PolicyThresholds, Requirement},
    trust_root::TrustRoot,
    verifier::{Options, Unknown, Verifier},
};
use clap::Args;
use std::{fs, path::PathBuf, process::ExitCode};

/// Verify one bundle
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery conformance verify-bundle --bundle a.sigstore.json --certificate-identity ci@example.org \\
      --certificate-oidc-issuer https://issuer.example.org --trusted-root trusted_root.json a.txt")]
pub(super) struct Arguments {
    /// Use the staging instance; also needs --trusted-root
    #[arg(long)]
    staging: bool,
    /// The bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Require this identity in the certificate
    #[arg(long, value_name = "IDENTITY", requires = "certificate_oidc_issuer", required_unless_present = "key")]
    certificate_identity: Option<String>,
    /// Require this OIDC issuer in the certificate
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// Verify with this public key, in PEM
    #[arg(long, value_name = "FILE", conflicts_with = "certificate_identity")]
    key: Option<PathBuf>,
    /// Trust the keys and certificates in this `trusted_root.json`
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The artifact, or its digest as sha256:HEX
    #[arg(value_name = "FILE_OR_DIGEST")]
    artifact: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let bundle = Bundle::parse(&read(&arguments.bundle)?).map_err(|refusal| refused(&refusal))?;
    let (signer, thresholds, root) =
        match (&arguments.key, &arguments.certificate_identity, &arguments.certificate_oidc_issuer) {
            (Some(key), ..) => {
                let key = PublicKey::from_pem(&read(key)?).map_err(|rejection| {
                    anyhow!("{}: --key is not a public key in PEM: {rejection}", rejection.code())
                })?;
                // A key does not expire: it needs neither a time nor, without a trust root, a log.
                let logs = u8::from(arguments.trusted_root.is_some());
                let thresholds = PolicyThresholds { logs, scts: 0, times: 0, timestamps: 0, witnesses: 0 };
                (Requirement::key(key), thresholds, TrustRoot::default())
            }
            (None, Some(identity), Some(issuer)) => {
                (Requirement::identity(identity, issuer), PolicyThresholds::default(), TrustRoot::default())
            }
            _ => bail!("give --certificate-identity and --certificate-oidc-issuer, or --key"),
        };
    // The protocol does not say whether a signature or a statement is expected.
    let policy = Policy::require(signer.of_kind(Kind::Any)).with_thresholds(thresholds);
    let root = match &arguments.trusted_root {
        Some(path) => TrustRoot::parse(&read(path)?).map_err(|refusal| refused(&refusal))?,
        None if arguments.key.is_some() => root,
        None if arguments.staging => {
            bail!("this program has no trust root of the staging instance: give --trusted-root FILE")
        }
        None => bail!("this program has no trust root of the public instance: give --trusted-root FILE"),
    };
    let artifact: OwnedArtifact =
        artifact(&arguments.artifact).with_context(|| format!("cannot read {}", arguments.artifact.display()))?;
    // Without a trust root every log is unknown, and a key may be all there is.
    let unknown = if arguments.trusted_root.is_some() { Unknown::Refuse } else { Unknown::Report };
    let verifier = Verifier::new(root, Options { unknown, ..Options::default() });
    let verified = verifier
        .verify(&bundle, &artifact.as_artifact(), &policy, SystemClock.now())
        .map_err(|refusal| refused(&refusal))?;
    output::note(&format!("verified: signed by {}", verified.signer));
    Ok(ExitCode::SUCCESS)
}
