//! The log engine on a real database: order, duplicates, restarts, faults. Every test ends with the whole log re-derived.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]
use chancery_daemon::clock::FixedClock;
use chancery_daemon::database::{Sqlite, open_sqlite};
use chancery_daemon::shutdown::{self, Trigger};
use chancery_daemon::signer::Signer;
use chancery_log::check::{Finding, Personality, Subject, check};
use chancery_log::store::{SqliteStore, Store};
use chancery_log::{Error, Log, Outcome, Pending, Receipt, Settings, rekor_v1};
use chancery_verify::key::KeyKind;
use chancery_verify::{Timestamp, merkle};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinHandle;

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A log in a directory of its own, which can be stopped and started.
struct Bench {
    directory: TempDir,
    signer: Arc<Signer>,
    clock: Arc<FixedClock>,
}

struct Running {
    log: Log,
    store: Arc<SqliteStore>,
    database: Sqlite,
    trigger: Trigger,
    task: JoinHandle<()>,
}

impl Bench {
    fn new() -> Self {
        let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            signer: Arc::new(signer),
            clock: Arc::new(FixedClock::new(START)),
        }
    }

    async fn start_at(&self, path: &Path, signer: Arc<Signer>, host: &str) -> Result<Running, Error> {
        let database = open_sqlite(path).await.unwrap();
        let store = Arc::new(SqliteStore::new(database.clone()));
        let (trigger, shutdown) = shutdown::channel();
        let settings = Settings {
            name: "rekor",
            scheme: rekor_v1::scheme,
            host: host.to_owned(),
            signer,
            new_tree_id: 0x1122_3344_5566_7788,
        };
        let (log, task) = Log::open(settings, store.clone(), self.clock.clone(), shutdown).await?;
        Ok(Running { log, store, database, trigger, task })
    }

    async fn start(&self) -> Running {
        self.start_at(&self.directory.path().join("chancery.db"), self.signer.clone(), "log.example").await.unwrap()
    }

    async fn check(&self, running: &Running) -> Result<u64, Finding> {
        let subject = Subject {
            record: running.log.record().clone(),
            key: self.signer.public_key().clone(),
            scheme: running.log.scheme().clone(),
            personality: Personality::RekorV1,
        };
        check(running.store.as_ref(), &subject, |_, _| {}).await.map(|report| report.tree_size)
    }
}

impl Running {
    async fn stop(self) {
        self.trigger.stop();
        self.task.await.unwrap();
        self.database.close().await;
    }
}

fn entry(text: &str) -> Pending {
    let leaf = bytes::Bytes::from(text.to_owned());
    Pending {
        identity_hash: merkle::leaf_hash(&leaf),
        seal: Box::new(move |_, _| Ok(chancery_log::Sealed { leaf: leaf.clone(), extra: bytes::Bytes::new() })),
    }
}

fn verify(receipt: &Receipt, running: &Running, key: &Signer) {
    let head = running.log.scheme().open(&receipt.published.note, key.public_key()).unwrap();
    assert_eq!(
        merkle::verify_inclusion(receipt.index, head.size, &receipt.leaf_hash, &receipt.proof, &head.root),
        Ok(())
    );
}

