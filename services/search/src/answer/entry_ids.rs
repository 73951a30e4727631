//! The ids of entries of Rekor v1, as its search answers with them: all at once, in no order.

use super::pages::Search;
use super::{AskError, Asking};
use crate::entry_id::tree_id;
use crate::query::Query;
use crate::source::{LogKind, Source};
use futures_util::future::join_all;
use std::time::Duration;

/// Ids of one answer: upstream has no limit, and clients cannot ask for a second page.
pub(crate) const MAX_IDS: usize = 10_000;
/// Entries that are searched for at a time.
const BATCH: usize = 256;

/// Longest that an answer waits for the index: twice the time between two rounds of its follower.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until the index has what the logs of Rekor v1 show now. Clients of Rekor ask for an entry as soon as they have added
/// it, and Rekor's own server has indexed it by then. Where it takes longer, the answer is of what is indexed.
pub(crate) async fn newest(asking: &Asking) {
    let sources = asking.index().sources();
    let newest = join_all(sources.iter().map(|source| newest_of(asking, &**source)));
    let _is_late = tokio::time::timeout(PATIENCE, newest).await;
}

async fn newest_of(asking: &Asking, source: &dyn Source) {
    if source.kind() != LogKind::Rekor {
        return;
    }
    // A log that cannot be read says so in the answer.
    let Ok(head) = source.head().await else { return };
    if tree_id(source.kind(), &head.checkpoint).is_some() {
        asking.index().covers(source.log_id(), head.size).await;
    }
}

/// The id of every entry of Rekor v1, in all its shards, that meets the conditions of `query`.
pub(crate) async fn entry_ids(asking: &Asking, query: Query) -> Result<Vec<String>, AskError> {
    let query = Query { kind: Some(LogKind::Rekor), ..query };
    let mut search = Search::begin(asking, query, None).await?;
    search.only(|log| log.tree_id().is_some());
    let mut ids = Vec::new();
    loop {
        let page = search.page(BATCH).await?;
        ids.extend(page.found.iter().map(super::entry::Found::id));
        if ids.len() > MAX_IDS {
            return Err(AskError::TooMany { limit: MAX_IDS });
        }
        if page.cursor.is_none() {
            return Ok(ids);
        }
    }
}
