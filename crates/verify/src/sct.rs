//! Signed certificate timestamps and the bytes that they sign (RFC 6962 §3).
//!
//! The structures of a certificate transparency log in TLS presentation language, and the verification of an SCT with a
//! log's key. The caller decides which logs are trusted. The tree is in [`crate::merkle`]. Logs sign with ECDSA over
//! SHA-256, the only pair that all Sigstore clients verify.

mod entry;
mod tile;
mod wire;

pub use entry::{ExtraData, LogEntry, MerkleTreeLeaf, tile_leaf};
pub use tile::{TileLeaf, tile_leaves};

use crate::{Hash, HashAlgorithm, PublicKey, Rejection, Timestamp};
use der::asn1::OctetStringRef;
use der::{Decode as _, Encode as _};
use wire::{Reader, Writer};

/// `Version.v1`.
const V1: u8 = 0;
/// `SignatureType.certificate_timestamp`, and `MerkleLeafType.timestamped_entry`, which is also zero.
const CERTIFICATE_TIMESTAMP: u8 = 0;
/// `SignatureType.tree_hash`.
const TREE_HASH: u8 = 1;
/// `HashAlgorithm.sha256` and `SignatureAlgorithm.ecdsa` (RFC 5246 §7.4.1.4.1).
const SHA256_ECDSA: [u8; 2] = [4, 3];
/// `leaf_index` among the extensions of C2SP static-ct-api.
const LEAF_INDEX: u8 = 0;
/// The largest index that fits into static-ct-api's `uint40`.
const MAX_LEAF_INDEX: u64 = (1 << 40) - 1;

/// A log's promise that it has an entry (RFC 6962 §3.2), version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificateTimestamp {
    /// SHA-256 of the log's `SubjectPublicKeyInfo`.
    pub log_id: Hash,
    /// When the log accepted the entry.
    pub timestamp: Timestamp,
    /// `CtExtensions`, not parsed here. See [`leaf_index`].
    pub extensions: Vec<u8>,
    /// ECDSA in DER, without the `DigitallySigned` around it.
    pub signature: Vec<u8>,
}

impl SignedCertificateTimestamp {
    /// The structure in TLS encoding.
    ///
    /// # Errors
    /// [`Rejection::SctMalformed`] if a part exceeds its length field.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Rejection> {
        let mut out = Writer::default();
        out.u8(V1);
        out.bytes(&self.log_id);
        out.u64(self.timestamp.millis());
        out.opaque16(&self.extensions)?;
        out.bytes(&encode_digitally_signed(&self.signature));
        Ok(out.finish())
    }

    /// Parses exactly one structure.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        let mut input = Reader::new(bytes);
        if input.u8()? != V1 {
            return Err(Rejection::SctMalformed);
        }
        let log_id = input.array()?;
        let timestamp = Timestamp::from_millis(input.u64()?);
        let extensions = input.opaque16()?.to_vec();
        let signature = read_digitally_signed(&mut input)?.to_vec();
        input.end()?;
        Ok(Self { log_id, timestamp, extensions, signature })
    }

    /// Checks that `log_key` made this promise about `entry`.
    ///
    /// # Errors
    /// [`Rejection::SctUnknownLog`] if the SCT names another key, [`Rejection::SctSignature`] if the signature does not
    /// verify.
    pub fn verify(&self, entry: &LogEntry, log_key: &PublicKey) -> Result<(), Rejection> {
        if self.log_id != log_key.fingerprint() {
            return Err(Rejection::SctUnknownLog);
        }
        let signed = sct_signed_bytes(self.timestamp, entry, &self.extensions)?;
        log_key.verify_with(HashAlgorithm::Sha256, &signed, &self.signature).map_err(|_| Rejection::SctSignature)
    }
}

