//! Trees, proofs and tiles against independent implementations.
//!
//! `rs_merkle` with RFC 6962's hashes is the oracle for roots and inclusion proofs (its own verifier is not: it accepts
//! over-long proofs). Consistency proofs are checked by RFC 9162's verification algorithm, which shares no code with the
//! algorithm that makes them.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use chancery_verify::merkle::{
    TreeHead, consistency_proof, empty_root, inclusion_proof, leaf_hash, root_hash, verify_consistency,
    verify_inclusion,
};
use chancery_verify::tile::{Edge, TileId, TilePath, Tiles, bundle_entry, leaves_from_bundle};
use chancery_verify::{Hash, Rejection, hash};
use proptest::prelude::*;
use rs_merkle::{Hasher, MerkleTree};

/// Every tree size up to two full tiles and a few leaves more.
const LARGEST: u64 = 520;

#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = Hash;

    fn hash(data: &[u8]) -> Hash {
        hash::sha256_parts(&[&[0], data])
    }

    fn concat_and_hash(left: &Hash, right: Option<&Hash>) -> Hash {
        right.map_or(*left, |right| hash::sha256_parts(&[&[1], left, right]))
    }
}

fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes())
}

/// The leaves, every tile, and the edge of the tree of each size from 0 on.
fn grow(size: u64) -> (Tiles, Vec<Edge>) {
    let mut tiles = Tiles::default();
    let mut edges = vec![Edge::default()];
    for index in 0..size {
        let mut edge = edges.last().unwrap().clone();
        edge.append(leaf(index), &mut tiles);
        edges.push(edge);
    }
    (tiles, edges)
}

#[test]
fn roots_and_inclusion_proofs_are_the_oracles() {
    let (tiles, edges) = grow(LARGEST);
    let mut oracle = MerkleTree::<Rfc6962>::new();
    assert_eq!(edges[0].root(), empty_root());
    for size in 1..=LARGEST {
        oracle.insert(leaf(size - 1)).commit();
        let root = oracle.root().unwrap();
        assert_eq!(edges[usize::try_from(size).unwrap()].root(), root, "edge of {size}");
        assert_eq!(root_hash(size, &mut &tiles).unwrap(), root, "tiles at {size}");
        for index in 0..size {
            let proof = inclusion_proof(index, size, &mut &tiles).unwrap();
            let expected = oracle.proof(&[usize::try_from(index).unwrap()]);
            assert_eq!(proof, expected.proof_hashes(), "proof of {index} in {size}");
            assert_eq!(verify_inclusion(index, size, &leaf(index), &proof, &root), Ok(()));
        }
    }
}

#[test]
fn a_wrong_inclusion_proof_is_refused() {
    let (tiles, _) = grow(LARGEST);
    for size in [1, 2, 3, 7, 8, 255, 256, 257, LARGEST] {
        let root = root_hash(size, &mut &tiles).unwrap();
        for index in [0, size / 2, size - 1] {
            let proof = inclusion_proof(index, size, &mut &tiles).unwrap();
            let longer = [proof.clone(), vec![[0; 32]]].concat();
            assert_eq!(verify_inclusion(index, size, &leaf(index), &longer, &root), Err(Rejection::ProofLength));
            assert_eq!(verify_inclusion(index, size, &leaf(index + 1), &proof, &root), Err(Rejection::RootMismatch));
            let beyond = Rejection::IndexBeyondTree { index: size, size };
            assert_eq!(verify_inclusion(size, size, &leaf(index), &proof, &root), Err(beyond));
            for position in 0..proof.len() {
                let mut shorter = proof.clone();
                shorter.remove(position);
                assert!(verify_inclusion(index, size, &leaf(index), &shorter, &root).is_err());
                let mut flipped = proof.clone();
                flipped[position][31] ^= 1;
                assert_eq!(verify_inclusion(index, size, &leaf(index), &flipped, &root), Err(Rejection::RootMismatch));
            }
        }
    }
}

#[test]
fn consistency_proofs_verify_for_every_pair_and_only_for_it() {
    let (tiles, edges) = grow(300);
    let head = |size: u64| TreeHead { size, root: edges[usize::try_from(size).unwrap()].root() };
    for new in 0..=300 {
        for old in 0..=new {
            let proof = consistency_proof(old, new, &mut &tiles).unwrap();
            assert_eq!(verify_consistency(&head(old), &head(new), &proof), Ok(()), "{old} to {new}");
            let longer = [proof.clone(), vec![[0; 32]]].concat();
            assert_eq!(
                verify_consistency(&head(old), &head(new), &longer),
                Err(Rejection::ProofLength),
                "{old} to {new}"
            );
            let forked = TreeHead { size: old, root: [1; 32] };
            assert!(verify_consistency(&forked, &head(new), &proof).is_err(), "{old} to {new}");
        }
    }
    let shrinks = Rejection::TreeShrinks { old: 2, new: 1 };
    assert_eq!(verify_consistency(&head(2), &head(1), &[]), Err(shrinks));
}

#[test]
fn an_edge_is_rebuilt_from_tiles_that_have_grown_since() {
    let (tiles, edges) = grow(LARGEST);
    for (size, edge) in (0..).zip(&edges) {
        let ids = Edge::tile_ids(size);
        let read = Tiles(
            tiles.0.iter().filter(|(id, _)| ids.contains(id)).map(|(id, hashes)| (*id, hashes.clone())).collect(),
        );
        assert_eq!(&Edge::from_tiles(size, &read).unwrap(), edge, "size {size}");
    }
    assert!(Edge::from_tiles(3, &Tiles::default()).is_err());
}

