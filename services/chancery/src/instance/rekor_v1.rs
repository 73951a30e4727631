//! The operator's settings for the Rekor v1 log of an instance. [`super::logs`] opens it.

use chancery_log::rekor_v1::{Attestations, Choices, KindName, Kinds, MAX_ATTESTATION_BYTES};
use clap::Args;

/// The options of `chancery dev` about the Rekor v1 log.
#[derive(Debug, Args)]
pub(crate) struct RekorV1Arguments {
    /// Accept entries of these kinds only in the Rekor v1 log; default: all known kinds but jar, rpm and alpine
    #[arg(long = "rekor-v1-kinds", help_heading = "Logs", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) kinds: Vec<KindName>,
    /// Keep what entries of the Rekor v1 log have only a hash of, and show it: payloads of envelopes, and COSE messages
    #[arg(long = "rekor-v1-attestations", help_heading = "Logs")]
    pub(crate) attestations: bool,
    /// Keep none with more than this many bytes; its entry is logged all the same
    #[arg(long = "rekor-v1-attestation-max-bytes", help_heading = "Logs", value_name = "BYTES", default_value_t = MAX_ATTESTATION_BYTES)]
    pub(crate) attestation_max_bytes: usize,
}

impl RekorV1Arguments {
    pub(super) fn choices(&self) -> Choices {
        let kinds = match self.kinds.as_slice() {
            [] => Kinds::default(),
            names => names.iter().copied().collect(),
        };
        let kept = Attestations::Kept { max_bytes: self.attestation_max_bytes };
        Choices { kinds, attestations: if self.attestations { kept } else { Attestations::Dropped } }
    }
}
