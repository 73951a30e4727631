//! Logging: one line per event. A line is readable alone, and never contains a token, a body or an email address.
//!
//! The process never waits for the reader of standard error. Lines wait in a queue, and are dropped and counted if
//! it is full. The message of a panic goes through the same queue.

mod queue;

use queue::{Line, Queue};
use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Time limit at the end of the process for writing the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// Standard error of this process, once [`init`] was called.
static STANDARD_ERROR: OnceLock<Arc<Queue>> = OnceLock::new();

/// Sends events to standard error: `filter` is a level or a list of `target=level`, e.g. `info` or `warn,chancery_log=debug`.
/// A filter that does not parse falls back to `info`. Calling it again does nothing.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let queue = STANDARD_ERROR.get_or_init(|| Queue::start(std::io::stderr(), report));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Line::of(queue))
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string().replace('\n', " ");
        tracing::error!(thread = std::thread::current().name(), "{message}");
    }));
}

/// Writes a line for a person to standard error, after all earlier events.
pub fn say(line: &str) {
    match STANDARD_ERROR.get() {
        Some(queue) => queue.push(format!("{line}\n").into_bytes()),
        None => eprintln!("{line}"),
    }
}

/// Waits until all lines are written, or until the deadline has passed because standard error is not read.
pub fn flush() {
    if let Some(queue) = STANDARD_ERROR.get() {
        queue.flush(FLUSH_DEADLINE);
    }
}

/// Lines that were dropped since the start because standard error was not read in time.
#[must_use]
pub fn dropped_lines() -> u64 {
    STANDARD_ERROR.get().map_or(0, |queue| queue.dropped())
}

fn report(lines: u64) {
    tracing::warn!(lines, "log lines were dropped: standard error was not read in time");
}