/// Encodes a `SignedCertificateTimestampList` (RFC 6962 §3.3).
pub fn list_to_bytes(list: &[SignedCertificateTimestamp]) -> Result<Vec<u8>, Rejection> {
    let mut inner = Writer::default();
    for sct in list {
        inner.opaque16(&sct.to_bytes()?)?;
    }
    let mut out = Writer::default();
    out.opaque16(&inner.finish())?;
    Ok(out.finish())
}

/// Parses a `SignedCertificateTimestampList`. An empty one is malformed, as the RFC says.
pub fn list_from_bytes(bytes: &[u8]) -> Result<Vec<SignedCertificateTimestamp>, Rejection> {
    let mut outer = Reader::new(bytes);
    let mut inner = Reader::new(outer.opaque16()?);
    outer.end()?;
    let mut list = Vec::new();
    while !inner.is_empty() {
        list.push(SignedCertificateTimestamp::from_bytes(inner.opaque16()?)?);
    }
    if list.is_empty() { Err(Rejection::SctMalformed) } else { Ok(list) }
}

/// The contents of `extnValue` of [`crate::extension::SCT_LIST`]: the list inside a DER `OCTET STRING` of its own.
pub fn list_to_extension(list: &[SignedCertificateTimestamp]) -> Result<Vec<u8>, Rejection> {
    let list = list_to_bytes(list)?;
    OctetStringRef::new(&list).and_then(|list| list.to_der()).map_err(|_| Rejection::SctMalformed)
}

/// Inverse of [`list_to_extension`].
pub fn list_from_extension(contents: &[u8]) -> Result<Vec<SignedCertificateTimestamp>, Rejection> {
    let list = <&OctetStringRef>::from_der(contents).map_err(|_| Rejection::SctMalformed)?;
    list_from_bytes(list.as_bytes())
}

/// The bytes that the signature of an SCT covers (RFC 6962 §3.2).
pub fn sct_signed_bytes(timestamp: Timestamp, entry: &LogEntry, extensions: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut out = Writer::default();
    out.u8(V1);
    out.u8(CERTIFICATE_TIMESTAMP);
    entry::write_timestamped(&mut out, timestamp, entry, extensions)?;
    Ok(out.finish())
}

/// The bytes that the signature of a signed tree head covers (RFC 6962 §3.5).
#[must_use]
pub fn tree_head_signed_bytes(timestamp: Timestamp, size: u64, root: &Hash) -> Vec<u8> {
    let mut out = Writer::default();
    out.u8(V1);
    out.u8(TREE_HASH);
    out.u64(timestamp.millis());
    out.u64(size);
    out.bytes(root);
    out.finish()
}

/// `DigitallySigned` (RFC 5246 §4.7) around an ECDSA signature over SHA-256, in DER.
#[must_use]
pub fn encode_digitally_signed(signature: &[u8]) -> Vec<u8> {
    // A signature over 65535 bytes would give bytes that cannot be decoded. ECDSA signatures have at most 139.
    let length = u16::try_from(signature.len()).unwrap_or(u16::MAX);
    [&SHA256_ECDSA[..], &length.to_be_bytes(), signature].concat()
}

/// Returns the signature inside exactly one `DigitallySigned`. Any other pair of algorithms is malformed.
pub fn decode_digitally_signed(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut input = Reader::new(bytes);
    let signature = read_digitally_signed(&mut input)?.to_vec();
    input.end()?;
    Ok(signature)
}

fn read_digitally_signed<'a>(input: &mut Reader<'a>) -> Result<&'a [u8], Rejection> {
    if input.array::<2>()? == SHA256_ECDSA { input.opaque16() } else { Err(Rejection::SctMalformed) }
}

/// Encodes the `CtExtensions` with the leaf index of an SCT (C2SP static-ct-api): `00 00 05` and the index in 40 bits.
///
/// # Errors
/// [`Rejection::SctMalformed`] if the index does not fit.
pub fn leaf_index_extension(index: u64) -> Result<[u8; 8], Rejection> {
    if index > MAX_LEAF_INDEX {
        return Err(Rejection::SctMalformed);
    }
    let [_, _, _, a, b, c, d, e] = index.to_be_bytes();
    Ok([LEAF_INDEX, 0, 5, a, b, c, d, e])
}

