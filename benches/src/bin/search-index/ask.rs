//! Asks the index: over HTTP, from a server in this process, and directly. The first questions of a process are told apart, because they
//! find nothing in its caches. Every answer is compared with what the logs hold, after its time was taken.

use crate::log::{SyntheticLog, sources};
use crate::questions::{Asked, Question};
use anyhow::{Context as _, ensure};
use axum::serve::ListenerExt as _;
use chancery_benches::load::quantile_of;
use chancery_daemon::clock::SystemClock;
use chancery_search::store::Store;
use chancery_search::{Asking, Index, http};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Questions of each kind that are the first ones.
const FIRST: u64 = 20;
/// Numbers of questions, so that none is asked twice.
const WARM: u64 = 1 << 20;
const DIRECT: u64 = 1 << 21;

/// Times, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Milliseconds that this share of the times stayed below.
    fn quantile_ms(&self, quantile: f64) -> f64 {
        quantile_of(&self.0, quantile).map_or(0.0, Duration::as_secs_f64) * 1e3
    }

    fn cells(&self) -> String {
        format!("{:.2} | {:.2}", self.quantile_ms(0.5), self.quantile_ms(0.99))
    }
}

/// Where questions go.
struct Server {
    url: String,
    client: reqwest::Client,
    index: Index,
}

impl Server {
    async fn start(index: Index) -> anyhow::Result<Self> {
        let routes = http::router(Asking::new(index.clone(), Arc::new(|| None), Arc::new(SystemClock)));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { url, client: reqwest::Client::builder().no_proxy().build()?, index })
    }

    async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Duration> {
        let (path, body) = asked.request()?;
        let url = format!("{}{path}", self.url);
        let request = match &body {
            Some(body) => self.client.post(&url).json(body),
            None => self.client.get(&url),
        };
        let start = Instant::now();
        let response = request.send().await?;
        let (status, text) = (response.status(), response.bytes().await?);
        let time = start.elapsed();
        ensure!(status.is_success(), "{path} was answered {status}: {}", String::from_utf8_lossy(&text));
        let answer: Value = serde_json::from_slice(&text)?;
        asked.verify(&answer).with_context(|| path)?;
        Ok(time)
    }
}

/// Asks `requests` questions of each kind, and prints a table.
pub(crate) async fn ask(store: Arc<dyn Store>, logs: &[Arc<SyntheticLog>], requests: u64) -> anyhow::Result<()> {
    let index = Index::new(store, sources(logs));
    for log in logs {
        let (kind, size) = (log.entries.kind, log.entries.size);
        let indexed = index.complete_to(kind.log_id()).await?.size;
        ensure!(indexed == size, "{indexed} of {size} entries of {} are indexed; build the index first", kind.name());
    }
    let server = Server::start(index).await?;
    let mut first = Vec::new();
    for question in Question::ALL {
        first.push(asked_over_http(&server, logs, question, 0, FIRST).await?);
    }
    println!(
        "| question | index alone: median ms | p99 ms | HTTP: median ms | p99 ms | asked ms | first: median ms | most |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (question, first) in Question::ALL.into_iter().zip(first) {
        let warm = asked_over_http(&server, logs, question, WARM, requests).await?;
        let direct = asked_directly(&server, logs, question, requests).await?;
        let direct = direct.map_or_else(|| "- | -".to_owned(), |times| times.cells());
        let is_missed = warm.quantile_ms(0.99) > f64::from(question.asked_ms());
        println!(
            "| {} | {direct} | {} | {}{} | {:.2} | {:.2} |",
            question.name(),
            warm.cells(),
            question.asked_ms(),
            if is_missed { ", **missed**" } else { "" },
            first.quantile_ms(0.5),
            first.quantile_ms(1.0),
        );
    }
    Ok(())
}

async fn asked_over_http(
    server: &Server,
    logs: &[Arc<SyntheticLog>],
    question: Question,
    from: u64,
    requests: u64,
) -> anyhow::Result<Times> {
    let mut times = Vec::new();
    for number in from..from + (requests / question.share()).max(1) {
        times.push(server.ask(&Asked { question, number, logs }).await?);
    }
    Ok(Times::of(times))
}

async fn asked_directly(
    server: &Server,
    logs: &[Arc<SyntheticLog>],
    question: Question,
    requests: u64,
) -> anyhow::Result<Option<Times>> {
    let mut times = Vec::new();
    for number in DIRECT..DIRECT + (requests / question.share()).max(1) {
        let start = Instant::now();
        if !(Asked { question, number, logs }).ask_index(&server.index).await? {
            return Ok(None);
        }
        times.push(start.elapsed());
    }
    Ok(Some(Times::of(times)))
}
