//! What a policy is asked about: signatures that have already been verified.

use crate::signer::Signer;
use crate::{Hash, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// One verified signature, with everything established about it.
///
/// Nothing here is checked again: a caller that fills in what was not verified gets a worthless decision.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The signer.
    pub signer: Signer,
    /// SHA-256 of each certificate of the verified path above the signer's.
    pub authorities: Vec<Hash>,
    /// The signature itself, where it is known. Two pieces of evidence with the same one are the same signature.
    pub signature: Option<Vec<u8>>,
    /// Every established time. Empty where nothing establishes one.
    pub times: Vec<Timestamp>,
    /// Type and contents of the statement's predicate, where a statement was signed.
    pub predicate: Option<(String, Value)>,
    /// Annotations that were signed along.
    pub annotations: BTreeMap<String, String>,
}

impl Evidence {
    /// A signature without times, predicate and annotations.
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
