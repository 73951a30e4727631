//! Tiles: the files that hold the hashes of a log (C2SP tlog-tiles).
//!
//! A tile at tile level `L` holds up to 256 hashes of complete subtrees of height `8·L`. A full tile never changes. A
//! partial tile of width `w` has the first `w` hashes of every later version, so one stored row per tile serves all its
//! partial widths. [`Edge`] has the right-most tile of every level, which is enough to append.

mod edge;
mod tree;

pub use edge::Edge;
pub use tree::{TileTree, Trees};

use crate::merkle::{self, Node, Nodes};
use crate::{Hash, Rejection};
use std::collections::BTreeMap;
use std::fmt;

/// Hashes in a full tile, entries in a full bundle.
pub const FULL_WIDTH: u32 = 256;
/// Bytes of a full tile.
pub const FULL_TILE_BYTES: usize = 32 * FULL_WIDTH as usize;
/// Tree levels of a tile.
const HEIGHT: u8 = 8;
/// Maximum tile levels of a tree with fewer than 2^64 leaves.
const LEVELS: u8 = 8;

/// Identifies a tile by its level and its position from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Tile level. Level 0 has leaf hashes.
    pub level: u8,
    /// Position among the tiles of this level.
    pub index: u64,
}

impl TileId {
    /// The tile that stores `node`, or from whose hashes it is computed.
    #[must_use]
    pub const fn containing(node: Node) -> Self {
        Self { level: node.level / HEIGHT, index: node.index >> (HEIGHT - node.level % HEIGHT) }
    }

    /// The number of leaves at which this tile has `width` hashes.
    #[must_use]
    pub fn size_for(self, width: u32) -> u64 {
        let hashes = self.index.saturating_mul(u64::from(FULL_WIDTH)).saturating_add(u64::from(width));
        let leaves_per_hash = 1_u64.checked_shl(u32::from(HEIGHT) * u32::from(self.level)).unwrap_or(u64::MAX);
        hashes.saturating_mul(leaves_per_hash)
    }

    /// The number of hashes in this tile when the tree has `size` leaves: 0 to 256.
    #[must_use]
    pub fn width(self, size: u64) -> u32 {
        let hashes = size.checked_shr(u32::from(HEIGHT) * u32::from(self.level)).unwrap_or(0);
        let first = self.index.saturating_mul(u64::from(FULL_WIDTH));
        u32::try_from(hashes.saturating_sub(first).min(u64::from(FULL_WIDTH))).unwrap_or(FULL_WIDTH)
    }
}

/// A path below a log's prefix, as in `tile/0/x001/067.p/12` or `tile/entries/000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// Tile level, or `None` for an entry bundle.
    pub level: Option<u8>,
    /// Position.
    pub index: u64,
    /// 1 to 256. 256 is a full tile, whose path has no suffix.
    pub width: u32,
}

impl TilePath {
    /// Parses the part after `tile/`: `<L>/<N>[.p/<W>]`, or `<entries>/<N>[.p/<W>]` with the given name for entries
    /// (`entries` in tlog-tiles, `data` in static-ct-api). Only the canonical spelling of a path is accepted.
    pub fn parse(path: &str, entries: &str) -> Result<Self, Rejection> {
        let (level, rest) = path.split_once('/').ok_or(Rejection::TilePath)?;
        let level = if level == entries {
            None
        } else {
            Some(decimal::<u8>(level).filter(|level| *level < 64).ok_or(Rejection::TilePath)?)
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (
                number,
                decimal::<u32>(width).filter(|width| (1..FULL_WIDTH).contains(width)).ok_or(Rejection::TilePath)?,
            ),
            None => (rest, FULL_WIDTH),
        };
        let mut index: u64 = 0;
        let mut groups = number.split('/').peekable();
        while let Some(group) = groups.next() {
            let digits =
                if groups.peek().is_some() { group.strip_prefix('x').ok_or(Rejection::TilePath)? } else { group };
            if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(Rejection::TilePath);
            }
            let value = digits.parse::<u64>().map_err(|_| Rejection::TilePath)?;
            index = index.checked_mul(1000).and_then(|index| index.checked_add(value)).ok_or(Rejection::TilePath)?;
        }
        let parsed = Self { level, index, width };
        // Refuses superfluous leading groups such as `x000/001`.
        if parsed.number() == number { Ok(parsed) } else { Err(Rejection::TilePath) }
    }

    /// The path, with entry bundles below `tile/<entries>/`. [`Self::parse`] parses the part after `tile/`.
    #[must_use]
    pub fn with_entries_in(&self, entries: &str) -> String {
        let directory = self.level.map_or_else(|| entries.to_owned(), |level| level.to_string());
        let suffix = if self.width < FULL_WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{directory}/{}{suffix}", self.number())
    }

    /// The position in groups of three digits. All groups but the last have the prefix `x`.
    fn number(&self) -> String {
        let mut text = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            text = format!("x{:03}/{text}", rest % 1000);
            rest /= 1000;
        }
        text
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_entries_in("entries"))
    }
}

/// A decimal number without sign or leading zero.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let canonical = text == "0" || !text.starts_with('0');
    if canonical && text.bytes().all(|digit| digit.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Tiles by id, each with its known hashes. Some nodes of the tree can be computed from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tiles(pub BTreeMap<TileId, Vec<Hash>>);

/// A node that cannot be computed from the known tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingNode(pub Node);

impl Nodes for &Tiles {
    type Error = MissingNode;

    fn node(&mut self, node: Node) -> Result<Hash, MissingNode> {
        let within = 1_u64 << (node.level % HEIGHT);
        let first = node.index.checked_mul(within).map(|first| first % u64::from(FULL_WIDTH));
        let first = first.and_then(|first| usize::try_from(first).ok()).ok_or(MissingNode(node))?;
        let end = first + usize::try_from(within).map_err(|_| MissingNode(node))?;
        let hashes =
            self.0.get(&TileId::containing(node)).and_then(|tile| tile.get(first..end)).ok_or(MissingNode(node))?;
        Ok(complete_root(hashes))
    }
}

/// Root of a complete subtree from its hashes. Their number is a power of two.
fn complete_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks_exact(2).map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect();
    }
    level.first().copied().unwrap_or_else(merkle::empty_root)
}

/// Decodes a tile's bytes into hashes.
pub fn hashes_from_bytes(bytes: &[u8]) -> Result<Vec<Hash>, Rejection> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() && !hashes.is_empty() && bytes.len() <= FULL_TILE_BYTES {
        Ok(hashes.to_vec())
    } else {
        Err(Rejection::TileLength)
    }
}

/// Encodes an entry of a tlog-tiles entry bundle: the length in two bytes, then the leaf. `None` for a leaf over 65,535
/// bytes.
#[must_use]
pub fn bundle_entry(leaf: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(leaf.len()).ok()?;
    Some([&length.to_be_bytes(), leaf].concat())
}

/// Splits an entry bundle into its leaves. It must have between 1 and 256.
pub fn leaves_from_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, Rejection> {
    let mut leaves = Vec::new();
    let mut rest = bundle;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (leaf, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Rejection::TileLength)?;
        leaves.push(leaf);
        rest = after;
    }
    let complete = rest.is_empty() && (1..=FULL_WIDTH as usize).contains(&leaves.len());
    if complete { Ok(leaves) } else { Err(Rejection::TileLength) }
}

/// Encodes hashes as a tile's bytes.
#[must_use]
pub fn hashes_to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}
