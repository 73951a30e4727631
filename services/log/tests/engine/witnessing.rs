//! A log and its witnesses: what a quorum cosigns is published, and what contradicts a witness is not signed.

use crate::bench::{Bench, Place, verify};
use crate::fake_witness::{Fake, Mood, TIMEOUT, append, becomes, cosigned, make, policy, witnessed};
use chancery_log::Error;
use chancery_log::quarantine::{Obstacle, Reason};
use chancery_log::witnessing::Fail;
use chancery_verify::cosignature::Policy;
use chancery_verify::note::Note;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) async fn answers_and_files_bear_the_cosignatures_of_a_quorum(bench: Bench) {
    let (bench, fakes) = witnessed::<3>(bench, 2, Fail::Open);
    make(&bench, 3).await;
    let running = bench.start().await;
    for number in 3..20 {
        let receipt = append(&running, &format!("entry {number}")).await.unwrap();
        assert_eq!(receipt.index, number);
        verify(&receipt, &running, &bench.signer);
        assert!(cosigned(&receipt.published.note, &fakes) >= 2, "{}", receipt.published.note);
        let witnesses = fakes.iter().map(|fake| fake.witness.clone()).collect();
        let note = Note::parse(&receipt.published.note).unwrap();
        assert_eq!(Policy::new(witnesses, 2).unwrap().verify(&note), Ok(()));
        assert_eq!(note.signatures[0].name.as_str(), "log.example", "the log's own signature comes first");
    }
    // The third is not waited for, and not forgotten.
    becomes(&running, &fakes, 3).await;
    let status = running.log.witnesses();
    assert_eq!(status.len(), 3);
    assert!(status.iter().all(|witness| witness.size == 20 && witness.outcomes[0].1 > 0), "{status:?}");
    assert_eq!(bench.check(&running).await.unwrap(), 20);
    running.stop().await;
    let asked: Vec<_> = fakes.iter().map(|fake| fake.size()).collect();
    assert_eq!(asked, [20, 20, 20]);
    // The next start begins with their cosignatures.
    let running = bench.start().await;
    becomes(&running, &fakes, 3).await;
    running.stop().await;
}

/// down.
pub(crate) async fn without_witnesses_an_open_log_goes_on_and_a_closed_one_does_not(bench: Bench) {
    let (mut bench, fakes) = witnessed::<2>(bench, 2, Fail::Open);
    make(&bench, 1).await;
    for mood in [Mood::Down, Mood::Silent, Mood::Status(503)] {
        fakes[1].is(mood);
        let running = bench.start().await;
        for number in 0..3 {
            let begun = Instant::now();
            append(&running, &format!("{mood:?} {number}")).await.unwrap();
            let took = begun.elapsed();
            assert!(took < TIMEOUT * 2, "{mood:?} {number} took {took:?}");
        }
        assert_eq!(running.log.obstacle(), None);
        fakes[1].is(Mood::Good);
        running.stop().await;
    }

    bench.witnesses = Some(policy(&fakes, 2, Fail::Closed));
    fakes[1].is(Mood::Down);
    let running = bench.start().await;
    let before = running.log.published().unwrap().tree.size;
    let refused = append(&running, "before they are heard").await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert_eq!(running.database.store().head(1).await.unwrap().tree.size, before, "it is not in the log");
    assert!(matches!(running.log.obstacle(), Some(Obstacle::Unwitnessed { .. })));
    assert!(running.log.entry(0).await.unwrap().is_some(), "reads go on");
    fakes[1].is(Mood::Good);
    becomes(&running, &fakes, 2).await;
    assert_eq!(running.log.obstacle(), None);
    append(&running, "they are heard").await.unwrap();

    fakes[0].is(Mood::Down);
    let begun = Instant::now();
    let refused = append(&running, "one is gone").await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert!(begun.elapsed() < TIMEOUT * 2, "{:?}", begun.elapsed());
    let shown = running.log.published().unwrap();
    assert_eq!((shown.tree.size, cosigned(&shown.note, &fakes)), (before + 1, 2), "only what is witnessed is shown");
    assert!(running.log.entry(before + 1).await.unwrap().is_none());
    assert!(
        matches!(append(&running, "one is gone").await, Err(Error::Unavailable { .. })),
        "a retry is told the same"
    );
    fakes[0].is(Mood::Good);
    becomes(&running, &fakes, 2).await;
    let begun = Instant::now();
    let receipt = loop {
        match append(&running, "one is gone").await {
            Ok(receipt) => break receipt,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
    };
    assert_eq!((receipt.index, cosigned(&receipt.published.note, &fakes)), (before + 1, 2), "a retry finds it");
    running.stop().await;
}

/// bad signature, and answers that are none.
pub(crate) async fn an_answer_that_is_no_cosignature_is_ignored(bench: Bench) {
    let (bench, fakes) = witnessed::<2>(bench, 1, Fail::Open);
    make(&bench, 1).await;
    for mood in [Mood::BadSignature, Mood::OtherName, Mood::Status(403), Mood::Status(404)] {
        fakes[0].is(mood);
        let running = bench.start().await;
        let receipt = append(&running, &format!("{mood:?}")).await.unwrap();
        assert_eq!(cosigned(&receipt.published.note, &fakes[..1]), 0, "{mood:?}");
        assert_eq!(cosigned(&receipt.published.note, &fakes[1..]), 1, "{mood:?}");
        assert_eq!(
            Note::parse(&receipt.published.note).unwrap().signatures.len(),
            2,
            "{mood:?}: nothing else is added"
        );
        assert_eq!(running.log.obstacle(), None, "{mood:?}");
        running.stop().await;
    }
    // One that has lost its memory is a new one.
    fakes[0].is(Mood::Forgetful);
    let running = bench.start().await;
    append(&running, "forgetful").await.unwrap();
    becomes(&running, &fakes, 2).await;
    running.stop().await;
}

/// slow.
pub(crate) async fn a_slow_witness_costs_one_timeout_and_its_cosignature_comes_late(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Open);
    make(&bench, 1).await;
    let running = bench.start().await;
    becomes(&running, &fakes, 1).await;
    fakes[0].is(Mood::Slow(TIMEOUT * 4));
    let begun = Instant::now();
    let receipt = append(&running, "slow").await.unwrap();
    let first = begun.elapsed();
    assert!(first >= TIMEOUT && first < TIMEOUT * 2, "{first:?}");
    assert_eq!(cosigned(&receipt.published.note, &fakes), 0);
    // While it is busy nobody waits for it.
    let begun = Instant::now();
    for number in 0..5 {
        append(&running, &format!("quick {number}")).await.unwrap();
    }
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
    becomes(&running, &fakes, 1).await;
    assert_eq!(running.log.published().unwrap().tree.size, 7);
    running.stop().await;
}

