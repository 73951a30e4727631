//! Waiting for what comes by itself: a machine may be slow, and so nothing is demanded at once.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Longest until it is so.
const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Asks until it is so.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(POLL);
    }
}
