//! Verified signatures, the input of a policy.

use crate::signer::Signer;
use crate::statement::COSIGN_SIGNATURE;
use crate::{Hash, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// One verified signature with its established facts.
///
/// The policy does not check them again. A caller that fills in unverified values gets a worthless decision.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The signer.
    pub signer: Signer,
    /// SHA-256 of each certificate of the verified path above the signer's.
    pub authorities: Vec<Hash>,
    /// The signature itself, if it is known. Two pieces of evidence with the same bytes are the same signature.
    pub signature: Option<Vec<u8>>,
    /// The established times. Empty if there is none.
    pub times: Vec<Timestamp>,
    /// Media type of the payload, if an envelope was signed and not the artifact itself.
    pub payload_type: Option<String>,
    /// Type and contents of the statement's predicate, if a statement was signed.
    pub predicate: Option<(String, Value)>,
    /// Annotations in the signed payload.
    pub annotations: BTreeMap<String, String>,
}

impl Evidence {
    /// Makes evidence of a signature of the artifact itself, without times and annotations.
    #[must_use]
    pub const fn new(signer: Signer) -> Self {
        Self {
            signer,
            authorities: Vec::new(),
            signature: None,
            times: Vec::new(),
            payload_type: None,
            predicate: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Returns whether the artifact itself was signed: directly, or by cosign's statement that says nothing else.
    pub(super) fn is_signature(&self) -> bool {
        match &self.predicate {
            Some((predicate_type, _)) => predicate_type == COSIGN_SIGNATURE,
            None => self.payload_type.is_none(),
        }
    }

    /// Returns whether a statement about the artifact was signed. An envelope with another payload is neither a
    /// signature nor an attestation.
    pub(super) fn is_attestation(&self) -> bool {
        self.predicate.is_some() && !self.is_signature()
    }
}
