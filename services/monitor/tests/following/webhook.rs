//! Webhooks: the three forms of a request, and servers that fail, hang and refuse.

use crate::log::FakeLog;
use crate::world::{LOG, World};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use chancery_monitor::{Alarm, Authorities, HttpClient, Output as _, Round, Webhook, WebhookFormat};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
struct Came {
    path: String,
    content_type: String,
    authorization: Option<String>,
    body: Value,
}

/// A server that answers with these statuses, one after the other, and then with 204. It may refuse one event.
#[derive(Clone, Default)]
struct Server {
    statuses: Arc<Mutex<Vec<u16>>>,
    /// The subject of the event that it answers with 400.
    refused: Arc<Mutex<Option<&'static str>>>,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Server {
    async fn start(statuses: &[u16]) -> (Self, String) {
        let server = Self { statuses: Arc::new(Mutex::new(statuses.to_vec())), ..Self::default() };
        let routes = Router::new().fallback(take).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (server, url)
    }

    fn came(&self) -> Vec<Came> {
        std::mem::take(&mut *self.came.lock().unwrap())
    }

    /// The subjects of the events that came.
    fn subjects(&self) -> Vec<String> {
        self.came().iter().map(|came| came.body["subject"].as_str().unwrap().to_owned()).collect()
    }
}

async fn take(State(server): State<Server>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body: Value = serde_json::from_str(&body).unwrap();
    let is_refused = server.refused.lock().unwrap().is_some_and(|subject| body["subject"] == subject);
    server.came.lock().unwrap().push(Came {
        path: uri.to_string(),
        content_type: header("content-type").unwrap(),
        authorization: header("authorization"),
        body,
    });
    if is_refused {
        return StatusCode::BAD_REQUEST;
    }
    let mut statuses = server.statuses.lock().unwrap();
    let status = if statuses.is_empty() { 204 } else { statuses.remove(0) };
    StatusCode::from_u16(status).unwrap()
}

fn webhook(url: &str, format: WebhookFormat, token: Option<PathBuf>) -> Webhook {
    Webhook::new("pager", url.parse().unwrap(), format, token, HttpClient::new(None, HttpClient::DEADLINE).unwrap())
        .unwrap()
}

fn alarms() -> Vec<Alarm> {
    let alarm = |number: u64| {
        let alarm = json!({
            "id": format!("{number:032}"), "kind": "entry", "severity": "warning", "log": "rekor", "message": "found",
            "found_at": "2026-11-30T00:00:00Z", "watch": "alice", "index": number, "leaf_hash": "ab",
        });
        serde_json::from_value(alarm).unwrap()
    };
    vec![alarm(1), alarm(2)]
}

#[tokio::test]
async fn each_format_is_what_its_receivers_read() {
    let (server, url) = Server::start(&[]).await;
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"secret\n").unwrap();
    let (alarms, url) = (alarms(), format!("{url}/hook?key=value"));
    webhook(&url, WebhookFormat::Json, Some(token.path().to_owned())).deliver(&alarms).await.unwrap();
    let came = server.came();
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].path.as_str(), came[0].content_type.as_str()), ("/hook?key=value", "application/json"));
    assert_eq!(came[0].authorization.as_deref(), Some("Bearer secret"));
    assert_eq!(came[0].body, json!({ "version": 1, "alarms": alarms }));

    webhook(&url, WebhookFormat::CloudEvents, None).deliver(&alarms).await.unwrap();
    let came = server.came();
    assert_eq!((came.len(), &came[0].authorization), (2, &None));
    assert!(came[0].content_type.starts_with("application/cloudevents+json"));
    let expected = json!({
        "specversion": "1.0", "id": alarms[0].id, "source": "/chancery/monitor/rekor", "type": "org.chancery.monitor.entry.v1",
        "time": "2026-11-30T00:00:00Z", "datacontenttype": "application/json", "subject": "1", "data": alarms[0],
    });
    assert_eq!(came[0].body, expected);

    webhook(url.split('?').next().unwrap(), WebhookFormat::Alertmanager, None).deliver(&alarms).await.unwrap();
    let came = server.came();
    assert_eq!((came.len(), came[0].path.as_str()), (1, "/hook/api/v2/alerts"));
    let alert = &came[0].body[1];
    let labels = json!({
        "alertname": "ChanceryMonitorAlarm", "kind": "entry", "severity": "warning", "log": "rekor", "id": alarms[1].id,
        "watch": "alice",
    });
    assert_eq!(alert["labels"], labels);
    assert_eq!(alert["annotations"], json!({ "summary": "found", "index": "2", "leaf_hash": "ab" }));
    assert_eq!(
        (&alert["startsAt"], &alert["endsAt"]),
        (&json!("2026-11-30T00:00:00Z"), &json!("2026-12-01T00:00:00Z"))
    );
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    for (statuses, requests, is_taken) in
        [(vec![503, 429], 3, true), (vec![500; 9], 4, false), (vec![400], 1, false), (vec![302], 1, false)]
    {
        let (server, url) = Server::start(&statuses).await;
        let delivered = webhook(&url, WebhookFormat::Json, None).deliver(&alarms()).await;
        assert_eq!((server.came().len(), delivered.is_ok()), (requests, is_taken), "{statuses:?} {delivered:?}");
        if let Err(undelivered) = delivered {
            let told = undelivered.to_string();
            assert!(told.contains("webhook pager") && told.contains(&statuses[0].to_string()), "{told}");
        }
    }
}

