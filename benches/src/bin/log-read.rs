//! What reading a log costs: its checkpoint, its tiles and bundles, entries with their proofs.
//!
//! Against a running `chancery dev`, usually over a large log made with `build-log`. Positions are drawn evenly over the
//! whole log, so that what is cached is what a cache of the server's size can hold; `hot` asks for the same few again.
//!
//! ```text
//! cargo run --release -p chancery-benches --bin log-read -- --url http://127.0.0.1:8080 --pid PID --out results.json
//! ```

use anyhow::Context as _;
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

/// Measure reads of a Rekor log against a running development server
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
    println!("| load | requests/s | median ms | p99 ms | server us | database us | requests/s and core | MiB |");
    println!("|---|---|---|---|---|---|---|---|");
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
        let row = target.measure(name, Plan::Closed { connections: CONNECTIONS }, requests, 200).await?;
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} | {:.0} |",
            row.load,
            row.per_second,
            row.median_ms,
            row.p99_ms,
            row.server_us,
            row.database_us,
            row.per_core(),
            row.server_memory_mib
        );
        rows.push(row);
    }
    arguments.out.write(&rows)
}

/// Numbers that are spread over all of `u64` and the same in every run (splitmix64).
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
