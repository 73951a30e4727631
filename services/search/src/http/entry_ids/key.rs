//! The key of a query, in the form in which entries have it.
//!
//! A key is written in more than one way, and logged in one. Only that one is in the index, by its hash. Nothing is
//! verified but the root metadata of a TUF repository, which is signed by itself: a key that no entry has is found nowhere.

use chancery_verify::rekor::{KeyFormat, canonical_key_in};
use chancery_verify::terms::index_key;

/// The key of Rekor's index that stands for a public key in one of Rekor's formats. `None` if it is none of its format.
pub(super) fn index_key_of(format: &str, content: &[u8]) -> Option<String> {
    let canonical = canonical_key_in(KeyFormat::from_name(format)?, content).ok()?;
    Some(index_key::of_public_key(&canonical))
}

#[cfg(test)]
mod tests {
    use super::super::KEY_FORMATS;
    use super::*;
    use chancery_verify::{hash, pem};

    #[test]
    fn a_key_is_one_however_it_is_written() {
        let der =
            hex::decode("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let canonical = pem::encode(pem::PUBLIC_KEY, &der.unwrap());
        let key = hex::encode(hash::sha256(canonical.as_bytes()));
        for text in [canonical.clone(), canonical.replace('\n', "\r\n"), format!("a key:\n{canonical}\n\n")] {
            assert_eq!(index_key_of("x509", text.as_bytes()), Some(key.clone()), "{text:?}");
        }
        let canonical = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
        let key = index_key_of("ssh", canonical.as_bytes());
        assert!(key.is_some());
        assert_eq!(
            index_key_of("ssh", format!("{canonical} alice@example.test\n").as_bytes()),
            key,
            "without its comment"
        );
    }

    #[test]
    fn what_is_no_key_is_none() {
        let private = pem::encode("PRIVATE KEY", b"x");
        for format in KEY_FORMATS {
            assert!(KeyFormat::from_name(format).is_some(), "{format}");
            for content in [&b""[..], b"\xff", b"key", b"{}", private.as_bytes()] {
                assert_eq!(index_key_of(format, content), None, "{format}: {content:?}");
            }
        }
    }
}
