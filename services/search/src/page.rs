//! Pages: how a run is stored. Pure; the same postings make the same pages, byte for byte, however they came together.
//!
//! A run is a sequence of postings in order: pairs of a term and the index of an entry that has it. Pages cut it into pieces that
//! are read alone.
//!
//! ```text
//! page  = flags, list, …       flags: bit 0 is set where the first list goes on with the list that ends the page before
//! list  = shared, length, suffix, count and more, posting, …
//! ```
//!
//! All numbers are varints (seven bits a byte, the lowest first, the high bit set but in the last byte). A list has the term of
//! `shared` bytes of the term before it in the page, and then `suffix`. `count and more` is twice the number of postings, and one
//! more where the list goes on in the next page. The first posting is the entry's index less the first one of the run, each other
//! one its distance from the one before.
//!
//! A page is filled until the next posting does not fit in [`PAGE_BYTES`] together with the page's key. So the term of a long list
//! begins several pages. The key of a page ([`key`]) orders pages as terms are ordered, and among the pages of one term as indices
//! are: the page in which a posting can be is the last one whose key is not above the posting's.
//!
//! # Why so small
//! A row of two kilobytes is the largest that `PostgreSQL` keeps in the table instead of beside it (TOAST), where reading it costs
//! several times as much. `SQLite` keeps such a row on a page without overflow. Most questions are for a term that few entries
//! have: they read one page of each run, of which less than half is then wasted work compared with eight kilobytes, and a batch of
//! a thousand digests a quarter of the bytes.

use crate::corrupt::Corrupt;
use chancery_verify::terms::MAX_VALUE_BYTES;
use std::cmp::Ordering;
use std::mem;

/// Most bytes of a page and its key together.
pub(crate) const PAGE_BYTES: usize = 1980;
/// A key above that of every posting: the number of a term's kind is lower.
pub(crate) const AFTER_ALL: [u8; 1] = [0xff];
/// The first list of the page goes on with the last one of the page before.
const CONTINUES: u8 = 1;

// The longest key, and a list with the longest term and one posting, fit.
const _: () = assert!(2 * MAX_TERM_BYTES + 10 + 1 + 2 + 2 + MAX_TERM_BYTES + 1 + 10 <= PAGE_BYTES);
/// Bytes of the longest term: the number of its kind, and its value.
const MAX_TERM_BYTES: usize = 1 + MAX_VALUE_BYTES;

/// A page, and the key by which it is found in its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Orders the pages of a run: not above its postings, and above those of the page before.
    pub key: Vec<u8>,
    /// The page.
    pub bytes: Vec<u8>,
}

/// The key of the posting of this term and index. Keys are ordered as postings are, as bytes. The first page with a term has the
/// key of index 0, whatever its first posting is: so the page with the largest key that is not above a posting's has it.
///
/// Terms may be prefixes of each other. So a zero byte in a term is written as `00 ff`, and the term ends with `00 00`.
pub(crate) fn key(term: &[u8], index: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(term.len() + 10);
    for byte in term {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xff);
        }
    }
    key.extend([0, 0]);
    if index > 0 {
        key.extend(index.to_be_bytes());
    }
    key
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

/// The lowest byte, without its high bit.
fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

const fn number_bytes(number: u64) -> usize {
    // Of zero, too, one byte is written.
    (number | 1).ilog2() as usize / 7 + 1
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, Corrupt> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Corrupt::new("a page is whole"))?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        number |= bits << shift;
        if *byte < 0x80 {
            let is_exact = (bits << shift) >> shift == bits;
            return if is_exact { Ok(number) } else { Err(Corrupt::new("numbers in pages have 64 bits")) };
        }
    }
    Err(Corrupt::new("numbers in pages have 64 bits"))
}

/// The list that is being written.
#[derive(Debug)]
struct Open {
    term: Vec<u8>,
    /// Bytes that its term shares with the one before it in the page.
    shared: usize,
    count: u64,
    /// Of the last posting.
    index: u64,
    postings: Vec<u8>,
}

impl Open {
    /// Bytes of the list, with one posting of `more` bytes added to it.
    fn bytes_with(&self, more: usize) -> usize {
        let suffix = self.term.len() - self.shared;
        number_bytes(self.shared as u64)
            + number_bytes(suffix as u64)
            + suffix
            + number_bytes(2 * self.count + 3)
            + self.postings.len()
            + more
    }
}

