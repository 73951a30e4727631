//! The log as text, for people: time, level, module, message and fields, and at the end what it belongs to.
//!
//! `2026-11-21T07:00:00.123Z ERROR chancery_log::append: batch failed error="disk full" [batch rekor entries=3]`
//!
//! A span shows its texts without their names, which are always the same: `[request 7f3a… post /api/v1/log/entries log]`. What
//! the event says itself is not said again.

use super::lines::Told;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use tracing::Level;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const BLUE: &str = "\x1b[34m";
const PLAIN: &str = "\x1b[0m";

/// One event as a line. Pure.
pub(super) fn line(told: &Told, in_colour: bool) -> String {
    let mut line = String::new();
    // Writing into a String cannot fail.
    let _written = write(&mut line, told, |code| if in_colour { code } else { "" });
    line
}

fn write(line: &mut String, told: &Told, paint: impl Fn(&'static str) -> &'static str) -> fmt::Result {
    let Told { time, level, target, message, fields, spans } = told;
    let (dim, colour, plain) = (paint(DIM), paint(colour(*level)), paint(PLAIN));
    write!(line, "{dim}{time}{plain} {colour}{:>5}{plain} {dim}{target}:{plain}", level.as_str())?;
    if let Some(message) = message.as_ref().and_then(Value::as_str) {
        // Nothing in it begins another line.
        write!(line, " {}", message.replace(char::is_control, " "))?;
    }
    for (name, value) in &fields.0 {
        write!(line, " {name}={}", shown(value))?;
    }
    for (name, known) in spans {
        write!(line, " {dim}[{name}")?;
        for (name, value) in known.0.iter().filter(|(name, _)| fields.get(name).is_none()) {
            if value.is_string() {
                write!(line, " {}", shown(value))?;
            } else {
                write!(line, " {name}={}", shown(value))?;
            }
        }
        write!(line, "]{plain}")?;
    }
    line.push('\n');
    Ok(())
}

const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => RED,
        Level::WARN => YELLOW,
        Level::INFO => GREEN,
        Level::DEBUG | Level::TRACE => BLUE,
    }
}

/// A value as one word, or in quotes.
fn shown(value: &Value) -> Cow<'_, str> {
    let Value::String(text) = value else { return value.to_string().into() };
    let is_word = |character: char| !character.is_whitespace() && !character.is_control() && character != '"';
    if !text.is_empty() && text.chars().all(is_word) { text.into() } else { format!("{text:?}").into() }
}

#[cfg(test)]
mod tests {
    use super::super::lines::printed;
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "lines::printed hands it over")]
    fn plain(told: Told) -> String {
        line(&told, false)
    }

    #[test]
    fn a_line_says_everything_once_and_its_spans_last() {
        let lines = printed(
            || {
                let request = tracing::error_span!(
                    "request",
                    request.id = "my.id",
                    method = "post",
                    route = "/api/v1/log/entries",
                    role = tracing::field::Empty,
                    status = tracing::field::Empty,
                );
                // By the role's routes, and by those of a shard below them.
                request.record("role", "log");
                request.record("role", "log");
                request.in_scope(|| {
                    tracing::warn!(code = "token.expired", error = %"the token\nhas \"expired\"", "a request was refused");
                    request.record("status", 503);
                    let batch = tracing::info_span!("batch", log.name = "rekor", entries = 3);
                    batch.in_scope(|| tracing::error!(log.name = "rekor", empty = "", "batch\nfailed"));
                });
                tracing::info!(address = %"127.0.0.1:8080", roles = "ca,log", "ready");
            },
            plain,
        );
        let time = "2026-09-21T14:13:20.123Z";
        let target = module_path!();
        let expected = [
            format!(
                "{time}  WARN {target}: a request was refused code=token.expired \
                 error=\"the token\\nhas \\\"expired\\\"\" [request my.id post /api/v1/log/entries log]\n"
            ),
            format!(
                "{time} ERROR {target}: batch failed log.name=rekor empty=\"\" \
                 [request my.id post /api/v1/log/entries log status=503] [batch entries=3]\n"
            ),
            format!("{time}  INFO {target}: ready address=127.0.0.1:8080 roles=ca,log\n"),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_terminal_gets_colours() {
        let lines = printed(|| tracing::error!("it failed"), |told| line(&told, true));
        assert!(lines[0].contains(&format!("{RED}ERROR{PLAIN}")), "{lines:?}");
    }
}
