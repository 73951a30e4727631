//! The hash by which Rekor's search knows a key: SHA-256 of the text in which entries have it.
//!
//! A key is written in more than one way, and logged in one. Here a key of a query is brought into that one. Nothing is
//! verified: a key that no entry has is found nowhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::MAX_CHAIN;
use chancery_verify::{Hash, PublicKey, hash, pem};

/// Bytes of a minisign key: its algorithm, its id, an Ed25519 point.
const MINISIGN_BYTES: usize = 2 + 8 + 32;

/// Why a key cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFault {
    /// It is none of its format.
    Malformed,
    /// Its format is not read here.
    Unsupported,
}

/// The hash of a key in one of Rekor's formats.
pub(super) fn canonical_hash(format: &str, content: &[u8]) -> Result<Hash, KeyFault> {
    let text = match format {
        "x509" => x509(content),
        "ssh" => ssh(content),
        "minisign" => minisign(content),
        _ => return Err(KeyFault::Unsupported),
    };
    text.map(|text| hash::sha256(text.as_bytes())).ok_or(KeyFault::Malformed)
}

/// A public key, or a certificate with its chain: every block encoded again.
fn x509(content: &[u8]) -> Option<String> {
    let blocks = pem::decode_all(content, MAX_CHAIN).ok()?;
    let is_known = match blocks.as_slice() {
        [only] if only.label == pem::PUBLIC_KEY => PublicKey::from_spki_der(&only.der).is_ok(),
        all => all.iter().all(|block| block.label == pem::CERTIFICATE),
    };
    is_known.then(|| blocks.iter().map(|block| pem::encode(&block.label, &block.der)).collect())
}

/// A line of `authorized_keys`: algorithm and key, without options and comment.
fn ssh(content: &[u8]) -> Option<String> {
    let text = str::from_utf8(content).ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (algorithm, key) = words.windows(2).find_map(|pair| {
        let &[algorithm, key] = pair else { return None };
        let blob = STANDARD.decode(key).ok()?;
        // The key begins with the name of its algorithm, and the length of that name.
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let named = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        (named == algorithm.as_bytes()).then_some((algorithm, key))
    })?;
    Some(format!("{algorithm} {key}\n"))
}

/// A file with a comment and a key, or the key alone: the key in base64.
fn minisign(content: &[u8]) -> Option<String> {
    let text = str::from_utf8(content).ok()?;
    let key = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("untrusted comment:"))?;
    let bytes = STANDARD.decode(key).ok().filter(|bytes| bytes.len() == MINISIGN_BYTES)?;
    Some(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_text_however_it_is_written() {
        let der =
            hex::decode("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let canonical = pem::encode(pem::PUBLIC_KEY, &der.unwrap());
        for text in [canonical.clone(), canonical.replace('\n', "\r\n"), format!("a key:\n{canonical}\n\n")] {
            assert_eq!(x509(text.as_bytes()).as_deref(), Some(canonical.as_str()), "{text:?}");
        }
        let blob = STANDARD.encode([&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 32], &[7; 32]].concat());
        let line = format!("ssh-ed25519 {blob}\n");
        for text in
            [line.clone(), format!("ssh-ed25519 {blob} me@example.test"), format!("# a\n no-pty ssh-ed25519 {blob} x")]
        {
            assert_eq!(ssh(text.as_bytes()).as_deref(), Some(line.as_str()), "{text}");
        }
        let key = STANDARD.encode([7; MINISIGN_BYTES]);
        for text in [key.clone(), format!("untrusted comment: minisign public key\r\n{key}\r\n")] {
            assert_eq!(minisign(text.as_bytes()).as_deref(), Some(key.as_str()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let private = pem::encode("PRIVATE KEY", b"x");
        for content in
            [&b""[..], b"\xff", b"key", private.as_bytes(), b"ssh-ed25519 AAAA", b"ssh-rsa AAAAC3NzaC1lZDI1NTE5"]
        {
            for format in ["x509", "ssh", "minisign"] {
                assert_eq!(canonical_hash(format, content), Err(KeyFault::Malformed), "{format} {content:?}");
            }
        }
        assert_eq!(canonical_hash("tuf", b"{}"), Err(KeyFault::Unsupported));
    }
}
