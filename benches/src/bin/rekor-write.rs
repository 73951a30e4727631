//! What a Rekor v1 write costs, or with `--v2` a Rekor v2 write.
//!
//! Against a running `chancery dev`: the entries are `hashedrekord`s with a certificate of that instance, as cosign sends
//! them, signed beforehand. In one run it measures the floor (parse, verify and hash one entry, for v1 also sign; nothing else) in this
//! process, then the server under several numbers of connections and at a fixed rate, and prints both with their ratio.
//! Only ratios compare between machines.
//!
//! ```text
//! chancery dev --listen 127.0.0.1:8080 --data DIR &
//! cargo run --release -p chancery-benches --bin rekor-write -- --url http://127.0.0.1:8080 --pid $! --out results.json
//! ```

use anyhow::Context as _;
use chancery_benches::entries::{Identity, Protocol};
use chancery_benches::lag::{self, Watch};
use chancery_benches::load::{Plan, host, post};
use chancery_benches::measure::{IO_HEADING, Out, Row, Target, heading};
use chancery_benches::{disk, entries, floor};
use clap::Parser;
use serde::Serialize;
use std::path::PathBuf;

/// Open loops: what a machine does beside lengthens the slowest answers of one, and not of all.
const HALF_LOAD_ROUNDS: usize = 3;

/// Measure Rekor writes against a running development server
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Write to the Rekor v2 log instead of the Rekor v1 log
    #[arg(long)]
    v2: bool,
    /// What the rows call this load
    #[arg(long)]
    name: Option<String>,
    /// Numbers of connections to try, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Entries per number of connections
    #[arg(long, default_value_t = 20_000)]
    entries: usize,
    /// Seconds of each open loop after that, at half of what the last number of connections reached; 0 leaves them out
    #[arg(long, default_value_t = 0)]
    half_load_seconds: u64,
    /// Let the load sleep while it waits, so that what shares its core can run
    #[arg(long)]
    sleeping: bool,
    /// Also watch how far the search index is behind, and wait for it after each load
    #[arg(long, conflicts_with = "v2")]
    lag: bool,
    /// Directory on the database's disk: one fdatasync is measured there
    #[arg(long)]
    disk: Option<PathBuf>,
    #[command(flatten)]
    out: Out,
}

#[derive(Debug, Serialize)]
struct Results {
    floor_us: f64,
    fdatasync_ms: Option<f64>,
    rows: Vec<Row>,
}

/// Writes to one server, and to its replica if it has one.
struct Writer<'a> {
    target: &'a Target,
    name: &'a str,
    protocol: Protocol,
    identity: Identity,
    floor_us: f64,
    /// Proposals made so far.
    made: usize,
    rows: Vec<Row>,
    /// How far the search index was behind in each of them, if that is watched.
    lags: Option<Vec<String>>,
}

impl Writer<'_> {
    /// Makes `count` proposals, sends them and prints what that cost.
    async fn load(&mut self, plan: Plan, count: usize) -> anyhow::Result<()> {
        let requests = self.requests(count).await?;
        let watch = self.lags.is_some().then(|| Watch::start(&self.target.url));
        let row = self.target.measure(self.name, plan, requests, 201).await?;
        println!("{}", row.against(self.floor_us));
        if let (Some(lags), Some(watch)) = (&mut self.lags, watch) {
            lags.push(watch.finish().await?.row(&row.load));
        }
        self.rows.push(row);
        Ok(())
    }

    /// With the server's name in them. A replica is sent the same: a development server answers to every loopback name and port.
    async fn requests(&mut self, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        let host = host(&self.target.url)?;
        let proposals = entries::prepare(self.protocol, &self.identity, self.made, count).await?;
        self.made += count;
        Ok(proposals.iter().map(|proposal| post(&host, self.protocol.path(), None, proposal)).collect())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let target = &arguments.target;
    let (protocol, name) = if arguments.v2 { (Protocol::V2, "write v2") } else { (Protocol::V1, "write") };
    let name = arguments.name.as_deref().unwrap_or(name);
    let identity = Identity::obtain(&target.url).await.context("cannot get a certificate from the server")?;
    let sample = entries::prepare(protocol, &identity, 0, floor::ENTRIES).await?;
    let floor_us = floor::of_an_entry(protocol, &sample, &identity).await?;
    let fdatasync_ms = arguments.disk.as_deref().map(disk::fdatasync_ms).transpose()?;
    let promised = if arguments.v2 { "" } else { ", sign" };
    println!("floor: {floor_us:.1} us of CPU per entry (parse, verify, hash{promised})\n");
    if let Some(fdatasync_ms) = fdatasync_ms {
        println!("one fdatasync: {fdatasync_ms:.3} ms\n");
    }
    println!("{}", heading("entries", "us/entry"));
    let (made, rows, lags) = (floor::ENTRIES, Vec::new(), arguments.lag.then(Vec::new));
    let mut writer = Writer { target, name, protocol, identity, floor_us, made, rows, lags };
    for connections in arguments.connections.iter().copied() {
        let closed = Plan::Closed { connections };
        let plan = if arguments.sleeping { Plan::Sleeping { connections } } else { closed };
        writer.load(plan, arguments.entries).await?;
    }
    let rounds = if arguments.half_load_seconds > 0 { HALF_LOAD_ROUNDS } else { 0 };
    let half = writer.rows.last().map_or(0.0, |last| last.per_second / 2.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate far below 2^52")]
    let per_second = half as u64;
    for _ in 0..rounds {
        let count = usize::try_from(per_second * arguments.half_load_seconds)?;
        writer.load(Plan::Open { per_second }, count).await?;
    }
    if let Some(lags) = &writer.lags {
        println!("\n{}\n{}", lag::HEADING, lags.join("\n"));
    }
    let rows = writer.rows;
    let counted: Vec<String> = rows.iter().filter_map(Row::io).collect();
    if !counted.is_empty() {
        println!("\nper entry:\n\n{IO_HEADING}\n{}", counted.join("\n"));
    }
    arguments.out.write(&Results { floor_us, fdatasync_ms, rows })
}
