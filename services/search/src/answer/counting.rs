//! How many entries are answers.
//!
//! The index counts the entries of one term without reading them: that number is the index's word. Everything else is
//! counted by reading the entries, up to a limit.

use super::logs::{self, AskedLog};
use super::scan::{Reads, Scan};
use super::statements::{self, Beyond};
use super::{AskError, Asking};
use crate::query::Query;
use std::sync::Arc;

/// Entries that the index counts in a log.
const MAX_COUNTED: u64 = 10_000_000;
/// Entries that are read to count answers, over all logs.
const MAX_READS: usize = 32_768;
/// Answers that are looked for at a time.
const BATCH: usize = 256;

/// The answers of one log.
pub(crate) struct Count {
    pub(crate) log: Arc<AskedLog>,
    pub(crate) entries: u64,
    /// Whether there may be more.
    pub(crate) at_least: bool,
    /// Whether the entries were read, or only the index.
    pub(crate) read: bool,
}

/// Counts the answers of each log.
pub(crate) async fn counts(asking: &Asking, query: &Query) -> Result<Vec<Count>, AskError> {
    let mut reads = Reads::new(MAX_READS);
    let mut counts = Vec::new();
    for log in logs::asked(asking.index(), query).await? {
        let widened = statements::widened(&log, &query.conditions, Beyond::LookAtAll).await?;
        let known = if widened.is_none() { counted_by_index(asking, query, &log).await? } else { None };
        let counted = if let Some(entries) = known {
            Count { log, entries: entries.min(MAX_COUNTED), at_least: entries >= MAX_COUNTED, read: false }
        } else {
            let scan = Scan::begin_widened(asking.index(), query, Arc::clone(&log), widened, None).await?;
            counted_by_reading(asking, query, scan, &mut reads).await?
        };
        counts.push(counted);
    }
    Ok(counts)
}

/// The number of entries, where the index alone knows it: of all, or of one term. Two terms may have entries in common, and
/// kept statements lead to more than the conditions as they are.
async fn counted_by_index(asking: &Asking, query: &Query, log: &AskedLog) -> Result<Option<u64>, AskError> {
    let range = query.indices.start..query.indices.end.min(log.size);
    if query.from.is_some() || query.until.is_some() || range.is_empty() {
        return Ok(range.is_empty().then_some(0));
    }
    let condition = match query.conditions.as_slice() {
        [] => return Ok(Some(range.end - range.start)),
        [condition] if condition.prefixes.is_empty() => condition,
        _ => return Ok(None),
    };
    let mut found = Vec::new();
    for term in &condition.exact {
        let count = asking.index().count(log.log_id, term, range.clone(), MAX_COUNTED).await?;
        found.extend((count > 0).then_some(count));
    }
    Ok(match found.as_slice() {
        [] => Some(0),
        [only] => Some(*only),
        _ => None,
    })
}

async fn counted_by_reading(
    asking: &Asking,
    query: &Query,
    mut scan: Scan,
    reads: &mut Reads,
) -> Result<Count, AskError> {
    let mut entries = 0;
    while !(scan.is_done() || reads.are_used_up() && scan.first().is_none()) {
        scan.search(asking.index(), query, BATCH, reads).await?;
        while scan.take().is_some() {
            entries += 1;
        }
    }
    Ok(Count { log: Arc::clone(scan.log()), entries, at_least: !scan.is_done(), read: true })
}
