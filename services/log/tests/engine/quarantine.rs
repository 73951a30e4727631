//! A log whose stored state is in doubt: reads go on from what can be proven, nothing is taken, nothing is signed.

use crate::bench::{Bench, Database, Place, Running, START, entry, verify};
use chancery_daemon::clock::ClockFault;
use chancery_daemon::shutdown;
use chancery_daemon::signer::Signer;
use chancery_log::mirror::{Destination, Mirror};
use chancery_log::quarantine::{Obstacle, Reason};
use chancery_log::rekor_v1::RekorV1;
use chancery_log::store::CommittedHead;
use chancery_log::{Error, Outcome};
use chancery_verify::Hash;
use chancery_verify::key::KeyKind;
use chancery_verify::tile::{TileId, hashes_to_bytes};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Two tiles, the second of them partial.
const SIZE: u64 = 300;

async fn grow(running: &Running, size: u64, prefix: &str) {
    for number in running.log.published().unwrap().tree.size..size {
        running.log.append(entry(&format!("{prefix} {number}"))).await.unwrap();
    }
}

/// A stopped log of `size` leaves, each under a checkpoint of its own.
async fn grown(bench: &Bench, size: u64, prefix: &str) {
    let running = bench.start().await;
    grow(&running, size, prefix).await;
    running.stop().await;
}

/// Changes a stopped log, as an attacker with all rights would.
async fn tamper(bench: &Bench, statements: &[String]) {
    let database = bench.open().await.unwrap();
    database.drop_triggers().await;
    for statement in statements {
        database.execute(statement).await.unwrap();
    }
    database.close().await;
}

async fn checkpoints(database: &Database) -> Vec<(u64, String)> {
    database.store().checkpoints(1, None, 1000).await.unwrap()
}

/// A statement that gives a leaf this hash in what the right edge is made from.
fn put_leaf_hash(index: u64, hash: &Hash) -> String {
    format!("UPDATE bundle_parts SET leaf_hashes = x'{}' WHERE first_index = {index}", hex::encode(hash))
}

/// Opens the log, which must be quarantined with this code and show the stored checkpoint of `shown` leaves.
async fn is_quarantined(bench: &Bench, code: &str, shown: Option<u64>) {
    let database = bench.open().await.unwrap();
    let before = (checkpoints(&database).await, database.store().head(1).await.unwrap());
    database.close().await;
    let running = bench.start().await;
    let reason = running.log.quarantine().expect("the log is quarantined");
    assert_eq!(reason.code(), code, "{reason}");
    let obstacle = running.log.obstacle().unwrap().to_string();
    assert!(obstacle.contains(code) && obstacle.contains("the rekor log is QUARANTINED"), "{obstacle}");
    let refused = running.log.append(entry("new")).await.unwrap_err();
    assert!(matches!(&refused, Error::Quarantined(given) if given == reason), "{refused}");
    if let Some(size) = shown {
        let published = running.log.latest().await.unwrap();
        let (_, note) = before.0.iter().find(|(stored, _)| *stored == size).unwrap();
        assert_eq!((published.tree.size, &published.note), (size, note), "{code}: what was signed before is shown");
        for index in [0, size / 2, size - 1] {
            verify(&running.log.entry(index).await.unwrap().unwrap(), &running, &bench.signer);
        }
        assert!(running.log.entry(size).await.unwrap().is_none());
        running.log.consistency_proof(size / 2, size).await.unwrap();
    } else {
        assert!(matches!(running.log.latest().await, Err(Error::Quarantined(_))));
        assert!(matches!(running.log.entry(0).await, Err(Error::Quarantined(_))));
    }
    assert!(running.log.entries(0, 10).await.unwrap().len() == 10, "entries can be read");
    running.stop().await;
    let database = bench.open().await.unwrap();
    assert_eq!((checkpoints(&database).await, database.store().head(1).await.unwrap()), before, "nothing is written");
    database.close().await;
}

/// An empty log on a database of the same kind, with the same key.
fn sibling(bench: &Bench) -> Bench {
    let mut sibling = match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    };
    sibling.signer = bench.signer.clone();
    sibling
}

/// What is damaged by [`Damage::harms`], as it was.
struct Damage {
    head: CommittedHead,
    earlier: Hash,
    leaf: Hash,
    row: Vec<u8>,
    /// The checkpoint that is shown once the head is [`SIZE`] - 10. In `SQLite` the entries beyond it are gone as well.
    shrunk: u64,
}

impl Damage {
    async fn before(bench: &Bench) -> Self {
        let running = bench.start().await;
        let earlier = running.log.root_at(SIZE - 10).await.unwrap();
        let store = running.database.store();
        let id = TileId { level: 1, index: 0 };
        let row = hashes_to_bytes(&store.tiles(1, vec![id]).await.unwrap().0[&id]);
        let leaf = store.entries(1, SIZE - 1, 1).await.unwrap()[0].leaf_hash;
        let head = store.head(1).await.unwrap();
        running.stop().await;
        let shrunk = if matches!(bench.place, Place::Sqlite(_)) { SIZE - 10 } else { SIZE };
        Self { head, earlier, leaf, row, shrunk }
    }

