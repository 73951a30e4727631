//! Heads are rows that are only added: a snapshot that somebody holds costs a batch nothing, and an older database is taken over.

use crate::bench::{Bench, Database, Running, entry};

/// Batches under a held snapshot.
const BATCHES: u64 = 2000;
/// Pages that a look-up may touch. It touches six. In a row that each batch updates it was ten more for every thousand batches.
const PAGES: u64 = 8;

/// Makes of the schema what version 3 had.
const VERSION_3: &str = "
    DROP TABLE unread_attestations, attestation_subjects, event_cursors, frozen_checkpoints, attestations, search_problems, search_pages, search_runs, search_logs;
    DROP FUNCTION note_unread_attestation();
    DROP TABLE quarantined_logs, ended_logs;
    CREATE TABLE tree_heads (
        log_id       bigint PRIMARY KEY REFERENCES logs (log_id),
        tree_size    bigint NOT NULL CHECK (tree_size >= 0),
        root_hash    bytea  NOT NULL CHECK (octet_length(root_hash) = 32),
        timestamp_ms bigint NOT NULL
    );
    INSERT INTO tree_heads SELECT DISTINCT ON (log_id) log_id, tree_size, root_hash, timestamp_ms FROM heads
        ORDER BY log_id, previous_size DESC;
    CREATE FUNCTION refuse_where_frozen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER tree_heads_of_frozen_logs_stay BEFORE UPDATE ON tree_heads
        FOR EACH ROW EXECUTE FUNCTION refuse_where_frozen();
    DROP TABLE heads;
    DROP FUNCTION refuse_wrong_head();
    DROP FUNCTION lock_head(bigint);
    DELETE FROM _sqlx_migrations WHERE version >= 4";

/// Pages that are touched to find the newest head.
async fn pages(running: &Running) -> u64 {
    let Database::Postgres(database) = &running.database else { unreachable!("SQLite keeps heads with the entries") };
    let explain = "EXPLAIN (ANALYZE, BUFFERS) SELECT tree_size, root_hash, timestamp_ms FROM heads
        WHERE log_id = 1 ORDER BY previous_size DESC LIMIT 1";
    let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&database.readers).await.unwrap();
    // The first one is that of the whole statement: `Buffers: shared hit=3 read=1`.
    let buffers = plan.iter().find(|line| line.contains("Buffers: shared")).unwrap_or_else(|| panic!("{plan:#?}"));
    let counts = buffers.split_whitespace().filter_map(|word| word.split_once('='));
    counts.filter(|(name, _)| ["hit", "read"].contains(name)).map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

/// A dump, a report or a standby's feedback can hold a snapshot for hours. With one row that each batch updates, a look-up
/// passed over every version since then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_snapshot_costs_a_batch_nothing() {
    let bench = Bench::postgres();
    let running = bench.start().await;
    let database = bench.open().await.unwrap();
    let Database::Postgres(other) = &database else { unreachable!() };
    let mut snapshot = other.readers.acquire().await.unwrap();
    // Else the server ends a transaction that does nothing.
    let begin =
        "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM heads";
    sqlx::raw_sql(begin).execute(&mut *snapshot).await.unwrap();
    for number in 0..BATCHES {
        running.log.append(entry(&number.to_string())).await.unwrap();
        if number % 500 == 100 || number + 1 == BATCHES {
            let pages = pages(&running).await;
            assert!((1..=PAGES).contains(&pages), "{pages} pages after {number} batches");
        }
    }
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM heads").fetch_one(&mut *snapshot).await.unwrap();
    assert_eq!(seen, 1, "the snapshot was held");
    drop(snapshot);
    database.close().await;
    assert_eq!(bench.check(&running).await.unwrap(), BATCHES);
    running.stop().await;
}

/// A database of version 3 of the schema kept the last head of each log.
#[tokio::test]
async fn a_log_of_the_version_before_goes_on_from_its_head() {
    let bench = Bench::postgres();
    let running = bench.start().await;
    for number in 0..5 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    running.stop().await;
    bench.administer(VERSION_3);
    let running = bench.start().await;
    assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None));
    assert_eq!(bench.check(&running).await.unwrap(), 5);
    for number in 5..8 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    assert_eq!(bench.check(&running).await.unwrap(), 8);
    running.stop().await;
}