/// Makes the pages of a run. Postings MUST come in order, each once.
#[derive(Debug)]
pub(crate) struct Writer {
    /// First index of the run.
    first: u64,
    key: Vec<u8>,
    page: Vec<u8>,
    /// The term before the open one in this page.
    previous: Vec<u8>,
    open: Option<Open>,
    /// The term of the posting before, where that is in a page that was made earlier.
    before: Option<Vec<u8>>,
    full: Vec<Page>,
}

impl Writer {
    /// The pages of the run whose first index is `first`.
    pub(crate) fn new(first: u64) -> Self {
        let (key, page, previous, full) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { first, key, page, previous, open: None, before: None, full }
    }

    /// The pages after those that end with a posting of `term`.
    pub(crate) fn after(first: u64, term: &[u8]) -> Self {
        Self { before: Some(term.to_vec()), ..Self::new(first) }
    }

    /// Adds a posting.
    pub(crate) fn push(&mut self, term: &[u8], index: u64) {
        if self.open.as_ref().is_some_and(|open| open.term == term) {
            if !self.extend_list(index) {
                self.end_list(true);
                self.end_page();
                self.begin_page(term, index, true);
            }
            return;
        }
        self.end_list(false);
        if self.page.is_empty() {
            let continues = self.before.take().is_some_and(|before| before == term);
            self.begin_page(term, index, continues);
            return;
        }
        let shared = self.previous.iter().zip(term).take_while(|(one, other)| one == other).count();
        let list = Open { term: term.to_vec(), shared, count: 0, index, postings: Vec::new() };
        let posting = index.saturating_sub(self.first);
        if self.key.len() + self.page.len() + list.bytes_with(number_bytes(posting)) > PAGE_BYTES {
            self.end_page();
            self.begin_page(term, index, false);
        } else {
            self.begin_list(list);
        }
    }

    /// Adds a posting to the list that is being written, if it fits in the page.
    fn extend_list(&mut self, index: u64) -> bool {
        let Some(open) = &mut self.open else { return false };
        let distance = index.saturating_sub(open.index);
        let fits = self.key.len() + self.page.len() + open.bytes_with(number_bytes(distance)) <= PAGE_BYTES;
        if fits {
            put_number(&mut open.postings, distance);
            open.count += 1;
            open.index = index;
        }
        fits
    }

    /// The pages that are full, in order. The last one is only full when more comes after it.
    pub(crate) fn full(&mut self) -> Vec<Page> {
        mem::take(&mut self.full)
    }

    /// How many are full.
    pub(crate) const fn full_count(&self) -> usize {
        self.full.len()
    }

    /// The pages that are left, with the last one.
    pub(crate) fn finish(mut self) -> Vec<Page> {
        self.end_list(false);
        if !self.page.is_empty() {
            self.end_page();
        }
        self.full
    }

    fn begin_page(&mut self, term: &[u8], index: u64, continues: bool) {
        self.key = key(term, if continues { index } else { 0 });
        self.page.push(if continues { CONTINUES } else { 0 });
        self.begin_list(Open { term: term.to_vec(), shared: 0, count: 0, index, postings: Vec::new() });
    }

    fn begin_list(&mut self, mut open: Open) {
        put_number(&mut open.postings, open.index.saturating_sub(self.first));
        open.count = 1;
        self.open = Some(open);
    }

    fn end_list(&mut self, continues: bool) {
        let Some(open) = self.open.take() else { return };
        put_number(&mut self.page, open.shared as u64);
        put_number(&mut self.page, (open.term.len() - open.shared) as u64);
        self.page.extend(&open.term[open.shared..]);
        put_number(&mut self.page, 2 * open.count + u64::from(continues));
        self.page.extend(&open.postings);
        self.previous = open.term;
    }

    fn end_page(&mut self) {
        self.full.push(Page { key: mem::take(&mut self.key), bytes: mem::take(&mut self.page) });
        self.previous.clear();
    }
}

/// Reads the lists of a page. Nothing in it is believed: postings are in order, and within the run.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    first: u64,
    end: u64,
    continues: bool,
    term: Vec<u8>,
    /// So many have been read.
    lists: usize,
}

/// A list, or the part of one that is in a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// The indices, in order; never none.
    pub(crate) postings: Vec<u64>,
    /// Whether it goes on with the last list of the page before.
    pub(crate) continued: bool,
    /// Whether it goes on in the next page.
    pub(crate) continues: bool,
}

impl<'a> Reader<'a> {
    /// The page of a run over the entries from `first` to below `end`.
    pub(crate) fn open(page: &'a [u8], first: u64, end: u64) -> Result<Self, Corrupt> {
        let (flags, rest) = page.split_first().ok_or(Corrupt::new("a page is whole"))?;
        if *flags > CONTINUES {
            return Err(Corrupt::new("a page has known flags"));
        }
        Ok(Self { rest, first, end, continues: *flags == CONTINUES, term: Vec::new(), lists: 0 })
    }