    /// Possible changes, the code under which each is found, and the checkpoint that is then shown.
    fn harms(&self) -> Vec<(String, &'static str, u64)> {
        let (edge, shrunk, checkpoint) = ("quarantine.edge", "quarantine.shrunk", "quarantine.checkpoint");
        let note = |change: &str| format!("UPDATE checkpoints SET note = {change} WHERE tree_size = {SIZE}");
        let mut flipped = self.leaf;
        flipped[7] ^= 0x10;
        let (size, earlier) = (SIZE - 10, hex::encode(self.earlier));
        vec![
            // The right edge: one bit of a leaf's hash, and the row above.
            (put_leaf_hash(SIZE - 1, &flipped), edge, SIZE - 1),
            ("UPDATE tiles SET hashes = zeroblob(32) WHERE level = 1".to_owned(), edge, 255),
            // The head, alone and back to an earlier one.
            ("UPDATE tree_heads SET root_hash = zeroblob(32)".to_owned(), edge, SIZE),
            (format!("UPDATE tree_heads SET tree_size = {size}, root_hash = x'{earlier}'"), shrunk, self.shrunk),
            // A checkpoint of a tree there never was, one that was changed, and one of another size.
            (
                "INSERT INTO checkpoints SELECT log_id, 400, note FROM kept WHERE tree_size = 300".to_owned(),
                checkpoint,
                SIZE,
            ),
            (note("replace(note, 'log.example', 'lag.example')"), checkpoint, SIZE - 1),
            (note("(SELECT note FROM kept WHERE tree_size = 299)"), checkpoint, SIZE - 1),
        ]
    }

    fn repairs(&self) -> [String; 5] {
        let (root, row) = (hex::encode(self.head.tree.root), hex::encode(&self.row));
        [
            format!("UPDATE tree_heads SET tree_size = {SIZE}, root_hash = x'{root}'"),
            format!("UPDATE tiles SET hashes = x'{row}' WHERE level = 1"),
            put_leaf_hash(SIZE - 1, &self.leaf),
            "DELETE FROM checkpoints".to_owned(),
            "INSERT INTO checkpoints SELECT * FROM kept".to_owned(),
        ]
    }
}

pub(crate) async fn a_state_in_doubt_is_read_and_never_signed(bench: Bench) {
    grown(&bench, SIZE, "entry").await;
    tamper(&bench, &["CREATE TABLE kept AS SELECT * FROM checkpoints".to_owned()]).await;
    let damage = Damage::before(&bench).await;
    for (harm, code, shown) in damage.harms() {
        tamper(&bench, &[harm]).await;
        is_quarantined(&bench, code, Some(shown)).await;
        tamper(&bench, &damage.repairs()).await;
    }
    // What was put right is taken again.
    let running = bench.start().await;
    assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None));
    let outcome = running.log.append(entry("new")).await.unwrap();
    assert!(matches!(outcome, Outcome::Logged(receipt) if receipt.index == SIZE));
    assert_eq!(bench.check(&running).await.unwrap(), SIZE + 1);
    running.stop().await;
}

pub(crate) async fn a_log_with_no_checkpoint_it_can_prove_still_shows_its_entries(bench: Bench) {
    grown(&bench, 20, "entry").await;
    tamper(&bench, &["UPDATE checkpoints SET note = replace(note, 'log.example', 'lag.example')".to_owned()]).await;
    is_quarantined(&bench, "quarantine.checkpoint", None).await;
}

pub(crate) async fn a_log_without_a_head_is_shown_as_it_was_published(bench: Bench) {
    grown(&bench, 20, "entry").await;
    tamper(&bench, &["DELETE FROM tree_heads".to_owned()]).await;
    let running = bench.start().await;
    assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.invariant"));
    assert!(running.log.obstacle().unwrap().to_string().contains("every log has a head"));
    assert!(matches!(running.log.append(entry("new")).await, Err(Error::Quarantined(_))));
    verify(&running.log.entry(19).await.unwrap().unwrap(), &running, &bench.signer);
    running.stop().await;
}

/// A database that was put back and has grown again meanwhile, as far as the published tree or further.
pub(crate) async fn another_history_of_the_same_log_is_not_signed(bench: Bench) {
    grown(&bench, SIZE, "first").await;
    let database = bench.open().await.unwrap();
    let (_, note) = checkpoints(&database).await.pop().unwrap();
    database.close().await;
    for size in [SIZE, SIZE + 10] {
        let second = sibling(&bench);
        grown(&second, size, "second").await;
        let newest = [
            format!("DELETE FROM checkpoints WHERE tree_size > {SIZE}"),
            format!("UPDATE checkpoints SET note = '{note}' WHERE tree_size = {SIZE}"),
        ];
        tamper(&second, &newest).await;
        is_quarantined(&second, "quarantine.forked", Some(SIZE - 1)).await;
    }
}

