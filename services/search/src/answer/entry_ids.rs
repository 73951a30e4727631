//! The ids of entries of Rekor v1, as its search answers with them: all at once, in no order.

use super::pages::Search;
use super::{AskError, Asking};
use crate::query::Query;
use crate::source::LogKind;

/// Ids of one answer: upstream has no limit, and clients cannot ask for a second page.
pub(crate) const MAX_IDS: usize = 10_000;
/// Entries that are searched for at a time.
const BATCH: usize = 256;

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
