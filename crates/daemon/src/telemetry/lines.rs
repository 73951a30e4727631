//! Events as they become lines: each with its own fields and those of the spans around it.
//!
//! Not how a line looks; that is [`super::text`] and [`super::json`].

use crate::clock::Clock;
use serde_json::Value;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Passes every event to `write`.
pub(super) struct Lines<C, W> {
    clock: C,
    write: W,
}

impl<C, W> Lines<C, W> {
    pub(super) const fn new(clock: C, write: W) -> Self {
        Self { clock, write }
    }
}

/// An event, with everything that a line says about it.
pub(super) struct Told {
    /// RFC 3339, with milliseconds.
    pub(super) time: String,
    pub(super) level: Level,
    pub(super) target: &'static str,
    /// `None` for an event that is only fields.
    pub(super) message: Option<Value>,
    pub(super) fields: Fields,
    /// The spans around it by name, the outermost first.
    pub(super) spans: Vec<(&'static str, Fields)>,
}

/// The fields of a span or an event, in the order in which they were recorded. Each is there once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(pub(super) Vec<(&'static str, Value)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(position).1)
    }

    /// What is recorded again takes the place of what there was.
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        let (name, value) = (field.name(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => *before = value,
            None => self.0.push((name, value)),
        }
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
    W: Fn(Told) + 'static,
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
        let metadata = event.metadata();
        (self.write)(Told {
            time: self.clock.now().rfc3339_millis(),
            level: *metadata.level(),
            target: metadata.target(),
            message: fields.take("message"),
            fields,
            spans,
        });
    }
}

/// What `line` makes of each of these events, which happen at 1,790,000,000,123 ms.
#[cfg(test)]
pub(super) fn printed(events: impl FnOnce(), line: fn(Told) -> String) -> Vec<String> {
    use crate::clock::FixedClock;
    use chancery_verify::Timestamp;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;

    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&lines);
    let write = move |told: Told| {
        let line = line(told);
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
        written.lock().unwrap().push(line);
    };
    let clock = FixedClock::new(Timestamp::from_millis(1_790_000_000_123));
    let subscriber = tracing_subscriber::registry().with(Lines::new(clock, write));
    tracing::subscriber::with_default(subscriber, events);
    let lines = lines.lock().unwrap();
    lines.clone()
}
