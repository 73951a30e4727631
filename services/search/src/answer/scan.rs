//! The search through one log: candidates from the index, in the order of the answer, of which the entries themselves
//! decide.
//!
//! One condition *drives*: its postings are the candidates. Another one only takes candidates away, by its postings
//! between the first and the last candidate, so that fewer entries are read. Conditions with a prefix drive only if there
//! is no other one: how many entries they have cannot be counted.

use super::AskError;
use super::entry::{self, Found};
use super::logs::AskedLog;
use super::statements::{self, Beyond};
use crate::cursor::Cursor;
use crate::index::Index;
use crate::query::{Condition, Query};
use crate::store::Order;
use chancery_verify::Timestamp;
use chancery_verify::terms::Term;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Candidates that are asked for at a time.
const MAX_BATCH: usize = 256;
/// Entries of a condition are counted so far: the rarest one drives.
const COUNTED: u64 = 10_000;
/// Terms of a condition that are counted together.
const COUNTED_TERMS: usize = 32;
/// Postings of another condition among the candidates of a batch. With more it takes nothing away.
const MAX_EXCLUDING: usize = 4096;

/// Entries that cost as much as a statement beside one: it has up to 100 KiB, or what the operator says.
const READS_OF_STATEMENT: usize = 16;

/// Entries that one answer may still read.
#[derive(Debug)]
pub(crate) struct Reads(usize);

impl Reads {
    pub(crate) const fn new(entries: usize) -> Self {
        Self(entries)
    }

    fn take(&mut self, entries: usize) {
        self.0 = self.0.saturating_sub(entries);
    }

    /// Whether nothing more may be read.
    pub(crate) const fn are_used_up(&self) -> bool {
        self.0 == 0
    }
}

/// A search through one log.
pub(super) struct Scan {
    log: Arc<AskedLog>,
    /// The conditions, where kept statements lead to further candidates.
    widened: Option<Vec<Condition>>,
    /// The condition whose postings are the candidates; `None` where every entry is one.
    driver: Option<usize>,
    /// The indices that were not looked at yet.
    rest: Range<u64>,
    order: Order,
    /// Answers that were found and not taken yet.
    found: VecDeque<Found>,
}

impl Scan {
    /// Begins where `cursor` says, or at the first entry of the query.
    pub(super) async fn begin(
        index: &Index,
        query: &Query,
        log: Arc<AskedLog>,
        cursor: Option<&Cursor>,
    ) -> Result<Self, AskError> {
        let widened = statements::widened(&log, &query.conditions, Beyond::LookAtAll).await?;
        Self::begin_widened(index, query, log, widened, cursor).await
    }

    /// The same, where the conditions are [`widened`](statements::widened) already.
    pub(super) async fn begin_widened(
        index: &Index,
        query: &Query,
        log: Arc<AskedLog>,
        widened: Option<Vec<Condition>>,
        cursor: Option<&Cursor>,
    ) -> Result<Self, AskError> {
        let mut rest = query.indices.start..query.indices.end.min(log.size);
        // Where no times are told, none can be looked for: each entry decides by itself.
        if (query.from.is_some() || query.until.is_some()) && log.source.tells_times() {
            let millis = |time: Timestamp| i64::try_from(time.millis()).unwrap_or(i64::MAX);
            let between = index.between(log.log_id, query.from.map(millis), query.until.map(millis)).await?;
            rest = rest.start.max(between.start)..rest.end.min(between.end);
        }
        if let Some(cursor) = cursor {
            match (query.order, cursor.positions.get(&log.log_id)) {
                (Order::Oldest, Some(position)) => rest.start = rest.start.max(*position),
                (Order::Oldest, None) => {}
                (Order::Newest, position) => rest.end = rest.end.min(position.copied().unwrap_or(0)),
            }
        }
        // An empty range may begin behind its end.
        rest.end = rest.end.max(rest.start);
        let driver = driver(index, &log, widened.as_ref().unwrap_or(&query.conditions), &rest).await?;
        Ok(Self { log, widened, driver, rest, order: query.order, found: VecDeque::new() })
    }

    pub(super) fn log(&self) -> &Arc<AskedLog> {
        &self.log
    }

    /// The next answer, if one is at hand.
    pub(super) fn first(&self) -> Option<&Found> {
        self.found.front()
    }

