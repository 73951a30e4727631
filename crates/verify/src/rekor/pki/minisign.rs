//! minisign and signify: Ed25519 over a file, or over its BLAKE2b-512.
//!
//! As upstream, the comments of a signature and its second signature, which is over the trusted comment, are not looked
//! at and not logged. Nor are key ids compared: one signature by the given key is enough.

use crate::{PublicKey, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use blake2::{Blake2b512, Digest as _};

/// Maximum bytes of a key or signature, with its comments.
const MAX_BYTES: usize = 64 * 1024;
/// Algorithm, key id and signature.
const SIGNATURE_BYTES: usize = 2 + 8 + 64;
/// Algorithm, key id and key.
const KEY_BYTES: usize = 2 + 8 + 32;

const KEY: Rejection = Rejection::EntryKeyFormat { format: "minisign" };
const SIGNATURE: Rejection = Rejection::EntrySignatureFormat { format: "minisign" };

/// A key: algorithm, key id and point.
pub(in crate::rekor) struct Key([u8; KEY_BYTES]);

impl Key {
    /// Parses a key: a file of minisign or signify, its second line alone, or the 32 bytes of a key without anything, as
    /// older entries have it.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_BYTES {
            return Err(KEY);
        }
        let second_line = content.iter().position(|byte| *byte == b'\n').and_then(|end| content.get(end + 1..));
        if let Some(key) = second_line.and_then(decoded).or_else(|| decoded(content)) {
            return Ok(Self(key));
        }
        let point: &[u8; 32] = content.try_into().map_err(|_| KEY)?;
        let mut key = [0; KEY_BYTES];
        let (algorithm, rest) = key.split_at_mut(2);
        algorithm.copy_from_slice(b"Ed");
        rest.get_mut(8..).unwrap_or_default().copy_from_slice(point);
        Ok(Self(key))
    }

    /// The canonical form: base64.
    pub(in crate::rekor) fn canonical(&self) -> Vec<u8> {
        STANDARD.encode(self.0).into_bytes()
    }

    fn point(&self) -> &[u8] {
        self.0.get(10..).unwrap_or_default()
    }
}

/// A signature: algorithm, key id and the signature itself.
pub(in crate::rekor) struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Parses a signature: four lines by minisign, or two by signify.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        let text = str::from_utf8(content).ok().filter(|text| text.len() <= MAX_BYTES).ok_or(SIGNATURE)?;
        let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
        let (signature, second) = match lines.as_slice() {
            [_, signature] => (signature, None),
            [_, signature, _, second] => (signature, Some(second)),
            _ => return Err(SIGNATURE),
        };
        if second.is_some_and(|second| decoded::<64>(second.as_bytes()).is_none()) {
            return Err(SIGNATURE);
        }
        decoded(signature.as_bytes()).map(Self).ok_or(SIGNATURE)
    }

    /// The canonical form: that of signify, with an empty comment.
    pub(in crate::rekor) fn canonical(&self) -> Vec<u8> {
        format!("untrusted comment:\n{}", STANDARD.encode(self.0)).into_bytes()
    }

    /// Checks that `key` made it over `data`.
    pub(in crate::rekor) fn verify(&self, key: &Key, data: &[u8]) -> Result<(), Rejection> {
        let [_, algorithm, ..] = self.0;
        let (_, signature) = self.0.split_at(10);
        let key = PublicKey::from_ed25519(key.point())?;
        if algorithm == b'D' {
            key.verify(Blake2b512::digest(data).as_slice(), signature)
        } else {
            key.verify(data, signature)
        }
    }
}

/// Decodes base64, whose lines may be broken, to exactly so many bytes.
fn decoded<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    let packed: Vec<u8> = text.iter().copied().filter(|byte| ![b'\r', b'\n'].contains(byte)).collect();
    STANDARD.decode(packed).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_three_forms_and_one_canonical_one() {
        let point = [7; 32];
        let bytes = [&b"Ed01234567"[..], &point].concat();
        let text = STANDARD.encode(&bytes);
        for form in [text.clone(), format!("untrusted comment: a key\n{text}\n"), format!("comment\r\n{text}\r\n")] {
            assert_eq!(Key::parse(form.as_bytes()).unwrap().canonical(), text.as_bytes(), "{form}");
        }
        let bare = STANDARD.encode([&b"Ed\0\0\0\0\0\0\0\0"[..], &point].concat());
        assert_eq!(Key::parse(&point).unwrap().canonical(), bare.as_bytes());
        for bad in [&b""[..], &point[1..], b"comment\nAAAA", &[0xff; 31]] {
            assert_eq!(Key::parse(bad).err(), Some(KEY));
        }
    }

    #[test]
    fn a_signature_has_two_or_four_lines() {
        let blob = STANDARD.encode([b'E'; 74]);
        let second = STANDARD.encode([1; 64]);
        let canonical = format!("untrusted comment:\n{blob}");
        for good in
            [format!("c\n{blob}\nt\n{second}\n"), format!("c\n{blob}\n"), format!("c\r\n{blob}\r\n"), canonical.clone()]
        {
            assert_eq!(Signature::parse(good.as_bytes()).unwrap().canonical(), canonical.as_bytes(), "{good}");
        }
        for bad in [
            blob.clone(),
            format!("c\n{second}"),
            format!("c\n{blob}\nt"),
            format!("c\n{blob}\nt\n{blob}"),
            "c\n!".into(),
        ] {
            assert_eq!(Signature::parse(bad.as_bytes()).err(), Some(SIGNATURE), "{bad}");
        }
    }
}
