//! Signed notes (C2SP signed-note): a text and signature lines by named keys.
//!
//! This module parses the envelope and verifies signatures. [`crate::checkpoint`] parses the text.

use crate::key::KeyKind;
use crate::{Hash, PublicKey, Rejection, hash};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// The em dash and space at the start of every signature line.
const SIGNATURE_PREFIX: &str = "— ";
/// Maximum signature lines of a note. C2SP logs have a few, an attacker could send millions.
const MAX_SIGNATURES: usize = 100;

/// First four bytes of a key's hash. They show which key a signature line claims.
pub type KeyId = [u8; 4];

/// The name under which a key signs: not empty, without white space or `+`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Maximum bytes of a name: a host name has at most 253, and a line must stay readable.
    pub const MAX_LEN: usize = 255;

    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, Rejection> {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if (1..=Self::MAX_LEN).contains(&name.len()) && name.chars().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Rejection::NoteMalformed)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Signature type of Ed25519 in a key's hash.
const ED25519: u8 = 0x01;
/// Signature type of a cosignature with Ed25519, in a key's hash.
const COSIGNATURE: u8 = 0x04;
/// Signature type of algorithms without a C2SP number, in a key's hash.
const OTHER: u8 = 0xff;
/// The bytes after [`OTHER`] for RSA, as in rekor-tiles.
const RSA_NAME: &[u8] = b"PKIX-RSA-PKCS#1v1.5";

/// Key id of a Rekor v1 log key: the first bytes of SHA-256(SPKI) for every key type. This is not C2SP's rule.
#[must_use]
pub fn rekor_v1_key_id(key: &PublicKey) -> KeyId {
    let [a, b, c, d, ..] = key.fingerprint();
    [a, b, c, d]
}

/// The hash that identifies a key of a Rekor v2 log. Trusted roots and answers have all of it, notes its first four
/// bytes.
///
/// Ed25519: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key). ECDSA: SHA-256(SPKI), because C2SP's type 0x02 does not include the
/// name. RSA: SHA-256(name ‖ 0x0A ‖ 0xFF ‖ `PKIX-RSA-PKCS#1v1.5` ‖ SPKI).
#[must_use]
pub fn key_hash(name: &KeyName, key: &PublicKey) -> Hash {
    let name = name.0.as_bytes();
    match key.kind() {
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => key.fingerprint(),
        KeyKind::Ed25519 => hash::sha256_parts(&[name, &[0x0A, ED25519], ed25519_point(key)]),
        KeyKind::Rsa(_) => hash::sha256_parts(&[name, &[0x0A, OTHER], RSA_NAME, key.spki_der()]),
    }
}

/// Key id of a Rekor v2 log key: the first bytes of [`key_hash`].
#[must_use]
pub fn rekor_v2_key_id(name: &KeyName, key: &PublicKey) -> KeyId {
    let [a, b, c, d, ..] = key_hash(name, key);
    [a, b, c, d]
}

/// Key id of a static-ct-api log key: SHA-256(name ‖ 0x0A ‖ 0x05 ‖ log id), first four bytes.
#[must_use]
pub fn static_ct_key_id(name: &KeyName, key: &PublicKey) -> KeyId {
    let [a, b, c, d, ..] = hash::sha256_parts(&[name.0.as_bytes(), &[0x0A, 0x05], &key.fingerprint()]);
    [a, b, c, d]
}

/// Key id of a witness's Ed25519 key: SHA-256(name ‖ 0x0A ‖ 0x04 ‖ key), first four bytes.
#[must_use]
pub fn cosignature_key_id(name: &KeyName, key: &PublicKey) -> KeyId {
    let [a, b, c, d, ..] = hash::sha256_parts(&[name.0.as_bytes(), &[0x0A, COSIGNATURE], ed25519_point(key)]);
    [a, b, c, d]
}

/// The 32 bytes of an Ed25519 key: the last bytes of its checked SPKI.
pub(crate) fn ed25519_point(key: &PublicKey) -> &[u8] {
    key.spki_der().last_chunk::<32>().map_or(&[][..], |point| point)
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the signer. Not verified.
    pub name: KeyName,
    /// The id of the signing key. Not verified.
    pub key_id: KeyId,
    /// The signature, in the form of the key's type.
    pub bytes: Vec<u8>,
}