/// Returns the leaf index among `extensions`, or `None` if there is none. Unknown extensions are skipped. A repeated
/// extension, or bytes that do not parse, are malformed.
pub fn leaf_index(extensions: &[u8]) -> Result<Option<u64>, Rejection> {
    let mut input = Reader::new(extensions);
    let mut seen = [false; 256];
    let mut index = None;
    while !input.is_empty() {
        let kind = input.u8()?;
        let data = input.opaque16()?;
        if std::mem::replace(&mut seen[usize::from(kind)], true) {
            return Err(Rejection::SctMalformed);
        }
        if kind == LEAF_INDEX {
            let &[a, b, c, d, e] = data else { return Err(Rejection::SctMalformed) };
            index = Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
        }
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SignedCertificateTimestamp {
        SignedCertificateTimestamp {
            log_id: [7; 32],
            timestamp: Timestamp::from_millis(0x0102_0304_0506),
            extensions: leaf_index_extension(0x70).unwrap().to_vec(),
            signature: vec![0x30, 0x06, 2, 1, 1, 2, 1, 1],
        }
    }

    #[test]
    fn an_sct_has_the_bytes_of_the_rfc() {
        let bytes = sample().to_bytes().unwrap();
        assert_eq!(bytes[..1], [0]);
        assert_eq!(bytes[33..41], [0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(bytes[41..51], [0, 8, 0, 0, 5, 0, 0, 0, 0, 0x70]);
        assert_eq!(bytes[51..], [4, 3, 0, 8, 0x30, 6, 2, 1, 1, 2, 1, 1]);
        assert_eq!(SignedCertificateTimestamp::from_bytes(&bytes).unwrap(), sample());
    }

    #[test]
    fn every_shorter_or_longer_input_is_malformed() {
        let list = list_to_extension(&[sample(), sample()]).unwrap();
        assert_eq!(list_from_extension(&list).unwrap(), [sample(), sample()]);
        for length in 0..list.len() {
            assert_eq!(list_from_extension(&list[..length]), Err(Rejection::SctMalformed), "{length}");
        }
        assert!(list_from_extension(&[&list[..], &[0]].concat()).is_err());
        assert_eq!(list_from_bytes(&[0, 0]), Err(Rejection::SctMalformed), "the list may not be empty");
        let bytes = sample().to_bytes().unwrap();
        for (at, other) in [(0, 1), (51, 2), (52, 1)] {
            let mut changed = bytes.clone();
            changed[at] = other;
            assert_eq!(SignedCertificateTimestamp::from_bytes(&changed), Err(Rejection::SctMalformed), "{at}");
        }
    }

    #[test]
    fn leaf_indices_are_forty_bits_and_unique() {
        assert_eq!(leaf_index_extension(0x70).unwrap(), [0, 0, 5, 0, 0, 0, 0, 0x70]);
        assert_eq!(leaf_index(&leaf_index_extension(MAX_LEAF_INDEX).unwrap()), Ok(Some(MAX_LEAF_INDEX)));
        assert!(leaf_index_extension(MAX_LEAF_INDEX + 1).is_err());
        assert_eq!(leaf_index(&[]), Ok(None));
        let one = leaf_index_extension(1).unwrap();
        assert_eq!(leaf_index(&[&[9, 0, 1, 0xff], &one[..]].concat()), Ok(Some(1)));
        for bad in [[one, one].concat(), one[..7].to_vec(), vec![0, 0, 4, 0, 0, 0, 1], vec![1]] {
            assert_eq!(leaf_index(&bad), Err(Rejection::SctMalformed), "{bad:?}");
        }
    }

    #[test]
    fn a_tree_head_is_signed_over_fifty_bytes() {
        let bytes = tree_head_signed_bytes(Timestamp::from_millis(1), 2, &[3; 32]);
        assert_eq!(bytes[..18], [0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(bytes.len(), 50);
    }
}
