//! Logs in `PostgreSQL`: for production, and for several replicas over one database.
//!
//! # Life of a batch
//! 1. One statement adds the new head (`heads`) by compare-and-swap on size and root of the newest one and, only if it was
//!    added, writes the entries (`bundle_parts`, `identities`, `leaf_indices`), `tiles` and the checkpoint that rides along
//!    (`checkpoints`). It is its own transaction: **its commit is the durability point.** Where some of the entries are logged
//!    already (`identities`), or the head is another, it adds nothing, and answers with the head and the duplicates of its
//!    snapshot. The primary key of `heads` has one place for what extends a head: two replicas cannot both take it.
//! 2. Then the extension is computed from these, and the statement repeated. Every batch moves the head, so a head that stood
//!    still means that the duplicates of the snapshot are all there are.
//!
//! Nothing is locked before step 1. Where the head has moved, another replica is appending as well, and repeating this
//! could lose every race. Then the head is locked first: a statement that reads what step 1 answers with, and the same
//! statement, between `BEGIN`, `lock_head` and `COMMIT`. The database takes the same lock for every head that is added, so
//! replicas take turns. The lock only makes this fair: the primary key prevents a fork. When which way is taken is the
//! sequencer's matter.
//!
//! One round trip instead of four: at one client most of what a batch takes beyond its fsync.
//!
//! What proofs are made from (entries, tiles, leaves), and where a leaf is, is read together with what others ask for at
//! that time; see [`crate::gathered`].

mod attestations;
mod census;
mod doubts;
mod heads;
mod rehearsal;
mod rows;

use super::convert::{self, to_i64, to_u64};
use super::parts::{self, PartRow};
use super::{
    Answer, Batch, Census, CommittedHead, EarlierHead, Extension, Found, Indexed, Integration, Lock, LogRecord, Lookup,
    NewLog, Store, StoreError, StoredEntry, TileId, Tiles,
};
use crate::Corrupt;
use crate::gathered::Gathered;
use bytes::Bytes;
use chancery_daemon::database::{Lent, Postgres};
use chancery_verify::tile::{Edge, FULL_WIDTH};
use chancery_verify::{Hash, Timestamp, merkle};
use futures_util::future::try_join_all;
use heads::read_head;
use rows::{LeafRow, Written, read_found, write_extension};
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How often a read is tried before it fails: more often than there are connections, so that a server that was restarted,
/// and thereby made all of them useless, goes unnoticed.
const ATTEMPTS: u32 = 16;
/// How long a step of a batch may take. The server's own limits end every wait before this; it is for a server that vanished
/// without a word.
const STEP_TIMEOUT: Duration = Duration::from_secs(45);

/// Logs in an open `PostgreSQL` database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    database: Postgres,
    reads: Arc<Reads>,
}

/// Queries of one kind that run at a time: while one is on its way to the database another is being answered.
const TURNS: usize = 2;
/// Keys in one query.
const MAX_KEYS: usize = 128;

/// What is read of the logs of which `i64` is the number.
#[derive(Debug)]
struct Reads {
    leaves: Gathered<(i64, Hash), Option<LeafRow>, StoreError>,
    /// By leaf hash.
    indices: Gathered<(i64, Hash), Option<i64>, StoreError>,
    /// By index.
    entries: Gathered<(i64, i64), Option<PartRow>, StoreError>,
    tiles: Gathered<(i64, TileId), Option<Vec<u8>>, StoreError>,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            leaves: Gathered::new(TURNS, MAX_KEYS),
            indices: Gathered::new(TURNS, MAX_KEYS),
            entries: Gathered::new(TURNS, MAX_KEYS),
            tiles: Gathered::new(TURNS, MAX_KEYS),
        }
    }
}

impl PostgresStore {
    /// A store over an open database.
    #[must_use]
    pub fn new(database: Postgres) -> Self {
        Self { database, reads: Arc::default() }
    }

