//! Data tiles of a certificate transparency log: entries as files (C2SP static-ct-api).

use super::entry::{LogEntry, MerkleTreeLeaf};
use super::wire::Reader;
use crate::tile::FULL_WIDTH;
use crate::{Hash, Rejection, Timestamp, hash};

/// An entry of a data tile (`TileLeaf`). Its leaf is in the tree. No hash covers the other fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileLeaf {
    /// The leaf, which is hashed into the tree.
    pub leaf: MerkleTreeLeaf,
    /// The submitted precertificate, if the entry is one.
    pub precertificate: Option<Vec<u8>>,
    /// SHA-256 of each issuer, from the one that signed to the root.
    pub chain: Vec<Hash>,
}

impl TileLeaf {
    fn read(input: &mut Reader<'_>) -> Result<Self, Rejection> {
        let timestamp = Timestamp::from_millis(input.u64()?);
        let entry = LogEntry::read(input)?;
        let extensions = input.opaque16()?.to_vec();
        let precertificate = match entry {
            LogEntry::X509 { .. } => None,
            LogEntry::Precert { .. } => Some(input.opaque24()?.to_vec()),
        };
        let (chain, rest) = input.opaque16()?.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(Rejection::SctMalformed);
        }
        Ok(Self { leaf: MerkleTreeLeaf { timestamp, entry, extensions }, precertificate, chain: chain.to_vec() })
    }

    /// The identity of this entry: SHA-256 of the submitted certificate.
    #[must_use]
    pub fn submitted_hash(&self) -> Hash {
        match (&self.precertificate, &self.leaf.entry) {
            (Some(precertificate), _) => hash::sha256(precertificate),
            (None, LogEntry::X509 { certificate }) => hash::sha256(certificate),
            // Parsing never makes such a value. For one made by hand, the hash of the signed part is returned.
            (None, LogEntry::Precert { tbs, .. }) => hash::sha256(tbs),
        }
    }
}

/// Parses a data tile. It must have between 1 and 256 entries.
pub fn tile_leaves(bytes: &[u8]) -> Result<Vec<TileLeaf>, Rejection> {
    let mut input = Reader::new(bytes);
    let mut leaves = Vec::new();
    while !input.is_empty() {
        if leaves.len() == FULL_WIDTH as usize {
            return Err(Rejection::TileLength);
        }
        leaves.push(TileLeaf::read(&mut input)?);
    }
    if leaves.is_empty() { Err(Rejection::TileLength) } else { Ok(leaves) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sct::{ExtraData, tile_leaf};

    fn entries() -> [(MerkleTreeLeaf, ExtraData); 2] {
        let timestamp = Timestamp::from_millis(5);
        let extensions = vec![0, 0, 5, 0, 0, 0, 0, 7];
        let tbs = vec![0x30, 0];
        [
            (
                MerkleTreeLeaf {
                    timestamp,
                    entry: LogEntry::Precert { issuer_key_hash: [9; 32], tbs },
                    extensions: extensions.clone(),
                },
                ExtraData::Precert { precertificate: vec![1, 2, 3], chain: vec![vec![4], vec![5]] },
            ),
            (
                MerkleTreeLeaf { timestamp, entry: LogEntry::X509 { certificate: vec![6] }, extensions },
                ExtraData::X509 { chain: Vec::new() },
            ),
        ]
    }

    #[test]
    fn what_is_written_reads_back_and_hashes_to_the_same_leaf() {
        let written: Vec<u8> = entries().iter().flat_map(|(leaf, extra)| tile_leaf(leaf, extra).unwrap()).collect();
        let read = tile_leaves(&written).unwrap();
        assert_eq!(read.len(), 2);
        for ((leaf, _), read) in entries().iter().zip(&read) {
            assert_eq!(&read.leaf, leaf);
        }
        assert_eq!(read[0].chain, [hash::sha256(&[4]), hash::sha256(&[5])]);
        assert_eq!(read[0].submitted_hash(), hash::sha256(&[1, 2, 3]));
        assert_eq!(read[1].submitted_hash(), hash::sha256(&[6]));
        for length in 1..written.len() {
            let cut = tile_leaves(&written[..length]);
            assert!(cut.is_err() || cut.unwrap().len() == 1, "{length}");
        }
    }

    #[test]
    fn a_tile_has_one_to_256_entries() {
        let (leaf, extra) = &entries()[1];
        let one = tile_leaf(leaf, extra).unwrap();
        assert_eq!(tile_leaves(&[]), Err(Rejection::TileLength));
        assert_eq!(tile_leaves(&one.repeat(256)).unwrap().len(), 256);
        assert_eq!(tile_leaves(&one.repeat(257)), Err(Rejection::TileLength));
    }
}
