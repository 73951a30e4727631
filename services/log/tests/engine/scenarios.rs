//! What must hold on either database. Every scenario ends with the whole log re-derived.

use crate::bench::{Bench, Running, START, entry, verify};
use chancery_daemon::clock::ClockFault;
use chancery_daemon::database::DatabaseError;
use chancery_daemon::signer::Signer;
use chancery_log::check::check;
use chancery_log::{Error, Outcome};
use chancery_verify::key::KeyKind;
use std::sync::Arc;
use std::time::Duration;

pub(crate) async fn concurrent_entries_get_gap_free_indices_and_duplicates_get_the_first_one(bench: Bench) {
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
        let receipt = running.log.entry(index).await.unwrap().unwrap();
        verify(&receipt, &running, &bench.signer);
        let by_hash = running.log.inclusion_proof_by_hash(&receipt.leaf_hash, 400).await.unwrap();
        assert_eq!(by_hash, Some((index, receipt.proof)));
        let before = running.log.inclusion_proof_by_hash(&receipt.leaf_hash, index).await.unwrap();
        assert_eq!(before, None, "the tree of {index} leaves has no leaf {index}");
    }
    assert!(running.log.entry(400).await.unwrap().is_none());
    assert_eq!(running.log.inclusion_proof_by_hash(&[7; 32], 400).await.unwrap(), None);
    assert_eq!(bench.check(&running).await.unwrap(), 400);
    running.stop().await;
}

pub(crate) async fn a_restart_goes_on_where_the_last_run_stopped(bench: Bench) {
    let mut seen = Vec::new();
    for run in 0..3 {
        let running = bench.start().await;
        assert_eq!(running.log.published().unwrap().tree.size, run * 300);
        for head in &seen {
            let (size, root) = *head;
            assert_eq!(running.log.root_at(size).await.unwrap(), root, "an earlier head is a prefix");
            running.log.consistency_proof(size, running.log.published().unwrap().tree.size).await.unwrap();
        }
        for number in 0..300 {
            let outcome = running.log.append(entry(&format!("{run} {number}"))).await.unwrap();
            assert!(matches!(outcome, Outcome::Logged(receipt) if receipt.index == run * 300 + number));
        }
        let head = running.log.published().unwrap().tree;
        seen.push((head.size, head.root));
        assert_eq!(bench.check(&running).await.unwrap(), (run + 1) * 300);
        running.stop().await;
    }
}

/// Checkpoints of which none is stored for a while; a log that is stopped has stored its newest.
pub(crate) async fn batches_that_follow_each_other_share_a_stored_checkpoint(mut bench: Bench) {
    bench.checkpoint_period = Duration::from_hours(1);
    let running = bench.start().await;
    for number in 0..20 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    let stored = async |running: &Running| {
        let checkpoints = running.database.store().checkpoints(1, None, 100).await.unwrap();
        checkpoints.into_iter().map(|(size, _)| size).collect::<Vec<_>>()
    };
    assert_eq!(stored(&running).await, [0]);
    assert_eq!(bench.check(&running).await.unwrap(), 20);
    running.stop().await;
    let running = bench.start().await;
    assert_eq!(stored(&running).await, [0, 20]);
    running.log.append(entry("next")).await.unwrap();
    assert_eq!(bench.check(&running).await.unwrap(), 21);
    running.stop().await;
}

pub(crate) async fn another_key_or_origin_does_not_start(bench: Bench) {
    let running = bench.start().await;
    running.log.append(entry("one")).await.unwrap();
    running.stop().await;
    let (other, _) = Signer::generate(KeyKind::P256).unwrap();
    let refused = bench.start_as(Arc::new(other), "log.example").await.err().unwrap();
    assert!(refused.to_string().contains("key it was made with"), "{refused}");
    let refused = bench.start_as(bench.signer.clone(), "other.example").await.err().unwrap();
    assert!(refused.to_string().contains("origin it was made with"), "{refused}");
}

pub(crate) async fn a_clock_that_goes_back_stops_signing_until_it_is_right_again(bench: Bench) {
    let running = bench.start().await;
    running.log.append(entry("one")).await.unwrap();
    bench.clock.set(START.minus_seconds(3600));
    let refused = running.log.append(entry("two")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { seconds: 3600 })), "{refused}");
    assert!(running.log.entry(0).await.unwrap().is_some(), "reads go on");
    bench.clock.set(START.plus_seconds(1));
    assert!(matches!(running.log.append(entry("two")).await.unwrap(), Outcome::Logged(receipt) if receipt.index == 1));
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;

    // A checkpoint that was signed anew is later than the last entry, and the next one must not be earlier.
    bench.clock.set(START.plus_seconds(7200));
    let running = bench.start().await;
    assert_eq!(running.log.published().unwrap().timestamp, START.plus_seconds(7200));
    bench.clock.set(START.plus_seconds(3600));
    let refused = running.log.append(entry("three")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { seconds: 3600 })), "{refused}");
    bench.clock.set(START.plus_seconds(7199));
    assert!(matches!(running.log.append(entry("three")).await.unwrap(), Outcome::Logged(_)));
    assert_eq!(running.log.published().unwrap().timestamp, START.plus_seconds(7200), "slewing stands still");
    assert_eq!(bench.check(&running).await.unwrap(), 3);
    running.stop().await;
}

