//! The trees of the synthetic logs. Their leaf hashes take minutes to compute for millions of entries, so that they are kept in a file,
//! and a process that only asks reads them.

use crate::entry::Entries;
use crate::kind::Kind;
use anyhow::{Context as _, ensure};
use chancery_verify::Hash;
use chancery_verify::merkle::{self, TreeHead, leaf_hash};
use chancery_verify::tile::{Edge, Tiles};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::thread;

/// Entries of which a thread computes the hashes before it says so.
const STEP: u64 = 4096;
/// Bytes of a hash.
const HASH_BYTES: u64 = 32;

/// A tree of which every node is at hand. Of ten million leaves it takes 330 MB.
pub(crate) struct Tree {
    pub(crate) head: TreeHead,
    tiles: Tiles,
}

impl Tree {
    /// The inclusion proof of an entry.
    pub(crate) fn inclusion_proof(&self, index: u64, size: u64) -> anyhow::Result<Vec<Hash>> {
        merkle::inclusion_proof(index, size, &mut &self.tiles).ok().context("the tree has every node")
    }

    /// The proof that one tree begins with another.
    pub(crate) fn consistency_proof(&self, old: u64, new: u64) -> anyhow::Result<Vec<Hash>> {
        merkle::consistency_proof(old, new, &mut &self.tiles).ok().context("the tree has every node")
    }

    fn read(file: &mut impl Read, entries: &Entries) -> anyhow::Result<Self> {
        let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
        for index in 0..entries.size {
            let mut hash = [0; 32];
            file.read_exact(&mut hash)?;
            // Whether the file is of these entries shows at a few of them.
            if index.is_multiple_of(entries.size / 8 + 1) {
                ensure!(
                    hash == leaf_hash(&entries.entry(index)?.leaf),
                    "the file of hashes is of other entries; remove it"
                );
            }
            edge.append(hash, &mut tiles);
        }
        Ok(Self { head: TreeHead { size: edge.size(), root: edge.root() }, tiles })
    }
}

/// The trees of the logs that have `entries` together. Computes the leaf hashes if `path` has none yet.
pub(crate) fn trees(path: &Path, entries: u64) -> anyhow::Result<Vec<(Entries, Tree)>> {
    if !path.exists() {
        let partial = path.with_extension("partial");
        let mut out = BufWriter::new(File::create(&partial).with_context(|| partial.display().to_string())?);
        for kind in Kind::ALL {
            write_hashes(&Entries::of(kind, entries), &mut out)?;
        }
        out.flush()?;
        std::fs::rename(&partial, path)?;
    }
    let bytes = std::fs::metadata(path)?.len();
    ensure!(bytes == entries * HASH_BYTES, "{} is of another number of entries; remove it", path.display());
    let (mut file, mut trees) = (BufReader::new(File::open(path)?), Vec::new());
    for kind in Kind::ALL {
        let entries = Entries::of(kind, entries);
        trees.push((entries, Tree::read(&mut file, &entries)?));
    }
    Ok(trees)
}

/// Computes the leaf hashes with every core.
fn write_hashes(entries: &Entries, out: &mut impl Write) -> anyhow::Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = entries.size.div_ceil(u64::try_from(threads)?).max(1);
    let bar = &ProgressBar::new(entries.size);
    let parts = thread::scope(|scope| {
        let starts = (0..entries.size).step_by(usize::try_from(share).unwrap_or(usize::MAX));
        let running: Vec<_> = starts.map(|first| scope.spawn(move || hashes(entries, first, share, bar))).collect();
        let ended = |_| Err(anyhow::anyhow!("a thread that computes hashes has ended"));
        running.into_iter().map(|running| running.join().unwrap_or_else(ended)).collect::<Vec<_>>()
    });
    for part in parts {
        out.write_all(part?.as_flattened())?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn hashes(entries: &Entries, first: u64, count: u64, bar: &ProgressBar) -> anyhow::Result<Vec<Hash>> {
    let mut hashes = Vec::new();
    for index in first..(first + count).min(entries.size) {
        hashes.push(leaf_hash(&entries.entry(index)?.leaf));
        if index.is_multiple_of(STEP) {
            bar.inc(STEP);
        }
    }
    Ok(hashes)
}
