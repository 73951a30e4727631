//! What outlives the process of a log in doubt: the record of a quarantine, and where a log was ended.

use crate::bench::{Bench, Place, Running, entry, verify};
use crate::marks::{another, grow, marked};
use crate::postgres;
use chancery_log::Error;
use chancery_log::ending::{self, EndError, Examination};
use chancery_log::quarantine::Reason;
use chancery_log::store::{Identity, Recorded, Store};
use std::time::Duration;

/// Two tiles, the second of them partial.
const SIZE: u64 = 300;

fn code(running: &Running) -> Option<&'static str> {
    running.log.quarantine().map(Reason::code)
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    for _ in 0..100 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not in time: {what}");
}

async fn recorded(store: &dyn Store) -> Option<Recorded> {
    store.quarantined(1).await.unwrap()
}

/// B2: a fault that no start would see keeps the log quarantined until it is put right, whatever becomes of the database.
pub(crate) async fn a_quarantine_survives_a_restart_until_the_state_is_proven(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, SIZE, "entry").await;
    running.stop().await;
    let database = bench.open().await.unwrap();
    database.drop_triggers().await;
    database.execute("CREATE TABLE kept AS SELECT * FROM bundle_parts WHERE first_index = 7").await.unwrap();
    database.execute("DELETE FROM bundle_parts WHERE first_index = 7").await.unwrap();
    database.close().await;
    // What is needed at the start is whole.
    let running = bench.start().await;
    assert_eq!(code(&running), None);
    assert!(running.log.entry(7).await.is_err());
    assert_eq!(code(&running), Some("quarantine.invariant"));
    let store = running.database.store();
    eventually("it is recorded", async || recorded(&*store).await.is_some()).await;
    let record = recorded(&*store).await.unwrap();
    assert_eq!((record.code.as_str(), record.tree_size), ("quarantine.invariant", SIZE));
    running.stop().await;
    for lost in [false, true] {
        if lost {
            // As a restore of the database does.
            let database = bench.open().await.unwrap();
            database.execute("DELETE FROM quarantined_logs").await.unwrap();
            database.close().await;
        }
        let running = bench.start().await;
        let reason = running.log.quarantine().unwrap_or_else(|| panic!("lost: {lost}")).to_string();
        assert_eq!(code(&running), Some("quarantine.recorded"));
        assert!(reason.contains("every index below the head") || reason.contains("a stored part"), "{reason}");
        assert!(matches!(running.log.append(entry("new")).await, Err(Error::Quarantined(_))));
        let store = running.database.store();
        eventually("it is recorded again", async || recorded(&*store).await.is_some()).await;
        running.stop().await;
    }
    let database = bench.open().await.unwrap();
    database.execute("INSERT INTO bundle_parts SELECT * FROM kept").await.unwrap();
    database.close().await;
    let running = bench.start().await;
    assert_eq!(code(&running), None);
    assert_eq!(recorded(&*running.database.store()).await, None);
    running.log.append(entry("new")).await.unwrap();
    assert_eq!(bench.check(&running).await.unwrap(), SIZE + 1);
    running.stop().await;
    // Nothing is left of it.
    let running = bench.start().await;
    assert_eq!(code(&running), None);
    running.stop().await;
}

/// Two servers may find faults at once: each is heard, and what one has proven takes nothing of the other's away.
pub(crate) async fn a_second_server_s_record_is_not_lost(bench: Bench) {
    bench.start().await.stop().await;
    let database = bench.open().await.unwrap();
    let store = database.store();
    let record = |code: &str, tree_size, note: &str| Recorded {
        since_ms: 1_800_000_000_000,
        code: code.to_owned(),
        reason: format!("reason of {code}"),
        tree_size,
        note: Some(note.to_owned()),
    };
    let (first, second) = (record("quarantine.put_back", 3, "one"), record("quarantine.invariant", 2, "two"));
    store.quarantine(1, first.clone()).await.unwrap();
    assert_eq!(recorded(&*store).await.as_ref(), Some(&first));
    store.quarantine(1, second.clone()).await.unwrap();
    let both = recorded(&*store).await.unwrap();
    assert_eq!((both.code.as_str(), both.tree_size), ("quarantine.invariant", 3));
    let note = both.note.clone().unwrap();
    assert!(note.contains("one") && note.contains("two"), "{note}");
    for again in [&first, &second, &both] {
        store.quarantine(1, again.clone()).await.unwrap();
        assert_eq!(recorded(&*store).await.as_ref(), Some(&both));
    }
    for part in [first, second] {
        assert!(!store.release(1, part).await.unwrap(), "only a part of it was proven");
        assert_eq!(recorded(&*store).await.as_ref(), Some(&both));
    }
    assert!(store.release(1, both.clone()).await.unwrap());
    assert_eq!(recorded(&*store).await, None);
    assert!(store.release(1, both).await.unwrap(), "nothing is left of it");
    database.close().await;
}

