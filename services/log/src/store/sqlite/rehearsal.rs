//! A batch that is written and undone: it shows whether the next one would be taken.
//!
//! It reaches the pages of every table, but not the disk: only a commit does that.

use super::super::{CommittedHead, Extension, StoreError};
use super::{advance_head, insert_entries, write_tiles};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

pub(super) async fn rehearse(
    writer: &SqlitePool,
    log_id: i64,
    from: &CommittedHead,
    extension: &Extension,
) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    let rehearsed = write_and_undo(&mut connection, log_id, from, extension).await;
    if rehearsed.is_err() {
        // As after a batch that failed: the connection may count a transaction that there is not any more.
        let _ = connection.close().await;
    }
    rehearsed
}

async fn write_and_undo(
    connection: &mut SqliteConnection,
    log_id: i64,
    from: &CommittedHead,
    extension: &Extension,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    insert_entries(&mut transaction, log_id, &extension.entries).await?;
    write_tiles(&mut transaction, log_id, &extension.tiles).await?;
    advance_head(&mut transaction, log_id, from, &extension.head).await?;
    transaction.rollback().await?;
    Ok(())
}
