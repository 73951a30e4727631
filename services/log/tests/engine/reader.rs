//! A reader of a log's files who knows the specification and the log's key, and asks nobody but the files.

use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{TreeHead, leaf_hash};
use chancery_verify::tile::{Edge, FULL_WIDTH, TilePath, Tiles, hashes_from_bytes, leaves_from_bundle};
use chancery_verify::{Hash, PublicKey};

/// Derives the whole log again: bundles → leaf hashes → tiles → root → checkpoint. Returns its leaves' hashes, or the
/// path of the first file that does not follow.
pub(crate) fn read_log(
    scheme: &Scheme,
    key: &PublicKey,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Hash>, String> {
    let checkpoint = file("checkpoint").and_then(|note| String::from_utf8(note).ok());
    let head = checkpoint.and_then(|note| scheme.open(&note, key).ok()).ok_or("checkpoint")?;
    let (mut edge, mut derived, mut leaves) = (Edge::default(), Tiles::default(), Vec::new());
    let whole = u64::from(FULL_WIDTH);
    for index in 0..head.size.div_ceil(whole) {
        let width = u32::try_from((head.size - index * whole).min(whole)).unwrap();
        let path = TilePath { level: None, index, width }.to_string();
        let bundle = file(&path).ok_or_else(|| path.clone())?;
        let bundle = leaves_from_bundle(&bundle).map_err(|_| path.clone())?;
        if bundle.len() != width as usize {
            return Err(path);
        }
        for leaf in bundle {
            leaves.push(leaf_hash(leaf));
            edge.append(leaf_hash(leaf), &mut derived);
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
    if found == head { Ok(leaves) } else { Err("checkpoint".to_owned()) }
}