/// A directory with everything the log has published.
async fn copied(bench: &Bench) -> (TempDir, Destination) {
    let directory = tempfile::tempdir().unwrap();
    let destination = Destination::directory(directory.path()).unwrap();
    let running = bench.start().await;
    let (trigger, stopping) = shutdown::channel();
    let files = RekorV1::new(running.log.clone()).files();
    let (mirror, task) = Mirror::start(files, destination.clone(), stopping).await.unwrap();
    assert!(mirror.covers(running.log.published().unwrap().tree.size).await);
    trigger.stop();
    task.await.unwrap();
    running.stop().await;
    (directory, destination)
}

/// a database that was put back, with its checkpoints, and a copy in an object store that was not.
pub(crate) async fn what_its_copy_knows_counts(mut bench: Bench) {
    grown(&bench, SIZE, "entry").await;
    let (_directory, destination) = copied(&bench).await;
    bench.copy = Some(destination.clone());
    let running = bench.start().await;
    assert_eq!(running.log.obstacle(), None, "its own copy does not contradict a log");
    running.stop().await;
    for (prefix, size, code) in [
        ("entry", 20, "quarantine.store_newer"),
        ("entry", SIZE - 1, "quarantine.store_newer"),
        ("other", SIZE, "quarantine.store_forked"),
        ("other", SIZE + 10, "quarantine.store_forked"),
    ] {
        let mut older = sibling(&bench);
        grown(&older, size, prefix).await;
        older.copy = Some(destination.clone());
        is_quarantined(&older, code, Some(size)).await;
    }
    // What its key did not sign says nothing about the log.
    let mut foreign = sibling(&bench);
    foreign.signer = Arc::new(Signer::generate(KeyKind::P256).unwrap().0);
    foreign.copy = Some(destination);
    let running = foreign.start_as(foreign.signer.clone(), "log.example").await.unwrap();
    assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None));
    running.stop().await;
}

pub(crate) async fn an_invariant_violated_while_it_runs_is_what_readiness_says(bench: Bench) {
    let running = bench.start().await;
    grow(&running, SIZE, "entry").await;
    let published = running.log.published().unwrap();
    running.database.drop_triggers().await;
    running.database.execute("UPDATE tree_heads SET root_hash = zeroblob(32)").await.unwrap();
    assert_eq!(running.log.obstacle(), None);
    running.log.append(entry("new")).await.unwrap_err();
    let refused = running.log.append(entry("newer")).await.unwrap_err();
    assert!(matches!(refused, Error::Quarantined(_)), "{refused}");
    let obstacle = running.log.obstacle().unwrap().to_string();
    let invariant = "(quarantine.invariant): invariant violated: the head's root hash is that of its right edge";
    assert!(obstacle.contains(invariant), "{obstacle}");
    assert_eq!(running.log.latest().await.unwrap(), published, "reads go on");
    verify(&running.log.entry(SIZE - 1).await.unwrap().unwrap(), &running, &bench.signer);
    running.stop().await;
    is_quarantined(&bench, "quarantine.edge", Some(SIZE - 1)).await;
}

pub(crate) async fn a_clock_that_is_behind_at_the_start_stops_signing_and_not_reading(bench: Bench) {
    grown(&bench, SIZE, "entry").await;
    bench.clock.set(START.minus_seconds(3600));
    let running = bench.start().await;
    assert_eq!(running.log.quarantine(), None);
    assert!(matches!(running.log.obstacle(), Some(Obstacle::Clock { .. })), "{:?}", running.log.obstacle());
    let refused = running.log.append(entry("new")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { seconds: 3600 })), "{refused}");
    verify(&running.log.entry(SIZE - 1).await.unwrap().unwrap(), &running, &bench.signer);
    let shown = running.log.published().unwrap();
    let database = running.database.clone();
    assert!(checkpoints(&database).await.iter().any(|(_, note)| *note == shown.note), "nothing is signed anew");
    bench.clock.set(START.plus_seconds(1));
    let outcome = running.log.append(entry("new")).await.unwrap();
    assert!(matches!(outcome, Outcome::Logged(receipt) if receipt.index == SIZE));
    assert_eq!(running.log.obstacle(), None);
    running.stop().await;

    // The last checkpoint is lost, as in a crash: once the clock is right the head is signed without anybody writing.
    tamper(&bench, &[format!("DELETE FROM checkpoints WHERE tree_size > {}", SIZE - 1)]).await;
    bench.clock.set(START.minus_seconds(3600));
    let running = bench.start().await;
    assert_eq!(running.log.published().unwrap().tree.size, SIZE - 1);
    bench.clock.set(START.plus_seconds(2));
    let signed = async {
        while running.log.published().unwrap().tree.size < SIZE + 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), signed).await.expect("it is signed");
    assert_eq!(bench.check(&running).await.unwrap(), SIZE + 1);
    running.stop().await;
}
