//! Digests as people write them: `sha256:…`, or the hexadecimal digits alone where their number says the algorithm.

use std::fmt;

/// Bytes of the longest digest: SHA-512.
const MAX_BYTES: usize = 64;
/// Letters of the longest name of an algorithm, such as `gitCommit`.
const MAX_NAME: usize = 32;
/// Algorithms whose digests have one length, with that length in bytes.
const LENGTHS: [(&str, usize); 4] = [("sha1", 20), ("sha256", 32), ("sha384", 48), ("sha512", 64)];

/// A digest of an artifact or payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest {
    algorithm: String,
    bytes: Vec<u8>,
}

/// What is wrong with a digest, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a digest as ALGORITHM:HEX, for example sha256: and 64 hexadecimal digits")]
pub(crate) struct NoDigest;

impl Digest {
    /// Reads `algorithm:hex`, or the digits of a SHA-1 or SHA-2 digest. Upper and lower case count as the same.
    pub(crate) fn parse(text: &str) -> Result<Self, NoDigest> {
        let (name, digits) = text.split_once(':').map_or((None, text), |(name, digits)| (Some(name), digits));
        let bytes = hex::decode(digits).map_err(|_| NoDigest)?;
        let algorithm = match name {
            Some(name) => name.to_ascii_lowercase(),
            None => LENGTHS.iter().find(|(_, length)| *length == bytes.len()).ok_or(NoDigest)?.0.to_owned(),
        };
        let is_name = (1..=MAX_NAME).contains(&algorithm.len())
            && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let length = LENGTHS.iter().find(|(known, _)| *known == algorithm).map(|(_, length)| *length);
        let is_length = length.map_or((1..=MAX_BYTES).contains(&bytes.len()), |length| length == bytes.len());
        // `0x` is read by the decoder, and by nothing else.
        let is_hex = digits.len() == 2 * bytes.len();
        if is_name && is_length && is_hex { Ok(Self { algorithm, bytes }) } else { Err(NoDigest) }
    }

    /// The name of the algorithm, in lower case.
    pub(crate) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, hex::encode(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_form() {
        for (text, form) in [
            (format!("sha256:{}", "Ab".repeat(32)), Some(format!("sha256:{}", "ab".repeat(32)))),
            (format!("SHA256:{}", "00".repeat(32)), Some(format!("sha256:{}", "00".repeat(32)))),
            ("ab".repeat(20), Some(format!("sha1:{}", "ab".repeat(20)))),
            ("ab".repeat(48), Some(format!("sha384:{}", "ab".repeat(48)))),
            ("gitCommit:abcd".to_owned(), Some("gitcommit:abcd".to_owned())),
            (format!("sha256:{}", "ab".repeat(31)), None),
            (format!("sha256:0x{}", "ab".repeat(32)), None),
            ("ab".repeat(21), None),
            ("sha256:".to_owned(), None),
            (":ab".to_owned(), None),
            (format!("x:{}", "ab".repeat(65)), None),
            ("a b:ab".to_owned(), None),
            (String::new(), None),
            ("sha256:ü".to_owned(), None),
        ] {
            assert_eq!(Digest::parse(&text).ok().map(|digest| digest.to_string()), form, "{text}");
        }
    }
}
