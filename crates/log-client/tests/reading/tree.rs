//! A log in memory: leaves, their tree at any size, and a key.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use chancery_log_client::RemoteLog;
use chancery_verify::{
    Hash, PublicKey, Timestamp,
    checkpoint::Scheme,
    merkle::{self, CompactRange, TreeHead, leaf_hash},
    note::KeyName,
    tile::{self, Edge, FULL_WIDTH, TileId, TilePath, Tiles},
};

/// The time of every signature.
pub(crate) const TIME_MS: u64 = 1_700_000_000_123;

pub(crate) struct Tree {
    key: EcdsaKeyPair,
    pub(crate) leaves: Vec<Vec<u8>>,
    tiles: Tiles,
}

impl Tree {
    pub(crate) fn of(leaves: Vec<Vec<u8>>) -> Self {
        let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
        for leaf in &leaves {
            edge.append(leaf_hash(leaf), &mut tiles);
        }
        Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(), leaves, tiles }
    }

    /// A tree of `count` leaves that say `name` and their number.
    pub(crate) fn named(name: &str, count: usize) -> Self {
        Self::of((0..count).map(|number| format!("{name} {number}").into_bytes()).collect())
    }

    pub(crate) fn key(&self) -> PublicKey {
        let spki: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        PublicKey::from_spki_der(spki.as_ref()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: merkle::root_hash(size, &mut &self.tiles).unwrap() }
    }

    pub(crate) fn checkpoint(&self, scheme: &Scheme, size: u64) -> String {
        let (head, now) = (self.head(size), Timestamp::from_millis(TIME_MS));
        scheme.note(&head, now, &self.key(), &self.sign(&scheme.signed_bytes(&head, now)))
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        merkle::inclusion_proof(index, size, &mut &self.tiles).unwrap()
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        merkle::consistency_proof(old, new, &mut &self.tiles).unwrap()
    }

    pub(crate) fn leaf(&self, index: u64) -> &[u8] {
        &self.leaves[usize::try_from(index).unwrap()]
    }

    /// What is at `path` (after `tile/`) in the tree of `size` leaves, where only the newest partial tiles are kept. `entry`
    /// writes an entry of a bundle.
    pub(crate) fn tile(&self, path: &str, entries: &str, size: u64, entry: impl Fn(u64) -> Vec<u8>) -> Option<Vec<u8>> {
        let TilePath { level, index, width } = TilePath::parse(path, entries).unwrap();
        let id = TileId { level: level.unwrap_or(0), index };
        if id.width(size) != width {
            return None;
        }
        let first = index * u64::from(FULL_WIDTH);
        Some(match level {
            Some(_) => tile::hashes_to_bytes(&self.tiles.0[&id][..width as usize]),
            None => (first..first + u64::from(width)).flat_map(entry).collect(),
        })
    }
}

pub(crate) fn name(text: &str) -> KeyName {
    KeyName::new(text).unwrap()
}

/// Reads all entries of `log` and hashes them into the tree of its head; then asks for proofs and verifies them. `tree` is
/// what must come out.
pub(crate) async fn read_all(log: &RemoteLog, tree: &Tree, size: u64) {
    let head = log.head().await.unwrap();
    assert_eq!(TreeHead { size: head.size, root: head.root }, tree.head(size));
    assert_eq!(log.open_checkpoint(&head.checkpoint), Ok(tree.head(size)));
    let mut range = CompactRange::default();
    while range.size() < size {
        let entries = log.entries(range.size(), size).await.unwrap();
        assert!(!entries.is_empty());
        for entry in entries {
            assert_eq!(entry.leaf, tree.leaf(range.size()));
            range.push(leaf_hash(&entry.leaf));
        }
    }
    assert_eq!(range.head(), tree.head(size));
    assert_eq!(log.entries(size, size).await, Ok(Vec::new()));
    for earlier in [1, 2, size / 3, size - 1, size] {
        for index in [0, earlier / 2, earlier - 1] {
            let proof = log.inclusion_proof(index, earlier).await.unwrap();
            assert_eq!(proof, tree.inclusion(index, earlier), "{index} in {earlier}");
        }
        assert_eq!(log.consistency_proof(earlier, size).await.unwrap(), tree.consistency(earlier, size), "{earlier}");
        assert_eq!(log.consistency_proof(0, earlier).await, Ok(Vec::new()));
    }
}
