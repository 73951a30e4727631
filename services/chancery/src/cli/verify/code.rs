//! Codes of answers that are neither the verifier's nor the registry client's. They are part of the interface, as those are.

/// Why there is no verdict of the verifier, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// There is no bundle beside the file, and none was named.
    BundleNone,
    /// There is no signature or attestation of this digest where it was looked for.
    ImageNone,
    /// The image has no manifest for this platform, or several; or `--platform` is given for an image that is no index.
    ImagePlatform,
}

impl Code {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::BundleNone => "bundle.none",
            Self::ImageNone => "image.none",
            Self::ImagePlatform => "image.platform",
        }
    }
}
