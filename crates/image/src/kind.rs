//! The kinds of items that cosign 1 and 2 attach to an image, with their tags and media types.

/// The kind of an attached item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Signature,
    Attestation,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Signature, Self::Attestation];

    /// The suffix after the digest in its tag.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Signature => ".sig",
            Self::Attestation => ".att",
        }
    }

    pub(crate) const fn layout(self) -> &'static str {
        match self {
            Self::Signature => "signature tag",
            Self::Attestation => "attestation tag",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Signature => "application/vnd.dev.cosign.simplesigning.v1+json",
            Self::Attestation => "application/vnd.dsse.envelope.v1+json",
        }
    }

    /// The kind of a referrer with this artifact type.
    pub(crate) fn of_artifact(artifact_type: &str) -> Option<Self> {
        match artifact_type {
            "application/vnd.dev.cosign.artifact.sig.v1+json" => Some(Self::Signature),
            "application/vnd.dev.cosign.artifact.att.v1+json" => Some(Self::Attestation),
            _ => None,
        }
    }
}
