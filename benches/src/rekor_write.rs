//! What a Rekor v1 write costs.
//!
//! Against a running `chancery dev`: the entries are `hashedrekord`s with a certificate of that instance, as cosign sends
//! them, signed beforehand. In one run it measures the floor (verify, sign, parse and hash one entry, nothing else) in this
//! process, then the server under several numbers of connections, and prints both with their ratio. Only ratios compare
//! between machines.
//!
//! ```text
//! chancery dev --listen 127.0.0.1:8080 --data DIR &
//! cargo run --release -p chancery-benches --bin rekor-write -- --url http://127.0.0.1:8080 --pid $! --out results.json
//! ```

mod entries;
mod floor;
mod load;
mod process;

use anyhow::Context as _;
use clap::Parser;
use serde::Serialize;
use std::path::PathBuf;

/// Measure Rekor v1 writes against a running development server
#[derive(Debug, Parser)]
struct Arguments {
    /// Base URL of the server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Process id of the server, for its CPU time and memory
    #[arg(long)]
    pid: u32,
    /// Process ids whose CPU time counts as the database's, children included
    #[arg(long)]
    database_pid: Vec<u32>,
    /// Numbers of connections to try, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Entries per number of connections
    #[arg(long, default_value_t = 20_000)]
    entries: usize,
    /// Entries per second of an open loop after that; 0 leaves it out
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Where the results are written as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Results {
    floor_us: f64,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    load: String,
    entries: usize,
    entries_per_second: f64,
    median_ms: f64,
    p99_ms: f64,
    server_us_per_entry: f64,
    database_us_per_entry: f64,
    server_over_floor: f64,
    server_memory_mib: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let total = arguments.entries * arguments.connections.len() + open_loop_entries(&arguments);
    let signer = entries::Identity::obtain(&arguments.url).await.context("cannot get a certificate from the server")?;
    let prepared = entries::prepare(&signer, total).await?;
    let floor_us = floor::measure(&prepared, &signer).await?;
    println!("floor: {floor_us:.1} us of CPU per entry (verify, sign, parse, hash)\n");
    println!("| load | entries/s | median ms | p99 ms | server us/entry | database us/entry | server/floor | MiB |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut rows = Vec::new();
    let mut rest = prepared.as_slice();
    let plans = arguments.connections.iter().map(|connections| load::Plan::Closed { connections: *connections });
    let open = (arguments.rate > 0).then_some(load::Plan::Open { per_second: arguments.rate });
    for plan in plans.chain(open) {
        let count =
            if matches!(plan, load::Plan::Open { .. }) { open_loop_entries(&arguments) } else { arguments.entries };
        let (batch, after) = rest.split_at(count);
        rest = after;
        let row = run(&arguments, plan, batch, floor_us).await?;
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.0} |",
            row.load,
            row.entries_per_second,
            row.median_ms,
            row.p99_ms,
            row.server_us_per_entry,
            row.database_us_per_entry,
            row.server_over_floor,
            row.server_memory_mib
        );
        rows.push(row);
    }
    if let Some(path) = arguments.out {
        std::fs::write(&path, serde_json::to_string_pretty(&Results { floor_us, rows })?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Ten seconds of the open loop.
fn open_loop_entries(arguments: &Arguments) -> usize {
    usize::try_from(arguments.rate * 10).unwrap_or_default()
}

async fn run(arguments: &Arguments, plan: load::Plan, batch: &[String], floor_us: f64) -> anyhow::Result<Row> {
    let cpu = || -> anyhow::Result<_> {
        let database = arguments
            .database_pid
            .iter()
            .map(|pid| process::cpu_seconds_with_children(*pid))
            .sum::<anyhow::Result<f64>>()?;
        Ok((process::cpu_seconds(arguments.pid)?, database))
    };
    let (server_before, database_before) = cpu()?;
    let outcome = load::run(&arguments.url, plan, batch).await?;
    let (server_after, database_after) = cpu()?;
    let per_entry = |seconds: f64| seconds * 1e6 / load::as_f64(batch.len());
    let server_us_per_entry = per_entry(server_after - server_before);
    Ok(Row {
        load: plan.to_string(),
        entries: batch.len(),
        entries_per_second: load::as_f64(batch.len()) / outcome.seconds,
        median_ms: outcome.quantile_ms(0.5),
        p99_ms: outcome.quantile_ms(0.99),
        server_us_per_entry,
        database_us_per_entry: per_entry(database_after - database_before),
        server_over_floor: server_us_per_entry / floor_us,
        server_memory_mib: process::resident_mib(arguments.pid)?,
    })
}
