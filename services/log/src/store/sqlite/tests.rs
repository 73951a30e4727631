//! What a batch changes in the database: pages, and the head that is there afterwards.

use super::SqliteStore;
use crate::store::{Batch, CommittedHead, EarlierHead, Extension, Integration, NewLog, Store as _, StoredEntry};
use bytes::Bytes;
use chancery_daemon::database::open_sqlite;
use chancery_verify::Timestamp;
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::tile::{Edge, Tiles};
use tempfile::TempDir;

const LOG: i64 = 1;

/// A log that grows batch by batch.
struct Growing {
    _directory: TempDir,
    store: SqliteStore,
    edge: Edge,
    head: CommittedHead,
}

impl Growing {
    async fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(open_sqlite(&directory.path().join("log.db")).await.unwrap());
        let (name, origin) = ("rekor".to_owned(), "log.example.org".to_owned());
        let log = NewLog { name, origin, tree_id: 7, key_fingerprint: [0; 32], created: Timestamp::from_millis(1) };
        assert_eq!(store.create(log).await.unwrap().log_id, LOG);
        let head = store.head(LOG).await.unwrap();
        Self { _directory: directory, store, edge: Edge::default(), head }
    }

    /// Adds a batch of so many entries, of so many bytes each.
    async fn grow(&mut self, count: u64, bytes: usize) {
        let timestamp = Timestamp::from_millis(self.head.timestamp.millis() + 1);
        let (mut entries, mut touched) = (Vec::new(), Tiles::default());
        for _ in 0..count {
            let index = self.edge.size();
            let mut leaf = index.to_be_bytes().to_vec();
            leaf.resize(bytes, 0);
            let leaf_hash = merkle::leaf_hash(&leaf);
            self.edge.append(leaf_hash, &mut touched);
            let (leaf, extra) = (leaf.into(), Bytes::new());
            entries.push(StoredEntry { index, timestamp, identity_hash: leaf_hash, leaf_hash, leaf, extra });
        }
        let head = CommittedHead { tree: TreeHead { size: self.edge.size(), root: self.edge.root() }, timestamp };
        let extension = Extension::new(self.head, entries, touched, head);
        let identities = extension.identities();
        let batch = Batch { log_id: LOG, known: Some(self.head), identities: &identities, published: None };
        let integrated = self.store.integrate(&batch, &extension, None).await.unwrap();
        assert!(matches!(integrated, Integration::Committed), "{integrated:?}");
        self.head = head;
    }

    /// Bytes of the pages in the write-ahead log.
    async fn written(&self) -> i64 {
        let writer = &self.store.database.writer;
        let log = sqlx::query_as("PRAGMA wal_checkpoint(NOOP)");
        let (_busy, pages, _copied): (i64, i64, i64) = log.fetch_one(writer).await.unwrap();
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(writer).await.unwrap();
        pages * page_bytes
    }
}

/// Each page that a batch changes is written whole. With a page for the head it was 14 KiB, and with pages of 4 KiB 22.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_one_entry_writes_twelve_kib() {
    let mut log = Growing::empty().await;
    for _ in 0..500 {
        log.grow(1, 1750).await;
    }
    let before = log.written().await;
    for _ in 0..200 {
        log.grow(1, 1750).await;
    }
    let each = (log.written().await - before) / 200;
    assert!(each < 13 << 10, "{each} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_of_each_batch_is_where_its_last_part_ends() {
    let mut log = Growing::empty().await;
    let tree = TreeHead { size: 0, root: merkle::empty_root() };
    assert_eq!(log.head, CommittedHead { tree, timestamp: Timestamp::from_millis(1) });
    let (mut kept, mut previous) = (Vec::new(), None);
    // Of one part, of several in two bundles, and of one again.
    for count in [1, 300, 1] {
        log.grow(count, 400).await;
        assert_eq!(log.store.head(LOG).await.unwrap(), log.head);
        kept.push(EarlierHead { previous, head: log.head });
        previous = Some(log.head.tree.size);
    }
    for (after, count, expected) in [
        (None, 9, &kept[..]),
        (None, 2, &kept[..2]),
        (Some(0), 9, &kept[1..]),
        (Some(0), 1, &kept[1..2]),
        (Some(1), 9, &kept[2..]),
        (Some(150), 9, &kept[2..]),
        (Some(301), 9, &kept[3..]),
    ] {
        let found = log.store.earlier_heads(LOG, after, count).await.unwrap();
        assert_eq!(found, expected, "{count} after {after:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_refuses_a_part_that_does_not_begin_at_the_head() {
    let mut log = Growing::empty().await;
    log.grow(1, 10).await;
    let add = async |first_index: i64, timestamp_ms: i64| {
        let insert = sqlx::query(
            "INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, ends, contents, root_hash)
             SELECT log_id, ?, ?, leaf_hashes, ends, contents, root_hash FROM bundle_parts",
        );
        insert.bind(first_index).bind(timestamp_ms).execute(&log.store.database.writer).await
    };
    for (first_index, timestamp_ms) in [(0, 2), (2, 2), (1, 1)] {
        let refused = add(first_index, timestamp_ms).await.unwrap_err();
        assert!(refused.to_string().contains("tree heads only grow"), "{first_index}, {timestamp_ms}: {refused}");
    }
    assert_eq!(log.store.head(LOG).await.unwrap(), log.head);
    add(1, 2).await.unwrap();
    assert_eq!(log.store.head(LOG).await.unwrap().tree.size, 2);
}
