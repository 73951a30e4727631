//! Keys in the root of a TUF repository.

use super::{MALFORMED, refused};
use crate::key::KeyKind;
use crate::{HashAlgorithm, PublicKey, Rejection};
use serde_json::Value;

/// A key. It signs SHA-256, whatever the curve, or is Ed25519.
pub(super) struct Key(PublicKey);

impl Key {
    /// Reads a key. One of a type that is not known is refused, because its root may require its signature.
    pub(super) fn read(key: &Value) -> Result<Self, Rejection> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let kind = text(key.get("keytype")).ok_or(MALFORMED)?;
        let public = text(key.get("keyval").and_then(|value| value.get("public"))).ok_or(MALFORMED)?;
        let parsed = match kind.as_str() {
            "ed25519" => PublicKey::from_ed25519(&hex::decode(public).map_err(|_| MALFORMED)?)?,
            "ecdsa" | "ecdsa-sha2-nistp256" => ecdsa(&public)?,
            "rsa" => PublicKey::from_pem(public.as_bytes())?,
            _ => return Err(refused("its root has a key of a type that is not supported")),
        };
        let is_of_kind = match parsed.kind() {
            KeyKind::Ed25519 => kind == "ed25519",
            KeyKind::Rsa(_) => kind == "rsa",
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => kind.starts_with("ecdsa"),
        };
        if is_of_kind { Ok(Self(parsed)) } else { Err(MALFORMED) }
    }

    pub(super) fn spki_der(&self) -> &[u8] {
        self.0.spki_der()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        match self.0.kind() {
            KeyKind::Rsa(_) => self.0.verify_pss(HashAlgorithm::Sha256, message, signature),
            _ => self.0.verify_with(HashAlgorithm::Sha256, message, signature),
        }
    }
}

/// A key in PEM, or, as older repositories have it, the point of P-256 in hexadecimal.
fn ecdsa(public: &str) -> Result<PublicKey, Rejection> {
    match hex::decode(public).as_deref() {
        Ok([4, point @ ..]) => {
            let (x, y) = point.split_at(point.len() / 2);
            PublicKey::from_ec(KeyKind::P256, x, y)
        }
        Ok(_) => Err(MALFORMED),
        Err(_) => PublicKey::from_pem(public.as_bytes()),
    }
}
