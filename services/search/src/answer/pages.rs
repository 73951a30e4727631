//! The answers of all logs, merged: by time, and within a log by index.
//!
//! An entry whose log tells no time is older than every other one. A page can have fewer entries than were asked for and
//! still not be the last: an answer reads a limited number of entries, and of those that the index names not all must be
//! answers. Only a page without a cursor is the last.

use super::entry::Found;
use super::logs::{self, AskedLog};
use super::scan::{Reads, Scan};
use super::{AskError, Asking};
use crate::cursor::Cursor;
use crate::query::Query;
use crate::store::Order;
use std::sync::Arc;

/// Entries that are read for one page.
const MAX_READS: usize = 8192;

/// The search through all logs of a query.
pub(crate) struct Search {
    asking: Asking,
    query: Query,
    scans: Vec<Scan>,
}

/// Answers, in their order.
pub(crate) struct Page {
    pub(crate) found: Vec<Found>,
    /// Where the next page begins. `None` after the last one.
    pub(crate) cursor: Option<Cursor>,
}

impl Search {
    /// Begins at the beginning, or where a page ended.
    pub(crate) async fn begin(asking: &Asking, query: Query, cursor: Option<&str>) -> Result<Self, AskError> {
        let cursor = cursor.map(|text| Cursor::decode(text, query.fingerprint(), query.order)).transpose()?;
        let mut scans = Vec::new();
        for log in logs::asked(asking.index(), &query).await? {
            scans.push(Scan::begin(asking.index(), &query, log, cursor.as_ref()).await?);
        }
        Ok(Self { asking: asking.clone(), query, scans })
    }

    /// The logs that are asked.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &Arc<AskedLog>> {
        self.scans.iter().map(Scan::log)
    }

    /// Asks only those logs of which this is true.
    pub(crate) fn only(&mut self, is_meant: impl Fn(&AskedLog) -> bool) {
        self.scans.retain(|scan| is_meant(scan.log()));
    }

    /// The next answers, at most `limit`.
    pub(crate) async fn page(&mut self, limit: usize) -> Result<Page, AskError> {
        let mut reads = Reads::new(MAX_READS);
        let mut found = Vec::new();
        while found.len() < limit {
            for scan in &mut self.scans {
                scan.search(self.asking.index(), &self.query, limit, &mut reads).await?;
            }
            // Which answer is next can be said only while every log shows its own.
            let is_open = self.scans.iter().any(|scan| scan.first().is_none() && !scan.is_done());
            let next = if is_open { None } else { self.next() };
            let Some(next) = next else { break };
            found.push(next);
        }
        Ok(Page { found, cursor: self.cursor() })
    }

    /// Takes the answer that comes first.
    fn next(&mut self) -> Option<Found> {
        let order = self.query.order;
        let key = |scan: &Scan| {
            let found = scan.first()?;
            Some((found.time, found.log.log_id))
        };
        let showing = self.scans.iter_mut().filter(|scan| scan.first().is_some());
        let first = match order {
            Order::Oldest => showing.min_by_key(|scan| key(scan)),
            Order::Newest => showing.max_by_key(|scan| key(scan)),
        };
        first?.take()
    }

    fn cursor(&self) -> Option<Cursor> {
        if self.scans.iter().all(Scan::is_done) {
            return None;
        }
        let positions = self.scans.iter().map(|scan| (scan.log().log_id, scan.position())).collect();
        Some(Cursor { query: self.query.fingerprint(), order: self.query.order, positions })
    }
}
