//! Logging: one line per event that is readable alone and never holds a token, a body or a mail address.
//!
//! Nothing waits for the reader of standard error: lines wait in a [`queue`] of their own, and are dropped and counted
//! when it is full. So does the message of a panic.

mod queue;

use queue::{Line, Queue};
use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// How long the end of the process waits for the last lines to be read.
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

/// Writes a line for a person to standard error, behind the events of before.
pub fn say(line: &str) {
    match STANDARD_ERROR.get() {
        Some(queue) => queue.push(format!("{line}\n").into_bytes()),
        None => eprintln!("{line}"),
    }
}

/// Waits until all lines are written, or until it is clear that nobody reads them.
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