/// What a database was before, and a way back to it: an older log of the same key with the same first entries.
async fn put_back(bench: &Bench, size: u64) -> Bench {
    let mut older = match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    };
    older.signer = bench.signer.clone();
    older.witnesses.clone_from(&bench.witnesses);
    let fakes = [Fake::new(&older, "nobody.example")];
    fakes[0].is(Mood::Down);
    let real = older.witnesses.replace(policy(&fakes, 1, Fail::Open));
    let running = older.start().await;
    for number in 0..size {
        append(&running, &format!("entry {number}")).await.unwrap();
    }
    running.stop().await;
    older.witnesses = real;
    older
}

///
pub(crate) async fn a_database_that_was_put_back_is_quarantined_before_anything_is_signed(bench: Bench) {
    for fail in [Fail::Open, Fail::Closed] {
        let fresh = match &bench.place {
            Place::Sqlite(_) => Bench::sqlite(),
            Place::Postgres { .. } => Bench::postgres(),
        };
        let (bench, fakes) = witnessed::<2>(fresh, 2, Fail::Open);
        make(&bench, 12).await;
        let mut older = put_back(&bench, 9).await;
        // One of them is enough, whatever the other says.
        fakes[1].is(Mood::Down);
        older.witnesses = Some(policy(&fakes, 2, fail));
        let database = older.open().await.unwrap();
        let before = database.store().checkpoints(1, None, 100).await.unwrap();
        database.close().await;
        let running = older.start().await;
        let reason = running.log.quarantine().expect("the log is quarantined").clone();
        assert_eq!(reason.code(), "quarantine.witness_ahead", "{reason}");
        assert_eq!(reason.evidence(), Some("https://witness.example/0/log.example"));
        assert!(reason.to_string().contains("9 leaves") && reason.to_string().contains("cosigned 12"), "{reason}");
        assert!(matches!(append(&running, "new").await, Err(Error::Quarantined(_))));
        assert_eq!(running.log.latest().await.unwrap().tree.size, 9, "reads go on");
        assert!(running.log.entry(8).await.unwrap().is_some());
        let store = running.database.store();
        assert_eq!(store.checkpoints(1, None, 100).await.unwrap(), before, "nothing is signed");
        running.stop().await;
        // The witness is away when it is started again, so that only the record of the quarantine is left.
        fakes[0].is(Mood::Down);
        let running = older.start().await;
        assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.recorded"));
        assert!(matches!(append(&running, "new").await, Err(Error::Quarantined(_))));
        running.stop().await;
        fakes[0].is(Mood::Good);
        assert_eq!(fakes[0].size(), 12);
        // And where nothing at all is left.
        let mut empty = put_back(&bench, 0).await;
        empty.witnesses = Some(policy(&fakes, 2, fail));
        let running = empty.start().await;
        assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.witness_ahead"));
        running.stop().await;
    }
}

