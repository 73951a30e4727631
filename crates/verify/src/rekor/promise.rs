//! Inclusion promises: Rekor v1's signed entry timestamp (SET).
//!
//! The signature is over RFC 8785 of `{body, integratedTime, logID, logIndex}`; `logIndex` is the index over all shards.

use crate::{Hash, PublicKey, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The content of a promise: the log holds this body at this index since this time.
#[derive(Debug, Clone, Copy)]
pub struct Promise<'a> {
    /// The entry's canonical body.
    pub body: &'a [u8],
    /// Seconds since the epoch.
    pub integrated_time: u64,
    /// SHA-256 of the log key's SPKI.
    pub log_id: &'a Hash,
    /// Index over all shards of the log.
    pub log_index: u64,
}

impl Promise<'_> {
    /// The signed bytes. Members are in lexical order. They hold only base64, hexadecimal and integers, so plain JSON
    /// is canonical.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            STANDARD.encode(self.body),
            self.integrated_time,
            hex::encode(self.log_id),
            self.log_index
        )
        .into_bytes()
    }

    /// Checks a SET (ASN.1 DER ECDSA) by the log's key.
    pub fn verify(&self, key: &PublicKey, signature: &[u8]) -> Result<(), Rejection> {
        key.verify(&self.signed_bytes(), signature).map_err(|_| Rejection::PromiseSignature)
    }
}
