//! Several replicas over one `PostgreSQL` database: one linear history, whatever stops, races or dies.

use crate::bench::{Bench, Running, START, entry, sealed_by, verify};
use crate::postgres::Server;
use chancery_daemon::clock::{ClockFault, ClockGuard, SystemClock, SystemUptime};
use chancery_log::quarantine::Reason;
use chancery_log::{Error, Log, Outcome, Pending};
use chancery_verify::{Timestamp, merkle};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Appends until the log has taken it. Returns its index and whether this call logged it.
pub(crate) async fn append_with_patience(log: &Log, text: &str) -> (u64, bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        match log.append(entry(text)).await {
            Ok(Outcome::Logged(receipt)) => return (receipt.index, true),
            Ok(Outcome::AlreadyLogged { index }) => return (index, false),
            Err(error @ (Error::Corrupt(_) | Error::Store(_))) => panic!("{text}: {error}"),
            Err(error) => assert!(Instant::now() < deadline, "{text}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every replica is given every one of `count` entries, by several submitters at once. Returns all answers by text.
async fn hammer(replicas: &[&Running], count: usize) -> HashMap<String, Vec<(u64, bool)>> {
    const SUBMITTERS: usize = 8;
    let mut tasks = Vec::new();
    for (number, replica) in replicas.iter().enumerate() {
        for submitter in 0..SUBMITTERS {
            let log = replica.log.clone();
            tasks.push(tokio::spawn(async move {
                let mut answers = Vec::new();
                for position in (submitter..count).step_by(SUBMITTERS) {
                    // One replica goes forwards and the other backwards, so that each is first with some.
                    let text = format!("entry {}", if number == 0 { position } else { count - 1 - position });
                    let answer = append_with_patience(&log, &text).await;
                    answers.push((text, answer));
                }
                answers
            }));
        }
    }
    let mut answers: HashMap<_, Vec<_>> = HashMap::new();
    for task in tasks {
        for (text, answer) in task.await.unwrap() {
            answers.entry(text).or_default().push(answer);
        }
    }
    answers
}

/// The one oracle: everything acknowledged is in the tree where it was said to be, once, without gaps, on every replica.
async fn check_all(bench: &Bench, replicas: &[&Running], answers: &HashMap<String, Vec<(u64, bool)>>) {
    let mut indices: Vec<u64> = answers.values().map(|answers| answers[0].0).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..answers.len() as u64).collect::<Vec<_>>(), "no gap, and no index twice");
    for (text, given) in answers {
        assert!(given.iter().all(|(index, _)| *index == given[0].0), "{text} has one index: {given:?}");
        assert!(given.iter().filter(|(_, first)| *first).count() <= 1, "{text} was logged once: {given:?}");
    }
    for replica in replicas {
        for (text, given) in answers.iter().take(50) {
            let receipt = replica.log.entry(given[0].0).await.unwrap().unwrap();
            assert_eq!(receipt.leaf, text.as_bytes());
            verify(&receipt, replica, &bench.signer);
        }
        assert_eq!(replica.log.latest().await.unwrap().tree.size, answers.len() as u64);
    }
    assert_eq!(bench.check(replicas[0]).await.unwrap(), answers.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_race_into_one_history() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    let answers = hammer(&[&one, &two], 600).await;
    for (text, given) in &answers {
        assert_eq!(given.iter().filter(|(_, first)| *first).count(), 1, "{text}: nothing failed, so one was first");
    }
    check_all(&bench, &[&one, &two], &answers).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_entry_a_hundred_times_on_two_replicas_has_one_index() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    let mut tasks = Vec::new();
    for number in 0..100 {
        let log = if number % 2 == 0 { one.log.clone() } else { two.log.clone() };
        tasks.push(tokio::spawn(async move { append_with_patience(&log, "the same").await }));
    }
    let mut logged = 0;
    for task in tasks {
        let (index, first) = task.await.unwrap();
        assert_eq!(index, 0);
        logged += u32::from(first);
    }
    assert_eq!(logged, 1);
    assert_eq!(bench.check(&one).await.unwrap(), 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn replicas_that_start_together_on_an_empty_database_make_one_log() {
    let bench = Bench::postgres();
    let twin = bench.twin();
    let (one, two) = tokio::join!(bench.start(), twin.start());
    assert_eq!(one.log.record(), two.log.record());
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn what_one_replica_acknowledged_every_replica_shows_at_once() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    for index in 0..300_u64 {
        let text = format!("entry {index}");
        let Outcome::Logged(receipt) = one.log.append(entry(&text)).await.unwrap() else { panic!("logged before") };
        // Each way of asking in turn, so that none profits from another having looked before.
        match index % 6 {
            0 => assert_eq!(two.log.entry(index).await.unwrap().unwrap().leaf, text.as_bytes()),
            1 => assert_eq!(two.log.index_of(receipt.leaf_hash).await.unwrap(), Some(index)),
            2 => assert_eq!(two.log.latest().await.unwrap().tree, receipt.published.tree),
            3 => assert_eq!(two.log.entries(index, 1).await.unwrap().len(), 1),
            4 => assert_eq!(two.log.root_at(index + 1).await.unwrap(), receipt.published.tree.root),
            _ => assert!(matches!(
                two.log.append(entry(&text)).await.unwrap(),
                Outcome::AlreadyLogged { index: first } if first == index
            )),
        }
    }
    let published = two.log.latest().await.unwrap();
    assert_eq!(two.log.scheme().open(&published.note, bench.signer.public_key()), Ok(published.tree));
    assert!(two.log.entry(300).await.unwrap().is_none());
    assert_eq!(bench.check(&two).await.unwrap(), 300);
    one.stop().await;
    two.stop().await;
}

/// A replica that stands still between reading and writing, as one that was sent SIGSTOP, wakes up behind the others.
/// `meanwhile` is what another one logs in the time.
async fn sleep_between_reading_and_writing(meanwhile: &'static str) -> Outcome {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    let other = two.log.clone();
    let slept = AtomicBool::new(false);
    let sleeper = sealed_by("sleeper", move |_| {
        if !slept.swap(true, Ordering::SeqCst) {
            block_in_place(|| Handle::current().block_on(append_with_patience(&other, meanwhile)));
        }
    });
    let outcome = one.log.append(sleeper).await.unwrap();
    assert_eq!(bench.check(&one).await.unwrap(), one.log.published().unwrap().tree.size);
    one.stop().await;
    two.stop().await;
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_slept_between_reading_and_writing_does_not_fork() {
    let outcome = sleep_between_reading_and_writing("another").await;
    assert!(matches!(&outcome, Outcome::Logged(receipt) if receipt.index == 1), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_slept_between_reading_and_writing_does_not_repeat() {
    let outcome = sleep_between_reading_and_writing("sleeper").await;
    assert!(matches!(outcome, Outcome::AlreadyLogged { index: 0 }), "{outcome:?}");
}

/// Two replicas that find a log empty log one first entry: what decides is the head on which a batch is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_was_overtaken_on_an_empty_log_logs_no_second_first_entry() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    let first = |text: &str| Pending { only_first: true, ..entry(text) };
    let (other, slept) = (two.log.clone(), AtomicBool::new(false));
    let overtaken = sealed_by("the first of one", move |_| {
        if !slept.swap(true, Ordering::SeqCst) {
            let faster = other.append(Pending { only_first: true, ..entry("the first of the other") });
            let faster = block_in_place(|| Handle::current().block_on(faster));
            assert!(matches!(faster, Ok(Outcome::Logged(_))), "{faster:?}");
        }
    });
    let outcome = one.log.append(Pending { only_first: true, ..overtaken }).await.unwrap();
    assert!(matches!(outcome, Outcome::AlreadyLogged { index: 0 }), "{outcome:?}");
    for replica in [&one, &two] {
        let outcome = replica.log.append(first("another first")).await.unwrap();
        assert!(matches!(outcome, Outcome::AlreadyLogged { index: 0 }), "{outcome:?}");
        assert_eq!(replica.log.entry(0).await.unwrap().unwrap().leaf, "the first of the other".as_bytes());
    }
    assert_eq!(bench.check(&one).await.unwrap(), 1);
    one.stop().await;
    two.stop().await;
}

/// The same while it holds the lock on the head: the server takes the lock away, the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_sleeps_with_the_lock_loses_it() {
    let bench = Bench::postgres();
    let (one, two) = (bench.start().await, bench.twin().start().await);
    // Overtaken once, the first replica locks the head from now on.
    let other = two.log.clone();
    let slept = AtomicBool::new(false);
    let overtaken = sealed_by("overtaken", move |_| {
        if !slept.swap(true, Ordering::SeqCst) {
            block_in_place(|| Handle::current().block_on(append_with_patience(&other, "overtakes")));
        }
    });
    one.log.append(overtaken).await.unwrap();
    let asleep = Arc::new(AtomicBool::new(false));
    let falls_asleep = asleep.clone();
    let sleeper = sealed_by("sleeper", move |_| {
        falls_asleep.store(true, Ordering::SeqCst);
        block_in_place(|| std::thread::sleep(Duration::from_secs(8)));
    });
    let log = one.log.clone();
    let sleeping = tokio::spawn(async move { log.append(sleeper).await });
    while !asleep.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    assert_eq!(append_with_patience(&two.log, "awake").await, (2, true));
    let waited = begun.elapsed();
    assert!((3..8).contains(&waited.as_secs()), "the lock was held and was taken away: {waited:?}");
    let woken = sleeping.await.unwrap();
    assert!(matches!(woken, Err(Error::Unavailable { .. })), "{woken:?}");
    assert_eq!(append_with_patience(&one.log, "sleeper").await, (3, true));
    assert_eq!(bench.check(&one).await.unwrap(), 4);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_replica_whose_clock_is_behind_commits_nothing_it_could_not_sign() {
    let bench = Bench::postgres();
    let twin = bench.twin();
    let (one, two) = (bench.start().await, twin.start().await);
    bench.clock.set(START.plus_seconds(3600));
    one.log.append(entry("an hour later")).await.unwrap();
    let refused = two.log.append(entry("now")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { seconds: 3600 })), "{refused}");
    assert_eq!(bench.check(&one).await.unwrap(), 1, "nothing was committed");
    // Within what NTP leaves between two machines it goes on, and times in the tree never go back.
    twin.clock.set(START.plus_seconds(3599));
    let Outcome::Logged(receipt) = two.log.append(entry("now")).await.unwrap() else { panic!("logged before") };
    assert_eq!((receipt.index, receipt.timestamp), (1, START.plus_seconds(3600)));
    assert_eq!(bench.check(&one).await.unwrap(), 2);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_database_that_was_put_back_and_grew_again_gets_no_second_signature() {
    let bench = Bench::postgres();
    let witness = bench.start().await;
    for number in 0..300 {
        witness.log.append(entry(&format!("first history {number}"))).await.unwrap();
    }
    witness.database.drop_triggers().await;
    let forget = "DELETE FROM checkpoints; DELETE FROM bundle_parts; DELETE FROM identities; DELETE FROM tiles";
    witness.database.execute(forget).await.unwrap();
    let empty = hex::encode(merkle::empty_root());
    witness.database.execute(&format!("UPDATE tree_heads SET tree_size = 0, root_hash = x'{empty}'")).await.unwrap();
    let forger = bench.twin().start().await;
    for number in 0..301 {
        // If the other one sees it meanwhile, this one is stopped as well.
        if forger.log.append(entry(&format!("second history {number}"))).await.is_err() {
            break;
        }
    }
    let before = witness.log.published().unwrap();
    // It has seen the smaller tree while the other one grew, or sees now that the larger one does not extend its own.
    match witness.log.latest().await {
        Ok(shown) => assert_eq!(
            (shown, witness.log.quarantine().map(Reason::code)),
            (before.clone(), Some("quarantine.put_back"))
        ),
        Err(refused) => assert!(matches!(refused, Error::Unavailable { .. }), "{refused}"),
    }
    assert_eq!(witness.log.published().unwrap(), before, "nothing of the second history is published");
    assert!(witness.log.append(entry("third")).await.is_err(), "the log is quarantined");
    assert_eq!(witness.log.latest().await.unwrap(), before, "reads go on");
    witness.stop().await;
    forger.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_killed_in_the_middle_of_batches_lose_and_repeat_nothing() {
    let bench = Bench::postgres();
    // With clocks that stand still and agree, both replicas would make the same head of the same last entry, and each would take
    // the one that it finds after its connection broke for its own.
    let real = || Arc::new(ClockGuard::new(Arc::new(SystemClock), Arc::new(SystemUptime), Timestamp::from_seconds(0)));
    let (one, two) = (bench.start_guarded(real()).await, bench.twin().start_guarded(real()).await);
    let done = AtomicBool::new(false);
    let replicas = [&one, &two];
    let work = async {
        let answers = hammer(&replicas, 800).await;
        done.store(true, Ordering::SeqCst);
        answers
    };
    let killer = async {
        let mut rounds = 0;
        while !done.load(Ordering::SeqCst) {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'chancery' AND datname = current_database()";
            bench.administer(kill);
            rounds += 1;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        rounds
    };
    let (answers, rounds) = tokio::join!(work, killer);
    assert!(rounds > 3, "{rounds} rounds of killing");
    check_all(&bench, &replicas, &answers).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_restarted_under_load_is_used_again_within_seconds() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let bench = Bench::postgres_on(server);
    let (one, two) = (bench.start().await, bench.twin().start().await);
    let replicas = [&one, &two];
    let restarts = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            tokio::task::spawn_blocking(|| server.restart()).await.unwrap();
            let begun = Instant::now();
            append_with_patience(&one.log, &format!("after the restart {begun:?}")).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    };
    let (answers, ()) = tokio::join!(hammer(&replicas, 2000), restarts);
    for (text, given) in &answers {
        assert!(given.iter().all(|(index, _)| *index == given[0].0), "{text} has one index: {given:?}");
        assert_eq!(two.log.entry(given[0].0).await.unwrap().unwrap().leaf, text.as_bytes());
    }
    assert_eq!(bench.check(&one).await.unwrap(), 2002);
    one.stop().await;
    two.stop().await;
}