#[test]
fn tile_widths_are_those_of_the_specification() {
    // The worked example of C2SP tlog-tiles: a log of 70,000 entries.
    let width = |level, index| TileId { level, index }.width(70_000);
    assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (256, 112, 0));
    assert_eq!((width(1, 0), width(1, 1), width(2, 0), width(3, 0)), (256, 17, 1, 0));
}

#[test]
fn a_tile_is_as_wide_as_the_size_it_needs_allows() {
    for (level, index, width) in [(0, 0, 1), (0, 3, 256), (1, 0, 1), (1, 2, 17), (2, 0, 3), (7, 0, 1)] {
        let id = TileId { level, index };
        let size = id.size_for(width);
        assert_eq!((id.width(size), id.width(size - 1)), (width, width - 1), "{id:?}");
    }
}

#[test]
fn entry_bundles_read_back() {
    let leaves: Vec<Vec<u8>> = (0..256).map(|index| vec![7; index]).collect();
    let bundle: Vec<u8> = leaves.iter().flat_map(|leaf| bundle_entry(leaf).unwrap()).collect();
    assert_eq!(leaves_from_bundle(&bundle).unwrap(), leaves.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(bundle_entry(&vec![0; 65_536]), None);
    let too_many = [bundle.clone(), vec![0, 0]].concat();
    for bad in [&[][..], &[0], &[0, 1], &bundle[..bundle.len() - 1], &too_many] {
        assert_eq!(leaves_from_bundle(bad), Err(Rejection::TileLength));
    }
}

#[test]
fn tile_paths_have_one_spelling() {
    for (path, level, index, width) in [
        ("0/000", Some(0), 0, 256),
        ("0/x001/x234/067", Some(0), 1_234_067, 256),
        ("entries/x001/067.p/12", None, 1067, 12),
        ("63/999.p/255", Some(63), 999, 255),
    ] {
        let parsed = TilePath::parse(path, "entries").unwrap();
        assert_eq!(parsed, TilePath { level, index, width });
        assert_eq!(parsed.to_string(), format!("tile/{path}"));
    }
    for bad in [
        "",
        "0",
        "0/",
        "0/1",
        "0/x000/001",
        "00/001",
        "64/001",
        "0/001.p/0",
        "0/001.p/256",
        "0/001.p/01",
        "0/001/002",
        "0/x001",
        "-1/001",
        "0/+01",
        "data/000",
        "0/x999/x999/x999/x999/x999/x999/999/",
    ] {
        assert_eq!(TilePath::parse(bad, "entries"), Err(Rejection::TilePath), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn any_proof_verifies_in_a_tree_too_large_to_build(size in 1_u64..1 << 40, seed: u64) {
        let index = seed % size;
        // Every complete subtree has a different hash. The test is that prover and verifier combine them in the same way.
        let mut nodes = Invented;
        let root = root_hash(size, &mut nodes).unwrap();
        let proof = inclusion_proof(index, size, &mut nodes).unwrap();
        let leaf = chancery_verify::merkle::Nodes::node(&mut nodes, chancery_verify::merkle::Node { level: 0, index }).unwrap();
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
        let old = TreeHead { size: index + 1, root: root_hash(index + 1, &mut nodes).unwrap() };
        let proof = consistency_proof(old.size, size, &mut nodes).unwrap();
        prop_assert_eq!(verify_consistency(&old, &TreeHead { size, root }, &proof), Ok(()));
    }

    #[test]
    fn no_input_makes_the_parsers_panic(text in "\\PC{0,80}") {
        let _ = TilePath::parse(&text, "entries");
        let _ = chancery_verify::note::Note::parse(&text);
        let _ = chancery_verify::checkpoint::Checkpoint::parse(&text);
        let _ = chancery_verify::rekor::ProposedEntry::parse(text.as_bytes());
    }
}

/// A tree with equal leaves. The hash of a subtree depends only on its height, so a tree of any size can be computed.
struct Invented;

impl chancery_verify::merkle::Nodes for Invented {
    type Error = std::convert::Infallible;

    fn node(&mut self, node: chancery_verify::merkle::Node) -> Result<Hash, Self::Error> {
        let mut hash = leaf(0);
        for _ in 0..node.level {
            hash = chancery_verify::merkle::node_hash(&hash, &hash);
        }
        Ok(hash)
    }
}

#[test]
fn questions_without_an_answer_are_answered_by_no_proof() {
    use chancery_verify::merkle::{Plan, TreeHead, consistency_proof, inclusion_proof, root_hash};
    let sizes = [0, 1, 2, 3, 7, 13, 255, 256, 257, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
    for first in sizes {
        for second in sizes {
            let consistency = consistency_proof(first, second, &mut Plan::default()).unwrap();
            let inclusion = inclusion_proof(first, second, &mut Plan::default()).unwrap();
            assert!(consistency.len() <= 65 && inclusion.len() <= 64, "{first} {second}");
            if first > second {
                assert_eq!((consistency.len(), inclusion.len()), (0, 0), "{first} {second}");
                let [old, new] = [first, second].map(|size| TreeHead { size, root: [0; 32] });
                let verdict = chancery_verify::merkle::verify_consistency(&old, &new, &consistency);
                assert_eq!(verdict, Err(chancery_verify::Rejection::TreeShrinks { old: first, new: second }));
            }
        }
        assert!(root_hash(first, &mut Plan::default()).is_ok());
    }
}