pub(crate) async fn the_database_itself_refuses_to_forget(bench: Bench) {
    let running = bench.start().await;
    for number in 0..300 {
        running.log.append(entry(&number.to_string())).await.unwrap();
    }
    for statement in [
        "UPDATE bundle_parts SET contents = x'00' WHERE first_index = 1",
        "DELETE FROM bundle_parts",
        "UPDATE identities SET leaf_index = 7",
        "DELETE FROM identities",
        "DELETE FROM tiles",
        "UPDATE tiles SET hashes = zeroblob(32)",
        "UPDATE tree_heads SET tree_size = 1",
        "DELETE FROM tree_heads",
        "UPDATE logs SET origin = 'other'",
        "DELETE FROM checkpoints",
        "UPDATE checkpoints SET note = ''",
        "INSERT INTO identities SELECT log_id, identity_hash, 999 FROM identities LIMIT 1",
        "INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents)
            SELECT log_id, 7, timestamp_ms, leaf_hashes, identity_hashes, ends, contents FROM bundle_parts LIMIT 1",
    ] {
        assert!(running.database.execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(bench.check(&running).await.unwrap(), 300);
    running.stop().await;
}

pub(crate) async fn check_names_the_first_thing_an_attacker_changed(new: impl AsyncFn() -> Bench) {
    for (attack, expected) in [
        (
            "UPDATE bundle_parts SET contents = x'00', ends = x'0000000100000001' WHERE first_index = 7",
            "entry 7: the stored leaf hash",
        ),
        (
            "UPDATE bundle_parts SET contents = x'00', ends = x'0000000100000001', leaf_hashes = x'96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7' WHERE first_index = 7",
            "checkpoint 8: ",
        ),
        (
            "UPDATE bundle_parts SET identity_hashes = zeroblob(32) WHERE first_index = 7",
            "entry 7: the stored identity hash",
        ),
        ("UPDATE bundle_parts SET ends = x'0000000100000002' WHERE first_index = 7", "the lengths it states"),
        ("DELETE FROM bundle_parts WHERE first_index = 7", "entry 7: the entry is missing"),
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND tile_index = 0", "tile 0/0"),
        ("UPDATE tree_heads SET root_hash = zeroblob(32)", "head:"),
        ("UPDATE tree_heads SET tree_size = 299", "a checkpoint of 300 leaves was published"),
        (
            "UPDATE checkpoints SET note = replace(note, 'log.example', 'lag.example') WHERE tree_size = 300",
            "checkpoint 300",
        ),
    ] {
        let bench = new().await;
        let running = bench.start().await;
        for number in 0..300 {
            running.log.append(entry(&number.to_string())).await.unwrap();
        }
        let subject = bench.subject(&running);
        running.stop().await;
        let database = bench.open().await.unwrap();
        database.drop_triggers().await;
        database.execute(attack).await.unwrap();
        let finding = check(database.store().as_ref(), &subject, |_, _| {}).await.unwrap_err();
        assert!(finding.to_string().contains(expected), "{attack}: {finding}");
        database.close().await;
    }
}

/// A database that a newer version of the program has brought up to date does not open.
pub(crate) async fn a_newer_schema_does_not_open(bench: Bench) {
    let database = bench.open().await.unwrap();
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 999, 'from the future', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
        )
        .await
        .unwrap();
    database.close().await;
    let refused = bench.open().await.err().unwrap();
    assert!(matches!(refused, DatabaseError::NewerSchema { found: 999, .. }), "{refused}");
}

/// A caller that froze the log was told its last head: nothing is added after that, and the head has every entry that
/// was acknowledged. The log is read, checked and opened again as before.
pub(crate) async fn a_log_that_is_frozen_while_it_is_written_to_keeps_the_head_that_was_told(bench: Bench) {
    let running = bench.start().await;
    let log_id = running.log.record().log_id;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let log = running.log.clone();
            tokio::spawn(async move {
                let mut logged = 0;
                loop {
                    match log.append(entry(&format!("{writer} {logged}"))).await {
                        Ok(Outcome::Logged(_)) => logged += 1,
                        Ok(Outcome::AlreadyLogged { .. }) => panic!("every entry is new"),
                        Err(Error::Frozen) => return logged,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let store = running.database.store();
    assert_eq!(store.frozen(log_id).await.unwrap(), None);
    let told = store.freeze(log_id, START).await.unwrap();
    let mut logged = 0;
    for writer in writers {
        logged += writer.await.unwrap();
    }
    assert_eq!((told.tree.size, logged), (logged, told.tree.size));
    assert!(running.log.is_frozen() && logged > 0);
    assert_eq!(store.freeze(log_id, START.plus_seconds(9)).await.unwrap(), told);
    assert_eq!(store.frozen(log_id).await.unwrap(), Some(START));
    for statement in ["DELETE FROM frozen_logs", "UPDATE frozen_logs SET frozen_ms = 0"] {
        let refused = running.database.execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("a frozen log stays frozen"), "{refused}");
    }
    assert_eq!(store.newest_checkpoint(log_id).await.unwrap().unwrap().0, told.tree.size);
    assert_eq!(running.log.published().unwrap().tree, told.tree);
    running.stop().await;
    let running = bench.start().await;
    assert!(matches!(running.log.append(entry("late")).await, Err(Error::Frozen)));
    assert_eq!(bench.check(&running).await.unwrap(), logged);
    running.stop().await;
}

/// A process that was not told finds out by itself.
pub(crate) async fn an_idle_log_notices_that_it_was_frozen(bench: Bench) {
    let running = bench.start().await;
    running.log.append(entry("one")).await.unwrap();
    running.database.store().freeze(running.log.record().log_id, START).await.unwrap();
    let noticed = async {
        while !running.log.is_frozen() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
    // A Rekor v1 log does not say so in its checkpoint, as upstream.
    let published = running.log.latest().await.unwrap();
    assert_eq!(published.note.split("\n\n").next().unwrap().lines().count(), 3, "{}", published.note);
    assert_eq!(running.database.store().frozen_checkpoint(1).await.unwrap(), None);
    running.stop().await;
}