    /// The term of the list that was read last.
    pub(crate) fn term(&self) -> &[u8] {
        &self.term
    }

    /// Reads the next list; `None` at the end of the page.
    pub(crate) fn next_list(&mut self) -> Result<Option<List>, Corrupt> {
        self.begin()?.map(|(count, continues)| self.postings(count, continues)).transpose()
    }

    /// Reads the list of `term`, and passes over those before it; `None` where the page has none.
    pub(crate) fn find(&mut self, term: &[u8]) -> Result<Option<List>, Corrupt> {
        while let Some((count, continues)) = self.begin()? {
            match self.term.as_slice().cmp(term) {
                Ordering::Less => self.skip(count)?,
                Ordering::Equal => return self.postings(count, continues).map(Some),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// Reads the next list of one of `wanted`, which are in order, and passes over the others; `None` where the page has no more of
    /// them. Takes the terms before it from `wanted`.
    pub(crate) fn find_any<'t>(&mut self, wanted: &mut &[&'t [u8]]) -> Result<Option<(&'t [u8], List)>, Corrupt> {
        while let Some((count, continues)) = self.begin()? {
            if wanted.first().is_some_and(|term| *term < self.term.as_slice()) {
                let passed = wanted.partition_point(|term| *term < self.term.as_slice());
                *wanted = wanted.get(passed..).unwrap_or_default();
            }
            match wanted.first().copied() {
                Some(term) if term == self.term.as_slice() => {
                    return Ok(Some((term, self.postings(count, continues)?)));
                }
                Some(_) => self.skip(count)?,
                None => break,
            }
        }
        Ok(None)
    }

    fn postings(&mut self, count: u64, continues: bool) -> Result<List, Corrupt> {
        // Each takes a byte at least.
        let mut postings = Vec::with_capacity(usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len()));
        let mut index = self.first;
        for position in 0..count {
            let distance = take_number(&mut self.rest)?;
            index = index.checked_add(distance).ok_or(Corrupt::new("postings are within their run"))?;
            if index >= self.end || (position > 0 && distance == 0) {
                return Err(Corrupt::new("postings are in order and within their run"));
            }
            postings.push(index);
        }
        Ok(List { postings, continued: self.continues && self.lists == 1, continues })
    }

    /// Reads the term of the next list, how many postings it has, and whether it goes on.
    fn begin(&mut self) -> Result<Option<(u64, bool)>, Corrupt> {
        if self.rest.is_empty() {
            return if self.lists == 0 { Err(Corrupt::new("a page has a list")) } else { Ok(None) };
        }
        let cut = || Corrupt::new("a page is whole");
        let shared = usize::try_from(take_number(&mut self.rest)?).map_err(|_| cut())?;
        let length = usize::try_from(take_number(&mut self.rest)?).map_err(|_| cut())?;
        let (suffix, rest) = self.rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        // Of terms in order the next one is larger where they differ first, or longer.
        let is_after = match (self.term.get(shared), suffix.first()) {
            (Some(before), Some(now)) => before < now,
            (None, first) => shared == self.term.len() && first.is_some(),
            (Some(_), None) => false,
        };
        if !is_after || self.term.len().min(shared) + length > MAX_TERM_BYTES {
            return Err(Corrupt::new("the terms of a page are in order"));
        }
        self.term.truncate(shared);
        self.term.extend(suffix);
        self.lists += 1;
        let count = take_number(&mut self.rest)?;
        if count < 2 {
            return Err(Corrupt::new("a list has postings"));
        }
        Ok(Some((count / 2, count % 2 == 1)))
    }

    /// Passes over so many postings.
    fn skip(&mut self, count: u64) -> Result<(), Corrupt> {
        let mut left = count;
        for (position, byte) in self.rest.iter().enumerate() {
            left -= u64::from(*byte < 0x80);
            if left == 0 {
                self.rest = &self.rest[position + 1..];
                return Ok(());
            }
        }
        Err(Corrupt::new("a page is whole"))
    }
}

/// The key of a page, from what is in it.
pub(crate) fn key_of(page: &[u8], first: u64, end: u64) -> Result<Vec<u8>, Corrupt> {
    let mut reader = Reader::open(page, first, end)?;
    let list = reader.next_list()?.ok_or(Corrupt::new("a page has a list"))?;
    let index = list.postings.first().copied().filter(|_| list.continued).unwrap_or(0);
    Ok(key(reader.term(), index))
}

#[cfg(test)]
mod tests;
