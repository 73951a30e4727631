//! Fields of answers: base64, and signatures as `r‖s`.

use crate::refused;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_daemon::signer::SignerError;
use chancery_verify::PublicKey;

/// An error for an answer that is not a valid public key or signature.
pub(crate) fn malformed(what: &str) -> SignerError {
    refused(format_args!("the answer has no valid {what}"))
}

/// Decodes a field of JSON.
pub(crate) fn base64(text: &str, what: &str) -> Result<Vec<u8>, SignerError> {
    STANDARD.decode(text).map_err(|_| malformed(what))
}

/// Encodes a field of JSON.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Converts a signature of `key` from `r‖s` to DER.
pub(crate) fn ecdsa_der(key: &PublicKey, fixed: &[u8]) -> Result<Vec<u8>, SignerError> {
    key.fixed_to_der(fixed).ok_or_else(|| malformed("signature"))
}
