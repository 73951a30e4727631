//! Where an image's signatures are. This crate looks nowhere: what reads registries asks the policy.

use serde::{Deserialize, Serialize};

/// In which layout signatures of an image count. It is chosen, never found out: a registry that hides one layout must not be
/// able to choose another.
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
    /// Every one of them.
    All,
}

/// What holds for images.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ImagesTable {
    /// Where signatures and attestations of images are looked for. `bundle` if neither this nor the command says it.
    pub(super) layout: Option<SignatureLayout>,
}
