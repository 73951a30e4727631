//! A reader of a log's files (C2SP tlog-tiles, static-ct-api) who has the log's key and nothing else.

use chancery_verify::{
    Hash, PublicKey, Rejection,
    checkpoint::{Checkpoint, Scheme},
    hash::sha256,
    merkle::{TreeHead, leaf_hash},
    note::{KeyName, Note},
    sct,
    tile::{Edge, FULL_WIDTH, TilePath, Tiles, hashes_from_bytes, leaves_from_bundle},
};

/// The bytes at a path below a log's directory.
pub trait File: Fn(&str) -> Option<Vec<u8>> {}
impl<F: Fn(&str) -> Option<Vec<u8>>> File for F {}

/// Derives a Rekor v1 log again and returns its size; fails with the path of the first file that does not follow.
pub fn read_rekor(key_pem: &[u8], file: impl File) -> Result<u64, String> {
    let scheme = |origin: &str| {
        let (host, tree_id) = origin.split_once(" - ").ok_or(Rejection::CheckpointOrigin)?;
        let tree_id = tree_id.parse().map_err(|_| Rejection::CheckpointOrigin)?;
        Ok(Scheme::RekorV1 { host: KeyName::new(host)?, tree_id })
    };
    let leaves = |bytes: &[u8]| Ok(leaves_from_bundle(bytes)?.into_iter().map(leaf_hash).collect());
    read(key_pem, scheme, "entries", leaves, file)
}

/// Derives a certificate log again, issuers included, and returns its size; fails as [`read_rekor`] does.
pub fn read_ct(key_pem: &[u8], file: impl File) -> Result<u64, String> {
    let scheme = |origin: &str| Ok(Scheme::StaticCt { origin: KeyName::new(origin)? });
    let leaves = |bytes: &[u8]| {
        let mut hashes = Vec::new();
        for entry in sct::tile_leaves(bytes)? {
            hashes.push(leaf_hash(&entry.leaf.to_bytes()?));
            for issuer in entry.chain {
                let der = file(&format!("issuer/{}", hex::encode(issuer))).ok_or(Rejection::ChainIncomplete)?;
                assert_eq!(sha256(&der), issuer);
            }
        }
        Ok(hashes)
    };
    read(key_pem, scheme, "data", leaves, &file)
}

fn read(
    key_pem: &[u8],
    scheme: impl Fn(&str) -> Result<Scheme, Rejection>,
    entries: &str,
    leaves: impl Fn(&[u8]) -> Result<Vec<Hash>, Rejection>,
    file: impl File,
) -> Result<u64, String> {
    let head = read_head(key_pem, scheme, &file).ok_or("checkpoint")?;
    let (mut edge, mut derived) = (Edge::default(), Tiles::default());
    let whole = u64::from(FULL_WIDTH);
    for index in 0..head.size.div_ceil(whole) {
        let width = u32::try_from((head.size - index * whole).min(whole)).unwrap();
        let path = TilePath { level: None, index, width }.with_entries_in(entries);
        let hashes = file(&path).and_then(|bytes| leaves(&bytes).ok()).ok_or_else(|| path.clone())?;
        if hashes.len() != width as usize {
            return Err(path);
        }
        for hash in hashes {
            edge.append(hash, &mut derived);
        }
    }
    for (id, hashes) in &derived.0 {
        let width = u32::try_from(hashes.len()).unwrap();
        let path = TilePath { level: Some(id.level), index: id.index, width }.to_string();
        if file(&path).and_then(|bytes| hashes_from_bytes(&bytes).ok()).as_ref() != Some(hashes) {
            return Err(path);
        }
    }
    let found = TreeHead { size: edge.size(), root: edge.root() };
    if found == head { Ok(head.size) } else { Err("checkpoint".to_owned()) }
}

fn read_head(key_pem: &[u8], scheme: impl Fn(&str) -> Result<Scheme, Rejection>, file: impl File) -> Option<TreeHead> {
    let key = PublicKey::from_pem(key_pem).unwrap();
    let note = String::from_utf8(file("checkpoint")?).ok()?;
    let origin = Checkpoint::parse(&Note::parse(&note).ok()?.text).ok()?.origin;
    scheme(&origin).ok()?.open(&note, &key).ok()
}
