//! A log on a database of its own, which can be stopped, started, doubled and attacked. The same for both databases.

use crate::postgres;
use chancery_daemon::clock::{ClockGuard, FixedClock, FixedUptime};
use chancery_daemon::database::{self, DatabaseError, open_postgres, open_sqlite};
use chancery_daemon::shutdown::{self, Shutdown, Trigger};
use chancery_daemon::signer::Signer;
use chancery_log::check::{Finding, Personality, Subject, check};
use chancery_log::mirror::Destination;
use chancery_log::store::{PostgresStore, SqliteStore, Store};
use chancery_log::witnessing::Witnesses;
use chancery_log::{Log, OpenError, Pending, Receipt, Sealed, Settings, rekor_v1, rekor_v2};
use chancery_verify::key::KeyKind;
use chancery_verify::tile::TileId;
use chancery_verify::{Timestamp, merkle};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Leaves of each log's heads the last one, as earlier versions of the schema kept it.
const ONLY_THE_LAST_HEAD: &str = "
    DELETE FROM heads AS old USING heads AS newer
        WHERE newer.log_id = old.log_id AND newer.previous_size > old.previous_size;
    UPDATE heads SET previous_size = -1";

/// Lets a statement change heads in `SQLite`, where they are seen in the entries: it takes those beyond the head away, or gives
/// them back.
const HEADS_MAY_BE_MOVED: &str = "
    CREATE TABLE IF NOT EXISTS cut AS SELECT * FROM bundle_parts LIMIT 0;
    CREATE TRIGGER a_head_is_moved INSTEAD OF UPDATE ON tree_heads BEGIN
        INSERT INTO cut SELECT * FROM bundle_parts WHERE log_id = OLD.log_id AND first_index >= NEW.tree_size;
        DELETE FROM bundle_parts WHERE log_id = OLD.log_id AND first_index >= NEW.tree_size;
        INSERT INTO bundle_parts SELECT * FROM cut WHERE log_id = OLD.log_id AND first_index < NEW.tree_size;
        DELETE FROM cut WHERE log_id = OLD.log_id AND first_index < NEW.tree_size;
        UPDATE bundle_parts SET root_hash = NEW.root_hash WHERE log_id = OLD.log_id
            AND first_index = (SELECT max(first_index) FROM bundle_parts WHERE log_id = OLD.log_id);
    END;
    CREATE TRIGGER a_head_is_lost INSTEAD OF DELETE ON tree_heads BEGIN
        UPDATE bundle_parts SET root_hash = NULL WHERE log_id = OLD.log_id;
    END";

/// Where a log is kept.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres { server: &'static postgres::Server, database: String },
}

/// An open database of either kind.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(database::Sqlite),
    Postgres(database::Postgres),
}

pub(crate) struct Bench {
    pub(crate) place: Place,
    pub(crate) signer: Arc<Signer>,
    pub(crate) clock: Arc<FixedClock>,
    /// What does not move with the clock, where the clock jumps; otherwise moving it is time that passes.
    pub(crate) uptime: Option<Arc<FixedUptime>>,
    /// Where the log's files are said to be copied to.
    pub(crate) copy: Option<Destination>,
    /// Who cosigns its checkpoints, if anybody. Such a log is a Rekor v2 log: nobody cosigns checkpoints of the other.
    pub(crate) witnesses: Option<Witnesses>,
    /// None, so that every batch has a checkpoint, unless a scenario says otherwise.
    pub(crate) checkpoint_period: Duration,
    /// The file of its high-water mark, if it keeps one.
    pub(crate) mark: Option<PathBuf>,
}

pub(crate) struct Running {
    pub(crate) log: Log,
    pub(crate) database: Database,
    trigger: Trigger,
    task: JoinHandle<()>,
    /// Sequencers of the logs that were opened beside it.
    others: Mutex<Vec<JoinHandle<()>>>,
    stopping: Shutdown,
}

