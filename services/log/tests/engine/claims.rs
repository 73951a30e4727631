//! What a witness says against a log counts as far as it proves it (B5), and what witnesses do not tell does not pile up.

use crate::bench::{Bench, Place, Running};
use crate::fake_witness::{Mood, Shows, TIMEOUT, append, becomes, cosigned, make, signed, witnessed};
use chancery_log::Error;
use chancery_log::quarantine::Reason;
use chancery_log::witnessing::Fail;
use chancery_verify::merkle::TreeHead;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An empty bench on a database of the same kind.
fn place(bench: &Bench) -> Bench {
    match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    }
}

/// Waits until the log is quarantined; returns the code.
async fn is_quarantined(running: &Running) -> &'static str {
    let begun = Instant::now();
    while running.log.quarantine().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.log.quarantine().unwrap().code()
}

/// Waits until a witness is at fault; returns how its conversation has ended and the reason.
async fn fails(running: &Running, witness: usize) -> (&'static str, String) {
    let begun = Instant::now();
    loop {
        if let Some(fault) = running.log.witnesses()[witness].fault.clone() {
            return (fault.outcome, fault.reason);
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// B5: what is proven by the log's own signature stops it, while it runs and at a start.
pub(crate) async fn a_witness_that_proves_another_history_stops_the_log(bench: Bench) {
    let other = TreeHead { size: 3, root: [7; 32] };
    for (known, mood, code) in [
        // More than there is.
        (TreeHead { size: 1000, root: [7; 32] }, Mood::Says(1000), "quarantine.witness_ahead"),
        // Another tree: 422 to a proof from the size it has just named.
        (other, Mood::Good, "quarantine.witness_forked"),
        // It need not be the tree that it names.
        (other, Mood::Says(1000), "quarantine.witness_forked"),
    ] {
        let (bench, fakes) = witnessed::<2>(place(&bench), 1, Fail::Open);
        make(&bench, 5).await;
        let running = bench.start().await;
        becomes(&running, &fakes, 2).await;
        *fakes[1].known.lock().unwrap() = Some(known);
        fakes[1].shows(Shows::Note(signed(&bench, known).await));
        fakes[1].is(mood);
        let _ = append(&running, "new").await;
        assert_eq!(is_quarantined(&running).await, code);
        running.stop().await;
        let running = bench.start().await;
        assert_eq!(running.log.quarantine().map(Reason::code), Some(code), "at the start");
        running.stop().await;
    }
}

/// What a witness has proven of a tree that is not larger than the log outlives the witness: it is not lifted by a start that does
/// not reach it.
pub(crate) async fn what_a_witness_has_proven_outlives_it(bench: Bench) {
    let (bench, fakes) = witnessed::<2>(bench, 1, Fail::Open);
    make(&bench, 5).await;
    let running = bench.start().await;
    becomes(&running, &fakes, 2).await;
    let other = TreeHead { size: 3, root: [7; 32] };
    *fakes[1].known.lock().unwrap() = Some(other);
    fakes[1].shows(Shows::Note(signed(&bench, other).await));
    let _ = append(&running, "new").await;
    assert_eq!(is_quarantined(&running).await, "quarantine.witness_forked");
    running.stop().await;
    fakes[1].is(Mood::Down);
    for _ in 0..2 {
        let running = bench.start().await;
        let reason = running.log.quarantine().expect("the log is quarantined");
        assert_eq!(reason.code(), "quarantine.recorded", "{reason}");
        assert!(reason.to_string().contains("quarantine.witness_forked"), "{reason}");
        running.stop().await;
    }
}

/// B5: a 409 or 422 has no signature. A witness that is broken or hostile stops nothing: it is named, and the log goes on as its
/// quorum allows.
pub(crate) async fn a_witness_that_proves_nothing_is_at_fault_and_stops_nothing(bench: Bench) {
    let (bench, fakes) = witnessed::<2>(place(&bench), 1, Fail::Closed);
    make(&bench, 5).await;
    let stranger = Bench::sqlite();
    let another_key = signed(&stranger, TreeHead { size: 1000, root: [7; 32] }).await;
    let harmless = fakes[0].kept.lock().unwrap().clone().unwrap();
    let before = *fakes[1].known.lock().unwrap();
    let mut logged = 5;
    for mood in [Mood::Says(1000), Mood::Says(u64::MAX), Mood::Says(4), Mood::Status(422), Mood::Good] {
        for (shows, why) in [
            (Shows::Nothing, "it shows no checkpoint of this log"),
            (Shows::Fails, "cannot be fetched: status 500"),
            (Shows::Note(String::new()), "not signed by this log's key"),
            (Shows::Note(another_key.clone()), "not signed by this log's key"),
            (Shows::Note(harmless.clone()), "is one that the log extends"),
        ] {
            // It cosigned another history, if it is to be believed.
            *fakes[1].known.lock().unwrap() = Some(TreeHead { size: 3, root: [7; 32] });
            fakes[1].is(mood);
            fakes[1].shows(shows.clone());
            let running = bench.start().await;
            assert_eq!(running.log.quarantine(), None, "{mood:?}, {shows:?} at the start");
            let receipt = append(&running, &format!("{mood:?} {shows:?}")).await.unwrap();
            assert_eq!((receipt.index, cosigned(&receipt.published.note, &fakes)), (logged, 1), "{mood:?}, {shows:?}");
            logged += 1;
            let (outcome, reason) = fails(&running, 1).await;
            if outcome == "unproven" {
                assert!(reason.contains(why), "{mood:?}, {shows:?}: {reason}");
                let (name, count) = running.log.witnesses()[1].outcomes[5];
                assert!(name == "unproven" && count > 0);
            } else {
                // It names the same size again, or none: that is not even a claim.
                assert_eq!(outcome, "refused", "{mood:?}, {shows:?}: {reason}");
                assert!(matches!(mood, Mood::Says(4) | Mood::Status(422)), "{mood:?}, {shows:?}: {reason}");
            }
            let warnings = running.log.warnings();
            assert!(
                matches!(&warnings[..], [warning] if warning.contains("witness.example/1") && warning.contains(&reason)),
                "{warnings:?}"
            );
            assert_eq!((running.log.obstacle(), running.log.quarantine()), (None, None), "{mood:?}, {shows:?}");
            running.stop().await;
        }
    }
    // Right again, it is well again.
    *fakes[1].known.lock().unwrap() = before;
    fakes[1].is(Mood::Good);
    let running = bench.start().await;
    becomes(&running, &fakes, 2).await;
    assert!(running.log.warnings().is_empty());
    assert_eq!(bench.check(&running).await.unwrap(), logged);
    running.stop().await;
}

/// B5: while nobody cosigns, entries that nobody is told of do not pile up: beyond a bound none is committed.
pub(crate) async fn a_closed_log_without_witnesses_stops_taking_entries_before_they_are_in_it(bench: Bench) {
    const BOUND: u64 = 4096;
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Closed);
    make(&bench, 1).await;
    let running = Arc::new(bench.start().await);
    becomes(&running, &fakes, 1).await;
    fakes[0].is(Mood::Down);
    let mut number = 0;
    let size = async || running.database.store().head(1).await.unwrap().tree.size;
    while size().await <= BOUND {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1024 {
            let running = Arc::clone(&running);
            number += 1;
            tasks.spawn(async move { append(&running, &format!("untold {number}")).await });
        }
        while let Some(told) = tasks.join_next().await {
            assert!(matches!(told.unwrap(), Err(Error::Unavailable { .. } | Error::Busy { .. })));
        }
    }
    let full = size().await;
    assert!(full <= 1 + 2 * BOUND, "{full}");
    for late in 0..20 {
        let begun = Instant::now();
        let refused = append(&running, &format!("late {late}")).await.unwrap_err();
        assert!(refused.to_string().contains("too many entries wait for witnesses"), "{refused}");
        assert!(begun.elapsed() < TIMEOUT / 2, "at once: {:?}", begun.elapsed());
    }
    assert_eq!(size().await, full, "nothing was committed");
    let obstacle = running.log.obstacle().unwrap().to_string();
    assert!(obstacle.contains("too few witnesses cosign") && obstacle.contains("witness.example/0"), "{obstacle}");
    fakes[0].is(Mood::Good);
    let begun = Instant::now();
    while running.log.published().unwrap().tree.size < full {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let receipt = append(&running, "told").await.unwrap();
    assert_eq!(receipt.index, full);
    assert_eq!(bench.check(&running).await.unwrap(), full + 1);
    Arc::into_inner(running).unwrap().stop().await;
}
