//! The description of a monitor's paths.

use super::TEXT_TYPE;
use chancery_daemon::http::openapi::{Content, Document, Operation, pattern};

/// Describes every path of a monitor.
pub fn describe(document: &mut Document) {
    let mut group = document.group(
        "Monitor",
        "What a monitor has seen, in a process of its own (`chancery monitor --listen`), as witnesses show it: the reading part of \
         C2SP tlog-witness.",
    );
    let text = || [Content::text(TEXT_TYPE)];
    let checkpoint =
        Operation::get("getProvedCheckpoint", "The newest checkpoint of a log that extends all earlier ones.")
            .path("origin", pattern("^[0-9a-f]{64}$"), "SHA-256 of the log's origin, in hexadecimal.")
            .answer(200, "A signed note.", text())
            .readable_anywhere()
            .answer(400, "The path is not UTF-8.", text())
            .answer(404, "No log with such an origin is followed.", text());
    group.add("/{origin}/checkpoint", checkpoint);
    let about = Operation::get("getMonitor", "The logs that are followed, with the sizes of their trees.");
    group.add("/", about.answer(200, "Lines of text.", text()));
}
