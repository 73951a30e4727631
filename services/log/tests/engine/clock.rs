//! a log dates nothing by a clock in doubt, and goes on by itself when the clock is right.

use crate::bench::{Bench, Running, START, entry, verify};
use chancery_daemon::clock::{ClockFault, FixedUptime};
use chancery_log::quarantine::Obstacle;
use chancery_log::{Error, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MONTH: u64 = 30 * 86_400;

/// A bench whose clock can jump, and what time really passes by.
fn watched(mut bench: Bench) -> (Bench, Arc<FixedUptime>) {
    let uptime = Arc::new(FixedUptime::default());
    bench.uptime = Some(uptime.clone());
    (bench, uptime)
}

async fn logged(running: &Running, text: &str) -> chancery_log::Receipt {
    match running.log.append(entry(text)).await.unwrap() {
        Outcome::Logged(receipt) => receipt,
        again @ Outcome::AlreadyLogged { .. } => panic!("{again:?}"),
    }
}

/// Thirty days ahead for a few seconds: nothing is committed or signed meanwhile, and nothing is refused after.
pub(crate) async fn a_clock_that_jumps_ahead_dates_nothing_and_is_believed_when_it_is_right(bench: Bench) {
    let (bench, uptime) = watched(bench);
    let running = bench.start().await;
    logged(&running, "before").await;
    let (head, shown) = (running.database.store().head(1).await.unwrap(), running.log.published().unwrap());
    let checkpoints = async |running: &Running| running.database.store().checkpoints(1, None, 100).await.unwrap();
    let stored = checkpoints(&running).await;
    bench.clock.set(START.plus_seconds(MONTH));
    for number in 0..3 {
        let refused = running.log.append(entry(&format!("ahead {number}"))).await.unwrap_err();
        assert!(matches!(refused, Error::Clock(ClockFault::Ahead { seconds: MONTH })), "{refused}");
    }
    // Longer than an idle log waits until it looks at its database.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let obstacle = running.log.obstacle().unwrap();
    assert!(matches!(&obstacle, Obstacle::Clock { fault: ClockFault::Ahead { seconds: MONTH }, .. }), "{obstacle}");
    let said = obstacle.to_string();
    assert!(said.starts_with("the rekor log takes no entries and dates nothing (clock.ahead): "), "{said}");
    verify(&running.log.entry(0).await.unwrap().unwrap(), &running, &bench.signer);
    assert_eq!(running.log.latest().await.unwrap(), shown, "nothing is signed");
    assert_eq!(running.database.store().head(1).await.unwrap(), head, "nothing is committed");
    assert_eq!(checkpoints(&running).await, stored, "nothing is stored");

    bench.clock.set(START.plus_seconds(5));
    uptime.set(Duration::from_secs(5));
    assert_eq!(running.log.obstacle(), None);
    let receipt = logged(&running, "after").await;
    assert_eq!((receipt.index, receipt.timestamp), (1, START.plus_seconds(5)));
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;
    let running = bench.start().await;
    assert_eq!(logged(&running, "after a restart").await.index, 2);
    running.stop().await;
}

/// A clock that is behind what was signed is refused; set right, it has jumped, and that is no fault.
pub(crate) async fn a_clock_that_was_behind_at_the_start_may_be_set_right(bench: Bench) {
    let (bench, uptime) = watched(bench);
    let running = bench.start().await;
    logged(&running, "first").await;
    running.stop().await;
    // Set back by an hour while nothing ran.
    bench.clock.set(START.minus_seconds(3600));
    let running = bench.start().await;
    let refused = running.log.append(entry("behind")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { seconds: 3600 })), "{refused}");
    bench.clock.set(START.plus_seconds(1));
    uptime.set(Duration::from_secs(1));
    assert_eq!(logged(&running, "right").await.timestamp, START.plus_seconds(1));
    // The next jump is one.
    bench.clock.set(START.plus_seconds(3600));
    let refused = running.log.append(entry("ahead")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Ahead { seconds: 3599 })), "{refused}");
    bench.clock.set(START.plus_seconds(1));
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;
}

/// A log that was written while the clock was ahead dates nothing until the clock has come there. Frozen, it is in nobody's way.
pub(crate) async fn a_log_of_the_future_dates_nothing_and_is_no_obstacle_once_it_is_frozen(bench: Bench) {
    let running = bench.start().await;
    logged(&running, "right").await;
    bench.clock.set(START.plus_seconds(MONTH));
    logged(&running, "a month ahead").await;
    running.stop().await;
    bench.clock.set(START.plus_seconds(60));
    let guard = bench.guard();
    let running = bench.start_guarded(guard.clone()).await;
    let refused = running.log.append(entry("now")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Behind { .. })), "{refused}");
    assert!(matches!(guard.check(), Err(ClockFault::Behind { .. })), "no role of the process dates anything");
    running.database.store().freeze(1, START).await.unwrap();
    running.stop().await;
    let guard = bench.guard();
    let running = bench.start_guarded(guard.clone()).await;
    assert!(running.log.is_frozen());
    assert_eq!(running.log.obstacle(), None, "it takes no entries, whatever the time");
    assert_eq!(guard.check(), Ok(START.plus_seconds(60)), "the other roles go on");
    running.stop().await;
}

/// A replica that began with a clock a month ahead sees by the others' entries that it is wrong, before it dates one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_began_ahead_is_found_out_by_the_others() {
    let right = Bench::postgres();
    let (wrong, uptime) = watched(right.twin());
    wrong.clock.set(START.plus_seconds(MONTH));
    let (one, two) = (right.start().await, wrong.start().await);
    let begun = Instant::now();
    let mut written = 0;
    while two.log.obstacle().is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1));
        logged(&one, &format!("right {written}")).await;
        written += 1;
        uptime.set(begun.elapsed());
        wrong.clock.set(START.plus_seconds(MONTH + begun.elapsed().as_secs()));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let obstacle = two.log.obstacle().unwrap();
    assert!(matches!(obstacle, Obstacle::Clock { fault: ClockFault::Disputed { .. }, .. }), "{obstacle}");
    assert!(obstacle.to_string().contains("(clock.disputed)"), "{obstacle}");
    let refused = two.log.append(entry("a month ahead")).await.unwrap_err();
    assert!(matches!(refused, Error::Clock(ClockFault::Disputed { .. })), "{refused}");
    logged(&one, "the others go on").await;
    assert_eq!(one.log.obstacle(), None);
    // It has signed checkpoints with the wrong time, so that it is corrected with a restart.
    two.stop().await;
    wrong.clock.set(START.plus_seconds(1));
    let two = wrong.start().await;
    assert_eq!(logged(&two, "corrected").await.index, written + 1);
    assert_eq!(right.check(&one).await.unwrap(), written + 2);
    one.stop().await;
    two.stop().await;
}
