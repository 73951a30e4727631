//! Logs in doubt, in `SQLite`.

use super::super::convert::{self, EndRow, RecordedRow, to_i64};
use super::super::{Answer, Doubts, End, Identity, Recorded, StoreError};
use super::{SqliteStore, insert_freeze};
use sqlx::SqliteConnection;
use std::time::Duration;

async fn read_quarantine(connection: &mut SqliteConnection, log_id: i64) -> Result<Option<Recorded>, StoreError> {
    let row: Option<RecordedRow> =
        sqlx::query_as("SELECT since_ms, code, reason, tree_size, note FROM quarantined_logs WHERE log_id = ?")
            .bind(log_id)
            .fetch_optional(connection)
            .await?;
    row.map(convert::recorded).transpose()
}

async fn insert_quarantine(
    connection: &mut SqliteConnection,
    log_id: i64,
    recorded: &Recorded,
) -> Result<(), StoreError> {
    let Recorded { since_ms, code, reason, tree_size, note } = recorded;
    sqlx::query(
        "INSERT INTO quarantined_logs (log_id, since_ms, code, reason, tree_size, note) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(log_id)
    .bind(to_i64(*since_ms)?)
    .bind(code)
    .bind(reason)
    .bind(to_i64(*tree_size)?)
    .bind(note.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

async fn read_end(connection: &mut SqliteConnection, log_id: i64) -> Result<Option<End>, StoreError> {
    let row: Option<EndRow> =
        sqlx::query_as("SELECT ended_ms, tree_size, root_hash, published_size FROM ended_logs WHERE log_id = ?")
            .bind(log_id)
            .fetch_optional(connection)
            .await?;
    row.map(convert::end).transpose()
}

impl Doubts for SqliteStore {
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>> {
        Box::pin(async move { read_quarantine(&mut *self.database.readers.acquire().await?, log_id).await })
    }

    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let found = read_quarantine(&mut transaction, log_id).await?;
            let both = found.clone().map_or_else(|| recorded.clone(), |found| found.and(&recorded));
            if found.as_ref() != Some(&both) {
                let delete = sqlx::query("DELETE FROM quarantined_logs WHERE log_id = ?");
                delete.bind(log_id).execute(&mut *transaction).await?;
                insert_quarantine(&mut transaction, log_id, &both).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
    }

    fn release(&self, log_id: i64, proven: Recorded) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let found = read_quarantine(&mut transaction, log_id).await?;
            if found.as_ref() != Some(&proven) {
                return Ok(found.is_none());
            }
            let delete = sqlx::query("DELETE FROM quarantined_logs WHERE log_id = ?");
            delete.bind(log_id).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>> {
        Box::pin(async move { read_end(&mut *self.database.readers.acquire().await?, log_id).await })
    }

    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            insert_freeze(&mut transaction, log_id, end.at).await?;
            insert_quarantine(&mut transaction, log_id, &recorded).await?;
            sqlx::query(
                "INSERT INTO ended_logs (log_id, ended_ms, tree_size, root_hash, published_size)
                 VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(log_id)
            .bind(to_i64(end.at.millis())?)
            .bind(to_i64(end.tree.size)?)
            .bind(end.tree.root.as_slice())
            .bind(to_i64(end.published)?)
            .execute(&mut *transaction)
            .await?;
            let ended = read_end(&mut transaction, log_id).await?;
            transaction.commit().await?;
            Ok(ended.unwrap_or(end))
        })
    }

    // A file is the one that was opened; what it was copied from does not show.
    fn identity(&self) -> Answer<'_, Identity> {
        Box::pin(std::future::ready(Ok(Identity::default())))
    }

    fn has_changed(&self, _ago: Duration) {}

    fn is_settled(&self) -> bool {
        true
    }
}
