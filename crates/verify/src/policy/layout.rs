//! The layout of an image's signatures. This crate does no I/O: a caller that reads registries asks the policy.

use serde::{Deserialize, Serialize};

/// The layout in which signatures of an image count. It is configured and never detected: a registry that hides one
/// layout must not be able to choose another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SignatureLayout {
    /// Bundles that refer to the image: cosign 3, GitHub.
    Bundle,
    /// The tags `.sig` and `.att` of cosign 1 and 2.
    Legacy,
    /// Referrers that cosign 2 writes with `--registry-referrers-mode oci-1-1`.
    Oci11,
    /// All layouts.
    All,
}

/// Settings for images.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ImagesTable {
    /// Layout in which signatures and attestations of images are searched. Default: `bundle`, unless the command sets
    /// it.
    pub(super) layout: Option<SignatureLayout>,
}