#[tokio::test]
async fn concurrent_entries_get_gap_free_indices_and_duplicates_get_the_first_one() {
    let bench = Bench::new();
    let running = bench.start().await;
    let mut tasks = Vec::new();
    for number in 0..600 {
        let log = running.log.clone();
        // Every third entry is submitted twice.
        tasks.push(tokio::spawn(async move {
            (number, log.append(entry(&format!("entry {}", number - number % 3 % 2))).await)
        }));
    }
    let mut indices = Vec::new();
    let mut duplicates = 0;
    for task in tasks {
        let (_, outcome) = task.await.unwrap();
        match outcome.unwrap() {
            Outcome::Logged(receipt) => {
                verify(&receipt, &running, &bench.signer);
                indices.push(receipt.index);
            }
            Outcome::AlreadyLogged { index } => {
                duplicates += 1;
                assert!(
                    running.log.entry(index).await.unwrap().is_some(),
                    "a duplicate's original can be read at once"
                );
            }
        }
    }
    indices.sort_unstable();
    assert_eq!((indices, duplicates), ((0..400).collect(), 200));
    for index in [0, 1, 255, 256, 399] {
        verify(&running.log.entry(index).await.unwrap().unwrap(), &running, &bench.signer);
    }
    assert!(running.log.entry(400).await.unwrap().is_none());
    assert_eq!(bench.check(&running).await.unwrap(), 400);
    running.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_run_stopped() {
    let bench = Bench::new();
    let mut seen = Vec::new();
    for run in 0..3 {
        let running = bench.start().await;
        assert_eq!(running.log.published().tree.size, run * 300);
        for head in &seen {
            let (size, root) = *head;
            assert_eq!(running.log.root_at(size).await.unwrap(), root, "an earlier head is a prefix");
            running.log.consistency_proof(size, running.log.published().tree.size).await.unwrap();
        }
        for number in 0..300 {
            let outcome = running.log.append(entry(&format!("{run} {number}"))).await.unwrap();
            assert!(matches!(outcome, Outcome::Logged(receipt) if receipt.index == run * 300 + number));
        }
        let head = running.log.published().tree;
        seen.push((head.size, head.root));
        assert_eq!(bench.check(&running).await.unwrap(), (run + 1) * 300);
        running.stop().await;
    }
}

#[tokio::test]
async fn another_key_or_origin_does_not_start() {
    let bench = Bench::new();
    let running = bench.start().await;
    running.log.append(entry("one")).await.unwrap();
    running.stop().await;
    let path = bench.directory.path().join("chancery.db");
    let (other, _) = Signer::generate(KeyKind::P256).unwrap();
    let refused = bench.start_at(&path, Arc::new(other), "log.example").await.err().unwrap();
    assert!(refused.to_string().contains("key it was made with"), "{refused}");
    let refused = bench.start_at(&path, bench.signer.clone(), "other.example").await.err().unwrap();
    assert!(refused.to_string().contains("origin it was made with"), "{refused}");
}

#[tokio::test]
async fn a_clock_that_goes_back_stops_signing_until_it_is_right_again() {
    let bench = Bench::new();
    let running = bench.start().await;
    running.log.append(entry("one")).await.unwrap();
    bench.clock.set(START.minus_seconds(3600));
    let refused = running.log.append(entry("two")).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert!(running.log.entry(0).await.unwrap().is_some(), "reads go on");
    bench.clock.set(START.plus_seconds(1));
    assert!(matches!(running.log.append(entry("two")).await.unwrap(), Outcome::Logged(receipt) if receipt.index == 1));
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_forget() {
    let bench = Bench::new();
    let running = bench.start().await;
    for number in 0..300 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    for statement in [
        "UPDATE entries SET leaf = x'00' WHERE leaf_index = 1",
        "DELETE FROM entries",
        "DELETE FROM tiles",
        "UPDATE tiles SET hashes = zeroblob(32)",
        "UPDATE tree_heads SET tree_size = 1",
        "DELETE FROM tree_heads",
        "UPDATE logs SET origin = 'other'",
        "DELETE FROM checkpoints",
        "UPDATE checkpoints SET note = ''",
        "INSERT INTO entries SELECT log_id, 999, timestamp_ms, identity_hash, leaf_hash, leaf, extra FROM entries LIMIT 1",
    ] {
        assert!(sqlx::query(statement).execute(&running.database.writer).await.is_err(), "{statement}");
    }
    assert_eq!(bench.check(&running).await.unwrap(), 300);
    running.stop().await;
}

#[tokio::test]
async fn check_names_the_first_thing_an_attacker_changed() {
    for (attack, expected) in [
        ("UPDATE entries SET leaf = x'00' WHERE leaf_index = 7", "entry 7: the stored leaf hash"),
        (
            "UPDATE entries SET leaf = x'00', leaf_hash = x'96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7' WHERE leaf_index = 7",
            "entry 7: the stored identity hash",
        ),
        ("DELETE FROM entries WHERE leaf_index = 7", "entry 7: the entry is missing"),
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND tile_index = 0", "tile 0/0"),
        ("UPDATE tree_heads SET root_hash = zeroblob(32)", "head:"),
        ("UPDATE tree_heads SET tree_size = 299", "a checkpoint of 300 leaves was published"),
        (
            "UPDATE checkpoints SET note = replace(note, 'log.example', 'lag.example') WHERE tree_size = 300",
            "checkpoint 300",
        ),
    ] {
        let bench = Bench::new();
        let running = bench.start().await;
        for number in 0..300 {
            running.log.append(entry(&number.to_string())).await.unwrap();
        }
        let subject = Subject {
            record: running.log.record().clone(),
            key: bench.signer.public_key().clone(),
            scheme: running.log.scheme().clone(),
            personality: Personality::RekorV1,
        };
        running.stop().await;
        let database = open_sqlite(&bench.directory.path().join("chancery.db")).await.unwrap();
        // An attacker with the file at hand drops the triggers first.
        let triggers: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            .fetch_all(&database.writer)
            .await
            .unwrap();
        for trigger in triggers {
            sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}")))
                .execute(&database.writer)
                .await
                .unwrap();
        }
        sqlx::query(attack).execute(&database.writer).await.unwrap();
        let store = SqliteStore::new(database);
        let finding = check(&store as &dyn Store, &subject, |_, _| {}).await.unwrap_err();
        assert!(finding.to_string().contains(expected), "{attack}: {finding}");
    }
}
