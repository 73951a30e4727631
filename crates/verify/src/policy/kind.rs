//! What a rule is about: signatures of the artifact itself, or statements about it.
//!
//! A bill of materials says what is in an artifact, not that it may run. So a rule that names no predicate asks for a
//! signature, and an attestation by the same identity does not meet it. Not here: which statements count, which is said by
//! the rule's predicate.

use super::parse::fault;
use crate::Rejection;
use serde::Deserialize;

/// What a rule asks for, whatever else it says about the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// A signature of the artifact itself, or of cosign's statement that it is signed.
    Signature,
    /// A statement about the artifact, of whichever type.
    Attestation,
    /// Either of them. An attestation of any type then counts as much as a signature.
    Any,
}

impl Kind {
    /// What explanations call it.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Signature => "a signature of the artifact itself",
            Self::Attestation => "an attestation",
            Self::Any => "a signature or an attestation",
        }
    }

    /// What a rule that says `kind` asks for. `is_of_attestations`: it says what an attestation must be.
    pub(super) fn of_rule(kind: Option<Self>, is_of_attestations: bool) -> Result<Self, String> {
        match (kind, is_of_attestations) {
            // What it says about the predicate says the kind.
            (None, true) => Ok(Self::Any),
            (Some(Self::Signature | Self::Any), true) => Err(fault(
                Rejection::PolicyMalformed,
                "`predicate`, `slsa` and `vsa` are about attestations: write `kind = \"attestation\"`, or leave `kind` out; \
                 for a signature beside the attestation, use two entries of `all_of`",
            )),
            (kind, _) => Ok(kind.unwrap_or(Self::Signature)),
        }
    }
}
