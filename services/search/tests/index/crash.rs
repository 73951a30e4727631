//! Followers that are killed, or dropped in the middle of what they do: the index they leave is whole, and is continued.

use crate::bench::{Bench, Database};
use crate::log::{FakeLog, LOG_ID};
use crate::questions::{ask_everything, catch_up, check};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// The environment variable that makes this program a follower: where its index is.
const FOLLOW: &str = "CHANCERY_TEST_FOLLOW";
/// Entries of the log when a process has done its work.
const ENTRIES: u64 = 2500;
/// How long the processes have for that.
const PATIENCE: Duration = Duration::from_mins(5);

/// Not a test of anything: the process itself, where the environment says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a process is told by its environment what it is")]
async fn follows_where_it_is_told_to() {
    let Ok(address) = std::env::var(FOLLOW) else { return };
    let database = Database::open(&address).await;
    let log = FakeLog::of(0);
    let index = database.index(&log);
    let begun = index.complete_to(LOG_ID).await.unwrap().size;
    log.grow_to(begun + 300);
    let follower = index.follow();
    let mut size = begun;
    while size < ENTRIES {
        log.grow_to((log.size() + 20).min(begun + 900));
        sleep(Duration::from_millis(5)).await;
        size = index.complete_to(LOG_ID).await.unwrap().size;
    }
    follower.abort();
    database.close().await;
}

fn start(address: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::follows_where_it_is_told_to", "--nocapture"]);
    command.env(FOLLOW, address).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Derives what there is so far once more.
async fn check_what_is_left(bench: &Bench) {
    let database = bench.open().await;
    let log = FakeLog::of(0);
    let index = database.index(&log);
    log.grow_to(index.complete_to(LOG_ID).await.unwrap().size);
    assert_eq!(check(&index).await, log.size());
    database.close().await;
}

pub(crate) async fn a_process_that_is_killed_at_any_moment_leaves_an_index_that_is_whole(bench: Bench) {
    // The schema is made once.
    bench.open().await.close().await;
    let (address, begun) = (bench.address(), Instant::now());
    for kill in 0_u64.. {
        assert!(begun.elapsed() < PATIENCE, "no process gets through");
        let mut child = start(&address);
        // Later and later, so that one ends by itself.
        sleep(Duration::from_millis(40 + 7 * kill)).await;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if kill % 8 == 7 {
            check_what_is_left(&bench).await;
        }
    }
    let database = bench.open().await;
    let log = FakeLog::of(0);
    let index = database.index(&log);
    log.grow_to(index.complete_to(LOG_ID).await.unwrap().size + 100);
    catch_up(&index).await;
    assert_eq!(check(&index).await, log.size());
    ask_everything(&index, log.size()).await;
    database.close().await;
}

pub(crate) async fn a_follower_that_is_dropped_between_any_two_steps_leaves_an_index_that_is_whole(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(0));
    let index = database.index(&log);
    for number in 0..120 {
        log.grow_to(log.size() + 23);
        let dropped = timeout(Duration::from_micros(250 * number), index.catch_up(|_, _, _| {})).await;
        assert!(dropped.is_err() || dropped.unwrap().is_ok());
    }
    catch_up(&index).await;
    assert_eq!(check(&index).await, log.size());
    ask_everything(&index, log.size()).await;
    database.close().await;
}