/// A parsed note. Its signatures are not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text, ending in a newline.
    pub text: String,
    /// The signature lines, in order.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// Parses a note: text, an empty line, at least one signature line.
    pub fn parse(note: &str) -> Result<Self, Rejection> {
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Rejection::NoteMalformed);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(Rejection::NoteMalformed)?;
        Ok(Self { text: format!("{text}\n"), signatures: parse_signatures(lines)? })
    }

    /// Checks that a known key signed. `verify` checks the signature of each line with `name` and `key_id`. Lines of
    /// other keys are ignored. A bad signature of the known key is an error; it does not count as an unknown key.
    pub fn verify(
        &self,
        name: &KeyName,
        key_id: KeyId,
        mut verify: impl FnMut(&str, &[u8]) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let mut known = self.signatures.iter().filter(|line| line.key_id == key_id && line.name == *name).peekable();
        if known.peek().is_none() {
            return Err(Rejection::NoteUnsigned);
        }
        known.try_for_each(|line| verify(&self.text, &line.bytes).map_err(|_| Rejection::NoteSignature))
    }
}

/// Parses signature lines: at least one, each with its line break.
pub(crate) fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, Rejection> {
    let lines = lines.strip_suffix('\n').ok_or(Rejection::NoteMalformed)?;
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(Rejection::NoteMalformed);
    }
    lines.split('\n').map(parse_signature).collect()
}

fn parse_signature(line: &str) -> Result<NoteSignature, Rejection> {
    let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(Rejection::NoteMalformed)?;
    let (name, encoded) = rest.split_once(' ').ok_or(Rejection::NoteMalformed)?;
    let decoded = STANDARD.decode(encoded).map_err(|_| Rejection::NoteMalformed)?;
    let (key_id, bytes) = decoded.split_first_chunk::<4>().ok_or(Rejection::NoteMalformed)?;
    if bytes.is_empty() {
        return Err(Rejection::NoteMalformed);
    }
    Ok(NoteSignature { name: KeyName::new(name)?, key_id: *key_id, bytes: bytes.to_vec() })
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for NoteSignature {
    /// The line, without its line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = STANDARD.encode([&self.key_id, self.bytes.as_slice()].concat());
        write!(f, "{SIGNATURE_PREFIX}{} {blob}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "origin\n1\nAAAA\n\n— log AAAAAAEC\n— witness AAAAAQME\n";

    #[test]
    fn round_trips() {
        let note = Note::parse(NOTE).unwrap();
        assert_eq!(note.text, "origin\n1\nAAAA\n");
        assert_eq!(note.signatures.len(), 2);
        assert_eq!(note.to_string(), NOTE);
    }

    #[test]
    fn a_bad_signature_of_a_known_key_is_not_an_unknown_one() {
        let note = Note::parse(NOTE).unwrap();
        let log = KeyName::new("log").unwrap();
        assert_eq!(note.verify(&log, [0, 0, 0, 0], |_, _| Ok(())), Ok(()));
        assert_eq!(
            note.verify(&log, [0, 0, 0, 0], |_, _| Err(Rejection::SignatureInvalid)),
            Err(Rejection::NoteSignature)
        );
        assert_eq!(note.verify(&log, [0, 0, 0, 1], |_, _| Ok(())), Err(Rejection::NoteUnsigned));
    }

    #[test]
    fn refuses_malformed_notes() {
        for bad in [
            "",
            "a\n",
            "a\n\n",
            "a\n\n— log AAAAAA==\n",
            "a\n\n- log AAAAAAEC\n",
            "a\n\n— log AAAAAAEC",
            "a\r\n\n— log AAAAAAEC\n",
            "a\n\n— lo+g AAAAAAEC\n",
        ] {
            assert_eq!(Note::parse(bad), Err(Rejection::NoteMalformed), "{bad:?}");
        }
    }
}
