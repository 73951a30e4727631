//! Questions to the runs of a log.
//!
//! Every run is asked for its own part of the range, in order, until there is enough. A statement reads one page of each run, which
//! is all that most questions need. Where a list goes on, the pages after it are read with statements of their own. A run may be
//! merged and deleted meanwhile; then the rest of the range is asked of the runs that there are by now.
//!
//! Nothing is left out silently: the runs that answer must cover the whole range.

use crate::error::{Error, MAX_VALUES};
use crate::page::{self, List, Page, Reader};
use crate::run::Span;
use crate::store::{Held, Order, Store};
use futures_util::future::try_join_all;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;

/// Runs that are asked with one statement.
const RUNS: u32 = 64;
/// Pages that are read at once where a list goes on.
const PAGES: u32 = 16;
/// Terms that are looked for with one statement.
const TERMS: usize = 256;
/// Such statements at a time. Each answers with some megabytes of pages.
const STATEMENTS: usize = 4;
/// How often runs may be merged under a question.
const ATTEMPTS: u32 = 16;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// This term.
    Term(&'a [u8]),
    /// Terms that begin with this.
    Prefix(&'a [u8]),
}

/// What a question wants of the entries that it finds.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) range: Range<u64>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
}

impl Part {
    /// What is left once a run has answered; `None` where the run is not the next one.
    fn after(&self, span: Span) -> Option<Range<u64>> {
        let Range { start, end } = self.range;
        match self.order {
            Order::Oldest => (span.first <= start && start < span.end).then(|| span.end.min(end)..end),
            Order::Newest => (span.first < end && end <= span.end).then(|| start..span.first.max(start)),
        }
    }

    /// Whether the entries of a run are not behind what is left already.
    const fn has_yet(&self, span: Span) -> bool {
        match self.order {
            Order::Oldest => span.end > self.range.start,
            Order::Newest => span.first < self.range.end,
        }
    }

    /// Where the pages with the first answers to this are found.
    fn key(&self, term: &[u8]) -> Vec<u8> {
        match self.order {
            Order::Oldest => page::key(term, self.range.start),
            Order::Newest => page::key(term, self.range.end.saturating_sub(1)),
        }
    }

    /// Takes what is wanted of a list, in order.
    fn take(&self, list: &List, found: &mut Vec<u64>) {
        let wanted = list.postings.iter().copied().filter(|index| self.range.contains(index));
        match self.order {
            Order::Oldest => found.extend(wanted),
            Order::Newest => found.extend(wanted.rev()),
        }
    }

    /// Whether pages beside this one may have more of its list that is wanted.
    fn goes_on(&self, list: &List) -> bool {
        match self.order {
            Order::Oldest => list.continues && list.postings.last().is_some_and(|index| index + 1 < self.range.end),
            Order::Newest => list.continued && list.postings.first().is_some_and(|index| *index > self.range.start),
        }
    }
}

/// The entries that have what is wanted.
pub(crate) async fn ask(store: &dyn Store, log_id: i64, wanted: Wanted<'_>, mut part: Part) -> Result<Vec<u64>, Error> {
    let (mut found, limit, mut attempts) = (Vec::new(), part.limit, 0);
    while !part.range.is_empty() && found.len() < limit {
        let key = match wanted {
            Wanted::Term(term) => part.key(term),
            Wanted::Prefix(prefix) => page::key(prefix, 0),
        };
        let runs = store.find(log_id, &key, &part.range, part.order, RUNS).await?;
        if runs.is_empty() {
            return Err(not_covered(store, log_id).await);
        }
        for held in runs {
            let Some(rest) = part.after(held.span) else { return Err(not_covered(store, log_id).await) };
            part.limit = limit - found.len();
            let answer = match wanted {
                Wanted::Term(term) => term_in_run(store, &held, term, &part).await?,
                Wanted::Prefix(prefix) => prefix_in_run(store, &held, prefix, &part).await?,
            };
            let Some(answer) = answer else {
                attempts += 1;
                if attempts > ATTEMPTS {
                    return Err(Error::Moved);
                }
                break;
            };
            found.extend(answer);
            part.range = rest;
            if part.range.is_empty() || found.len() >= limit {
                break;
            }
        }
    }
    Ok(found)
}

