//! The operator's settings for the Rekor v2 log of an instance. [`super::logs`] opens it.

use chancery_verify::key::KeyKind;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;

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
    pub(super) const fn kind(self) -> KeyKind {
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
}
