//! The key of a query, in the form in which entries have it.
//!
//! A key is written in more than one way, and logged in one. Only that one is in the index, by its hash. Nothing is
//! verified: a key that no entry has is found nowhere.

use chancery_verify::rekor::canonical_key;
use chancery_verify::terms::index_key;

/// Why a key cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFault {
    /// It is none of its format.
    Malformed,
    /// Its format is not read here.
    Unsupported,
}

/// The key of Rekor's index that stands for a public key in one of Rekor's formats.
pub(super) fn index_key_of(format: &str, content: &[u8]) -> Result<String, KeyFault> {
    match format {
        "x509" => {
            let canonical = canonical_key(content).map_err(|_| KeyFault::Malformed)?;
            Ok(index_key::of_public_key(canonical.as_bytes()))
        }
        _ => Err(KeyFault::Unsupported),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::{hash, pem};

    #[test]
    fn a_key_is_one_however_it_is_written() {
        let der =
            hex::decode("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let canonical = pem::encode(pem::PUBLIC_KEY, &der.unwrap());
        let key = hex::encode(hash::sha256(canonical.as_bytes()));
        for text in [canonical.clone(), canonical.replace('\n', "\r\n"), format!("a key:\n{canonical}\n\n")] {
            assert_eq!(index_key_of("x509", text.as_bytes()), Ok(key.clone()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let private = pem::encode("PRIVATE KEY", b"x");
        for content in [&b""[..], b"\xff", b"key", private.as_bytes()] {
            assert_eq!(index_key_of("x509", content), Err(KeyFault::Malformed), "{content:?}");
        }
        assert_eq!(index_key_of("tuf", b"{}"), Err(KeyFault::Unsupported));
    }
}