/// For each of `terms` what is wanted of the entries that have it.
pub(crate) async fn ask_each(
    store: &dyn Store,
    log_id: i64,
    terms: &[&[u8]],
    part: &Part,
) -> Result<Vec<Vec<u64>>, Error> {
    let distinct: Vec<&[u8]> = terms.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let mut found = HashMap::new();
    let chunks: Vec<&[&[u8]]> = distinct.chunks(TERMS).collect();
    for chunks in chunks.chunks(STATEMENTS) {
        let asked = chunks.iter().map(|terms| ask_some(store, log_id, terms, part));
        try_join_all(asked).await?.into_iter().for_each(|answers| found.extend(answers));
    }
    for entries in found.values_mut() {
        entries.truncate(part.limit);
    }
    Ok(terms.iter().map(|term| found.get(term).cloned().unwrap_or_default()).collect())
}

/// As [`ask_each`], with one statement for `terms`, which are in order. Those without entries are left out.
async fn ask_some<'a>(
    store: &dyn Store,
    log_id: i64,
    terms: &[&'a [u8]],
    part: &Part,
) -> Result<HashMap<&'a [u8], Vec<u64>>, Error> {
    let mut found: HashMap<&[u8], Vec<u64>> = HashMap::new();
    if part.range.is_empty() {
        return Ok(found);
    }
    // What has more in other pages, of which perhaps not all were read, is asked alone.
    let mut unfinished = HashSet::new();
    let keys: Vec<_> = terms.iter().map(|term| part.key(term)).collect();
    let mut left = part.clone();
    let mut runs = store.find_each(log_id, &keys, &part.range).await?;
    if part.order == Order::Oldest {
        runs.reverse();
    }
    for held in runs {
        // A run is there as often as it has pages.
        if left.has_yet(held.span) {
            let Some(rest) = left.after(held.span) else { return Err(not_covered(store, log_id).await) };
            left.range = rest;
        }
        let Some(page) = held.page else { continue };
        // A page has some fifty lists, of which one or two are wanted: the others are passed over.
        let (mut reader, mut wanted) = (Reader::open(&page, held.span.first, held.span.end)?, terms);
        while let Some((term, list)) = reader.find_any(&mut wanted)? {
            if list.continued || list.continues {
                unfinished.insert(term);
            } else {
                part.take(&list, found.entry(term).or_default());
            }
        }
    }
    if !left.range.is_empty() {
        return Err(not_covered(store, log_id).await);
    }
    for term in unfinished {
        found.insert(term, ask(store, log_id, Wanted::Term(term), part.clone()).await?);
    }
    Ok(found)
}

async fn not_covered(store: &dyn Store, log_id: i64) -> Error {
    match store.progress(log_id).await {
        Ok(progress) => Error::NotCovered { indexed: progress.map_or(0, |progress| progress.size) },
        Err(error) => error.into(),
    }
}

/// What a run has of a term; `None` where the run is gone.
async fn term_in_run(store: &dyn Store, held: &Held, term: &[u8], part: &Part) -> Result<Option<Vec<u64>>, Error> {
    let Some(page) = &held.page else { return Ok(Some(Vec::new())) };
    let Span { first, end } = held.span;
    let Some(list) = Reader::open(page, first, end)?.find(term)? else { return Ok(Some(Vec::new())) };
    let mut found = Vec::new();
    part.take(&list, &mut found);
    if part.goes_on(&list) && found.len() < part.limit {
        let key = page::key_of(page, first, end)?;
        let is_whole = read_on(store, held, term, part, key, &mut found).await?;
        if !is_whole || !store.is_live(held.run_id).await? {
            return Ok(None);
        }
    }
    found.truncate(part.limit);
    Ok(Some(found))
}

