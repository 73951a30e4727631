//! Which entries a run covers, and which runs are merged. Pure.
//!
//! A run of level `n` covers [`BLOCK`] · 8ⁿ entries and begins at a multiple of that; together runs cover every entry once. Only the
//! last run of a log may be shorter than a block: the next step writes it again. Eight runs of a level that begin at a multiple of
//! the next level's width are merged into one of that. So what a run contains follows from where it begins and ends, and nothing
//! depends on how fast a log grew.
//!
//! A run has at most 2²¹ entries: 10 million entries are in at most 5 such runs and 35 smaller ones, each of which a question
//! reads. An entry is written once and merged at most five times.

use std::ops::Range;

/// Entries of a run of level 0.
pub(crate) const BLOCK: u64 = 64;
/// Runs that are merged into one of the next level.
pub(crate) const FACTOR: usize = 8;
/// The highest level.
pub(crate) const MAX_LEVEL: u8 = 5;
/// Level of the largest run that is made of entries in memory, and not of other runs.
pub(crate) const STEP_LEVEL: u8 = 2;

/// The entries that a run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first one.
    pub first: u64,
    /// The first one after it.
    pub end: u64,
}

/// Entries of a run of this level.
pub(crate) const fn width(level: u8) -> u64 {
    // A level is FACTOR, which is 2^3, times the one below.
    BLOCK << (3 * level as u32)
}

impl Span {
    /// Its entries.
    #[must_use]
    pub const fn range(self) -> Range<u64> {
        self.first..self.end
    }
}

/// The block in which the entry at `index` is begins here.
pub(crate) const fn block_of(index: u64) -> u64 {
    index - index % BLOCK
}

/// The runs that cover the entries from `first`, which begins a block, to below `end`: each as large as it can be where it begins,
/// up to [`STEP_LEVEL`].
pub(crate) fn cover(first: u64, end: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut next = first;
    while next < end {
        let fits = |level: &u8| next.is_multiple_of(width(*level)) && end - next >= width(*level);
        let level = (0..=STEP_LEVEL).rev().find(fits);
        let span = Span { first: next, end: level.map_or(end, |level| next + width(level)) };
        next = span.end;
        spans.push(span);
    }
    spans
}

/// The run that should be made next of others: the one of the lowest level, which costs least and helps as much. `spans` are those
/// of all runs, in order.
pub(crate) fn due(spans: &[Span]) -> Option<Span> {
    (0..MAX_LEVEL).find_map(|level| {
        let (small, large) = (width(level), width(level + 1));
        spans.windows(FACTOR).find_map(|runs| {
            let merged = Span { first: runs.first()?.first, end: runs.last()?.end };
            let is_whole = merged.first.is_multiple_of(large) && runs.iter().all(|run| run.end - run.first == small);
            (is_whole && merged.end - merged.first == large).then_some(merged)
        })
    })
}

/// Whether a run of this span can be made of runs that there are. `spans` are those of all runs.
pub(crate) fn is_made_of(span: Span, spans: &[Span]) -> bool {
    let parts = || spans.iter().filter(move |run| span.range().contains(&run.first));
    (0..MAX_LEVEL).any(|level| {
        let is_whole = span.first.is_multiple_of(width(level + 1)) && span.end - span.first == width(level + 1);
        is_whole && parts().count() == FACTOR && parts().all(|run| run.end - run.first == width(level))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the follower does with a log that grows to `size`: covers the new entries, and merges.
    fn step(spans: &mut Vec<Span>, size: u64) {
        let from = block_of(spans.last().map_or(0, |span| span.end));
        spans.retain(|span| span.first < from);
        spans.extend(cover(from, size));
        while let Some(merged) = due(spans) {
            spans.retain(|span| !merged.range().contains(&span.first));
            spans.push(merged);
            spans.sort_unstable();
        }
    }

    proptest! {
        #[test]
        fn runs_depend_on_the_size_alone(steps in proptest::collection::vec(1..9000_u64, 1..60)) {
            let (mut spans, mut size) = (Vec::new(), 0);
            for grown in steps {
                size += grown;
                step(&mut spans, size);
            }
            let mut at_once = Vec::new();
            step(&mut at_once, size);
            prop_assert_eq!(&spans, &at_once);
            // Every entry once, the widest first, and never eight of a level.
            prop_assert!(spans.first().is_none_or(|span| span.first == 0));
            prop_assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].first));
            prop_assert_eq!(spans.last().map_or(0, |span| span.end), size);
            for level in 0..MAX_LEVEL {
                let full = spans.iter().filter(|span| span.end - span.first == width(level));
                prop_assert!(full.count() < FACTOR);
            }
            for span in spans.iter().filter(|span| span.end - span.first >= BLOCK) {
                let level = (0..=MAX_LEVEL).find(|level| width(*level) == span.end - span.first);
                prop_assert_eq!(level.map(|level| span.first % width(level)), Some(0));
            }
        }
    }

    #[test]
    fn the_largest_run_is_not_merged() {
        let largest = width(MAX_LEVEL);
        assert_eq!(largest, 1 << 21);
        let spans: Vec<_> = (0..16).map(|run| Span { first: run * largest, end: (run + 1) * largest }).collect();
        assert_eq!(due(&spans), None);
    }

    #[test]
    fn the_lowest_level_is_merged_first_and_only_what_is_whole() {
        let run = |level, number| Span { first: number * width(level), end: (number + 1) * width(level) };
        let mut spans: Vec<_> =
            (0..8).map(|number| run(1, number)).chain((64..72).map(|number| run(0, number))).collect();
        assert_eq!(due(&spans), Some(run(1, 8)));
        spans.pop();
        assert_eq!(due(&spans), Some(run(2, 0)));
        spans.remove(0);
        assert_eq!(due(&spans), None);
        // Eight that follow each other and do not begin where a larger one could.
        let shifted: Vec<_> = (1..9).map(|number| run(0, number)).collect();
        assert_eq!(due(&shifted), None);
        let small: Vec<_> = (0..9).map(|number| run(0, number)).collect();
        assert!(is_made_of(run(1, 0), &small));
        for other in [run(1, 1), run(2, 0), run(0, 0), Span { first: 0, end: 511 }, Span { first: 64, end: 576 }] {
            assert!(!is_made_of(other, &small), "{other:?}");
        }
        assert!(!is_made_of(run(1, 0), &small[..7]));
    }
}
