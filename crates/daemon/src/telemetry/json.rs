//! The log as JSON: one object per line, for programs that collect logs.
//!
//! A line has `time` (RFC 3339), `level`, `target` and `message`. Inside a request it has `request_id`, as the audit log
//! has. `fields` are the event's own; `spans` are the request and the batch around it, the outermost first.

use crate::clock::Clock;
use serde_json::{Map, Value};
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Field of the span around a request; see [`crate::http::named`].
const REQUEST_ID: &str = "request.id";

/// Passes every event to `write`, as a line.
pub(super) struct Lines<C, W> {
    clock: C,
    write: W,
}

impl<C, W> Lines<C, W> {
    pub(super) const fn new(clock: C, write: W) -> Self {
        Self { clock, write }
    }
}

/// The fields of a span or an event.
#[derive(Debug, Clone, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

impl<S, C, W> Layer<S> for Lines<C, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    C: Clock + 'static,
    W: Fn(String) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(fields) = extensions.get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut spans = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            let known = span.extensions().get::<Fields>().cloned().unwrap_or_default();
            spans.push((span.name(), known));
        }
        (self.write)(line(&self.clock.now().rfc3339_millis(), event.metadata(), fields, spans));
    }
}

/// One event as a line. Pure.
fn line(time: &str, metadata: &Metadata<'_>, Fields(mut fields): Fields, spans: Vec<(&'static str, Fields)>) -> String {
    let message = fields.remove("message").unwrap_or_default();
    let request_id = spans.iter().find_map(|(_, Fields(fields))| fields.get(REQUEST_ID).cloned());
    let named = |(name, Fields(mut fields)): (&'static str, Fields)| {
        fields.insert("name".to_owned(), name.into());
        Value::Object(fields)
    };
    let spans: Vec<Value> = spans.into_iter().map(named).collect();
    let members: [(&str, Option<Value>); 7] = [
        ("time", Some(time.into())),
        ("level", Some(metadata.level().as_str().into())),
        ("target", Some(metadata.target().into())),
        ("message", Some(message)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use chancery_verify::Timestamp;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;

    /// The lines that `events` print.
    fn printed(events: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let write = move |line: String| {
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
            written.lock().unwrap().push(serde_json::from_str(&line).unwrap());
        };
        let clock = FixedClock::new(Timestamp::from_millis(1_790_000_000_123));
        let subscriber = tracing_subscriber::registry().with(Lines::new(clock, write));
        tracing::subscriber::with_default(subscriber, events);
        let lines = lines.lock().unwrap();
        lines.clone()
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
