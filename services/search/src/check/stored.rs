//! A run as its pages have it. Pure.

use super::Sums;
use crate::page::{Page, Reader, Writer};
use crate::run::Span;
use chancery_verify::Hash;
use std::collections::{BTreeSet, VecDeque};

/// Pages that are read at once.
pub(super) const PAGES: u32 = 256;

/// The pages of a run, as far as they have been read: they are added up, and written again, to see whether they are what is
/// written.
#[derive(Debug)]
pub(super) struct Stored {
    span: Span,
    key: Hash,
    /// The last posting.
    last: Option<(Vec<u8>, u64)>,
    writer: Writer,
    /// Pages that were not written again yet.
    waiting: VecDeque<Page>,
    /// Of the entries of which the postings are kept.
    keep: Option<Span>,
    pub(super) sums: Sums,
    pub(super) kept: BTreeSet<(u64, Vec<u8>)>,
    pub(super) pages: u64,
    pub(super) bytes: u64,
    pub(super) fault: Option<&'static str>,
}

impl Stored {
    pub(super) fn new(span: Span, key: Hash) -> Self {
        Self {
            span,
            key,
            last: None,
            writer: Writer::new(span.first),
            waiting: VecDeque::new(),
            keep: None,
            sums: Sums::new(span),
            kept: BTreeSet::new(),
            pages: 0,
            bytes: 0,
            fault: None,
        }
    }

    /// The same, and keeps the postings of the entries of `keep`.
    pub(super) fn keeping(span: Span, key: Hash, keep: Span) -> Self {
        Self { keep: Some(keep), ..Self::new(span, key) }
    }

    /// Adds the next pages.
    pub(super) fn push(mut self, pages: Vec<Page>) -> Self {
        for page in pages {
            self.pages += 1;
            self.bytes += u64::try_from(page.key.len() + page.bytes.len()).unwrap_or(u64::MAX);
            if let Err(fault) = self.read(&page) {
                self.fault = self.fault.or(Some(fault));
            }
            self.waiting.push_back(page);
        }
        let written = self.writer.full();
        self.compare(written);
        self
    }

    /// After the last page.
    pub(super) fn finish(mut self) -> Self {
        let writer = std::mem::replace(&mut self.writer, Writer::new(self.span.first));
        self.compare(writer.finish());
        if !self.waiting.is_empty() {
            self.fault = self.fault.or(Some("it has more pages than are written"));
        }
        self
    }

    fn read(&mut self, page: &Page) -> Result<(), &'static str> {
        let damaged = |_| "a page of it is damaged";
        let mut reader = Reader::open(&page.bytes, self.span.first, self.span.end).map_err(damaged)?;
        while let Some(list) = reader.next_list().map_err(damaged)? {
            for index in list.postings {
                let posting = (reader.term(), index);
                let is_next = self.last.as_ref().is_none_or(|(term, index)| (term.as_slice(), *index) < posting);
                if !is_next {
                    return Err("its pages are not in order");
                }
                if let Some(sum) = self.sums.at(index) {
                    sum.add(&self.key, reader.term(), index);
                }
                if self.keep.is_some_and(|span| span.range().contains(&index)) {
                    self.kept.insert((index, reader.term().to_vec()));
                }
                self.writer.push(reader.term(), index);
                match &mut self.last {
                    Some((term, last)) if term.as_slice() == reader.term() => *last = index,
                    last => *last = Some((reader.term().to_vec(), index)),
                }
            }
        }
        Ok(())
    }

    fn compare(&mut self, written: Vec<Page>) {
        for page in written {
            if self.waiting.pop_front() != Some(page) {
                self.fault = self.fault.or(Some("its pages are not those that are written"));
            }
        }
    }
}
