//! One measurement: a load on a server, and what it took of the machine.

use crate::load::{self, Plan, as_f64};
use crate::process;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Whom to measure.
#[derive(Debug, Args)]
pub struct Target {
    /// Base URL of the server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Process id of the server, for its CPU time and memory
    #[arg(long)]
    pub pid: u32,
    /// Process ids whose CPU time counts as the database's, children included
    #[arg(long)]
    pub database_pid: Vec<u32>,
}

/// What came of one load.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was asked, and how.
    pub load: String,
    /// Requests answered as they must be.
    pub requests: usize,
    /// Of these, in a second.
    pub per_second: f64,
    /// Half of the answers came within this time.
    pub median_ms: f64,
    /// All but one in a hundred did.
    pub p99_ms: f64,
    /// CPU time of the server.
    pub server_us: f64,
    /// CPU time of the database's processes.
    pub database_us: f64,
    /// Resident memory of the server afterwards.
    pub server_memory_mib: f64,
    /// Resident memory of the server at its highest since it started.
    pub server_memory_peak_mib: f64,
}

impl Row {
    /// The row of a table, with its costs as multiples of the floor.
    #[must_use]
    pub fn against(&self, floor_us: f64) -> String {
        format!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} | {:.0} |",
            self.load,
            self.per_second,
            self.median_ms,
            self.p99_ms,
            self.server_us,
            self.database_us,
            self.server_us / floor_us,
            (self.server_us + self.database_us) / floor_us,
            self.server_memory_mib
        )
    }

    /// Requests a second that one core could have answered at this cost, server and database together.
    #[must_use]
    pub fn per_core(&self) -> f64 {
        1e6 / (self.server_us + self.database_us)
    }
}

impl Target {
    /// Sends `requests` and says what they cost. Each must be answered with `expected`.
    pub async fn measure(&self, name: &str, plan: Plan, requests: Vec<Vec<u8>>, expected: u16) -> anyhow::Result<Row> {
        let count = as_f64(requests.len());
        let (server_before, database_before) = self.cpu_seconds()?;
        let outcome = load::run(&load::host(&self.url)?, plan, requests, expected).await?;
        let (server_after, database_after) = self.cpu_seconds()?;
        let memory = process::resident(self.pid)?;
        Ok(Row {
            load: format!("{name}, {plan}"),
            requests: outcome.count(),
            per_second: count / outcome.seconds,
            median_ms: outcome.quantile_ms(0.5),
            p99_ms: outcome.quantile_ms(0.99),
            server_us: (server_after - server_before) * 1e6 / count,
            database_us: (database_after - database_before) * 1e6 / count,
            server_memory_mib: memory.now_mib,
            server_memory_peak_mib: memory.peak_mib,
        })
    }

    fn cpu_seconds(&self) -> anyhow::Result<(f64, f64)> {
        let database = self.database_pid.iter().map(|pid| process::cpu_seconds_with_children(*pid));
        Ok((process::cpu_seconds(self.pid)?, database.sum::<anyhow::Result<f64>>()?))
    }
}

/// The first lines of a table of rows as [`Row::against`] writes them: what is counted, and how its cost is named.
#[must_use]
pub fn heading(counted: &str, cost: &str) -> String {
    format!(
        "| load | {counted}/s | median ms | p99 ms | server {cost} | database {cost} | server/floor | with database | MiB |\n\
         |---|---|---|---|---|---|---|---|---|"
    )
}

/// What came of several loads.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What one request must cost.
    pub floor_us: f64,
    /// In order.
    pub rows: Vec<Row>,
}

/// Where results go.
#[derive(Debug, Args)]
pub struct Out {
    /// Where the results are written as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Out {
    /// Writes them, if anywhere.
    pub fn write(&self, results: &impl Serialize) -> anyhow::Result<()> {
        let Some(path) = &self.out else { return Ok(()) };
        std::fs::write(path, serde_json::to_string_pretty(results)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
