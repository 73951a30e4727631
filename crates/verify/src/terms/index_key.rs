//! Keys of upstream's search index (`POST /api/v1/index/retrieve`), and the terms that stand for them.
//!
//! Upstream's index has one kind of key, a text in lower case: the hash of a key, `algorithm:digest`, or a name. Each is
//! looked up exactly. Here the same texts are terms of several kinds, and a key is all of its terms together. The terms
//! find all that upstream finds, and more: `dsse` and `intoto` entries by their public key, which upstream writes
//! under another key than it looks up, and entries of Rekor v2.
//!
//! | asked for | key | terms |
//! |---|---|---|
//! | `hash` | [`of_hash`] | digests of artifacts, attestations and materials; for SHA-256 also the hash of a key |
//! | `publicKey` | [`of_public_key`] | the hash of the key |
//! | `email`, `subject` | the text itself | names in certificates, e-mail addresses in keys, role and version of TUF metadata; a subject may also be one of the keys above |
//!
//! Specification: Rekor's `pkg/api/index.go` and the `IndexKeys` of its types.

use super::kind::TermKind;
use super::names::fold;
use super::term::Term;
use crate::{HashAlgorithm, hash};

/// The kinds of names.
const NAMES: [TermKind; 3] = [TermKind::Identity, TermKind::KeyEmail, TermKind::TufMetadata];

/// The key of a digest: `algorithm:` and hexadecimal. A digest without algorithm gets the one of its length.
#[must_use]
pub fn of_hash(hash: &str) -> String {
    let algorithm = match hash.len() {
        _ if hash.contains(':') => "",
        40 => "sha1:",
        64 => "sha256:",
        96 => "sha384:",
        128 => "sha512:",
        _ => "",
    };
    fold(&format!("{algorithm}{hash}"))
}

/// The key of a public key or certificate chain in its canonical form, e.g. of [`crate::rekor::canonical_key`].
#[must_use]
pub fn of_public_key(canonical: &[u8]) -> String {
    hex::encode(hash::sha256(canonical))
}

/// The terms that stand for a key. An entry with one of them has the key.
#[must_use]
pub fn terms(key: &str) -> Vec<Term> {
    let mut terms: Vec<Term> = NAMES.iter().filter_map(|kind| Term::of_text(*kind, key)).collect();
    let (algorithm, digest) = key.split_once(':').unwrap_or(("", key));
    let Some(digest) = hex::decode(digest).ok().filter(|digest| !digest.is_empty()) else { return terms };
    if !algorithm.is_empty() {
        terms.extend(TermKind::DIGESTS.map(|kind| Term::of_digest(kind, algorithm, &digest)));
    }
    let sha256 = HashAlgorithm::Sha256;
    if (algorithm.is_empty() || algorithm == sha256.name()) && digest.len() == sha256.size_bytes() {
        terms.push(Term::of_bytes(TermKind::RekorKey, &digest));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(key: &str) -> Vec<String> {
        terms(key).iter().map(|term| format!("{}={}", term.kind().name(), term.text())).collect()
    }

    #[test]
    fn a_bare_digest_gets_the_algorithm_of_its_length() {
        for (length, algorithm) in [(20, "sha1:"), (32, "sha256:"), (48, "sha384:"), (64, "sha512:"), (16, "")] {
            let digest = "AB".repeat(length);
            assert_eq!(of_hash(&digest), format!("{algorithm}{}", digest.to_lowercase()));
        }
        assert_eq!(of_hash("SHA1:00"), "sha1:00");
    }

    #[test]
    fn each_key_is_all_of_its_terms() {
        let names = |key: &str| vec![format!("identity={key}"), format!("key-email={key}"), format!("tuf={key}")];
        assert_eq!(texts("Alice@Example.com"), names("alice@example.com"));
        assert_eq!(texts("https://github.com/a/b"), names("https://github.com/a/b"));
        let sha256 = "ab".repeat(32);
        let digests = |key: &str| ["artifact", "attestation", "material"].map(|kind| format!("{kind}={key}"));
        let key = format!("rekor-key={sha256}");
        let with = format!("sha256:{sha256}");
        assert_eq!(texts(&with), [&names(&with)[..], &digests(&with), std::slice::from_ref(&key)].concat());
        assert_eq!(texts(&sha256), [&names(&sha256)[..], &[key]].concat());
        assert_eq!(texts("sha1:ab"), [&names("sha1:ab")[..], &digests("sha1:ab")].concat());
        assert_eq!(of_public_key(b"key"), hex::encode(hash::sha256(b"key")));
    }
}