    pub(super) fn take(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// Whether everything was looked at and taken.
    pub(super) fn is_done(&self) -> bool {
        self.found.is_empty() && self.rest.is_empty()
    }

    /// Where the next page begins, as a [`Cursor`] says it.
    pub(super) fn position(&self) -> u64 {
        match (self.order, self.found.front()) {
            (Order::Oldest, Some(found)) => found.index,
            (Order::Oldest, None) => self.rest.start,
            (Order::Newest, Some(found)) => found.index.saturating_add(1),
            (Order::Newest, None) => self.rest.end,
        }
    }

    /// Searches until an answer is at hand, nothing is left, or no more may be read.
    pub(super) async fn search(
        &mut self,
        index: &Index,
        query: &Query,
        wanted: usize,
        reads: &mut Reads,
    ) -> Result<(), AskError> {
        while self.found.is_empty() && !self.rest.is_empty() && !reads.are_used_up() {
            let batch = wanted.clamp(1, MAX_BATCH).min(reads.0);
            let candidates = self.candidates(index, query, batch).await?;
            let mut entries = entry::read(&self.log, &candidates).await?;
            let statements = if self.widened.is_some() {
                let is_answer = |found: &Found| query.is_met_by(&found.terms, found.logged);
                statements::complete(&self.log, &mut entries, is_answer).await?
            } else {
                0
            };
            // At least one, so that a search without answers ends as well.
            reads.take(entries.len().max(1).saturating_add(statements.saturating_mul(READS_OF_STATEMENT)));
            self.found.extend(entries.into_iter().filter(|found| query.is_met_by(&found.terms, found.logged)));
        }
        Ok(())
    }

    /// The next candidates, which are no longer part of the rest.
    async fn candidates(&mut self, index: &Index, query: &Query, batch: usize) -> Result<Vec<u64>, AskError> {
        let conditions = self.widened.as_ref().unwrap_or(&query.conditions);
        let driver = self.driver.and_then(|driver| conditions.get(driver));
        let mut candidates = match driver {
            Some(condition) => self.postings(index, condition, batch).await?,
            None => self.all(batch),
        };
        self.rest = match (self.order, candidates.last()) {
            (Order::Oldest, Some(last)) if candidates.len() == batch => last.saturating_add(1)..self.rest.end,
            (Order::Newest, Some(last)) if candidates.len() == batch => self.rest.start..*last,
            (Order::Oldest, _) => self.rest.end..self.rest.end,
            (Order::Newest, _) => self.rest.start..self.rest.start,
        };
        let others = conditions.iter().enumerate().filter(|(number, _)| Some(*number) != self.driver);
        for (_, condition) in others {
            self.exclude(index, condition, &mut candidates).await?;
        }
        Ok(candidates)
    }

    /// The next indices, whatever the entries are.
    fn all(&self, batch: usize) -> Vec<u64> {
        match self.order {
            Order::Oldest => self.rest.clone().take(batch).collect(),
            Order::Newest => self.rest.clone().rev().take(batch).collect(),
        }
    }

    /// The first `batch` entries of the rest that have one of the condition's terms.
    async fn postings(&self, index: &Index, condition: &Condition, batch: usize) -> Result<Vec<u64>, AskError> {
        let (log_id, order) = (self.log.log_id, self.order);
        let mut all = of_any(index, &self.log, &condition.exact, self.rest.clone(), order, batch).await?.concat();
        for prefix in &condition.prefixes {
            all.extend(index.prefix(log_id, prefix, self.rest.clone(), order, batch).await?);
        }
        all.sort_unstable();
        all.dedup();
        if order == Order::Newest {
            all.reverse();
        }
        // A list that was cut has as many itself, so nothing is missing before the last one.
        all.truncate(batch);
        Ok(all)
    }

    /// Takes away the candidates that have none of the condition's terms, if it has no prefix and few postings.
    async fn exclude(&self, index: &Index, condition: &Condition, candidates: &mut Vec<u64>) -> Result<(), AskError> {
        let (Some(least), Some(most)) = (candidates.iter().min(), candidates.iter().max()) else { return Ok(()) };
        if !condition.prefixes.is_empty() {
            return Ok(());
        }
        let range = *least..most.saturating_add(1);
        let lists = of_any(index, &self.log, &condition.exact, range, Order::Oldest, MAX_EXCLUDING).await?;
        if lists.iter().any(|postings| postings.len() == MAX_EXCLUDING) {
            return Ok(());
        }
        let mut all = lists.concat();
        all.sort_unstable();
        candidates.retain(|candidate| all.binary_search(candidate).is_ok());
        Ok(())
    }
}

/// The condition with the fewest entries.
async fn driver(
    index: &Index,
    log: &AskedLog,
    conditions: &[Condition],
    range: &Range<u64>,
) -> Result<Option<usize>, AskError> {
    if conditions.len() < 2 {
        return Ok((!conditions.is_empty()).then_some(0));
    }
    let mut rarest: Option<(usize, u64)> = None;
    for (number, condition) in conditions.iter().enumerate().filter(|(_, condition)| condition.prefixes.is_empty()) {
        let at_most = rarest.map_or(COUNTED, |(_, fewest)| fewest);
        let count = count(index, log, &condition.exact, range, at_most).await?;
        if rarest.is_none_or(|(_, fewest)| count < fewest) {
            rarest = Some((number, count));
        }
    }
    Ok(Some(rarest.map_or(0, |(number, _)| number)))
}

/// For each of these terms its first entries of `range`, at most `limit`. Several terms are looked up together.
async fn of_any(
    index: &Index,
    log: &AskedLog,
    terms: &[Term],
    range: Range<u64>,
    order: Order,
    limit: usize,
) -> Result<Vec<Vec<u64>>, AskError> {
    Ok(match terms {
        // Its list may go on over many pages; of one term no page is read twice.
        [term] => vec![index.postings(log.log_id, term, range, order, limit).await?],
        _ => index.postings_of_each(log.log_id, terms, range, order, limit).await?,
    })
}

/// Entries with one of these terms, counted up to `at_most`; one with two of them counts twice.
async fn count(
    index: &Index,
    log: &AskedLog,
    terms: &[Term],
    range: &Range<u64>,
    at_most: u64,
) -> Result<u64, AskError> {
    let limit = usize::try_from(at_most).unwrap_or(usize::MAX);
    let mut count = 0_u64;
    // So many that few queries are made, and so few that not much is read beyond what is counted.
    for terms in terms.chunks(COUNTED_TERMS) {
        let lists = of_any(index, log, terms, range.clone(), Order::Oldest, limit).await?;
        let found = lists.iter().map(|postings| u64::try_from(postings.len()).unwrap_or(u64::MAX));
        count = found.fold(count, u64::saturating_add);
        if count >= at_most {
            break;
        }
    }
    Ok(count)
}