    /// Step 1: in a transaction of its own, or in the one that holds the lock.
    async fn write(
        &self,
        batch: &Batch<'_>,
        extension: &Extension,
        transaction: Option<Lent>,
    ) -> Result<Integration, StoreError> {
        let Some(mut transaction) = transaction else {
            let mut connection = self.database.writers.acquire().await?;
            require_settled(&self.database)?;
            let integration = write_or_find(&mut connection, batch, extension).await?;
            connection.give_back();
            return Ok(integration);
        };
        let integration = write_or_find(&mut transaction, batch, extension).await?;
        match &integration {
            // The durability point.
            Integration::Committed => Lock::commit(transaction).await?,
            // Only where the database does not take the lock for every head.
            Integration::Overtaken(_) => Lock::held(transaction).release().await,
        }
        Ok(integration)
    }
}

/// Nothing is written while a failover is young: see [`StoreError::Settling`]. A connection comes first, because a new one tells
/// whether there was one.
fn require_settled(database: &Postgres) -> Result<(), StoreError> {
    if database.is_settled() { Ok(()) } else { Err(StoreError::Settling) }
}

/// Writes the extension, or says what there is instead.
async fn write_or_find(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<Integration, StoreError> {
    let found = match write_extension(connection, batch, extension).await? {
        Written::Everything => return Ok(Integration::Committed),
        // Of the entries that were left out, nothing was asked.
        Written::Nothing(..) if extension.entries.len() < batch.identities.len() => find(connection, batch).await?,
        Written::Nothing(head, duplicates) => with_edge(connection, batch, head, duplicates).await?,
    };
    Ok(Integration::Overtaken(found))
}

/// What the extension is computed from.
async fn find(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Found, StoreError> {
    let (head, duplicates) = read_found(connection, batch.log_id, batch.identities).await?;
    with_edge(connection, batch, head, duplicates).await
}

/// What was found, with the right edge where the caller does not know it.
async fn with_edge(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    head: CommittedHead,
    duplicates: Vec<Option<u64>>,
) -> Result<Found, StoreError> {
    let edge = if batch.known.is_some_and(|known| known.tree.size == head.tree.size) {
        None
    } else {
        // Tiles only grow, so that tiles read after a head are always enough for it.
        let ids = Edge::tile_ids(head.tree.size);
        let wanted: Vec<_> = ids.iter().map(|id| (batch.log_id, *id)).collect();
        Some(named(&ids, rows::tiles(connection, &wanted).await?)?)
    };
    Ok(Found { head, edge, duplicates })
}

/// The answer of a step of a batch, if it comes in time.
async fn in_time<T>(step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(STEP_TIMEOUT, step).await.unwrap_or(Err(StoreError::Timeout))
}

/// Runs a read, and again where its connection turned out to be dead.
async fn read<T, F: Future<Output = Result<T, StoreError>>>(
    name: &'static str,
    statement: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        match statement().await {
            Err(error) if attempt < ATTEMPTS && error.is_disconnected() => {
                tracing::debug!(read = name, attempt, %error, "is tried again");
            }
            result => return result,
        }
        attempt += 1;
    }
}

/// The tiles that were found, in the order of `ids`.
fn named(ids: &[TileId], found: Vec<Option<Vec<u8>>>) -> Result<Tiles, StoreError> {
    let named = |(id, hashes): (&TileId, _)| Ok((i64::from(id.level), to_i64(id.index)?, hashes));
    let found = ids.iter().zip(found).filter_map(|(id, hashes)| Some(named((id, hashes?))));
    convert::tiles(found.collect::<Result<Vec<_>, StoreError>>()?)
}

impl Store for PostgresStore {
    fn shared(&self) -> bool {
        true
    }

    fn open<'a>(&'a self, name: &'a str) -> Answer<'a, Option<LogRecord>> {
        Box::pin(async move {
            let row = read("open", || rows::find_log(&self.database.readers, name)).await?;
            row.map(convert::log_record).transpose()
        })
    }

    fn create(&self, log: NewLog) -> Answer<'_, LogRecord> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let record = convert::log_record(rows::insert_log(&mut transaction, &log).await?)?;
            heads::insert_head(&mut transaction, record.log_id, &merkle::empty_root(), log.created).await?;
            transaction.commit().await?;
            connection.give_back();
            Ok(record)
        })
    }

    fn logs(&self) -> Answer<'_, Vec<LogRecord>> {
        Box::pin(async move {
            let rows = read("logs", || rows::all_logs(&self.database.readers)).await?;
            rows.into_iter().map(convert::log_record).collect()
        })
    }

    fn freeze(&self, log_id: i64, now: Timestamp) -> Answer<'_, CommittedHead> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let head = heads::freeze(&mut transaction, log_id, now).await?;
            transaction.commit().await?;
            connection.give_back();
            Ok(head)
        })
    }

    fn frozen(&self, log_id: i64) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            let frozen = read("frozen", || rows::frozen(&self.database.readers, log_id)).await?;
            frozen.map(convert::timestamp).transpose()
        })
    }

    fn publish_frozen(&self, log_id: i64, note: String) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("publish_frozen", || rows::insert_frozen_checkpoint(&self.database.writers, log_id, &note)).await
        })
    }

    fn frozen_checkpoint(&self, log_id: i64) -> Answer<'_, Option<String>> {
        Box::pin(
            async move { read("frozen_checkpoint", || rows::frozen_checkpoint(&self.database.readers, log_id)).await },
        )
    }

    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead> {
        Box::pin(async move { read("head", || read_head(&self.database.readers, log_id)).await })
    }

    fn find<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, Found> {
        Box::pin(in_time(async move {
            let mut connection = self.database.writers.acquire().await?;
            // A standby, which this connection may have reached, may not have the newest head yet.
            require_settled(&self.database)?;
            let found = find(&mut connection, batch).await?;
            connection.give_back();
            Ok(found)
        }))
    }

    fn lock<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, (Found, Lock)> {
        Box::pin(in_time(async move {
            let mut transaction = Lock::take(&self.database.writers, batch.log_id).await?;
            require_settled(&self.database)?;
            let found = find(&mut transaction, batch).await?;
            Ok((found, Lock::held(transaction)))
        }))
    }

    fn integrate<'a>(
        &'a self,
        batch: &'a Batch<'a>,
        extension: &'a Extension,
        lock: Option<Lock>,
    ) -> Answer<'a, Integration> {
        Box::pin(in_time(self.write(batch, extension, lock.and_then(Lock::into_transaction))))
    }

    fn rehearse<'a>(&'a self, log_id: i64, extension: &'a Extension) -> Answer<'a, ()> {
        Box::pin(rehearsal::rehearse(&self.database, log_id, extension))
    }

    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("publish", || rows::insert_checkpoint(&self.database.writers, log_id, size, &note)).await
        })
    }

    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let (first, end) = (to_i64(start)?, to_i64(start.saturating_add(count.into()))?);
            let rows = read("entries", || rows::parts(&self.database.readers, log_id, first, end)).await?;
            parts::unpack(rows, start, count)
        })
    }

    fn entries_at(&self, log_id: i64, indices: Vec<u64>) -> Answer<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let wanted = indices.iter().map(|index| Ok((log_id, to_i64(*index)?)));
            let wanted = wanted.collect::<Result<Vec<_>, StoreError>>()?;
            let found = read("entries_at", || rows::entries(&self.database.readers, &wanted)).await?;
            let found = indices.into_iter().zip(found);
            found.filter_map(|(index, part)| Some(parts::unpack_entry(part?, index))).collect()
        })
    }

    fn entry(&self, log_id: i64, index: u64, tiles: Vec<TileId>) -> Answer<'_, Option<(StoredEntry, Tiles)>> {
        Box::pin(async move {
            let readers = self.database.readers.clone();
            let query = move |wanted: Vec<_>| {
                let readers = readers.clone();
                async move { read("entry", || rows::entries(&readers, &wanted)).await }
            };
            let part = self.reads.entries.read((log_id, to_i64(index)?), query);
            let (part, tiles) = tokio::try_join!(part, self.tiles(log_id, tiles))?;
            Ok(part.map(|part| parts::unpack_entry(part, index)).transpose()?.map(|entry| (entry, tiles)))
        })
    }

    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            let readers = self.database.readers.clone();
            let query = move |wanted: Vec<_>| {
                let readers = readers.clone();
                async move { read("index_of", || rows::indices(&readers, &wanted)).await }
            };
            self.reads.indices.read((log_id, leaf_hash), query).await?.map(to_u64).transpose()
        })
    }

    fn leaf(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<(u64, Tiles)>> {
        Box::pin(async move {
            let readers = self.database.readers.clone();
            let query = move |wanted: Vec<_>| {
                let readers = readers.clone();
                async move { read("leaves", || rows::leaves(&readers, &wanted)).await }
            };
            let Some((index, hashes)) = self.reads.leaves.read((log_id, leaf_hash), query).await? else {
                return Ok(None);
            };
            let tile = hashes.map(|hashes| (0, index / i64::from(FULL_WIDTH), hashes));
            Ok(Some((to_u64(index)?, convert::tiles(tile)?)))
        })
    }

    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles> {
        Box::pin(async move {
            let reads = ids.iter().map(|id| {
                let readers = self.database.readers.clone();
                let query = move |wanted: Vec<_>| {
                    let readers = readers.clone();
                    async move { read("tiles", || rows::tiles(&readers, &wanted)).await }
                };
                self.reads.tiles.read((log_id, *id), query)
            });
            named(&ids, try_join_all(reads).await?)
        })
    }

    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, Bytes)>) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("put_issuers", || rows::insert_issuers(&self.database.writers, log_id, &issuers)).await
        })
    }

    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move { read("issuer", || rows::issuer(&self.database.readers, log_id, &fingerprint)).await })
    }

    fn lookups(&self, log_id: i64, entries: Vec<Indexed>) -> Answer<'_, Vec<Lookup>> {
        Box::pin(async move {
            let rows = read("lookups", || census::lookups(&self.database.readers, log_id, &entries)).await?;
            rows.into_iter().map(convert::lookup).collect()
        })
    }

    fn census(&self, log_id: i64) -> Answer<'_, Census> {
        Box::pin(async move {
            let row = read("census", || census::census(&self.database.readers, log_id)).await?;
            convert::counted(row.ok_or(Corrupt::new("every log has a head"))?)
        })
    }

    fn earlier_heads(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<EarlierHead>> {
        Box::pin(async move {
            // The first head extends -1.
            let after = after.map(to_i64).transpose()?.unwrap_or(-2);
            read("earlier_heads", || heads::earlier_heads(&self.database.readers, log_id, after, count)).await
        })
    }

    fn issuers(&self, log_id: i64) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(
            async move { convert::by_hash(read("issuers", || census::issuers(&self.database.readers, log_id)).await?) },
        )
    }

    fn unlisted(&self) -> Answer<'_, Vec<i64>> {
        Box::pin(async move { read("unlisted", || census::unlisted(&self.database.readers)).await })
    }

    fn newest_checkpoint(&self, log_id: i64) -> Answer<'_, Option<(u64, String)>> {
        Box::pin(async move {
            let row = read("newest_checkpoint", || rows::newest_checkpoint(&self.database.readers, log_id)).await?;
            row.map(convert::checkpoint).transpose()
        })
    }

    fn checkpoint_below(&self, log_id: i64, size: u64) -> Answer<'_, Option<(u64, String)>> {
        Box::pin(async move {
            let size = to_i64(size)?;
            let attempt = || rows::checkpoint_below(&self.database.readers, log_id, size);
            read("checkpoint_below", attempt).await?.map(convert::checkpoint).transpose()
        })
    }

    fn checkpoints(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<(u64, String)>> {
        Box::pin(async move {
            let after = after.map(to_i64).transpose()?.unwrap_or(-1);
            let rows = read("checkpoints", || rows::checkpoints(&self.database.readers, log_id, after, count)).await?;
            rows.into_iter().map(convert::checkpoint).collect()
        })
    }
}
