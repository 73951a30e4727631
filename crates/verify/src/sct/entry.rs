//! The stored form of a certificate transparency log: leaves and the chains beside them (RFC 6962 §3.1, §3.4, §4.6).

use super::wire::{Reader, Writer};
use super::{CERTIFICATE_TIMESTAMP, V1};
use crate::{Hash, Rejection, Timestamp, hash};

/// `LogEntryType.x509_entry`.
const X509_ENTRY: u16 = 0;
/// `LogEntryType.precert_entry`.
const PRECERT_ENTRY: u16 = 1;

/// The signed part of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// An issued certificate.
    X509 {
        /// The certificate in DER.
        certificate: Vec<u8>,
    },
    /// A certificate that is about to be issued.
    Precert {
        /// SHA-256 of the issuer's `SubjectPublicKeyInfo`. It binds the entry to the CA without the CA's certificate.
        issuer_key_hash: Hash,
        /// `TBSCertificate` in DER, without poison and without SCT list.
        tbs: Vec<u8>,
    },
}

impl LogEntry {
    fn write(&self, out: &mut Writer) -> Result<(), Rejection> {
        match self {
            Self::X509 { certificate } => {
                out.u16(X509_ENTRY);
                out.opaque24(certificate)
            }
            Self::Precert { issuer_key_hash, tbs } => {
                out.u16(PRECERT_ENTRY);
                out.bytes(issuer_key_hash);
                out.opaque24(tbs)
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, Rejection> {
        match input.u16()? {
            X509_ENTRY => Ok(Self::X509 { certificate: input.opaque24()?.to_vec() }),
            PRECERT_ENTRY => Ok(Self::Precert { issuer_key_hash: input.array()?, tbs: input.opaque24()?.to_vec() }),
            _ => Err(Rejection::SctMalformed),
        }
    }
}

/// Writes the `TimestampedEntry`, which is part of both the signed bytes and the leaf.
pub(super) fn write_timestamped(
    out: &mut Writer,
    timestamp: Timestamp,
    entry: &LogEntry,
    extensions: &[u8],
) -> Result<(), Rejection> {
    out.u64(timestamp.millis());
    entry.write(out)?;
    out.opaque16(extensions)
}

/// A leaf of the tree (RFC 6962 §3.4). `get-entries` returns it as `leaf_input`, and the leaf hash is over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleTreeLeaf {
    /// When the log accepted the entry.
    pub timestamp: Timestamp,
    /// The entry.
    pub entry: LogEntry,
    /// `CtExtensions`, the same bytes as in the SCT.
    pub extensions: Vec<u8>,
}

impl MerkleTreeLeaf {
    /// The leaf in TLS encoding.
    ///
    /// # Errors
    /// [`Rejection::SctMalformed`] if a part exceeds its length field.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Rejection> {
        let mut out = Writer::default();
        out.u8(V1);
        out.u8(CERTIFICATE_TIMESTAMP);
        write_timestamped(&mut out, self.timestamp, &self.entry, &self.extensions)?;
        Ok(out.finish())
    }

    /// Parses exactly one leaf.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        let mut input = Reader::new(bytes);
        if input.u8()? != V1 || input.u8()? != CERTIFICATE_TIMESTAMP {
            return Err(Rejection::SctMalformed);
        }
        let timestamp = Timestamp::from_millis(input.u64()?);
        let entry = LogEntry::read(&mut input)?;
        let extensions = input.opaque16()?.to_vec();
        input.end()?;
        Ok(Self { timestamp, entry, extensions })
    }
}

/// The `extra_data` of a leaf in `get-entries` (RFC 6962 §4.6): the submitted chain. No hash covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtraData {
    /// For [`LogEntry::X509`].
    X509 {
        /// The issuers in DER, from the one that signed the certificate to the root.
        chain: Vec<Vec<u8>>,
    },
    /// For [`LogEntry::Precert`].
    Precert {
        /// The precertificate as submitted, poisoned and signed, in DER.
        precertificate: Vec<u8>,
        /// The issuers in DER, from the one that signed the precertificate to the root.
        chain: Vec<Vec<u8>>,
    },
}

