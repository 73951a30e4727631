//! Logs in doubt, in `PostgreSQL`.

use super::super::convert::{self, EndRow, RecordedRow, to_i64};
use super::super::{Answer, Doubts, End, Identity, Recorded, StoreError};
use super::{PostgresStore, heads, read};
use chancery_daemon::database::Connections;
use sqlx::{Connection as _, PgExecutor};

async fn find_quarantine(connections: &Connections, log_id: i64) -> Result<Option<RecordedRow>, StoreError> {
    let row = sqlx::query_as(
        "/* quarantined */ SELECT since_ms, code, reason, tree_size, note FROM quarantined_logs WHERE log_id = $1",
    );
    Ok(row.bind(log_id).fetch_optional(connections).await?)
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

async fn delete_quarantine(connections: &Connections, log_id: i64) -> Result<(), StoreError> {
    let delete = sqlx::query("/* release */ DELETE FROM quarantined_logs WHERE log_id = $1").bind(log_id);
    delete.execute(connections).await?;
    Ok(())
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

/// The one value that a query selects. `None` where the server does not answer it to this role, or not in this state: a managed
/// server may allow neither function, and a standby has no position to write at.
async fn told(connections: &Connections, query: &'static str) -> Result<Option<String>, StoreError> {
    match sqlx::query_scalar(query).fetch_one(connections).await {
        Ok(value) => Ok(Some(value)),
        Err(sqlx::Error::Database(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn identity(connections: &Connections) -> Result<Identity, StoreError> {
    let cluster = told(connections, "/* cluster */ SELECT system_identifier::text FROM pg_control_system()").await?;
    // The first eight digits of a segment's name are its timeline.
    let timeline = "/* timeline */ SELECT substring(pg_walfile_name(pg_current_wal_lsn()) FROM 1 FOR 8)";
    let timeline = told(connections, timeline).await?;
    Ok(Identity { cluster, timeline: timeline.and_then(|digits| u32::from_str_radix(&digits, 16).ok()) })
}

impl Doubts for PostgresStore {
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>> {
        Box::pin(async move {
            let row = read("quarantined", || find_quarantine(&self.database.readers, log_id)).await?;
            row.map(convert::recorded).transpose()
        })
    }

    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("quarantine", || insert_quarantine(&self.database.writers, log_id, &recorded)).await
        })
    }

    fn release(&self, log_id: i64) -> Answer<'_, ()> {
        Box::pin(async move { read("release", || delete_quarantine(&self.database.writers, log_id)).await })
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
        Box::pin(async move { read("identity", || identity(&self.database.readers)).await })
    }
}
