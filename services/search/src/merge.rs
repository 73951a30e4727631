//! Several runs become one. Pure: pages in, pages out, a few at a time, so that runs of any size are merged in little memory.
//!
//! The runs follow each other, so of a term that several have, the first one's postings come first. A merge that was interrupted
//! goes on after the last page that it has made: what is in it says where.

use crate::corrupt::Corrupt;
use crate::page::{Page, Reader, Writer};
use crate::run::Span;
use std::collections::VecDeque;
use std::mem;

/// The last posting that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) term: Vec<u8>,
    pub(crate) index: u64,
}

impl Position {
    /// Where the pages of a run end, from the last one of them.
    pub(crate) fn end_of(page: &[u8], span: Span) -> Result<Self, Corrupt> {
        let mut reader = Reader::open(page, span.first, span.end)?;
        let mut index = None;
        while let Some(list) = reader.next_list()? {
            index = list.postings.last().copied();
        }
        let index = index.ok_or(Corrupt::new("a page has a list"))?;
        Ok(Self { term: reader.term().to_vec(), index })
    }
}

/// What a merge needs or has done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next pages of this input.
    Needs(usize),
    /// As many pages as were asked for are made, and there are more.
    Full,
    /// Everything is merged.
    Done,
}

/// The list of a term.
type TermList = (Vec<u8>, Vec<u64>);

/// One of the runs.
#[derive(Debug)]
struct Input {
    span: Span,
    pages: VecDeque<Page>,
    /// Whether `pages` has the last one.
    is_complete: bool,
    /// Of the page that is being read.
    lists: VecDeque<TermList>,
}

impl Input {
    /// The next list, if one is at hand.
    fn front(&mut self, after: Option<&Position>) -> Result<Option<&TermList>, Corrupt> {
        while self.lists.is_empty() {
            let Some(page) = self.pages.pop_front() else { return Ok(None) };
            let mut reader = Reader::open(&page.bytes, self.span.first, self.span.end)?;
            while let Some(list) = reader.next_list()? {
                let mut postings = list.postings;
                match after {
                    Some(after) if reader.term() < after.term.as_slice() => continue,
                    Some(after) if reader.term() == after.term => postings.retain(|index| *index > after.index),
                    _ => {}
                }
                if !postings.is_empty() {
                    self.lists.push_back((reader.term().to_vec(), postings));
                }
            }
        }
        Ok(self.lists.front())
    }
}

/// A merge under way.
#[derive(Debug)]
pub(crate) struct Merger {
    inputs: Vec<Input>,
    after: Option<Position>,
    writer: Writer,
}

impl Merger {
    /// Merges the runs over `inputs`, which follow each other, from the first posting behind `after` on.
    pub(crate) fn new(inputs: &[Span], after: Option<Position>) -> Self {
        let first = inputs.first().map_or(0, |span| span.first);
        let writer = after.as_ref().map_or_else(|| Writer::new(first), |after| Writer::after(first, &after.term));
        let input =
            |span: &Span| Input { span: *span, pages: VecDeque::new(), is_complete: false, lists: VecDeque::new() };
        Self { inputs: inputs.iter().map(input).collect(), after, writer }
    }

    /// Hands over the next pages of an input. There is none after them where `is_complete`.
    pub(crate) fn supply(&mut self, input: usize, pages: Vec<Page>, is_complete: bool) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.pages.extend(pages);
            input.is_complete = is_complete;
        }
    }

    /// Merges until `count` pages are made, or pages are needed.
    pub(crate) fn run(&mut self, count: usize) -> Result<Step, Corrupt> {
        while self.writer.full_count() < count {
            let mut smallest: Option<(usize, &TermList)> = None;
            for (number, input) in self.inputs.iter_mut().enumerate() {
                let is_complete = input.is_complete;
                match input.front(self.after.as_ref())? {
                    None if !is_complete => return Ok(Step::Needs(number)),
                    None => {}
                    // Of equal terms the first input's.
                    Some(list) if smallest.is_none_or(|(_, other)| list.0 < other.0) => smallest = Some((number, list)),
                    Some(_) => {}
                }
            }
            let Some((number, _)) = smallest else { return Ok(Step::Done) };
            if let Some((term, postings)) = self.inputs.get_mut(number).and_then(|input| input.lists.pop_front()) {
                postings.iter().for_each(|index| self.writer.push(&term, *index));
            }
        }
        Ok(Step::Full)
    }

    /// The pages that were made, if there will be more.
    pub(crate) fn full(&mut self) -> Vec<Page> {
        self.writer.full()
    }

    /// The pages that are left when everything is merged.
    pub(crate) fn finish(&mut self) -> Vec<Page> {
        mem::replace(&mut self.writer, Writer::new(0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Postings = BTreeSet<(Vec<u8>, u64)>;

    const FIRST: u64 = 4096;
    const SPANS: [Span; 4] = [
        Span { first: FIRST, end: FIRST + 1000 },
        Span { first: FIRST + 1000, end: FIRST + 2000 },
        Span { first: FIRST + 2000, end: FIRST + 3000 },
        Span { first: FIRST + 3000, end: FIRST + 4000 },
    ];

    fn written(first: u64, postings: impl Iterator<Item = (Vec<u8>, u64)>) -> Vec<Page> {
        let mut writer = Writer::new(first);
        postings.for_each(|(term, index)| writer.push(&term, index));
        writer.finish()
    }

    /// A few terms that many entries have, and many that one has.
    fn postings() -> impl Strategy<Value = Postings> {
        let common = btree_set((0..3_u8, FIRST..FIRST + 4000), 0..3000);
        let rare = btree_set((proptest::collection::vec(any::<u8>(), 1..40), FIRST..FIRST + 4000), 0..300);
        (common, rare).prop_map(|(common, mut rare)| {
            rare.extend(common.into_iter().map(|(term, index)| (vec![9, term], index)));
            rare
        })
    }

    /// The page of a run with which a merge that is at `after` begins, and how many come before it.
    fn start(pages: &[Page], after: Option<&Position>) -> usize {
        let Some(after) = after else { return 0 };
        let wanted = crate::page::key(&after.term, after.index);
        pages.partition_point(|page| page.key <= wanted).saturating_sub(1)
    }

    proptest! {
        #[test]
        fn a_merged_run_is_the_run_of_all_entries(
            postings in postings(),
            at_once in 1..20_usize,
            supplied in 1..5_usize,
        ) {
            let expected = written(FIRST, postings.iter().cloned());
            let runs = SPANS.map(|span| {
                let own = postings.iter().filter(|(_, index)| span.range().contains(index));
                written(span.first, own.cloned())
            });
            let mut merged: Vec<Page> = Vec::new();
            // Each round forgets everything but the pages it has made, as after a crash.
            for _ in 0..=expected.len() {
                let all = Span { first: FIRST, end: FIRST + 4000 };
                let after = merged.last().map(|page| Position::end_of(&page.bytes, all).unwrap());
                let mut given: Vec<usize> = runs.iter().map(|run| start(run, after.as_ref())).collect();
                let mut merger = Merger::new(&SPANS, after);
                let step = loop {
                    match merger.run(at_once).unwrap() {
                        Step::Needs(input) => {
                            let end = (given[input] + supplied).min(runs[input].len());
                            merger.supply(input, runs[input][given[input]..end].to_vec(), end == runs[input].len());
                            given[input] = end;
                        }
                        step => break step,
                    }
                };
                if step == Step::Done {
                    merged.extend(merger.finish());
                    break;
                }
                merged.extend(merger.full());
            }
            prop_assert_eq!(merged, expected);
        }
    }
}
