//! Logging: one line per event, as text or as JSON. A line is readable alone, and never contains a token, a body or an
//! email address.
//!
//! A line about a request has the id of the request, from the span that [`crate::http::named`] puts around it.
//!
//! The process never waits for the reader of standard error. Lines wait in a queue, and are dropped and counted if
//! it is full. The message of a panic goes through the same queue.

mod json;
mod lines;
#[cfg(feature = "otlp")]
mod otlp;
mod queue;
mod text;

#[cfg(feature = "otlp")]
pub use otlp::ExportError;

use crate::clock::SystemClock;
use anstream::{AutoStream, ColorChoice};
use lines::{Lines, Told};
use queue::Queue;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing_subscriber::layer::{Identity, Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Time limit at the end of the process for writing the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// Standard error of this process, once [`init`] was called.
static STANDARD_ERROR: OnceLock<Arc<Queue>> = OnceLock::new();

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Time, level, module, message, fields and spans, for people. In colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object, for programs.
    Json,
}

/// Sends events to standard error: `filter` is a level or a list of `target=level`, e.g. `info` or `warn,chancery_log=debug`.
/// A filter that does not parse falls back to `info`. Calling it again does nothing.
pub fn init(filter: &str, format: Format) {
    start(filter, format, Identity::new());
}

/// As [`init`], and sends the spans that pass the filter to an OpenTelemetry collector: OTLP over HTTP, at the URL
/// `collector`.
///
/// # Errors
/// [`ExportError`] where the URL cannot be used. The log has not begun then.
#[cfg(feature = "otlp")]
pub fn init_with_export(filter: &str, format: Format, collector: &str) -> Result<(), ExportError> {
    start(filter, format, otlp::layer(collector)?);
    Ok(())
}

/// What passes the filter.
type Filtered = Layered<EnvFilter, Registry>;

fn start(filter: &str, format: Format, export: impl Layer<Filtered> + Send + Sync) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let queue = STANDARD_ERROR.get_or_init(|| Queue::start(std::io::stderr(), report));
    let filtered = tracing_subscriber::registry().with(filter).with(export);
    // An error says that the process has a subscriber already.
    let _ = match format {
        Format::Text => {
            let in_colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            let write = move |told: Told| queue.push(text::line(&told, in_colour).into_bytes());
            filtered.with(Lines::new(SystemClock, write)).try_init()
        }
        Format::Json => {
            let write = move |told: Told| queue.push(json::line(told).into_bytes());
            filtered.with(Lines::new(SystemClock, write)).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string().replace('\n', " ");
        tracing::error!(thread = std::thread::current().name(), "{message}");
    }));
}

/// Writes a line for a person to standard error, after all earlier events.
pub fn say(line: &str) {
    match STANDARD_ERROR.get() {
        Some(queue) => queue.push(format!("{line}\n").into_bytes()),
        // Where nobody reads it, nothing can be done: the macro would panic.
        None => drop(writeln!(std::io::stderr().lock(), "{line}")),
    }
}

/// Waits until all lines are written, or until the deadline has passed because standard error is not read.
pub fn flush() {
    #[cfg(feature = "otlp")]
    otlp::flush(FLUSH_DEADLINE);
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
