//! A term: what an entry can be found by. Its bytes are its kind's number and its value.
//!
//! Terms are compared by their bytes, so all terms of one kind are neighbours, and all with the same start are, too. The
//! text of a term is normalised by the form of its kind ([`Form`]), on both sides: in the index and in a query.

use super::kind::{Form, TermKind};
use super::names::fold;
use crate::hash;
use std::fmt;

/// Maximum bytes of a value. A value of this length is always one that was cut.
pub const MAX_VALUE_BYTES: usize = 512;
/// Bytes that a cut value has of the whole one. The SHA-256 of the whole one follows.
pub const KEPT_BYTES: usize = 480;
/// Between the algorithm and the bytes of a digest.
const BYTES_FOLLOW: u8 = b':';
/// Between the algorithm and a digest that is not hexadecimal.
const TEXT_FOLLOWS: u8 = b'=';

/// A term. Terms are ordered by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    kind: TermKind,
    /// The kind's number and the value.
    bytes: Box<[u8]>,
}

impl Term {
    /// Makes a term of a value in its stored form. A value of [`MAX_VALUE_BYTES`] or more is cut: its first
    /// [`KEPT_BYTES`] bytes remain, followed by the SHA-256 of all. So different values have different terms.
    #[must_use]
    pub fn new(kind: TermKind, value: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + value.len().min(MAX_VALUE_BYTES));
        bytes.push(kind.number());
        if value.len() < MAX_VALUE_BYTES {
            bytes.extend_from_slice(value);
        } else {
            bytes.extend(value.iter().take(KEPT_BYTES));
            bytes.extend_from_slice(&hash::sha256(value));
        }
        Self { kind, bytes: bytes.into() }
    }

    /// Makes a term of text, as people and other programs write it. For [`Form::Digest`] it is `algorithm:digest`. For
    /// [`Form::Hex`], colons between the bytes are ignored. `None` if the text is not of the kind's form.
    ///
    /// The start of a text makes a prefix of the text's term: an even number of digits in [`Form::Hex`] and
    /// [`Form::Digest`], and otherwise up to [`KEPT_BYTES`] bytes.
    #[must_use]
    pub fn of_text(kind: TermKind, text: &str) -> Option<Self> {
        Some(match kind.form() {
            Form::Text => Self::new(kind, text.as_bytes()),
            Form::Folded => Self::new(kind, fold(text).as_bytes()),
            Form::Hex => Self::of_bytes(kind, &hex::decode(text.replace(':', "")).ok()?),
            Form::Digest => {
                let (algorithm, digest) = text.split_once(':')?;
                Self::of_digest_text(kind, algorithm, digest)
            }
        })
    }

    /// Makes the term of an artifact's digest.
    #[must_use]
    pub fn digest(algorithm: &str, digest: &[u8]) -> Self {
        Self::of_digest(TermKind::ArtifactDigest, algorithm, digest)
    }

    /// Makes the term of a digest. The kind is one of [`TermKind::DIGESTS`].
    #[must_use]
    pub fn of_digest(kind: TermKind, algorithm: &str, digest: &[u8]) -> Self {
        Self::new(kind, &[fold(algorithm).as_bytes(), &[BYTES_FOLLOW], digest].concat())
    }

    /// Makes the term of a digest in hexadecimal. Other text is kept as it is, in lower case.
    #[must_use]
    pub fn of_digest_text(kind: TermKind, algorithm: &str, digest: &str) -> Self {
        match hex::decode(digest) {
            Ok(digest) => Self::of_digest(kind, algorithm, &digest),
            Err(_) => Self::new(kind, &[fold(algorithm).as_bytes(), &[TEXT_FOLLOWS], fold(digest).as_bytes()].concat()),
        }
    }

    /// Makes a term of a number or hash. A serial number has no leading zeros.
    #[must_use]
    pub fn of_bytes(kind: TermKind, value: &[u8]) -> Self {
        let zeros = match kind {
            TermKind::CertificateSerial => value.iter().take_while(|byte| **byte == 0).count(),
            _ => 0,
        };
        Self::new(kind, value.get(zeros..).unwrap_or_default())
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> TermKind {
        self.kind
    }

    /// The value in its stored form.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// Returns whether the value was too long, so that it is not all of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.value().len() == MAX_VALUE_BYTES
    }

    /// The value as text, which [`Self::of_text`] reads. A cut value is shown as what is left of it, with an ellipsis.
    #[must_use]
    pub fn text(&self) -> String {
        let value = self.value();
        if self.is_cut() {
            return String::from_utf8_lossy(value.get(..KEPT_BYTES).unwrap_or_default()).into_owned() + "…";
        }
        match self.kind.form() {
            Form::Text | Form::Folded => String::from_utf8_lossy(value).into_owned(),
            Form::Hex => hex::encode(value),
            Form::Digest => digest_text(value),
        }
    }

    /// The bytes: the kind's number and the value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Inverse of [`Self::as_bytes`]. `None` for an unknown kind, and for a value that is too long.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, value) = bytes.split_first()?;
        let kind = TermKind::from_number(*number)?;
        (value.len() <= MAX_VALUE_BYTES).then(|| Self { kind, bytes: bytes.into() })
    }
}

/// `algorithm:digest` of a stored value.
fn digest_text(value: &[u8]) -> String {
    let separator = |byte: &u8| matches!(*byte, BYTES_FOLLOW | TEXT_FOLLOWS);
    let Some(at) = value.iter().position(separator) else { return String::from_utf8_lossy(value).into_owned() };
    let (algorithm, rest) = value.split_at(at);
    let digest = match rest {
        [BYTES_FOLLOW, digest @ ..] => hex::encode(digest),
        [_, text @ ..] => String::from_utf8_lossy(text).into_owned(),
        [] => String::new(),
    };
    format!("{}:{digest}", String::from_utf8_lossy(algorithm))
}

