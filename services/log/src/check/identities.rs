//! Checks whether an entry is logged twice, without trust in the database's unique index and without all hashes in
//! memory.
//!
//! The first eight bytes of each identity hash are stored, in sorted runs of limited size. Runs after the first go to
//! an unlinked temporary file. Merging the runs gives the prefixes that occur twice. Different entries almost never
//! share a prefix (with 10^7 entries, one log in 400,000 has such a pair). For shared prefixes a second pass over the
//! log compares whole hashes.

use chancery_verify::Hash;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::mem;

/// Maximum prefixes in memory: 64 MiB, eight million entries.
const RUN: usize = 8 << 20;
/// Maximum prefixes for one second pass. More prefixes need more passes.
const PER_PASS: usize = 1 << 16;

/// Collects identities; see the module.
pub(super) struct Identities {
    run: Vec<u64>,
    run_limit: usize,
    spilled: Vec<File>,
}

fn prefix(identity: &Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *identity;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Default for Identities {
    fn default() -> Self {
        Self { run: Vec::new(), run_limit: RUN, spilled: Vec::new() }
    }
}

impl Identities {
    pub(super) fn insert(&mut self, identity: &Hash) -> io::Result<()> {
        self.run.push(prefix(identity));
        if self.run.len() < self.run_limit { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut out = BufWriter::new(tempfile::tempfile()?);
        for prefix in self.run.drain(..) {
            out.write_all(&prefix.to_be_bytes())?;
        }
        let mut file = out.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        self.spilled.push(file);
        Ok(())
    }

    /// Returns the prefixes that need a second pass.
    pub(super) fn suspects(mut self) -> io::Result<Suspects> {
        self.run.sort_unstable();
        let mut repeated = Vec::new();
        if self.spilled.is_empty() {
            note_repeats(self.run.iter().copied().map(Ok), &mut repeated)?;
        } else {
            self.spill()?;
            let runs = mem::take(&mut self.spilled);
            note_repeats(Merge::new(runs)?, &mut repeated)?;
        }
        Ok(Suspects(repeated))
    }
}

fn note_repeats(sorted: impl Iterator<Item = io::Result<u64>>, repeated: &mut Vec<u64>) -> io::Result<()> {
    let mut last = None;
    for prefix in sorted {
        let prefix = prefix?;
        if last == Some(prefix) && repeated.last() != Some(&prefix) {
            repeated.push(prefix);
        }
        last = Some(prefix);
    }
    Ok(())
}

/// Sorted runs as one sorted sequence.
struct Merge {
    runs: Vec<BufReader<File>>,
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Merge {
    fn new(files: Vec<File>) -> io::Result<Self> {
        let mut merge = Self { runs: files.into_iter().map(BufReader::new).collect(), next: BinaryHeap::new() };
        (0..merge.runs.len()).try_for_each(|run| merge.advance(run))?;
        Ok(merge)
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        let mut bytes = [0; 8];
        let Some(reader) = self.runs.get_mut(run) else { return Ok(()) };
        match reader.read_exact(&mut bytes) {
            Ok(()) => self.next.push(Reverse((u64::from_be_bytes(bytes), run))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = io::Result<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((prefix, run)) = self.next.pop()?;
        Some(self.advance(run).map(|()| prefix))
    }
}

/// Prefixes that occur more than once, sorted.
#[derive(Debug)]
pub(super) struct Suspects(Vec<u64>);

impl Suspects {
    /// The second passes, one for each group of prefixes.
    pub(super) fn passes(&self) -> impl Iterator<Item = SecondLook<'_>> {
        self.0.chunks(PER_PASS).map(|prefixes| SecondLook { prefixes, first: HashMap::new() })
    }
}

/// A pass over the log that compares whole hashes.
pub(super) struct SecondLook<'a> {
    prefixes: &'a [u64],
    first: HashMap<Hash, u64>,
}

impl SecondLook<'_> {
    /// Returns whether an entry with this identity occurred before, in this pass.
    pub(super) fn is_repeated(&mut self, index: u64, identity: &Hash) -> bool {
        self.prefixes.binary_search(&prefix(identity)).is_ok() && *self.first.entry(*identity).or_insert(index) != index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::hash::sha256;

    fn collect(run_limit: usize, identities: &[Hash]) -> Suspects {
        let mut collected = Identities { run_limit, ..Identities::default() };
        for identity in identities {
            collected.insert(identity).unwrap();
        }
        collected.suspects().unwrap()
    }

    #[test]
    fn finds_repeats_in_memory_and_across_spilled_runs() {
        let mut identities: Vec<Hash> = (0..1000_u32).map(|number| sha256(&number.to_be_bytes())).collect();
        for run_limit in [7, 100, 1000, 5000] {
            assert!(collect(run_limit, &identities).0.is_empty(), "{run_limit}");
        }
        identities.push(identities[3]);
        identities.insert(500, identities[900]);
        identities.push(identities[3]);
        for run_limit in [7, 100, 1000, 5000] {
            let suspects = collect(run_limit, &identities);
            assert_eq!(suspects.0.len(), 2, "{run_limit}");
            let mut look = suspects.passes().next().unwrap();
            let mut indexed = (0..).zip(&identities);
            assert_eq!(indexed.find(|(index, identity)| look.is_repeated(*index, identity)).unwrap().0, 901);
        }
    }

    #[test]
    fn an_equal_prefix_is_not_an_equal_identity() {
        let (one, mut other) = (sha256(b"one"), sha256(b"one"));
        other[31] ^= 1;
        let suspects = collect(10, &[one, other]);
        assert_eq!(suspects.0.len(), 1);
        let mut look = suspects.passes().next().unwrap();
        assert!(!look.is_repeated(0, &one) && !look.is_repeated(1, &other));
        assert!(look.is_repeated(2, &one));
    }
}
