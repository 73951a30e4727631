//! Compact JWS (RFC 7515 §3.1), parsed strictly and once.
//!
//! Nothing here is verified, and the names say so. Features that RFC 7515 leaves to implementations are refused: padded
//! or non-canonical base64url, names that occur twice, `crit`, unencoded payloads, compression, encryption.

use super::TokenRefusal;
use crate::json::{self, Object};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_verify::key::KeyKind;
use chancery_verify::{HashAlgorithm, PublicKey, Rejection};
use serde_json::Value;

/// Largest token. GitHub's have about 2 KiB, those of directories with many groups about 10.
pub(super) const MAX_TOKEN_BYTES: usize = 32 * 1024;
/// Longest `kid`. No published key has a longer one.
const MAX_KEY_ID_BYTES: usize = 256;
/// Header parameters that change what the other parts mean: extensions, payload encoding, compression, encryption.
const FORBIDDEN: [&str; 4] = ["crit", "b64", "zip", "enc"];

/// The signature algorithms of RFC 7518 §3.1 and RFC 8037 that are accepted. All are asymmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5.
    Rs(HashAlgorithm),
    /// RSASSA-PSS.
    Ps(HashAlgorithm),
    /// ECDSA, whose hash follows from the curve.
    Es(KeyKind),
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        Some(match name {
            "RS256" => Self::Rs(Sha256),
            "RS384" => Self::Rs(Sha384),
            "RS512" => Self::Rs(Sha512),
            "PS256" => Self::Ps(Sha256),
            "PS384" => Self::Ps(Sha384),
            "PS512" => Self::Ps(Sha512),
            "ES256" => Self::Es(KeyKind::P256),
            "ES384" => Self::Es(KeyKind::P384),
            "ES512" => Self::Es(KeyKind::P521),
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Returns whether a key of this kind can make such a signature. The key decides, not the token, so a public key is
    /// never used as the secret of a symmetric algorithm.
    pub(super) fn fits(self, kind: KeyKind) -> bool {
        match self {
            Self::Rs(_) | Self::Ps(_) => matches!(kind, KeyKind::Rsa(_)),
            Self::Es(curve) => kind == curve,
            Self::EdDsa => kind == KeyKind::Ed25519,
        }
    }
}

/// A well-formed token that has not been verified. Anyone can write one.
#[derive(Debug)]
pub(super) struct UnverifiedToken {
    algorithm: Algorithm,
    algorithm_name: String,
    key_id: Option<String>,
    issuer: String,
    claims: Object,
    signed: String,
    signature: Vec<u8>,
}

impl UnverifiedToken {
    /// Parses `text` in time linear in its length, which is bounded.
    pub(super) fn parse(text: &str) -> Result<Self, TokenRefusal> {
        if text.is_empty() {
            return Err(TokenRefusal::Missing);
        }
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLarge { limit_bytes: MAX_TOKEN_BYTES });
        }
        // Counted before the text is split, so that a token of dots does not become a list of empty parts.
        let malformed = |part| TokenRefusal::Malformed { part };
        if text.bytes().filter(|byte| *byte == b'.').count() != 2 {
            return Err(malformed("parts"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed("parts"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("parts"))?;
        let header = object(header).ok_or(malformed("header"))?;
        if let Some(name) = FORBIDDEN.into_iter().find(|name| header.contains_key(*name)) {
            return Err(TokenRefusal::Header { name });
        }
        let algorithm_name = header.get("alg").and_then(Value::as_str).ok_or(TokenRefusal::Algorithm)?;
        let algorithm = Algorithm::from_name(algorithm_name).ok_or(TokenRefusal::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(key_id)) if key_id.len() <= MAX_KEY_ID_BYTES => Some(key_id.clone()),
            Some(_) => return Err(TokenRefusal::Header { name: "kid" }),
        };
        let claims = object(payload).ok_or(malformed("payload"))?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or_else(|| TokenRefusal::missing("iss"))?.to_owned();
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed("signature"))?;
        Ok(Self {
            algorithm,
            algorithm_name: algorithm_name.to_owned(),
            key_id,
            issuer,
            claims,
            signed: signed.to_owned(),
            signature,
        })
    }

    /// Returns the token's `iss`. Use it only to look up that issuer's keys.
    pub(super) fn unverified_issuer(&self) -> &str {
        &self.issuer
    }

    /// `kid`.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `alg`, parsed.
    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns `alg` in the spelling of a key's own `alg`.
    pub(super) fn algorithm_name(&self) -> &str {
        &self.algorithm_name
    }

    /// Verifies the signature with `key`.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), Rejection> {
        if !self.algorithm.fits(key.kind()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let message = self.signed.as_bytes();
        match self.algorithm {
            Algorithm::Rs(hash) => key.verify_with(hash, message, &self.signature),
            Algorithm::Ps(hash) => key.verify_pss(hash, message, &self.signature),
            Algorithm::Es(_) => key.verify_fixed(message, &self.signature),
            Algorithm::EdDsa => key.verify(message, &self.signature),
        }
    }

    /// Returns the claims for display to a person.
    pub(super) const fn unverified_claims(&self) -> &Object {
        &self.claims
    }

    /// Returns the claims. Call only after [`Self::verify`].
    pub(super) fn into_claims(self) -> (String, Object) {
        (self.issuer, self.claims)
    }
}

/// Decodes a part: base64url without padding, with the unused bits zero, around one JSON object.
fn object(part: &str) -> Option<Object> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