#[tokio::test]
async fn an_alarm_that_is_refused_for_ever_holds_no_later_one_back_and_is_told() {
    let (server, url) = Server::start(&[]).await;
    *server.refused.lock().unwrap() = Some("10");
    let mut world = World::new("[[watch]]\nname = \"all\"\nunreadable = true\n", Authorities::default());
    world.outputs.push(Arc::new(webhook(&url, WebhookFormat::CloudEvents, None)));
    let log = FakeLog::with_leaves(12);
    // Each round is that of another monitor, which knows what the state says.
    let unknown = world.once(&log).await.unknown;
    assert!(unknown.len() == 1 && unknown[0].contains("refuses alarms: it answers with the status 400"), "{unknown:?}");
    let all: Vec<String> = (0..12).map(|index| index.to_string()).collect();
    assert_eq!(server.subjects(), all, "the later one, too, and each once");
    for _ in 0..4 {
        let round = world.once(&log).await;
        assert!(round.alarms == 1 && round.unknown.iter().any(|reason| reason.contains("400")), "{round:?}");
        assert_eq!(server.subjects(), ["10"]);
    }
    // It was put aside: no alarm waits, and still it is told, and sent once by each monitor.
    let (round, statuses) = world.try_once(&log).await.unwrap();
    let is_told = round.unknown.iter().any(|reason| reason.contains("webhook pager has not taken 1 alarm about rekor"));
    assert!(round.alarms == 0 && !round.is_accused && is_told, "{round:?}");
    let status = &statuses.all()[LOG];
    assert_eq!((status.pending, status.refused, server.subjects()), (0, 1, vec!["10".to_owned()]));
    *server.refused.lock().unwrap() = None;
    assert_eq!(world.once(&log).await, Round::default());
    assert_eq!(server.subjects(), ["10"]);
    assert_eq!(world.told().len(), 12);
}

#[tokio::test]
async fn a_server_that_takes_nothing_from_us_refuses_no_alarm() {
    let (server, url) = Server::start(&[401; 9]).await;
    let mut world = World::new("[[watch]]\nname = \"all\"\nunreadable = true\n", Authorities::default());
    world.outputs.push(Arc::new(webhook(&url, WebhookFormat::CloudEvents, None)));
    let log = FakeLog::with_leaves(3);
    for _ in 0..9 {
        let (round, statuses) = world.try_once(&log).await.unwrap();
        assert_eq!((round.alarms, statuses.all()[LOG].refused), (3, 0), "{round:?}");
        // Asked once in a round, for the first.
        assert_eq!(server.subjects(), ["0"]);
    }
    assert_eq!(world.once(&log).await.unknown, Vec::<String>::new());
    assert_eq!(server.subjects(), ["0", "1", "2"]);
}

#[tokio::test]
async fn what_fails_says_how_many_alarms_were_taken_before() {
    for (format, statuses, taken) in [
        (WebhookFormat::CloudEvents, vec![204, 400], 1),
        (WebhookFormat::CloudEvents, vec![400], 0),
        (WebhookFormat::Json, vec![400], 0),
        (WebhookFormat::Alertmanager, vec![400], 0),
    ] {
        let (_server, url) = Server::start(&statuses).await;
        let undelivered = webhook(&url, format, None).deliver(&alarms()).await.unwrap_err();
        assert_eq!(undelivered.taken, taken, "{format:?}: {undelivered}");
        let refused = if format == WebhookFormat::CloudEvents { 1 } else { 2 };
        assert_eq!(undelivered.refused, refused, "those of the request: {format:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_hangs_ends_in_time_and_tells_no_secret() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
    // It takes connections, and says nothing.
    let client = HttpClient::new(None, Duration::from_millis(200)).unwrap();
    let hangs = Webhook::new("pager", url.parse().unwrap(), WebhookFormat::Json, None, client).unwrap();
    let started = Instant::now();
    assert!(hangs.deliver(&alarms()).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(30));
    drop(listener);
    let undelivered = webhook(&url, WebhookFormat::Json, None).deliver(&alarms()).await.unwrap_err();
    assert!(!undelivered.to_string().contains("secret"), "{undelivered}");
    let missing = Some(PathBuf::from("/nowhere/at/all"));
    let undelivered = webhook(&url, WebhookFormat::Json, missing).deliver(&alarms()).await.unwrap_err();
    assert!(undelivered.to_string().contains("/nowhere/at/all"), "{undelivered}");
}

#[test]
fn a_url_is_that_of_a_server() {
    for bad in ["ftp://a.example/", "data:x", "unix:/run/x"] {
        let client = HttpClient::new(None, HttpClient::DEADLINE).unwrap();
        assert!(Webhook::new("x", bad.parse().unwrap(), WebhookFormat::Json, None, client).is_none(), "{bad}");
    }
}