impl ExtraData {
    /// The structure in TLS encoding.
    ///
    /// # Errors
    /// [`Rejection::SctMalformed`] if a part exceeds its length field.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Rejection> {
        let mut out = Writer::default();
        let chain = match self {
            Self::X509 { chain } => chain,
            Self::Precert { precertificate, chain } => {
                out.opaque24(precertificate)?;
                chain
            }
        };
        let mut list = Writer::default();
        for certificate in chain {
            list.opaque24(certificate)?;
        }
        out.opaque24(&list.finish())?;
        Ok(out.finish())
    }

    /// Parses the data that belongs to `entry`. The bytes alone do not show which form they have.
    pub fn from_bytes(bytes: &[u8], entry: &LogEntry) -> Result<Self, Rejection> {
        let mut input = Reader::new(bytes);
        let extra = match entry {
            LogEntry::X509 { .. } => Self::X509 { chain: read_chain(&mut input)? },
            LogEntry::Precert { .. } => {
                Self::Precert { precertificate: input.opaque24()?.to_vec(), chain: read_chain(&mut input)? }
            }
        };
        input.end()?;
        Ok(extra)
    }
}

/// Encodes an entry of a data tile of static-ct-api (`TileLeaf`): the timestamped entry, the submitted precertificate
/// if there is one, and the SHA-256 of each issuer.
pub fn tile_leaf(leaf: &MerkleTreeLeaf, extra: &ExtraData) -> Result<Vec<u8>, Rejection> {
    let mut out = Writer::default();
    write_timestamped(&mut out, leaf.timestamp, &leaf.entry, &leaf.extensions)?;
    let chain = match extra {
        ExtraData::X509 { chain } => chain,
        ExtraData::Precert { precertificate, chain } => {
            out.opaque24(precertificate)?;
            chain
        }
    };
    let fingerprints: Vec<u8> = chain.iter().flat_map(|issuer| hash::sha256(issuer)).collect();
    out.opaque16(&fingerprints)?;
    Ok(out.finish())
}

fn read_chain(input: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Rejection> {
    let mut list = Reader::new(input.opaque24()?);
    let mut chain = Vec::new();
    while !list.is_empty() {
        chain.push(list.opaque24()?.to_vec());
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precert() -> LogEntry {
        LogEntry::Precert { issuer_key_hash: [9; 32], tbs: vec![0x30, 0] }
    }

    #[test]
    fn leaves_have_the_bytes_of_the_rfc_and_read_back() {
        let leaf = MerkleTreeLeaf { timestamp: Timestamp::from_millis(5), entry: precert(), extensions: vec![1, 0, 0] };
        let bytes = leaf.to_bytes().unwrap();
        assert_eq!(bytes[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1]);
        assert_eq!(bytes[44..], [0, 0, 2, 0x30, 0, 0, 3, 1, 0, 0]);
        assert_eq!(MerkleTreeLeaf::from_bytes(&bytes).unwrap(), leaf);
        for length in 0..bytes.len() {
            assert_eq!(MerkleTreeLeaf::from_bytes(&bytes[..length]), Err(Rejection::SctMalformed), "{length}");
        }
        assert!(MerkleTreeLeaf::from_bytes(&[&bytes[..], &[0]].concat()).is_err());

        let leaf = MerkleTreeLeaf { entry: LogEntry::X509 { certificate: vec![1, 2] }, ..leaf };
        assert_eq!(leaf.to_bytes().unwrap()[10..], [0, 0, 0, 0, 2, 1, 2, 0, 3, 1, 0, 0]);
        assert_eq!(MerkleTreeLeaf::from_bytes(&leaf.to_bytes().unwrap()).unwrap(), leaf);
    }

    #[test]
    fn extra_data_reads_back_by_the_kind_of_its_entry() {
        let x509 = ExtraData::X509 { chain: vec![vec![1], vec![2, 3]] };
        let bytes = x509.to_bytes().unwrap();
        assert_eq!(bytes, [0, 0, 9, 0, 0, 1, 1, 0, 0, 2, 2, 3]);
        assert_eq!(ExtraData::from_bytes(&bytes, &LogEntry::X509 { certificate: Vec::new() }).unwrap(), x509);

        let extra = ExtraData::Precert { precertificate: vec![7], chain: vec![vec![1]] };
        let bytes = extra.to_bytes().unwrap();
        assert_eq!(bytes, [0, 0, 1, 7, 0, 0, 4, 0, 0, 1, 1]);
        assert_eq!(ExtraData::from_bytes(&bytes, &precert()).unwrap(), extra);
        for length in 0..bytes.len() {
            assert_eq!(ExtraData::from_bytes(&bytes[..length], &precert()), Err(Rejection::SctMalformed), "{length}");
        }
    }
}
