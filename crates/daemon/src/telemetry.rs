//! Logging: one line per event that is readable alone and never holds a token, a body or a mail address.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Sends events to standard error: `filter` is a level or a list of `target=level`, e.g. `info` or `warn,chancery_log=debug`.
/// A filter that does not parse falls back to `info`. Calling it again does nothing.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