impl Database {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
            Self::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
        }
    }

    /// Runs a statement that is written for `SQLite`, translated where the other database has other words.
    pub(crate) async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(database) => {
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&database.writer).await.map(|_| ())
            }
            Self::Postgres(database) => {
                let statement = statement.replace("zeroblob(", "pg_temp.zeroblob(").replace("= x'", "= '\\x");
                let statement = if statement.contains("tree_heads") {
                    format!("{ONLY_THE_LAST_HEAD}; {}", statement.replace("tree_heads", "heads"))
                } else {
                    statement
                };
                let zeroblob = "CREATE OR REPLACE FUNCTION pg_temp.zeroblob(size integer) RETURNS bytea LANGUAGE sql
                    AS $$ SELECT decode(repeat('00', size), 'hex') $$";
                let mut connection = database.writers.acquire().await?;
                sqlx::raw_sql(zeroblob).execute(&mut *connection).await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.map(|_| ())
            }
        }
    }

    /// What an attacker with all rights does first.
    pub(crate) async fn drop_triggers(&self) {
        match self {
            Self::Sqlite(database) => {
                let names = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'");
                let names: Vec<String> = names.fetch_all(&database.writer).await.unwrap();
                for name in names {
                    self.execute(&format!("DROP TRIGGER {name}")).await.unwrap();
                }
                sqlx::raw_sql(HEADS_MAY_BE_MOVED).execute(&database.writer).await.unwrap();
            }
            Self::Postgres(_) => {
                for table in ["logs", "heads", "bundle_parts", "identities", "tiles", "checkpoints", "attestations"] {
                    self.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await.unwrap();
                }
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

impl Bench {
    fn new(place: Place) -> Self {
        let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
        let clock = Arc::new(FixedClock::new(START));
        let (uptime, copy, witnesses, mark, checkpoint_period) = (None, None, None, None, Duration::ZERO);
        Self { place, signer: Arc::new(signer), clock, uptime, copy, witnesses, checkpoint_period, mark }
    }

    /// The clock as a process guards it from its start.
    pub(crate) fn guard(&self) -> Arc<ClockGuard> {
        match &self.uptime {
            None => self.clock.guard(),
            Some(uptime) => {
                let nothing = Timestamp::from_seconds(0);
                Arc::new(ClockGuard::new(self.clock.clone(), uptime.clone(), nothing))
            }
        }
    }

    pub(crate) fn sqlite() -> Self {
        Self::new(Place::Sqlite(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn postgres() -> Self {
        Self::postgres_on(postgres::server())
    }

    pub(crate) fn postgres_on(server: &'static postgres::Server) -> Self {
        Self::new(Place::Postgres { server, database: server.database() })
    }

    /// Another replica on the same `PostgreSQL` database, with a clock of its own.
    pub(crate) fn twin(&self) -> Self {
        let Place::Postgres { server, database } = &self.place else { unreachable!("SQLite has one process") };
        let place = Place::Postgres { server, database: database.clone() };
        Self { signer: self.signer.clone(), ..Self::new(place) }
    }

    /// Runs SQL as the database's superuser, on a connection of its own.
    pub(crate) fn administer(&self, sql: &str) {
        let Place::Postgres { server, database } = &self.place else { unreachable!("SQLite has no server") };
        server.execute(database, sql);
    }

    pub(crate) async fn open(&self) -> Result<Database, DatabaseError> {
        match &self.place {
            Place::Sqlite(directory) => Ok(Database::Sqlite(open_sqlite(&directory.path().join("chancery.db")).await?)),
            Place::Postgres { server, database } => {
                Ok(Database::Postgres(open_postgres(&server.url(database, None)).await?))
            }
        }
    }

    /// Starts a log over `store`, which may be a faulty one.
    pub(crate) async fn start_over(
        &self,
        database: Database,
        store: Arc<dyn Store>,
        signer: Arc<Signer>,
        host: &str,
    ) -> Result<Running, OpenError> {
        let (trigger, stopping) = shutdown::channel();
        let settings = self.settings("rekor", signer, host, 0x1122_3344_5566_7788);
        let (log, task) = Log::open(settings, store, self.guard(), stopping.clone()).await?;
        Ok(Running { log, database, trigger, task, others: Mutex::default(), stopping })
    }

    /// Opens the log over `store`, wherever that is.
    pub(crate) async fn open_log(
        &self,
        store: Arc<dyn Store>,
        signer: Arc<Signer>,
        host: &str,
    ) -> Result<(Log, JoinHandle<()>, Trigger), OpenError> {
        let (trigger, shutdown) = shutdown::channel();
        let settings = self.settings("rekor", signer, host, 0x1122_3344_5566_7788);
        let (log, task) = Log::open(settings, store, self.guard(), shutdown).await?;
        Ok((log, task, trigger))
    }

    fn settings(&self, name: &str, signer: Arc<Signer>, host: &str, tree_id: i64) -> Settings {
        Settings {
            name: name.to_owned(),
            scheme: if self.witnesses.is_some() { rekor_v2::scheme } else { rekor_v1::scheme },
            host: host.to_owned(),
            signer,
            new_tree_id: Some(tree_id),
            frozen: false,
            copy: self.copy.clone(),
            witnesses: self.witnesses.clone(),
            checkpoint_period: self.checkpoint_period,
            mark: self.mark.clone(),
        }
    }

    pub(crate) async fn start_as(&self, signer: Arc<Signer>, host: &str) -> Result<Running, OpenError> {
        let database = self.open().await.unwrap();
        let store = database.store();
        self.start_over(database, store, signer, host).await
    }

    /// Starts the log in a process with this guard of the clock.
    pub(crate) async fn start_guarded(&self, guard: Arc<ClockGuard>) -> Running {
        let database = self.open().await.unwrap();
        let (trigger, stopping) = shutdown::channel();
        let settings = self.settings("rekor", self.signer.clone(), "log.example", 0x1122_3344_5566_7788);
        let (log, task) = Log::open(settings, database.store(), guard, stopping.clone()).await.unwrap();
        Running { log, database, trigger, task, others: Mutex::default(), stopping }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_as(self.signer.clone(), "log.example").await.unwrap()
    }

    pub(crate) fn subject(&self, running: &Running) -> Subject {
        Subject {
            record: running.log.record().clone(),
            key: self.signer.public_key().clone(),
            scheme: running.log.scheme().clone(),
            personality: if self.witnesses.is_some() { Personality::RekorV2 } else { Personality::RekorV1 },
        }
    }

    /// Re-derives the whole log; the oracle every scenario ends with.
    pub(crate) async fn check(&self, running: &Running) -> Result<u64, Finding> {
        let (subject, store) = (self.subject(running), running.database.store());
        let size = check(store.as_ref(), &subject, |_, _| {}).await?.tree_size;
        // An entry that is read alone is the one that was checked among the others.
        let log_id = subject.record.log_id;
        let entries = store.entries(log_id, 0, u32::try_from(size.min(600)).unwrap()).await?;
        for entry in &entries {
            let (tile, above) = (TileId { level: 0, index: entry.index / 256 }, TileId { level: 1, index: 0 });
            let (stored, tiles) = store.entry(log_id, entry.index, vec![above, tile]).await?.unwrap();
            assert_eq!(&stored, entry);
            assert_eq!(tiles.0[&tile][usize::try_from(entry.index % 256).unwrap()], entry.leaf_hash);
            let nodes = tiles.0.get(&above).map_or(0, Vec::len);
            assert_eq!(nodes, usize::try_from(size / 256).unwrap());
        }
        assert_eq!(store.entry(log_id, size, Vec::new()).await?, None);
        // And so is one that is read with others, and the one behind the last is none.
        let some: Vec<_> = entries.iter().step_by(3).cloned().collect();
        let indices = some.iter().map(|entry| entry.index).chain([size]).collect();
        assert_eq!(store.entries_at(log_id, indices).await?, some);
        Ok(size)
    }
}

impl Running {
    /// Another log in the same database, which stops with this one.
    pub(crate) async fn open_beside(&self, bench: &Bench, name: &str, signer: Arc<Signer>) -> Log {
        let tree_id = i64::try_from(name.len()).unwrap() * 1000 + i64::from(*name.as_bytes().last().unwrap());
        let settings = bench.settings(name, signer, "log.example", tree_id);
        let opened = Log::open(settings, self.database.store(), bench.guard(), self.stopping.clone()).await;
        let (log, task) = opened.unwrap();
        self.others.lock().unwrap().push(task);
        log
    }

    pub(crate) async fn stop(self) {
        self.trigger.stop();
        self.task.await.unwrap();
        for task in self.others.into_inner().unwrap() {
            task.await.unwrap();
        }
        self.database.close().await;
    }
}

pub(crate) fn entry(text: &str) -> Pending {
    sealed_by(text, |_| {})
}

/// An entry that does something at the moment it is given an index: after what there is was read, before anything is written.
pub(crate) fn sealed_by(text: &str, at: impl Fn(u64) + Send + Sync + 'static) -> Pending {
    let leaf = bytes::Bytes::from(text.to_owned());
    let seal = move |index, leaf: &bytes::Bytes| {
        at(index);
        Ok(Sealed { leaf: leaf.clone(), extra: bytes::Bytes::new() })
    };
    let identity_hash = merkle::leaf_hash(&leaf);
    Pending { identity_hash, seal: Box::new(move |index, _| seal(index, &leaf)), only_first: false }
}

pub(crate) fn verify(receipt: &Receipt, running: &Running, key: &Signer) {
    let head = running.log.scheme().open(&receipt.published.note, key.public_key()).unwrap();
    assert_eq!(
        merkle::verify_inclusion(receipt.index, head.size, &receipt.leaf_hash, &receipt.proof, &head.root),
        Ok(())
    );
}
