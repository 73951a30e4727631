//! Requests that are dropped in the middle of a query, and queries that fail for many requests at once: connections go on, and
//! nobody waits for ever.

use crate::bench::{Bench, Database, Running, entry};
use chancery_daemon::database::{Lent, Postgres};
use chancery_log::store::{Store, StoreError};
use chancery_verify::merkle::leaf_hash;
use chancery_verify::tile::TileId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Queries that wait for a lock before requests are dropped: one for each kind of read that is gathered, and two for issuers.
const BLOCKED: i64 = 6;

fn connections(running: &Running) -> &Postgres {
    let Database::Postgres(database) = &running.database else { unreachable!("only PostgreSQL has connections") };
    database
}

/// Has the next look at the server's activity see what is. Within a transaction the first look stands for all.
async fn look_anew(session: &mut Lent) {
    sqlx::raw_sql("SELECT pg_stat_clear_snapshot()").execute(&mut **session).await.unwrap();
}

/// The server's processes for this database.
async fn backends(session: &mut Lent) -> BTreeSet<i32> {
    look_anew(session).await;
    let pids = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'";
    let pids: Vec<i32> = sqlx::query_scalar(pids).fetch_all(&mut **session).await.unwrap();
    pids.into_iter().collect()
}

/// Waits until so many queries wait for a lock.
async fn blocked(session: &mut Lent) {
    let waiting = async {
        loop {
            look_anew(session).await;
            let count = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut **session).await.unwrap();
            if count >= BLOCKED {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("reads wait for the lock");
}

/// Two reads of each kind, of the log's last entry.
fn reads(store: &Arc<dyn Store>) -> Vec<JoinHandle<Result<(), StoreError>>> {
    let tile = TileId { level: 0, index: 0 };
    let mut reads = Vec::new();
    for _ in 0..2 {
        for kind in 0..6 {
            let store = Arc::clone(store);
            reads.push(tokio::spawn(async move {
                match kind {
                    0 => store.entries(1, 9, 1).await.map(|entries| assert_eq!(entries.len(), 1)),
                    1 => store.entry(1, 9, vec![tile]).await.map(|found| assert_eq!(found.unwrap().0.index, 9)),
                    2 => store.tiles(1, vec![tile]).await.map(|tiles| assert_eq!(tiles.0[&tile].len(), 10)),
                    3 => store.index_of(1, leaf_hash(b"9")).await.map(|index| assert_eq!(index, Some(9))),
                    4 => store.leaf(1, leaf_hash(b"9")).await.map(|found| assert_eq!(found.unwrap().0, 9)),
                    _ => store.issuer(1, [7; 32]).await.map(|issuer| assert_eq!(issuer, None)),
                }
            }));
        }
    }
    reads
}

async fn start(bench: &Bench) -> Running {
    let running = bench.start().await;
    for number in 0..10 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    running
}

/// Clients that abort their requests must not make the server end one process after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_dropped_leave_their_connections_alive() {
    let bench = Bench::postgres();
    let running = start(&bench).await;
    let store = running.database.store();
    let mut session = connections(&running).writers.acquire().await.unwrap();
    for _ in 0..3 {
        let lock = "BEGIN; LOCK TABLE bundle_parts, identities, leaf_indices, tiles, issuers IN ACCESS EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut *session).await.unwrap();
        let asked = reads(&store);
        blocked(&mut session).await;
        let before = backends(&mut session).await;
        for read in asked {
            read.abort();
            assert!(read.await.unwrap_err().is_cancelled());
        }
        // Others who ask meanwhile are answered when the lock is gone.
        let others = reads(&store);
        sqlx::raw_sql("ROLLBACK").execute(&mut *session).await.unwrap();
        for read in others {
            read.await.unwrap().unwrap();
        }
        let after = backends(&mut session).await;
        assert!(after.is_superset(&before), "{before:?} became {after:?}");
    }
    session.give_back();
    assert_eq!(bench.check(&running).await.unwrap(), 10);
    running.stop().await;
}

/// All who wait for a query are told when it fails, and the next ones are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_fails_is_that_of_all_who_wait_for_it() {
    let bench = Bench::postgres();
    let running = start(&bench).await;
    let store = running.database.store();
    bench.administer("ALTER TABLE identities RENAME TO elsewhere");
    let asked: Vec<_> = (0..200)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.index_of(1, leaf_hash(b"9")).await })
        })
        .collect();
    for read in asked {
        let failed = tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap().unwrap_err();
        assert!(matches!(&failed, StoreError::Database(_)) && failed.to_string().contains("identities"), "{failed}");
    }
    bench.administer("ALTER TABLE elsewhere RENAME TO identities");
    assert_eq!(store.index_of(1, leaf_hash(b"9")).await.unwrap(), Some(9));
    running.stop().await;
}