/// `kind=value` on one line. The value is foreign text, so it is escaped and shortened.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.name(), crate::shown(&self.text()))
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Term({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_kind() -> impl Strategy<Value = TermKind> {
        prop::sample::select(TermKind::ALL)
    }

    #[test]
    fn every_example_is_a_value_of_its_kind() {
        for kind in TermKind::ALL {
            let term = Term::of_text(*kind, kind.example()).unwrap();
            assert_eq!(term.text(), kind.example(), "{}", kind.name());
        }
    }

    #[test]
    fn text_is_normalised_by_its_kind() {
        let value = |kind, text| Term::of_text(kind, text).map(|term| term.value().to_vec());
        assert_eq!(value(TermKind::Identity, "Ärger@Example.com").unwrap(), "ärger@example.com".as_bytes());
        assert_eq!(value(TermKind::Ref, "refs/heads/Main").unwrap(), b"refs/heads/Main");
        assert_eq!(value(TermKind::CertificateSerial, "00:00:AB:cd").unwrap(), [0xab, 0xcd]);
        assert_eq!(value(TermKind::KeyFingerprint, "00:AB").unwrap(), [0, 0xab]);
        assert_eq!(value(TermKind::KeyFingerprint, "no"), None);
        assert_eq!(value(TermKind::ArtifactDigest, "SHA256:0A0b").unwrap(), b"sha256:\x0a\x0b");
        assert_eq!(value(TermKind::ArtifactDigest, "dirHash:h1:Q=").unwrap(), b"dirhash=h1:q=");
        assert_eq!(value(TermKind::ArtifactDigest, "0a0b"), None);
        assert_eq!(Term::digest("sha256", &[1]), Term::of_text(TermKind::ArtifactDigest, "sha256:01").unwrap());
        assert_eq!(Term::of_text(TermKind::ArtifactDigest, "dirHash:h1").unwrap().text(), "dirhash:h1");
    }

    #[test]
    fn a_long_value_is_cut_and_stays_itself() {
        let kept = Term::new(TermKind::Issuer, &[b'x'; MAX_VALUE_BYTES - 1]);
        assert!(!kept.is_cut());
        let cut = Term::new(TermKind::Issuer, &[b'x'; MAX_VALUE_BYTES]);
        let other = Term::new(TermKind::Issuer, &[b'x'; MAX_VALUE_BYTES + 1]);
        for term in [&cut, &other] {
            assert!(term.is_cut());
            assert_eq!(term.as_bytes().len(), 1 + MAX_VALUE_BYTES);
            assert_eq!(term.text(), "x".repeat(KEPT_BYTES) + "…");
            // What a cut value is stored as is not the value of another term, which would be cut again.
            assert_ne!(&Term::new(TermKind::Issuer, term.value()), term);
        }
        assert_ne!(cut, other);
    }

    #[test]
    fn a_term_is_shown_on_one_line() {
        let term = Term::new(TermKind::Identity, b"a\n\xff\x1b[31m");
        assert_eq!(term.to_string(), "identity=a\\n\u{fffd}\\u{1b}[31m");
        assert_eq!(format!("{term:?}"), "Term(identity=a\\n\u{fffd}\\u{1b}[31m)");
    }

    #[test]
    fn bytes_of_no_term_are_none() {
        assert_eq!(Term::from_bytes(&[]), None);
        assert_eq!(Term::from_bytes(&[0, 1]), None);
        assert_eq!(Term::from_bytes(&[&[TermKind::Ref.number()][..], &[0; MAX_VALUE_BYTES + 1]].concat()), None);
    }

    proptest! {
        #[test]
        fn a_term_is_read_as_it_is_written(kind in any_kind(), value in prop::collection::vec(any::<u8>(), 0..600)) {
            let term = Term::new(kind, &value);
            prop_assert_eq!(term.kind(), kind);
            prop_assert_eq!(term.as_bytes().first().copied(), Some(kind.number()));
            prop_assert_eq!(Term::from_bytes(term.as_bytes()), Some(term.clone()));
            prop_assert!(term.is_cut() || term.value() == value);
            prop_assert!(term.to_string().len() < 1000);
        }

        #[test]
        fn terms_are_ordered_by_kind_and_then_by_value(
            a in (any_kind(), prop::collection::vec(0..3_u8, 0..6)),
            b in (any_kind(), prop::collection::vec(0..3_u8, 0..6)),
        ) {
            let [left, right] = [&a, &b].map(|(kind, value)| Term::new(*kind, value));
            let expected = (a.0.number(), &a.1).cmp(&(b.0.number(), &b.1));
            prop_assert_eq!(left.cmp(&right), expected);
            prop_assert_eq!(left.as_bytes().cmp(right.as_bytes()), expected);
        }

        #[test]
        fn text_reads_back_and_its_start_is_a_prefix(
            kind in any_kind(),
            text in "\\PC{0,40}",
            hex in "([0-9a-fA-F]{2}){0,20}",
            at in 0..40_usize,
        ) {
            let (text, unit) = match kind.form() {
                Form::Text | Form::Folded => (text, 1),
                Form::Hex => (hex, 2),
                Form::Digest => (format!("sha256:{hex}"), 2),
            };
            let term = Term::of_text(kind, &text).unwrap();
            prop_assert_eq!(Term::of_text(kind, &term.text()), Some(term.clone()));
            let skipped = text.len() - text.trim_start_matches("sha256:").len();
            let start: String = text.chars().take(skipped + at / unit * unit).collect();
            let start = Term::of_text(kind, &start).unwrap();
            prop_assert!(term.as_bytes().starts_with(start.as_bytes()), "{} {}", term, start);
        }
    }
}
