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

/// The options of `chancery dev` about the Rekor v2 log.
#[derive(Debug, Args)]
pub(crate) struct RekorV2Arguments {
    /// Create the Rekor v2 log with a key of this kind; p256 by default
    ///
    /// Some witnesses require ed25519. policy-controller refuses every trusted root with an ed25519 log.
    #[arg(long = "rekor-v2-key", help_heading = "Logs", value_name = "KIND")]
    pub(crate) key: Option<CheckpointKey>,
    /// Accept DSSE envelopes in the Rekor v2 log
    ///
    /// sigstore-js and cosign 2.6 to 3.0 send attestations that way. Other clients cannot verify such entries.
    #[arg(long = "rekor-v2-dsse", help_heading = "Logs")]
    pub(crate) dsse: bool,
    /// Refuse new entries in the Rekor v2 log; it can still be read
    #[arg(long = "rekor-v2-frozen", help_heading = "Logs")]
    pub(crate) frozen: bool,
    /// Name this Rekor version in `signing_config.json`; v2 by default, v1 if the v2 log is frozen
    ///
    /// Choose v1 for sigstore-js and cosign 2.6 to 3.0, which send attestations and images as DSSE envelopes.
    #[arg(long = "default-rekor", help_heading = "Logs", value_name = "VERSION")]
    pub(crate) default: Option<RekorVersion>,
}

/// A protocol of signature logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RekorVersion {
    /// Rekor v1
    V1,
    /// Rekor v2; signers that do not know it still find Rekor v1
    V2,
}

/// Kind of key that signs checkpoints.
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
            "--rekor-v2-key names another kind of key than the rekor2 log has. A log keeps its key: leave the option out, or start \
             with a new --data"
        );
        let host = opening.setup.addresses.host.clone();
        let (log, sequencer) =
            opening.log_with(opener, signer, rekor_v2::NAME, host, rekor_v2::scheme, self.frozen).await?;
        Ok((RekorV2::new(log).accepting_dsse(self.dsse), sequencer))
    }
}
