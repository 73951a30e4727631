//! The statements about tree heads, and what locks them.
//!
//! Each batch adds a row of `heads`; none is ever changed. So a snapshot that another transaction holds for hours (a dump, a
//! report, a standby's feedback) leaves no dead rows that each batch must pass over: the newest head is the first row from
//! the end of the index.

use super::super::convert::{self, EarlierHeadRow, to_i64};
use super::super::{CommittedHead, EarlierHead, StoreError};
use chancery_daemon::database::Connections;
use chancery_verify::{Hash, Timestamp};
use sqlx::{PgConnection, PgExecutor};
use std::sync::LazyLock;

/// Selects the newest head of the log `$1`.
pub(super) const NEWEST_HEAD: &str =
    "SELECT tree_size, root_hash, timestamp_ms FROM heads WHERE log_id = $1 ORDER BY previous_size DESC LIMIT 1";

/// Adds the first head of a log, which extends none.
pub(super) async fn insert_head(
    connection: &mut PgConnection,
    log_id: i64,
    root: &Hash,
    created: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "/* create: head */ INSERT INTO heads (log_id, previous_size, tree_size, root_hash, timestamp_ms)
         VALUES ($1, -1, 0, $2, $3)",
    )
    .bind(log_id)
    .bind(root.as_slice())
    .bind(to_i64(created.millis())?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Freezes the log and reads its head, which the lock keeps until both are committed.
pub(super) async fn freeze(
    connection: &mut PgConnection,
    log_id: i64,
    now: Timestamp,
) -> Result<CommittedHead, StoreError> {
    // A statement of its own: one that waited for the lock would still read what there was before it waited.
    sqlx::query("/* freeze: lock */ SELECT lock_head($1)").bind(log_id).execute(&mut *connection).await?;
    sqlx::query("/* freeze */ INSERT INTO frozen_logs (log_id, frozen_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(log_id)
        .bind(to_i64(now.millis())?)
        .execute(&mut *connection)
        .await?;
    read_head(connection, log_id).await
}

/// The newest head.
pub(super) async fn read_head(executor: impl PgExecutor<'_>, log_id: i64) -> Result<CommittedHead, StoreError> {
    static HEAD: LazyLock<String> = LazyLock::new(|| format!("/* head */ {NEWEST_HEAD}"));
    let head = sqlx::query_as(HEAD.as_str());
    convert::committed_head(head.bind(log_id).fetch_optional(executor).await?)
}

/// Up to `count` heads that extend trees of more than `after` leaves, in order. The first one extends `-1`.
pub(super) async fn earlier_heads(
    connections: &Connections,
    log_id: i64,
    after: i64,
    count: u32,
) -> Result<Vec<EarlierHead>, StoreError> {
    let rows = sqlx::query_as(
        "/* earlier_heads */ SELECT previous_size, tree_size, root_hash, timestamp_ms FROM heads
         WHERE log_id = $1 AND previous_size > $2 ORDER BY previous_size LIMIT $3",
    );
    let rows: Vec<EarlierHeadRow> = rows.bind(log_id).bind(after).bind(i64::from(count)).fetch_all(connections).await?;
    rows.into_iter().map(convert::earlier_head).collect()
}