/// a clone of the machine.
pub(crate) async fn a_second_log_under_the_same_key_is_stopped_and_the_first_goes_on(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Open);
    make(&bench, 9).await;
    let first = bench.start().await;
    let clone = put_back(&bench, 9).await;
    let second = clone.start().await;
    assert_eq!(second.log.quarantine(), None, "they are the same so far");
    append(&first, "first").await.unwrap();
    // As large a tree, with something else in it: the witness has another root.
    let refused = append(&second, "second").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Quarantined(reason) if reason.code() == "quarantine.witness_forked"),
        "{refused}"
    );
    assert!(second.log.obstacle().unwrap().to_string().contains("witness.example/0"));
    assert_eq!(second.log.published().unwrap().tree.size, 9, "what the witness refuses is not published");
    for number in 0..3 {
        let receipt = append(&first, &format!("more {number}")).await.unwrap();
        assert_eq!(cosigned(&receipt.published.note, &fakes), 1);
    }
    assert_eq!(first.log.obstacle(), None);
    first.stop().await;
    second.stop().await;
}

pub(crate) async fn under_load_one_request_at_a_time_is_on_its_way_to_a_witness(bench: Bench) {
    const ENTRIES: u64 = 400;
    let (bench, fakes) = witnessed::<2>(bench, 2, Fail::Closed);
    // There is nothing to be heard about a log that is empty.
    make(&bench, 1).await;
    let running = Arc::new(bench.start().await);
    fakes[0].is(Mood::Slow(Duration::from_millis(20)));
    let asked = fakes[0].asked.load(Ordering::SeqCst);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..ENTRIES {
        let running = Arc::clone(&running);
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_micros(number * 500)).await;
            append(&running, &format!("load {number}")).await
        });
    }
    while let Some(receipt) = tasks.join_next().await {
        let receipt = receipt.unwrap().unwrap();
        verify(&receipt, &running, &bench.signer);
        assert_eq!(cosigned(&receipt.published.note, &fakes), 2);
    }
    for fake in &fakes {
        assert_eq!(fake.most.load(Ordering::SeqCst), 1, "one request at a time");
    }
    let rounds = fakes[0].asked.load(Ordering::SeqCst) - asked;
    assert!(rounds < 100, "{rounds} rounds for {ENTRIES} entries: they share them");
    assert_eq!(bench.check(&running).await.unwrap(), ENTRIES + 1);
    Arc::into_inner(running).unwrap().stop().await;
}

/// Replicas share the witness's state as they share the log: one that finds it ahead looks what the other has committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_over_one_database_share_their_witnesses() {
    let (bench, fakes) = witnessed::<2>(Bench::postgres(), 2, Fail::Open);
    make(&bench, 1).await;
    let mut twin = bench.twin();
    for fail in [Fail::Open, Fail::Closed] {
        twin.witnesses = Some(policy(&fakes, 2, fail));
        let both = [Arc::new(bench.start().await), Arc::new(twin.start().await)];
        let mut tasks = tokio::task::JoinSet::new();
        for (number, running) in both.iter().enumerate() {
            for worker in 0..4 {
                let running = Arc::clone(running);
                tasks.spawn(async move {
                    for round in 0..25 {
                        let receipt = append(&running, &format!("{fail:?} {number} {worker} {round}")).await.unwrap();
                        assert!(
                            running.log.entry(receipt.index).await.unwrap().is_some(),
                            "what is answered is readable"
                        );
                    }
                });
            }
        }
        tasks.join_all().await;
        let size = bench.check(&both[0]).await.unwrap();
        for running in both {
            assert_eq!(running.log.obstacle(), None);
            // What one has written the other shows, witnessed.
            assert_eq!(running.log.latest().await.unwrap().tree.size, size);
            becomes(&running, &fakes, 2).await;
            Arc::into_inner(running).unwrap().stop().await;
        }
    }
}
