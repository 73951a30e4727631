//! The load: many connections, each with one request at a time.
//!
//! A closed loop sends the next request when the last one is answered; an open loop sends at a fixed rate and counts the
//! time from when a request was due, so that a server that falls behind cannot hide it. The client speaks just enough
//! HTTP/1.1, because a full client would cost as much CPU as the server.
//!
//! In a closed loop the client never sleeps: to answer somebody on the same machine who sleeps is to wake them, which over a
//! network costs a server nothing and here a fifth of what a timestamp does. In an open loop it sleeps, because what is
//! measured there are the slowest answers: the system has work of its own to do on the client's core. A closed loop may be told to
//! sleep as well, where a part of the server has that core.

use anyhow::{Context as _, ensure};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Connections of an open loop: enough that one is always free.
const OPEN_LOOP_CONNECTIONS: usize = 128;

/// How requests are sent.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// The next request when the last one is answered.
    Closed {
        /// Requests under way at any time.
        connections: usize,
    },
    /// As closed, but the client sleeps while it waits, so that what shares its core can run.
    Sleeping {
        /// Requests under way at any time.
        connections: usize,
    },
    /// At a fixed rate.
    Open {
        /// Requests sent.
        per_second: u64,
    },
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { connections } => write!(f, "{connections} connections"),
            Self::Sleeping { connections } => write!(f, "{connections} sleeping connections"),
            Self::Open { per_second } => write!(f, "{per_second}/s open loop"),
        }
    }
}

/// What came of it.
pub struct Outcome {
    /// Wall time.
    pub seconds: f64,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Outcome {
    /// Requests answered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that this share of the requests stayed below, in milliseconds.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        quantile_of(&self.latencies, quantile).map_or(0.0, Duration::as_secs_f64) * 1e3
    }
}

/// The value that this share of sorted values stays below: the largest for 1. `None` if there are no values.
#[must_use]
pub fn quantile_of<T>(sorted: &[T], quantile: f64) -> Option<&T> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a list")]
    let position = (as_f64(sorted.len()) * quantile) as usize;
    sorted.get(position).or(sorted.last())
}

/// Counts here stay far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
#[must_use]
pub fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Where requests go, in the words of a request's `Host`.
pub fn host(url: &str) -> anyhow::Result<String> {
    Ok(url.strip_prefix("http://").context("the URL is http://host:port")?.trim_end_matches('/').to_owned())
}

/// The request that sends a JSON document to a path, with a bearer token where there is one.
#[must_use]
pub fn post(host: &str, path: &str, token: Option<&str>, document: &str) -> Vec<u8> {
    let length = document.len();
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{document}").into_bytes()
}

/// The request that sends a body of another kind to a path.
#[must_use]
pub fn post_bytes(host: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The request that reads a path.
#[must_use]
pub fn get(host: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

/// Sends every request once and waits for all answers; each must have the expected status. The connections are spread over
/// the hosts in turn.
pub async fn run(hosts: &[String], plan: Plan, requests: Vec<Vec<u8>>, expected: u16) -> anyhow::Result<Outcome> {
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let (connections, pace) = match plan {
        Plan::Closed { connections } | Plan::Sleeping { connections } => (connections, None),
        Plan::Open { per_second } => {
            let interval = Duration::from_secs(1) / u32::try_from(per_second)?;
            (OPEN_LOOP_CONNECTIONS, Some((interval, permits(start, interval, requests.len()))))
        }
    };
    let awake = matches!(plan, Plan::Closed { .. }).then(|| tokio::spawn(stay_awake()));
    let workers: Vec<_> = hosts
        .iter()
        .cycle()
        .take(connections)
        .map(|host| tokio::spawn(work(host.clone(), requests.clone(), expected, next.clone(), start, pace.clone())))
        .collect();
    let mut latencies = Vec::with_capacity(requests.len());
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let seconds = start.elapsed().as_secs_f64();
    if let Some(awake) = awake {
        awake.abort();
    }
    latencies.sort_unstable();
    Ok(Outcome { seconds, latencies })
}

/// Keeps a thread of the load from going to sleep.
async fn stay_awake() {
    loop {
        yield_now().await;
    }
}

/// When a request is due, and permission to send it from then on.
type Pace = (Duration, Arc<Semaphore>);

/// Gives one permit every `interval`, from a thread of its own: tokio's timer knows whole milliseconds only, and would send
/// several requests at once.
fn permits(start: Instant, interval: Duration, count: usize) -> Arc<Semaphore> {
    let permits = Arc::new(Semaphore::new(0));
    let given = permits.clone();
    std::thread::spawn(move || {
        for number in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            std::thread::sleep((start + interval * number).saturating_duration_since(Instant::now()));
            given.add_permits(1);
        }
    });
    permits
}

async fn work(
    host: String,
    requests: Arc<Vec<Vec<u8>>>,
    expected: u16,
    next: Arc<AtomicUsize>,
    start: Instant,
    pace: Option<Pace>,
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(number) else { return Ok(latencies) };
        let due = match &pace {
            Some((interval, permits)) => {
                permits.acquire().await?.forget();
                start + *interval * u32::try_from(number)?
            }
            None => Instant::now(),
        };
        stream.write_all(request).await?;
        let status = read_response(&mut stream, &mut buffer).await?;
        ensure!(status == expected, "request {number} was answered {status}: {}", String::from_utf8_lossy(&buffer));
        latencies.push(due.elapsed());
    }
}

/// Reads one response whole and returns its status.
async fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    let header_end = loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let header = std::str::from_utf8(&buffer[..header_end])?.to_ascii_lowercase();
    let status = header.split(' ').nth(1).context("a status line")?.parse()?;
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a content length")?;
    let end = header_end + length.trim().parse::<usize>()?;
    while buffer.len() < end {
        ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=100).collect();
        let of = |quantile| quantile_of(&values, quantile).copied();
        assert_eq!([of(0.0), of(0.5), of(0.99), of(1.0)], [Some(1), Some(51), Some(100), Some(100)]);
        assert_eq!((quantile_of(&[7], 0.5), quantile_of::<u32>(&[], 0.5)), (Some(&7), None));
    }
}
