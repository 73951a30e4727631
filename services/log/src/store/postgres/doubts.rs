//! Logs in doubt, in `PostgreSQL`.

use super::super::convert::{self, EndRow, RecordedRow, to_i64};
use super::super::{Answer, Doubts, End, Identity, Recorded, StoreError};
use super::{PostgresStore, heads, read};
use chancery_daemon::database::{Connections, Postgres};
use sqlx::{Connection as _, PgExecutor};
use std::time::Duration;

async fn find_quarantine(executor: impl PgExecutor<'_>, log_id: i64) -> Result<Option<Recorded>, StoreError> {
    let row = sqlx::query_as(
        "/* quarantined */ SELECT since_ms, code, reason, tree_size, note FROM quarantined_logs WHERE log_id = $1",
    );
    let row: Option<RecordedRow> = row.bind(log_id).fetch_optional(executor).await?;
    row.map(convert::recorded).transpose()
}

async fn insert_quarantine(executor: impl PgExecutor<'_>, log_id: i64, recorded: &Recorded) -> Result<(), StoreError> {
    let Recorded { since_ms, code, reason, tree_size, note } = recorded;
    sqlx::query(
        "/* quarantine */ INSERT INTO quarantined_logs (log_id, since_ms, code, reason, tree_size, note)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(log_id)
    .bind(to_i64(*since_ms)?)
    .bind(code)
    .bind(reason)
    .bind(to_i64(*tree_size)?)
    .bind(note.as_deref())
    .execute(executor)
    .await?;
    Ok(())
}

/// Adds to what is recorded. A row is replaced, because the role of a server may insert and delete, but not update.
async fn add_quarantine(database: &Postgres, log_id: i64, recorded: &Recorded) -> Result<(), StoreError> {
    let mut connection = database.writers.acquire().await?;
    let mut transaction = connection.begin().await?;
    // A statement of its own: one that waited for the lock would still read what there was before it waited.
    let lock = sqlx::query("/* quarantine: lock */ LOCK TABLE quarantined_logs IN SHARE ROW EXCLUSIVE MODE");
    lock.execute(&mut *transaction).await?;
    let found = find_quarantine(&mut *transaction, log_id).await?;
    let both = found.clone().map_or_else(|| recorded.clone(), |found| found.and(recorded));
    if found.as_ref() != Some(&both) {
        let delete = sqlx::query("/* quarantine: replace */ DELETE FROM quarantined_logs WHERE log_id = $1");
        delete.bind(log_id).execute(&mut *transaction).await?;
        insert_quarantine(&mut *transaction, log_id, &both).await?;
    }
    transaction.commit().await?;
    connection.give_back();
    Ok(())
}

/// Whether nothing is recorded any more.
async fn delete_quarantine(connections: &Connections, log_id: i64, proven: &Recorded) -> Result<bool, StoreError> {
    let Recorded { since_ms, code, reason, tree_size, note } = proven;
    let deleted = sqlx::query(
        "/* release */ DELETE FROM quarantined_logs WHERE log_id = $1 AND since_ms = $2 AND code = $3 AND reason = $4
             AND tree_size = $5 AND note IS NOT DISTINCT FROM $6",
    )
    .bind(log_id)
    .bind(to_i64(*since_ms)?)
    .bind(code)
    .bind(reason)
    .bind(to_i64(*tree_size)?)
    .bind(note.as_deref())
    .execute(connections)
    .await?;
    // Another server may have deleted it.
    Ok(deleted.rows_affected() > 0 || find_quarantine(connections, log_id).await?.is_none())
}

async fn find_end(executor: impl PgExecutor<'_>, log_id: i64) -> Result<Option<EndRow>, StoreError> {
    let row = sqlx::query_as(
        "/* ended */ SELECT ended_ms, tree_size, root_hash, published_size FROM ended_logs WHERE log_id = $1",
    );
    Ok(row.bind(log_id).fetch_optional(executor).await?)
}

async fn insert_end(executor: impl PgExecutor<'_>, log_id: i64, end: &End) -> Result<(), StoreError> {
    sqlx::query(
        "/* end */ INSERT INTO ended_logs (log_id, ended_ms, tree_size, root_hash, published_size)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(log_id)
    .bind(to_i64(end.at.millis())?)
    .bind(to_i64(end.tree.size)?)
    .bind(end.tree.root.as_slice())
    .bind(to_i64(end.published)?)
    .execute(executor)
    .await?;
    Ok(())
}

/// A part that the server does not tell this role is unknown: a managed one may allow neither question.
async fn identity(database: &Postgres) -> Result<Identity, StoreError> {
    let cluster = sqlx::query_scalar("/* cluster */ SELECT system_identifier::text FROM pg_control_system()");
    let cluster = match cluster.fetch_one(&database.readers).await {
        Ok(cluster) => Some(cluster),
        Err(sqlx::Error::Database(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Identity { cluster, timeline: database.timeline().await? })
}

impl Doubts for PostgresStore {
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>> {
        Box::pin(async move { read("quarantined", || find_quarantine(&self.database.readers, log_id)).await })
    }

    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("quarantine", || add_quarantine(&self.database, log_id, &recorded)).await
        })
    }

    fn release(&self, log_id: i64, proven: Recorded) -> Answer<'_, bool> {
        Box::pin(async move { read("release", || delete_quarantine(&self.database.writers, log_id, &proven)).await })
    }

    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>> {
        Box::pin(async move {
            let row = read("ended", || find_end(&self.database.readers, log_id)).await?;
            row.map(convert::end).transpose()
        })
    }

    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            heads::freeze(&mut transaction, log_id, end.at).await?;
            insert_quarantine(&mut *transaction, log_id, &recorded).await?;
            insert_end(&mut *transaction, log_id, &end).await?;
            let ended = find_end(&mut *transaction, log_id).await?;
            transaction.commit().await?;
            connection.give_back();
            ended.map_or(Ok(end), convert::end)
        })
    }

    fn identity(&self) -> Answer<'_, Identity> {
        Box::pin(async move { read("identity", || identity(&self.database)).await })
    }

    fn has_changed(&self, ago: Duration) {
        self.database.has_changed(ago);
    }

    fn is_settled(&self) -> bool {
        self.database.is_settled()
    }
}
