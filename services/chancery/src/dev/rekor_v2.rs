//! The Rekor v2 log of `chancery dev`: what the command line says about it, and how it is opened.

use super::composition::Opening;
use anyhow::ensure;
use chancery_daemon::signer::Use;
use chancery_log::rekor_v2::{self, RekorV2};
use chancery_verify::key::KeyKind;
use clap::{Args, ValueEnum};
use tokio::task::JoinHandle;

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct RekorV2Arguments {
    /// Kind of key the Rekor v2 log is made with, p256 unless given: witnesses want ed25519, and a policy-controller refuses
    /// every trusted root with such a log
    #[arg(long = "rekor-v2-key", value_name = "KIND")]
    key: Option<CheckpointKey>,
    /// Take DSSE envelopes into the Rekor v2 log, as sigstore-js and cosign 2.6 to 3.0 send them for attestations; other
    /// clients cannot verify such entries
    #[arg(long = "rekor-v2-dsse")]
    dsse: bool,
    /// Take no more entries into the Rekor v2 log, which can still be read
    #[arg(long = "rekor-v2-frozen")]
    frozen: bool,
}

/// What checkpoints can be signed with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CheckpointKey {
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
    /// The log and its sequencer. Its kind of key is decided for ever when it is made.
    pub(super) async fn open(&self, opening: &Opening<'_>) -> anyhow::Result<(RekorV2, JoinHandle<()>)> {
        let kind = self.key.map_or(KeyKind::P256, CheckpointKey::kind);
        let signer = opening.data.key_for(Use::Checkpoints, rekor_v2::NAME, kind)?;
        ensure!(
            self.key.is_none() || signer.public_key().kind() == kind,
            "the rekor2 log has a key of another kind than --rekor-v2-key says, and keeps it"
        );
        let host = opening.address.host.clone();
        let (log, sequencer) = opening.log_with(signer, rekor_v2::NAME, host, rekor_v2::scheme, self.frozen).await?;
        Ok((RekorV2::new(log).accepting_dsse(self.dsse), sequencer))
    }
}
