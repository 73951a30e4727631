//! Kinds of rules: for signatures of the artifact itself, or for statements about it.
//!
//! A bill of materials lists the contents of an artifact. It does not say that the artifact may run. So a rule without
//! a predicate requires a signature, and an attestation by the same identity does not meet it. Not here: the type of
//! the statement, which the rule's predicate sets.

use super::parse::fault;
use crate::Rejection;
use serde::Deserialize;

/// The kind of evidence that a rule requires, independent of its conditions on the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// A signature of the artifact itself, or of cosign's statement that it is signed.
    Signature,
    /// A statement about the artifact, of any type.
    Attestation,
    /// Either of them. An attestation of any type then counts as much as a signature.
    Any,
}

impl Kind {
    /// The name of the kind in explanations.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Signature => "a signature of the artifact itself",
            Self::Attestation => "an attestation",
            Self::Any => "a signature or an attestation",
        }
    }

    /// The kind that a rule with this `kind` requires. `is_of_attestations`: the rule has conditions on an attestation.
    pub(super) fn of_rule(kind: Option<Self>, is_of_attestations: bool) -> Result<Self, String> {
        match (kind, is_of_attestations) {
            // The conditions on the predicate decide the kind.
            (None, true) => Ok(Self::Any),
            (Some(Self::Signature | Self::Any), true) => Err(fault(
                Rejection::PolicyMalformed,
                "`predicate`, `slsa` and `vsa` are about attestations: write `kind = \"attestation\"`, or leave `kind` out; \
                 to require a signature as well, use two entries of `all_of`",
            )),
            (kind, _) => Ok(kind.unwrap_or(Self::Signature)),
        }
    }
}