/// A file that cannot be written is tried again, and only that: the row may be deleted meanwhile, by a start that has proven the
/// state.
pub(crate) async fn a_quarantine_is_recorded_in_the_database_once(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, SIZE, "entry").await;
    // There is no place for the file.
    let file = bench.mark.clone().unwrap().with_extension("quarantined");
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    let (database, store) = (&running.database, running.database.store());
    database.drop_triggers().await;
    database.execute("DELETE FROM bundle_parts WHERE first_index = 7").await.unwrap();
    running.log.entry(7).await.unwrap_err();
    eventually("it is recorded", async || recorded(&*store).await.is_some()).await;
    database.execute("DELETE FROM quarantined_logs").await.unwrap();
    std::fs::remove_dir_all(&file).unwrap();
    eventually("it is in the file", async || file.is_file()).await;
    assert_eq!(recorded(&*store).await, None);
    running.stop().await;
}

/// B3: what can be proven is read for ever, under the checkpoint that was signed, and nothing is signed again.
pub(crate) async fn an_ended_log_is_read_and_never_signed_again(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 12, "entry").await;
    let (subject, mark) = (bench.subject(&running), bench.mark.clone().unwrap());
    let sound = ending::examine(&*running.database.store(), &subject, &mark).await;
    assert!(matches!(sound, Err(EndError::Sound)), "{sound:?}");
    running.stop().await;

    let mut older = another(&bench, 7, "entry").await;
    older.mark = bench.mark.clone();
    let running = older.start().await;
    assert_eq!(code(&running), Some("quarantine.mark_newer"));
    let (subject, store) = (older.subject(&running), running.database.store());
    let before = store.checkpoints(1, None, 100).await.unwrap();
    let Ok(Examination::Doubtful(examined)) = ending::examine(&*store, &subject, &mark).await else { panic!("sound") };
    assert_eq!((examined.tree.size, examined.published, examined.lost(), examined.whole), (7, 12, 5, 7));
    let end = examined.end(&*store, 1, crate::bench::START).await.unwrap();
    eventually("the running log hears of it", async || running.log.is_ended()).await;
    is_read(&running, &older, &before).await;
    let again = ending::examine(&*store, &subject, &mark).await;
    assert!(matches!(&again, Ok(Examination::Ended(found)) if *found == end), "{again:?}");
    assert_eq!(examined.end(&*store, 1, crate::bench::START.plus_seconds(9)).await.unwrap(), end);
    for statement in ["DELETE FROM ended_logs", "UPDATE ended_logs SET tree_size = 0"] {
        let refused = running.database.execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("an ended log stays ended"), "{refused}");
    }
    running.stop().await;
    for _ in 0..2 {
        let running = older.start().await;
        assert!(running.log.is_ended());
        is_read(&running, &older, &before).await;
        assert_eq!(older.check(&running).await.unwrap(), 7);
        running.stop().await;
    }
    // The check does not believe the row.
    let database = older.open().await.unwrap();
    database.drop_triggers().await;
    if matches!(older.place, Place::Postgres { .. }) {
        database.execute("ALTER TABLE ended_logs DISABLE TRIGGER USER").await.unwrap();
    }
    database.execute("UPDATE ended_logs SET tree_size = 6").await.unwrap();
    database.close().await;
    let running = older.start().await;
    assert!(older.check(&running).await.is_err());
    running.stop().await;
}

/// What was wrong with a log before it was ended is nothing that readiness would have to tell for ever.
pub(crate) async fn an_ended_log_has_no_trouble(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 7, "entry").await;
    let earlier = hex::encode(running.log.published().unwrap().tree.root);
    grow(&running, 12, "entry").await;
    let database = &running.database;
    database.drop_triggers().await;
    database.execute("ALTER TABLE bundle_parts RENAME TO away").await.unwrap();
    running.log.append(entry("new")).await.unwrap_err();
    assert!(running.log.trouble().is_some());
    database.execute("DELETE FROM checkpoints WHERE tree_size > 7").await.unwrap();
    database.execute(&format!("UPDATE tree_heads SET tree_size = 7, root_hash = x'{earlier}'")).await.unwrap();
    eventually("it is noticed", async || code(&running) == Some("quarantine.put_back")).await;
    database.execute("ALTER TABLE away RENAME TO bundle_parts").await.unwrap();
    assert!(running.log.trouble().is_some());
    let (subject, store) = (bench.subject(&running), database.store());
    let examined = ending::examine(&*store, &subject, &bench.mark.clone().unwrap()).await;
    let Ok(Examination::Doubtful(examined)) = &examined else { panic!("{examined:?}") };
    assert_eq!((examined.tree.size, examined.published), (7, 12));
    examined.end(&*store, 1, crate::bench::START).await.unwrap();
    eventually("it hears of it", async || running.log.is_ended()).await;
    assert_eq!((running.log.obstacle(), running.log.trouble()), (None, None));
    running.stop().await;
}

