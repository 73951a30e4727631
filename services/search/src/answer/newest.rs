//! Waits for the index before a question is answered: clients ask about an entry as soon as they have added it.
//!
//! The index follows its logs, so it does not have an entry at the moment when the log acknowledges it. An answer without it would
//! say that nobody has signed. This only waits; how far the index is, the answer says itself.

use super::Asking;
use crate::source::{LogKind, Source};
use futures_util::future::join_all;
use std::time::Duration;

/// Longest that an answer waits for the index: twice the time between two rounds of its follower.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until the index has what the logs of `kind`, or of every kind, show now. Where that takes longer, the answer is of what
/// is indexed. A page that follows another one has a `cursor` and the head of that one, and does not wait. Call it before a place
/// is taken, of which there are few.
pub(crate) async fn newest(asking: &Asking, kind: Option<LogKind>, cursor: Option<&str>) {
    if cursor.is_some() {
        return;
    }
    let sources = asking.index().sources();
    let asked = sources.iter().filter(|source| kind.is_none_or(|kind| source.kind() == kind));
    let newest = join_all(asked.map(|source| newest_of(asking, &**source)));
    let _is_late = tokio::time::timeout(PATIENCE, newest).await;
}

async fn newest_of(asking: &Asking, source: &dyn Source) {
    // A log that cannot be read says so in the answer.
    let Ok(head) = source.head().await else { return };
    asking.index().covers(source.log_id(), head.size).await;
}
