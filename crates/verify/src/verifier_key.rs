//! Verifier keys (C2SP signed-note): the text form in which operators exchange keys that sign notes.
//!
//! ```text
//! <name>+<key id, 8 hexadecimal digits>+<base64 of type and key>
//! ```
//!
//! After type 0x01 or 0x04 come the 32 bytes of an Ed25519 key, after 0x02 or 0x05 an ECDSA key's
//! `SubjectPublicKeyInfo`. C2SP does not define the form of the key for 0x02 and 0x05. This is the form of
//! transparency.dev's tools.

use crate::checkpoint::Scheme;
use crate::key::KeyKind;
use crate::note::{self, KeyId, KeyName};
use crate::{PublicKey, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// The bytes before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Maximum bytes of a verifier key: the longest name and a P-521 key.
const MAX_LEN: usize = KeyName::MAX_LEN + 300;

/// The signed content and the algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// The note's text, with Ed25519.
    Ed25519,
    /// The note's text, with ECDSA.
    Ecdsa,
    /// A cosignature of a checkpoint, with Ed25519. See [`crate::cosignature`].
    Cosignature,
    /// RFC 6962's tree head, with ECDSA, for a static CT log.
    TreeHead,
}

impl KeyType {
    const ALL: [Self; 4] = [Self::Ed25519, Self::Ecdsa, Self::Cosignature, Self::TreeHead];

    const fn number(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Ecdsa => 2,
            Self::Cosignature => 4,
            Self::TreeHead => 5,
        }
    }

    /// Returns whether keys of this kind can have this type.
    const fn fits(self, kind: KeyKind) -> bool {
        match self {
            Self::Ed25519 | Self::Cosignature => matches!(kind, KeyKind::Ed25519),
            Self::Ecdsa | Self::TreeHead => matches!(kind, KeyKind::P256 | KeyKind::P384 | KeyKind::P521),
        }
    }
}

/// A named key with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    key_type: KeyType,
    key: PublicKey,
}

impl VerifierKey {
    /// Makes a verifier key.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] if `key` cannot have this type.
    pub fn new(name: KeyName, key_type: KeyType, key: PublicKey) -> Result<Self, Rejection> {
        if key_type.fits(key.kind()) { Ok(Self { name, key_type, key }) } else { Err(Rejection::KeyUnsupported) }
    }

    /// Parses a verifier key. Its key id must match its name and key.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        if text.len() > MAX_LEN {
            return Err(Rejection::VerifierKey);
        }
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(Rejection::VerifierKey);
        let (name, id, encoded) = (part()?, part()?, part()?);
        let decoded = STANDARD.decode(encoded).map_err(|_| Rejection::VerifierKey)?;
        let (number, key) = decoded.split_first().ok_or(Rejection::VerifierKey)?;
        let key_type = KeyType::ALL.into_iter().find(|known| known.number() == *number);
        let key_type = key_type.ok_or(Rejection::KeyUnsupported)?;
        let key = match key_type {
            KeyType::Ed25519 | KeyType::Cosignature => {
                PublicKey::from_spki_der(&[ED25519_SPKI.as_slice(), key].concat())?
            }
            KeyType::Ecdsa | KeyType::TreeHead => PublicKey::from_spki_der(key)?,
        };
        let parsed = Self::new(KeyName::new(name).map_err(|_| Rejection::VerifierKey)?, key_type, key)?;
        if hex::encode(parsed.key_id()) == id { Ok(parsed) } else { Err(Rejection::VerifierKey) }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The type.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key id at the start of its signature lines.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        match self.key_type {
            KeyType::Ed25519 | KeyType::Ecdsa => note::rekor_v2_key_id(&self.name, &self.key),
            KeyType::Cosignature => note::cosignature_key_id(&self.name, &self.key),
            KeyType::TreeHead => note::static_ct_key_id(&self.name, &self.key),
        }
    }

    /// The checkpoint scheme of a log with this key and its name for an origin. `None` for a witness.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        let origin = self.name.clone();
        match self.key_type {
            KeyType::Ed25519 | KeyType::Ecdsa => Some(Scheme::RekorV2 { origin }),
            KeyType::TreeHead => Some(Scheme::StaticCt { origin }),
            KeyType::Cosignature => None,
        }
    }
}

impl Scheme {
    /// The verifier key of a log with this scheme.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for keys that C2SP does not have: those of Rekor v1 logs, and RSA.
    pub fn verifier_key(&self, key: &PublicKey) -> Result<VerifierKey, Rejection> {
        match self {
            Self::RekorV1 { .. } => Err(Rejection::KeyUnsupported),
            Self::RekorV2 { origin } => {
                let key_type = if key.kind() == KeyKind::Ed25519 { KeyType::Ed25519 } else { KeyType::Ecdsa };
                VerifierKey::new(origin.clone(), key_type, key.clone())
            }
            Self::StaticCt { origin } => VerifierKey::new(origin.clone(), KeyType::TreeHead, key.clone()),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match self.key_type {
            KeyType::Ed25519 | KeyType::Cosignature => note::ed25519_point(&self.key),
            KeyType::Ecdsa | KeyType::TreeHead => self.key.spki_der(),
        };
        let encoded = STANDARD.encode([&[self.key_type.number()], key].concat());
        write!(f, "{}+{}+{encoded}", self.name, hex::encode(self.key_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key of Rekor's staging log.
    const LOG: &str = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp";
    /// Key made with transparency.dev's `formats`.
    const WITNESS: &str = "example.org/w+74cab48a+BE74L7zW/hUjXBBzcByXyBhoa/hRfR47UAXqWMP1EAmr";

    #[test]
    fn keys_of_others_read_and_write_back() {
        for (text, key_type) in [(LOG, KeyType::Ed25519), (WITNESS, KeyType::Cosignature)] {
            let key = VerifierKey::parse(text).unwrap();
            assert_eq!((key.key_type(), key.to_string().as_str()), (key_type, text));
        }
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        for (text, rejection) in [
            ("", Rejection::VerifierKey),
            ("log2025-alpha3.rekor.sigstage.dev+d3d3a70c", Rejection::VerifierKey),
            (&LOG.replace("d3d3a70c", "d3d3a70d"), Rejection::VerifierKey),
            (&LOG.replace("d3d3a70c", "D3D3A70C"), Rejection::VerifierKey),
            (&LOG.replace("log2025", "lag2025"), Rejection::VerifierKey),
            (&LOG.replace("dev+", "dev +"), Rejection::VerifierKey),
            (&LOG.replace("+AZ", "+CZ"), Rejection::KeyUnsupported),
            (&LOG.replace("pjqp", "pg=="), Rejection::KeyMalformed),
            (&format!("{}{LOG}", "x".repeat(600)), Rejection::VerifierKey),
        ] {
            assert_eq!(VerifierKey::parse(text), Err(rejection), "{text}");
        }
    }
}
