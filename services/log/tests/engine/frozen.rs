//! A frozen Rekor v2 log says since when it is frozen: on every replica, after every start, in the same words.

use crate::bench::{Bench, Place, Running, START};
use crate::fake_witness::{Fake, cosigned, make, witnessed};
use chancery_log::Published;
use chancery_log::witnessing::Fail;
use chancery_verify::note::Note;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LINE: &str = "Log frozen — Fri Jan 15 08:00:00 UTC 2027\n";

fn text(note: &str) -> String {
    Note::parse(note).unwrap().text
}

/// Waits until the cosigned checkpoint that is published ends with the line.
async fn says_so(running: &Running, fakes: &[Arc<Fake>]) -> Arc<Published> {
    let begun = Instant::now();
    loop {
        let published = running.log.published().unwrap();
        if text(&published.note).ends_with(LINE) && cosigned(&published.note, fakes) == fakes.len() {
            return published;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", published.note);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn a_frozen_log_says_so_at_every_start(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Open);
    make(&bench, 3).await;
    let running = bench.start().await;
    let (store, before) = (running.database.store(), running.log.published().unwrap());
    store.publish_frozen(1, before.note.clone()).await.unwrap_err();
    store.freeze(1, START).await.unwrap();
    let last = says_so(&running, &fakes).await;
    assert_eq!((text(&last.note), last.tree), (format!("{}{LINE}", text(&before.note)), before.tree));
    // What is stored has no cosignature, and the checkpoint before stays as it was published.
    let stored = store.frozen_checkpoint(1).await.unwrap().unwrap();
    assert!(last.note.starts_with(&stored), "{stored}");
    store.publish_frozen(1, before.note.clone()).await.unwrap();
    assert_eq!(store.frozen_checkpoint(1).await.unwrap(), Some(stored.clone()), "the first one stays");
    let (size, newest) = store.newest_checkpoint(1).await.unwrap().unwrap();
    assert_eq!((size, text(&newest)), (3, text(&before.note)));
    assert_eq!(bench.check(&running).await.unwrap(), 3);
    running.stop().await;
    for _ in 0..2 {
        let running = bench.start().await;
        assert_eq!(text(&running.log.published().unwrap().note), text(&last.note), "from the first request on");
        says_so(&running, &fakes).await;
        running.stop().await;
    }
    let database = bench.open().await.unwrap();
    for statement in ["DELETE FROM frozen_checkpoints", "UPDATE frozen_checkpoints SET note = ''"] {
        let refused = database.execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("a frozen log stays frozen"), "{refused}");
    }
    database.drop_triggers().await;
    if matches!(bench.place, Place::Postgres { .. }) {
        database.execute("ALTER TABLE frozen_logs DISABLE TRIGGER USER").await.unwrap();
    }
    database.execute("UPDATE frozen_logs SET frozen_ms = 0").await.unwrap();
    database.close().await;
    let running = bench.start().await;
    let found = bench.check(&running).await.unwrap_err().to_string();
    assert_eq!(found, "log: its last checkpoint does not say since when it is frozen");
    running.stop().await;
}

/// A log that was frozen while no server ran.
pub(crate) async fn a_log_that_was_frozen_meanwhile_says_so_when_it_starts(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Closed);
    make(&bench, 2).await;
    let database = bench.open().await.unwrap();
    database.store().freeze(1, START).await.unwrap();
    database.close().await;
    let running = bench.start().await;
    says_so(&running, &fakes).await;
    let begun = Instant::now();
    while running.database.store().frozen_checkpoint(1).await.unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not stored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_say_the_same_of_a_frozen_log() {
    let (bench, fakes) = witnessed::<1>(Bench::postgres(), 1, Fail::Open);
    make(&bench, 3).await;
    let twin = Bench { witnesses: bench.witnesses.clone(), ..bench.twin() };
    let (one, two) = (bench.start().await, twin.start().await);
    one.database.store().freeze(1, START).await.unwrap();
    let (first, second) = (says_so(&one, &fakes).await, says_so(&two, &fakes).await);
    assert_eq!(text(&first.note), text(&second.note));
    two.stop().await;
    assert_eq!(bench.check(&one).await.unwrap(), 3);
    one.stop().await;
}
