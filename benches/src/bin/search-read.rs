//! What searches of a real log cost: of entries that were signed and logged, answered by a server that reads and verifies them.
//!
//! Against a running `chancery dev` over a log that `rekor-write` has filled. If the index is behind at first, says how fast it catches
//! up. How the index answers over many more entries is measured by `search-index`, over synthetic ones.
//!
//! ```text
//! search-read --url http://127.0.0.1:8080 --pid PID --out results.json
//! ```

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_benches::draw::scattered;
use chancery_benches::lag::{behind, wait_until_complete};
use chancery_benches::load::{Plan, as_f64, get, host, post};
use chancery_benches::measure::{Out, Row, Target};
use clap::Parser;
use serde_json::{Value, json};
use std::time::Instant;

/// Digests that are asked for.
const DIGESTS: u64 = 1000;

/// Measure searches of a Rekor log against a running development server
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Requests of each kind
    #[arg(long, default_value_t = 3000)]
    requests: usize,
    /// Batches of 1,000 digests
    #[arg(long, default_value_t = 100)]
    batches: usize,
    /// Connections, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    connections: Vec<usize>,
    #[command(flatten)]
    out: Out,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (target, url) = (&arguments.target, arguments.target.url.as_str());
    catch_up(url).await?;
    let (digests, size) = digests(url).await?;
    verify(url, digests.first().context("digests")?).await?;
    let host = host(url)?;
    let each = |path: &str| -> Vec<Vec<u8>> {
        let digests = digests.iter().cycle().take(arguments.requests);
        digests.map(|digest| get(&host, &format!("{path}{digest}"))).collect()
    };
    let page = get(&host, "/api/search?identity=bench@example.test&log=rekor");
    let batch = post(&host, "/api/search/digests", None, &json!({ "digests": digests }).to_string());
    let loads = [
        ("artifacts/, verified; asked p99 30", each("/api/artifacts/")),
        ("exact digest; asked p99 10", each("/api/search?digest=")),
        ("page of 50 of an identity; asked p99 50", vec![page; arguments.requests.div_ceil(4)]),
        ("1,000 digests; asked p99 250", vec![batch; arguments.batches]),
    ];
    println!("a log of {size} leaves\n");
    println!("| load | requests/s | median ms | p99 ms | p99.9 ms | server us | database us | MiB |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut rows = Vec::new();
    for (name, requests) in loads {
        for connections in arguments.connections.iter().copied() {
            let row = target.measure(name, Plan::Closed { connections }, requests.clone(), 200).await?;
            println!("{}", cells(&row));
            rows.push(row);
        }
    }
    arguments.out.write(&rows)
}

fn cells(row: &Row) -> String {
    format!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} |",
        row.load,
        row.per_second,
        row.median_ms,
        row.p99_ms,
        row.p999_ms,
        row.server_us,
        row.database_us,
        row.server_memory_mib
    )
}

/// Waits until the index has caught up.
async fn catch_up(url: &str) -> anyhow::Result<()> {
    let (behind, start) = (behind(url).await?, Instant::now());
    if behind > 0 {
        let seconds = wait_until_complete(url).await?.saturating_duration_since(start).as_secs_f64();
        let per_second = as_f64(usize::try_from(behind)?) / seconds.max(0.001);
        println!("{behind} entries behind, which took {seconds:.1} s: {per_second:.0} entries/s\n");
    }
    Ok(())
}

/// Digests of entries all over the log, as `sha256:…`, and the size of the log.
async fn digests(url: &str) -> anyhow::Result<(Vec<String>, u64)> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let info = read(&client, &format!("{url}/api/v1/log")).await?;
    let size = info["treeSize"].as_u64().context("the log states its size")?;
    // Entry 0 is the log's own.
    ensure!(size > 1, "the log has no entries; add some with rekor-write");
    let mut digests = Vec::new();
    for number in 0..DIGESTS {
        let index = 1 + scattered(number) % (size - 1);
        let entries = read(&client, &format!("{url}/api/v1/log/entries?logIndex={index}")).await?;
        let entry = entries.as_object().and_then(|entries| entries.values().next()).context("an entry")?;
        let body: Value = serde_json::from_slice(&STANDARD.decode(entry["body"].as_str().context("a body")?)?)?;
        let digest = body.pointer("/spec/data/hash/value").and_then(Value::as_str).context("a hashedrekord")?;
        digests.push(format!("sha256:{digest}"));
    }
    Ok((digests, size))
}

/// Demands that the server verifies what it finds: otherwise the measurement would be of less than was asked.
async fn verify(url: &str, digest: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = read(&client, &format!("{url}/api/artifacts/{digest}")).await?;
    ensure!(answer["signatures"][0]["verdict"] == "verified", "{digest} is answered with {answer}");
    Ok(())
}

async fn read(client: &reqwest::Client, url: &str) -> anyhow::Result<Value> {
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}
