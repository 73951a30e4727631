//! The issuer's public key as a JWK set (RFC 7517, RFC 7518 §6.3).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_verify::PublicKey;
use serde::Serialize;

/// A set of one key.
#[derive(Debug, Serialize)]
pub(super) struct KeySet {
    keys: [Key; 1],
}

#[derive(Debug, Serialize)]
struct Key {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl KeySet {
    /// The set with an RSA key; `None` for keys of other kinds.
    pub(super) fn new(key: &PublicKey, key_id: &str) -> Option<Self> {
        let (modulus, exponent) = key.rsa_components()?;
        let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
        Some(Self { keys: [Key { kty: "RSA", usage: "sig", alg: "RS256", kid: key_id.to_owned(), n, e }] })
    }
}
