//! Webhooks: alarms as JSON over HTTP, in one of three forms.
//!
//! | [`WebhookFormat`] | request | specification |
//! |---|---|---|
//! | `Json` | one with all alarms of a delivery: `{"version":1,"alarms":[…]}` | this file, [`Alarm`] |
//! | `CloudEvents` | one for each alarm, in structured mode | `CloudEvents` 1.0, HTTP protocol binding |
//! | `Alertmanager` | one with all alarms, to `/api/v2/alerts` below the URL | Prometheus Alertmanager, API v2 |
//!
//! A request that fails is made again a few times; then its alarms, and those after them, wait. Those of earlier requests are not
//! sent again. So an alarm arrives at least once, and its id says whether it was there before. Alertmanager drops what it knows by
//! itself, because the id is a label. A request that is refused for what is in it (400, 413, 422) says so, because others may be taken.

use crate::alarm::Alarm;
use crate::client::{HttpClient, Posted};
use crate::output::{Delivering, Output, Undelivered};
use chancery_verify::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Requests for one delivery.
const ATTEMPTS: u32 = 4;
/// Before the second request; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A server that asks for a longer pause is asked in the next round.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long an alarm stays with Alertmanager: long enough to be seen by people.
const ALERT_SECONDS: u64 = 24 * 3600;
/// Maximum bytes of a file with a token.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

/// The form in which alarms are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookFormat {
    /// The alarms as they are.
    #[default]
    Json,
    /// `CloudEvents` 1.0.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// Prometheus' Alertmanager.
    Alertmanager,
}

/// A server that is told of alarms.
#[derive(Debug)]
pub struct Webhook {
    name: String,
    url: Url,
    format: WebhookFormat,
    token_file: Option<PathBuf>,
    client: HttpClient,
    first_pause: Duration,
}

/// A request.
struct Message {
    /// How many alarms it has.
    alarms: usize,
    content_type: &'static str,
    body: Value,
}

impl Webhook {
    /// The server at `url`, with the token in a file, which is read again for each delivery. `None` if that is not the URL of a
    /// server.
    #[must_use]
    pub fn new(
        name: &str,
        mut url: Url,
        format: WebhookFormat,
        token_file: Option<PathBuf>,
        client: HttpClient,
    ) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return None;
        }
        if format == WebhookFormat::Alertmanager {
            let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Some(Self { name: format!("webhook {name}"), url, format, token_file, client, first_pause: FIRST_PAUSE })
    }

    fn token(&self) -> Result<Option<String>, Undelivered> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let unreadable = |error: &str| Undelivered::all(format!("{}: {}: {error}", self.name, path.display()));
        let size = fs::metadata(path).map_err(|error| unreadable(&error.to_string()))?.len();
        if size > MAX_TOKEN_BYTES {
            return Err(unreadable("it is too large for a token"));
        }
        let token = fs::read_to_string(path).map_err(|error| unreadable(&error.to_string()))?;
        Ok(Some(token.trim().to_owned()))
    }

    async fn send(&self, message: &Message, token: Option<&str>) -> Result<(), Undelivered> {
        let mut pause = self.first_pause;
        let mut attempt = 1;
        loop {
            let body = message.body.to_string().into_bytes();
            let (told, wait) = match self.client.post(&self.url, message.content_type, token, body).await {
                Posted::Taken => return Ok(()),
                Posted::Barred(told) => return Err(self.undelivered(&told)),
                Posted::Refused(told) => {
                    let reason = format!("{} refuses alarms: {told}", self.name);
                    return Err(Undelivered { refused: message.alarms, ..Undelivered::all(reason) });
                }
                Posted::Later(told, asked) => (told, asked.unwrap_or(pause)),
            };
            if attempt == ATTEMPTS || wait > LONGEST_PAUSE {
                return Err(self.undelivered(&told));
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
            attempt += 1;
        }
    }

    fn undelivered(&self, told: &str) -> Undelivered {
        Undelivered::all(format!("{} has not taken alarms: {told}; they wait", self.name))
    }
}

impl Output for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver<'a>(&'a self, alarms: &'a [Alarm]) -> Delivering<'a> {
        Box::pin(async move {
            let token = self.token()?;
            let mut taken = 0;
            for message in messages(self.format, alarms) {
                let sent = self.send(&message, token.as_deref()).await;
                sent.map_err(|failure| Undelivered { taken, ..failure })?;
                taken += message.alarms;
            }
            Ok(())
        })
    }
}

fn messages(format: WebhookFormat, alarms: &[Alarm]) -> Vec<Message> {
    let whole = |body| vec![Message { alarms: alarms.len(), content_type: "application/json", body }];
    match format {
        WebhookFormat::Json => whole(json!({ "version": 1, "alarms": alarms })),
        WebhookFormat::Alertmanager => whole(alarms.iter().map(alert).collect()),
        WebhookFormat::CloudEvents => {
            let content_type = "application/cloudevents+json; charset=UTF-8";
            let message = |alarm| Message { alarms: 1, content_type, body: event(alarm) };
            alarms.iter().map(message).collect()
        }
    }
}

/// The alarm as an event.
fn event(alarm: &Alarm) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": alarm.id,
        "source": format!("/chancery/monitor/{}", alarm.log),
        "type": format!("org.chancery.monitor.{}.v1", alarm.kind.name()),
        "time": alarm.found_at,
        "datacontenttype": "application/json",
        "data": alarm,
    });
    if let (Some(index), Some(event)) = (alarm.index, event.as_object_mut()) {
        event.insert("subject".to_owned(), index.to_string().into());
    }
    event
}

/// The alarm as an alert. Label values are the operator's own names, but for the id.
fn alert(alarm: &Alarm) -> Value {
    let ends_at = Timestamp::parse_rfc3339(&alarm.found_at).map(|found| found.plus_seconds(ALERT_SECONDS).rfc3339());
    let mut labels = json!({
        "alertname": "ChanceryMonitorAlarm",
        "kind": alarm.kind.name(),
        "severity": alarm.severity,
        "log": alarm.log,
        "id": alarm.id,
    });
    if let (Some(watch), Some(labels)) = (&alarm.watch, labels.as_object_mut()) {
        labels.insert("watch".to_owned(), watch.as_str().into());
    }
    let mut annotations = json!({ "summary": alarm.message });
    if let Some(annotations) = annotations.as_object_mut() {
        let index = alarm.index.map(|index| index.to_string());
        let evidence = alarm.evidence.as_ref().map(|path| path.display().to_string());
        for (name, value) in [("index", index), ("leaf_hash", alarm.leaf_hash.clone()), ("evidence", evidence)] {
            annotations.extend(value.map(|value| (name.to_owned(), value.into())));
        }
    }
    json!({ "labels": labels, "annotations": annotations, "startsAt": alarm.found_at, "endsAt": ends_at })
}
