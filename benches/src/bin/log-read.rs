//! What reading a log costs: its checkpoint, its tiles and bundles, entries with their proofs.
//!
//! Against a running `chancery dev`, usually over a large log made with `build-log`. Positions are drawn evenly over the
//! whole log, so that what is cached is what a cache of the server's size can hold; `hot` asks for the same few again.
//!
//! ```text
//! cargo run --release -p chancery-benches --bin log-read -- --url http://127.0.0.1:8080 --pid PID --out results.json
//! ```

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_benches::draw::scattered;
use chancery_benches::load::{Plan, get, host};
use chancery_benches::measure::{Out, Row, Target};
use chancery_verify::tile::{FULL_WIDTH, TilePath};
use clap::Parser;
use serde_json::Value;

/// Connections of every load.
const CONNECTIONS: usize = 32;
/// Tiles that are asked for again and again.
const HOT: u64 = 64;
/// Entry bundles that are; they are forty times as large.
const HOT_BUNDLES: u64 = 16;

/// Measure reads of a Rekor log, and proofs of a certificate log, against a running development server
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Requests of each kind
    #[arg(long, default_value_t = 50_000)]
    requests: u64,
    /// Only loads whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    out: Out,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let target = &arguments.target;
    let host = host(&target.url)?;
    let info: Value = reqwest::get(format!("{}/api/v1/log", target.url)).await?.error_for_status()?.json().await?;
    let size = info["treeSize"].as_u64().context("the log states its size")?;
    let full = size / u64::from(FULL_WIDTH);
    anyhow::ensure!(full > 0, "the log has no full tile; add entries with build-log");
    let tile = |level: Option<u8>, index: u64| {
        let path = TilePath { level, index, width: FULL_WIDTH };
        format!("/tlog/rekor/{path}")
    };
    println!("a log of {size} leaves\n");
    println!(
        "| load | requests/s | median ms | p99 ms | p99.9 ms | server us | database us | requests/s and core | MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut rows: Vec<Row> = Vec::new();
    let loads: [(&str, &dyn Fn(u64) -> String); 7] = [
        ("checkpoint", &|_| "/tlog/rekor/checkpoint".to_owned()),
        ("hash tile, hot", &|number| tile(Some(0), number % HOT % full)),
        ("hash tile, any", &|number| tile(Some(0), scattered(number) % full)),
        ("entry bundle, hot", &|number| tile(None, number % HOT_BUNDLES % full)),
        ("entry with proof and promise", &|number| {
            format!("/api/v1/log/entries?logIndex={}", scattered(number) % size)
        }),
        ("consistency proof", &|number| {
            format!("/api/v1/log/proof?firstSize={}&lastSize={size}", 1 + scattered(number) % (size - 1))
        }),
        ("log info", &|_| "/api/v1/log".to_owned()),
    ];
    for (name, path) in loads.into_iter().filter(|(name, _)| name.contains(&arguments.only)) {
        let requests = (0..arguments.requests).map(|number| get(&host, &path(number))).collect();
        rows.push(measure(target, name, requests).await?);
    }
    let name = "inclusion proof by hash";
    if name.contains(&arguments.only) {
        let requests = proofs_by_hash(&target.url, &host, arguments.requests).await?;
        rows.push(measure(target, name, requests).await?);
    }
    arguments.out.write(&rows)
}

async fn measure(target: &Target, name: &str, requests: Vec<Vec<u8>>) -> anyhow::Result<Row> {
    let row = target.measure(name, Plan::Closed { connections: CONNECTIONS }, requests, 200).await?;
    println!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} |",
        row.load,
        row.per_second,
        row.median_ms,
        row.p99_ms,
        row.p999_ms,
        row.server_us,
        row.database_us,
        row.per_core(),
        row.server_memory_mib
    );
    Ok(row)
}

/// Requests for proofs of leaves all over the certificate log, by hashes that its tiles give.
async fn proofs_by_hash(url: &str, host: &str, count: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let client = reqwest::Client::new();
    let head: Value =
        client.get(format!("{url}/ct/dev/ct/v1/get-sth")).send().await?.error_for_status()?.json().await?;
    let size = head["tree_size"].as_u64().context("the log states its size")?;
    let width = u64::from(FULL_WIDTH);
    anyhow::ensure!(size >= width, "the certificate log has no full tile; add entries with build-log --log ct");
    let mut requests = Vec::new();
    for number in 0..count {
        let leaf = scattered(number) % (size / width * width);
        let path = TilePath { level: Some(0), index: leaf / width, width: FULL_WIDTH };
        let tile = client.get(format!("{url}/ct/dev/{path}")).send().await?.error_for_status()?.bytes().await?;
        let hash = tile.chunks(32).nth(usize::try_from(leaf % width)?).context("a full tile")?;
        let hash: String = url::form_urlencoded::byte_serialize(STANDARD.encode(hash).as_bytes()).collect();
        requests.push(get(host, &format!("/ct/dev/ct/v1/get-proof-by-hash?hash={hash}&tree_size={size}")));
    }
    Ok(requests)
}
