//! How far the search index of a server is behind a log that is being written to, in seconds: an entry that was published at some moment
//! is found so much later.

use crate::load::quantile_of;
use anyhow::Context as _;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Time between looks.
const PERIOD: Duration = Duration::from_millis(50);
/// Fewer entries are caught up with in a moment, of which no rate can be said.
const FEW: u64 = 1000;

/// The first lines of a table of [`Lag`]s.
pub const HEADING: &str = "| load | seconds behind: median | p99 | most | entries behind at the end | then caught up, entries/s |\n\
     |---|---|---|---|---|---|";

/// Sizes at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    published: u64,
    indexed: u64,
}

/// A server that is looked at again and again.
pub struct Watch {
    url: String,
    is_over: Arc<AtomicBool>,
    looks: JoinHandle<anyhow::Result<Vec<Look>>>,
}

/// How far it was behind.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    median_s: f64,
    p99_s: f64,
    most_s: f64,
    behind: u64,
    caught_up_s: f64,
}

impl Watch {
    /// Begins to look at the log of Rekor v1.
    #[must_use]
    pub fn start(url: &str) -> Self {
        let (url, is_over) = (url.to_owned(), Arc::new(AtomicBool::new(false)));
        let looks = tokio::spawn(watch(url.clone(), Arc::clone(&is_over)));
        Self { url, is_over, looks }
    }

    /// Ends, and waits until everything is indexed.
    pub async fn finish(self) -> anyhow::Result<Lag> {
        self.is_over.store(true, Ordering::Relaxed);
        let looks = self.looks.await??;
        let last = looks.last().context("it was looked at")?;
        let complete = wait_until_complete(&self.url).await?;
        let mut lags: Vec<f64> = looks.iter().map(|look| lag(&looks, look)).collect();
        lags.sort_unstable_by(f64::total_cmp);
        let quantile = |quantile: f64| quantile_of(&lags, quantile).copied().unwrap_or_default();
        Ok(Lag {
            median_s: quantile(0.5),
            p99_s: quantile(0.99),
            most_s: quantile(1.0),
            behind: last.published.saturating_sub(last.indexed),
            caught_up_s: complete.saturating_duration_since(last.at).as_secs_f64(),
        })
    }
}

impl Lag {
    /// The row of the table below [`HEADING`].
    #[must_use]
    pub fn row(&self, load: &str) -> String {
        let rate =
            if self.behind < FEW { "-".to_owned() } else { format!("{:.0}", rate(self.behind, self.caught_up_s)) };
        let Self { median_s, p99_s, most_s, behind, .. } = self;
        format!("| {load} | {median_s:.2} | {p99_s:.2} | {most_s:.2} | {behind} | {rate} |")
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn rate(entries: u64, seconds: f64) -> f64 {
    entries as f64 / seconds
}

async fn watch(url: String, is_over: Arc<AtomicBool>) -> anyhow::Result<Vec<Look>> {
    let client = client()?;
    let mut looks = Vec::new();
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        looks.push(look(&client, &url).await?);
        if is_last {
            return Ok(looks);
        }
        sleep(PERIOD).await;
    }
}

/// How long ago the log was no larger than what is indexed at this look.
fn lag(looks: &[Look], look: &Look) -> f64 {
    if look.indexed >= look.published {
        return 0.0;
    }
    let known = looks.iter().rev().find(|before| before.at <= look.at && before.published <= look.indexed);
    // At first nothing is known of before.
    let since = known.or(looks.first()).map_or(look.at, |known| known.at);
    look.at.saturating_duration_since(since).as_secs_f64()
}

/// Waits until everything is indexed that is published, and returns the moment.
pub async fn wait_until_complete(url: &str) -> anyhow::Result<Instant> {
    let client = client()?;
    loop {
        let now = look(&client, url).await?;
        if now.indexed >= now.published {
            return Ok(now.at);
        }
        sleep(PERIOD).await;
    }
}

/// Entries of the log that are not indexed now.
pub async fn behind(url: &str) -> anyhow::Result<u64> {
    let now = look(&client()?, url).await?;
    Ok(now.published.saturating_sub(now.indexed))
}

/// Loopback, whatever proxies the environment names.
fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

async fn look(client: &reqwest::Client, url: &str) -> anyhow::Result<Look> {
    let info = get(client, &format!("{url}/api/v1/log")).await?;
    let published = info["treeSize"].as_u64().context("the log states its size")?;
    let answer = get(client, &format!("{url}/api/search?log=rekor&limit=1")).await?;
    let indexed = answer["complete_to"][0]["size"].as_u64().context("the index states its size")?;
    Ok(Look { at: Instant::now(), published, indexed })
}

async fn get(client: &reqwest::Client, url: &str) -> anyhow::Result<Value> {
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_behind_since_the_log_had_what_it_has() {
        let start = Instant::now();
        let look = |after_ms: u64, published, indexed| Look {
            at: start + Duration::from_millis(after_ms),
            published,
            indexed,
        };
        let looks = [look(0, 10, 10), look(100, 20, 10), look(200, 30, 20), look(300, 30, 25), look(400, 30, 30)];
        let lags: Vec<f64> = looks.iter().map(|look| lag(&looks, look)).collect();
        for (lag, expected) in lags.iter().zip([0.0, 0.1, 0.1, 0.2, 0.0]) {
            assert!((lag - expected).abs() < 1e-9, "{lags:?}");
        }
    }
}