/// Reads the list of a term in the pages beside the one with `key`. Returns `false` where one is missing.
async fn read_on(
    store: &dyn Store,
    held: &Held,
    term: &[u8],
    part: &Part,
    mut key: Vec<u8>,
    found: &mut Vec<u64>,
) -> Result<bool, Error> {
    loop {
        let pages = match part.order {
            Order::Oldest => store.pages_after(held.run_id, &key, PAGES).await?,
            Order::Newest => store.page_before(held.run_id, &key).await?.into_iter().collect(),
        };
        if pages.is_empty() {
            return Ok(false);
        }
        for page in pages {
            let mut reader = Reader::open(&page.bytes, held.span.first, held.span.end)?;
            let Some(list) = reader.find(term)? else { return Ok(false) };
            part.take(&list, found);
            if !part.goes_on(&list) || found.len() >= part.limit {
                return Ok(true);
            }
            key = page.key;
        }
    }
}

/// The best of several lists, each once.
struct Best<'a> {
    part: &'a Part,
    indices: BTreeSet<u64>,
}

impl Best<'_> {
    fn add(&mut self, index: u64) {
        self.indices.insert(index);
        if self.indices.len() > self.part.limit {
            match self.part.order {
                Order::Oldest => self.indices.pop_last(),
                Order::Newest => self.indices.pop_first(),
            };
        }
    }

    fn into_entries(self) -> Vec<u64> {
        match self.part.order {
            Order::Oldest => self.indices.into_iter().collect(),
            Order::Newest => self.indices.into_iter().rev().collect(),
        }
    }
}

/// What a run has of all terms that begin with a prefix; `None` where the run is gone.
///
/// Of a value with a long list only the pages are read that have its best entries, and the last one, which has the next value.
async fn prefix_in_run(store: &dyn Store, held: &Held, prefix: &[u8], part: &Part) -> Result<Option<Vec<u64>>, Error> {
    let Span { first, end } = held.span;
    let mut best = Best { part, indices: BTreeSet::new() };
    let (mut values, mut last_value, mut is_alone) = (0, Vec::new(), true);
    let mut key = page::key(prefix, 0);
    let mut pages: VecDeque<Page> =
        held.page.iter().map(|bytes| Page { key: key.clone(), bytes: bytes.clone() }).collect();
    'pages: loop {
        let Some(page) = pages.pop_front() else {
            is_alone = false;
            pages = store.pages_after(held.run_id, &key, PAGES).await?.into();
            if pages.is_empty() {
                break;
            }
            continue;
        };
        let mut reader = Reader::open(&page.bytes, first, end)?;
        key = page.key;
        while let Some(list) = reader.next_list()? {
            let term = reader.term();
            if term < prefix || (!last_value.is_empty() && *term <= *last_value) {
                continue;
            }
            if !term.starts_with(prefix) {
                break 'pages;
            }
            values += 1;
            if values > MAX_VALUES {
                return Err(Error::PrefixTooWide);
            }
            last_value = term.to_vec();
            if !list.continues {
                list.postings.iter().filter(|index| part.range.contains(index)).for_each(|index| best.add(*index));
                continue;
            }
            is_alone = false;
            let Some(entries) = long_list(store, held, &last_value, part).await? else { return Ok(None) };
            for index in entries {
                best.add(index);
            }
            let Some(last) = store.page_at(held.run_id, &page::key(&last_value, u64::MAX)).await? else {
                return Ok(None);
            };
            pages = VecDeque::from([last]);
            continue 'pages;
        }
    }
    // Of a run that is gone some of the pages may have been missing.
    let is_whole = is_alone || store.is_live(held.run_id).await?;
    Ok(is_whole.then(|| best.into_entries()))
}

/// What a run has of a term whose list has several pages.
async fn long_list(store: &dyn Store, held: &Held, term: &[u8], part: &Part) -> Result<Option<Vec<u64>>, Error> {
    let page = store.page_at(held.run_id, &part.key(term)).await?.map(|page| page.bytes);
    term_in_run(store, &Held { page, ..held.clone() }, term, part).await
}
