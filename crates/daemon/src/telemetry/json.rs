//! The log as JSON: one object per line, for programs that collect logs.
//!
//! A line has `time` (RFC 3339), `level`, `target` and `message`. Inside a request it has `request_id`, as the audit log
//! has. `fields` are the event's own; `spans` are the request and the batch around it, the outermost first.

use super::lines::{Fields, Told};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Field of the span around a request; see [`crate::http::named`].
const REQUEST_ID: &str = "request.id";

/// One event as a line. Pure.
pub(super) fn line(told: Told) -> String {
    let Told { time, level, target, message, fields, spans } = told;
    let request_id = spans.iter().find_map(|(_, fields)| fields.get(REQUEST_ID).cloned());
    let named = |(name, fields): (&'static str, Fields)| {
        let mut fields = object(fields);
        fields.insert("name".to_owned(), name.into());
        Value::Object(fields)
    };
    let fields = object(fields);
    let spans: Vec<Value> = spans.into_iter().map(named).collect();
    let members: [(&str, Option<Value>); 7] = [
        ("time", Some(time.into())),
        ("level", Some(level.as_str().into())),
        ("target", Some(target.into())),
        ("message", Some(message.unwrap_or_default())),
        ("request_id", request_id),
        ("fields", (!fields.is_empty()).then_some(Value::Object(fields))),
        ("spans", (!spans.is_empty()).then_some(Value::Array(spans))),
    ];
    let mut line = String::new();
    for (name, value) in members {
        if let Some(value) = value {
            let separator = if line.is_empty() { '{' } else { ',' };
            // Writing into a String cannot fail.
            let _written = write!(line, "{separator}\"{name}\":{value}");
        }
    }
    line.push_str("}\n");
    line
}

fn object(Fields(fields): Fields) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;
    use chancery_verify::Timestamp;

    /// The lines that `events` print.
    fn printed(events: impl FnOnce()) -> Vec<Value> {
        lines::printed(events, line).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_object_with_the_id_of_its_request() {
        let lines = printed(|| {
            let request = tracing::error_span!("request", request.id = "my.id", status = tracing::field::Empty);
            request.record("status", 503);
            request.in_scope(|| {
                let batch = tracing::info_span!("batch", entries = 3);
                let error = std::io::Error::other("disk \"full\"\nreally");
                batch.in_scope(|| tracing::error!(log.name = "rekor", %error, entries = 2_u64, "batch failed"));
            });
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            *line,
            serde_json::json!({
                "time": Timestamp::from_millis(1_790_000_000_123).rfc3339_millis(),
                "level": "ERROR",
                "target": module_path!(),
                "message": "batch failed",
                "request_id": "my.id",
                "fields": { "log.name": "rekor", "error": "disk \"full\"\nreally", "entries": 2 },
                "spans": [
                    { "name": "request", "request.id": "my.id", "status": 503 },
                    { "name": "batch", "entries": 3 },
                ],
            })
        );
    }

    #[test]
    fn outside_a_request_there_is_no_id() {
        let lines = printed(|| tracing::info!("ready"));
        let names: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(["time", "level", "target", "message"].iter().all(|name| names.contains(name)), "{names:?}");
    }
}