/// It is no obstacle, takes nothing, and shows what it showed `before`.
async fn is_read(running: &Running, bench: &Bench, before: &[(u64, String)]) {
    let log = &running.log;
    assert_eq!((log.obstacle(), log.quarantine()), (None, None));
    assert!(matches!(log.append(entry("new")).await, Err(Error::Frozen)));
    let latest = log.latest().await.unwrap();
    let (_, note) = before.last().unwrap();
    assert_eq!((latest.tree.size, &latest.note), (7, note));
    for index in [0, 3, 6] {
        verify(&log.entry(index).await.unwrap().unwrap(), running, &bench.signer);
    }
    assert!(log.entry(7).await.unwrap().is_none());
    assert_eq!(running.database.store().checkpoints(1, None, 100).await.unwrap(), before, "nothing is signed");
}

/// A database that has grown again on another history is not ended: nothing of it is known to have been published.
pub(crate) async fn a_log_of_another_history_is_not_ended(bench: Bench) {
    let (bench, _directory) = marked(bench);
    let running = bench.start().await;
    grow(&running, 12, "entry").await;
    running.stop().await;
    for size in [12, 13] {
        let other = another(&bench, size, "another history").await;
        let database = other.open().await.unwrap();
        let running = other.start().await;
        let mark = bench.mark.clone().unwrap();
        let refused = ending::examine(&*database.store(), &other.subject(&running), &mark).await;
        assert!(matches!(refused, Err(EndError::Forked { published: 12 })), "{refused:?}");
        running.stop().await;
        database.close().await;
    }
}

/// B2: one server's fault stops all of them, at the latest with the next entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarantine_reaches_every_replica() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    grow(&one, 3, "entry").await;
    let note = Some(one.log.published().unwrap().note.clone());
    let (code, reason) = ("quarantine.invariant".to_owned(), "a self-check failed".to_owned());
    let found = Recorded { since_ms: 1_800_000_000_000, code, reason, tree_size: 3, note };
    one.database.store().quarantine(1, found.clone()).await.unwrap();
    let refused = two.log.append(entry("new")).await.unwrap_err();
    assert!(matches!(&refused, Error::Quarantined(Reason::Recorded(recorded)) if **recorded == found), "{refused}");
    assert_eq!(two.database.store().head(1).await.unwrap().tree.size, 3, "nothing is committed");
    eventually("the idle one hears of it", async || one.log.quarantine().is_some()).await;
    for running in [one, two] {
        let said = running.log.obstacle().unwrap().to_string();
        let reason =
            "QUARANTINED (quarantine.recorded): found before: a self-check failed (quarantine.invariant, 2027-01-15T";
        assert!(said.contains(reason), "{said}");
        running.stop().await;
    }
    // The state is proven: it goes on, on both.
    let (one, two) = (bench.start().await, bench.twin().start().await);
    assert_eq!((one.log.quarantine(), two.log.quarantine()), (None, None));
    two.log.append(entry("new")).await.unwrap();
    assert_eq!(bench.check(&one).await.unwrap(), 4);
    one.stop().await;
    two.stop().await;
}

/// B2: a message says that the database is not the one it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_is_named() {
    let (bench, _directory) = marked(Bench::postgres());
    let running = bench.start().await;
    let Identity { cluster: Some(_), timeline: Some(_) } = running.database.store().identity().await.unwrap() else {
        panic!("a superuser may ask which database this is")
    };
    grow(&running, 12, "entry").await;
    running.stop().await;
    let elsewhere: &'static postgres::Server = Box::leak(Box::new(postgres::Server::start()));
    let mut older = Bench::postgres_on(elsewhere);
    older.signer = bench.signer.clone();
    let running = older.start().await;
    grow(&running, 7, "entry").await;
    running.stop().await;
    older.mark = bench.mark.clone();
    for _ in 0..2 {
        let running = older.start().await;
        let said = running.log.obstacle().unwrap().to_string();
        assert!(said.contains("(quarantine.mark_newer)") && said.contains("is another cluster than before"), "{said}");
        running.stop().await;
    }
    // It is not named where nothing has changed.
    let running = bench.start().await;
    assert_eq!(running.log.obstacle(), None);
    running.stop().await;
}
