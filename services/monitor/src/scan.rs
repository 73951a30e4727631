//! Entries in a row: their leaf hashes, and what is found among them. Pure, so that it can be measured and done by several threads.
//!
//! Every entry is hashed. It is parsed only if there is a watch about its log. Its terms are made only for a watch that names terms,
//! and for an entry that is found. There is no filter over raw bytes: names are in certificates, which are in base64 twice, and JSON
//! can write every text in several ways.

use crate::source::{LogKind, SourceEntry};
use crate::watch::Watches;
use chancery_verify::terms::{Entry, Summary};
use chancery_verify::{Hash, merkle};

/// An entry that meets a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its position in the tree.
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// When it was logged, in ms since the epoch, where the log tells. Nothing covers it in Rekor v1.
    pub timestamp_ms: Option<i64>,
    /// Name of the watch.
    pub watch: String,
    /// What it says. `None` if it cannot be read.
    pub summary: Option<Box<Summary>>,
}

/// What came of entries in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The leaf hash of each.
    pub leaf_hashes: Vec<Hash>,
    /// What was found, in order.
    pub findings: Vec<Finding>,
    /// The positions of those that cannot be read, or not wholly, so that watches may miss them.
    pub unreadable: Vec<u64>,
}

impl Scanned {
    /// Adds what came of the entries after these.
    pub(crate) fn append(&mut self, mut next: Self) {
        self.leaf_hashes.append(&mut next.leaf_hashes);
        self.findings.append(&mut next.findings);
        self.unreadable.append(&mut next.unreadable);
    }

    /// Leaves out the entries after the one with which there are `most` findings. `first` is the position of the first entry.
    pub(crate) fn cut(&mut self, first: u64, most: usize) {
        let last = most.checked_sub(1).and_then(|place| self.findings.get(place));
        let Some(last) = last.map(|finding| finding.index) else { return };
        self.findings.retain(|finding| finding.index <= last);
        self.unreadable.retain(|index| *index <= last);
        let count = last.saturating_sub(first).saturating_add(1);
        self.leaf_hashes.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    }
}

/// Hashes entries of a log from `first` on, and looks at each.
#[must_use]
pub fn scan(watches: &Watches, log: &str, kind: LogKind, first: u64, entries: &[SourceEntry]) -> Scanned {
    let watches = watches.of_log(log);
    let mut scanned = Scanned::default();
    if watches.is_empty() {
        scanned.leaf_hashes = entries.iter().map(|entry| merkle::leaf_hash(&entry.leaf)).collect();
        return scanned;
    }
    for (index, source) in (first..).zip(entries) {
        let parsed = Entry::of(kind, &source.leaf, &source.extra);
        let leaf_hash = parsed.as_ref().map_or_else(|_| merkle::leaf_hash(&source.leaf), |entry| *entry.leaf_hash());
        scanned.leaf_hashes.push(leaf_hash);
        if parsed.as_ref().map_or(true, Entry::is_incomplete) {
            scanned.unreadable.push(index);
        }
        for watch in watches.met(kind, source, parsed.as_ref().ok()) {
            scanned.findings.push(Finding {
                index,
                leaf_hash,
                timestamp_ms: source.timestamp_ms,
                watch: watch.name().to_owned(),
                summary: parsed.as_ref().ok().map(|entry| Box::new(entry.summary())),
            });
        }
    }
    scanned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_cut_after_the_one_with_enough_findings() {
        let finding =
            |index| Finding { index, leaf_hash: [0; 32], timestamp_ms: None, watch: "w".to_owned(), summary: None };
        // Two watches meet the entry 12.
        let scanned = Scanned {
            leaf_hashes: vec![[1; 32]; 6],
            findings: [11, 12, 12, 14].map(finding).to_vec(),
            unreadable: vec![10, 13, 14],
        };
        for (most, hashes, findings, unreadable) in
            [(1, 2, 1, 1), (2, 3, 3, 1), (3, 3, 3, 1), (4, 5, 4, 3), (5, 6, 4, 3)]
        {
            let mut cut = scanned.clone();
            cut.cut(10, most);
            let counts = (cut.leaf_hashes.len(), cut.findings.len(), cut.unreadable.len());
            assert_eq!(counts, (hashes, findings, unreadable), "{most}");
        }
    }
}
