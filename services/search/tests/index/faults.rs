//! Logs that are not as they should be.

use crate::bench::Bench;
use crate::log::{FakeLog, LOG_ID, UNPARSED, leaf};
use crate::questions::{catch_up, check};
use chancery_daemon::random::SystemRandom;
use chancery_search::{Error, Finding, Index, Order, State};
use chancery_verify::{merkle, terms};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Waits until the state of the index is one that `is_wanted`.
async fn state(index: &Index, is_wanted: impl Fn(&State) -> bool) -> State {
    let begun = Instant::now();
    loop {
        let state = index.status().first().map(|status| status.state.clone());
        match state {
            Some(state) if is_wanted(&state) => return state,
            state => assert!(begun.elapsed() < Duration::from_mins(1), "{state:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the index covers this many entries.
pub(crate) async fn complete(index: &Index, size: u64) {
    let begun = Instant::now();
    while index.complete_to(LOG_ID).await.unwrap().size < size {
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", index.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn another_tree_than_the_one_that_is_published_stops_it(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(100));
    let index = database.index(&log);
    catch_up(&index).await;
    log.grow_to(200);
    log.is_forked.store(true, Ordering::SeqCst);
    let refused = index.catch_up(|_, _, _| {}).await;
    assert!(matches!(refused, Err(Error::Mismatch { size: 200, .. })), "{refused:?}");
    // A step that ends before the head proves itself by a consistency proof.
    log.grow_to(5000);
    let refused = index.catch_up(|_, _, _| {}).await;
    assert!(matches!(refused, Err(Error::Mismatch { size: 4096, .. })), "{refused:?}");
    let follower = index.follow();
    let State::Stopped(reason) = state(&index, |state| matches!(state, State::Stopped(_))).await else { panic!() };
    assert!(reason.contains("chancery log check") && reason.contains("chancery search rebuild"), "{reason}");
    assert_eq!(index.complete_to(LOG_ID).await.unwrap().size, 100, "nothing of it was indexed");
    let status = index.status().remove(0);
    assert!(status.behind_for.is_some() && (status.indexed, status.published) == (100, 5000), "{status:?}");
    // It goes on when the index is built again.
    log.is_forked.store(false, Ordering::SeqCst);
    database.index(&log).rebuild(|_, _, _| {}).await.unwrap();
    log.grow_to(5100);
    complete(&index, 5100).await;
    state(&index, |state| *state == State::Following).await;
    follower.abort();
    assert_eq!(check(&index).await, 5100);
    database.close().await;
}

pub(crate) async fn a_log_that_is_away_is_followed_when_it_is_back(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(10));
    let index = database.index(&log);
    let follower = index.follow();
    complete(&index, 10).await;
    log.is_away.store(true, Ordering::SeqCst);
    let failing = state(&index, |state| *state != State::Following).await;
    assert_eq!(failing, State::Failing("the log cannot be read: it is away".to_owned()));
    log.is_away.store(false, Ordering::SeqCst);
    log.grow_to(20);
    complete(&index, 20).await;
    state(&index, |state| *state == State::Following).await;
    follower.abort();
    database.close().await;
}

pub(crate) async fn an_entry_that_cannot_be_parsed_is_counted_and_found_by_its_leaf_hash(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(0));
    let index = database.index(&log);
    for size in [UNPARSED - 1, UNPARSED, UNPARSED + 1, 2 * UNPARSED + 3] {
        log.grow_to(size);
        catch_up(&index).await;
        assert_eq!(index.status()[0].problems, size / UNPARSED);
    }
    let size = log.size();
    for unparsed in [UNPARSED - 1, 2 * UNPARSED - 1] {
        let term = terms::of_leaf_hash(&merkle::leaf_hash(&leaf(unparsed)));
        let found = index.postings(LOG_ID, &term, 0..size, Order::Oldest, 9).await.unwrap();
        assert_eq!(found, [unparsed]);
    }
    let problems = index.problems(LOG_ID, 0..size, 9).await.unwrap();
    let indices: Vec<u64> = problems.iter().map(|problem| problem.index).collect();
    assert_eq!(indices, [UNPARSED - 1, 2 * UNPARSED - 1]);
    assert!(problems.iter().all(|problem| !problem.reason.is_empty()));
    let reports = index.check(&SystemRandom, |_, _, _| {}).await.unwrap();
    assert_eq!(reports[0].problems, 2);
    database.close().await;
}

pub(crate) async fn a_log_that_shows_less_than_before_is_waited_for(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(500));
    catch_up(&database.index(&log)).await;
    // As another server may that has not seen the newest head yet.
    let behind = FakeLog::of(300);
    let index = database.index(&behind);
    catch_up(&index).await;
    assert_eq!(index.complete_to(LOG_ID).await.unwrap().size, 500);
    let found = index.check(&SystemRandom, |_, _, _| {}).await.unwrap_err();
    assert!(matches!(found, Finding::Log { .. }), "{found}");
    behind.grow_to(600);
    catch_up(&index).await;
    assert_eq!(check(&index).await, 600);
    // A log that was ended never shows as much again.
    let ended = FakeLog::of(200);
    ended.is_ended.store(true, Ordering::SeqCst);
    let index = database.index(&ended);
    assert_eq!(check(&index).await, 0, "it is not known any more");
    catch_up(&index).await;
    assert_eq!(index.complete_to(LOG_ID).await.unwrap().size, 200);
    assert_eq!(check(&index).await, 200);
    database.close().await;
}
