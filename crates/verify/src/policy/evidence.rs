//! Verified signatures, the input of a policy.

use crate::signer::Signer;
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
    /// Type and contents of the statement's predicate, if a statement was signed.
    pub predicate: Option<(String, Value)>,
    /// Annotations in the signed payload.
    pub annotations: BTreeMap<String, String>,
}

impl Evidence {
    /// Makes evidence of a signature without times, predicate and annotations.
    #[must_use]
    pub const fn new(signer: Signer) -> Self {
        Self {
            signer,
            authorities: Vec::new(),
            signature: None,
            times: Vec::new(),
            predicate: None,
            annotations: BTreeMap::new(),
        }
    }
}
