//! One measurement: a load on a server, and what it took of the machine.

use crate::load::{self, Plan, as_f64};
use crate::process::{self, Io};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::iter;
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
    /// Base URL of another server over the same database; it gets every other connection
    #[arg(long, requires = "replica_pid")]
    pub replica: Option<String>,
    /// Process id of that server; its CPU time and memory are added to the first one's
    #[arg(long, requires = "replica")]
    pub replica_pid: Option<u32>,
    /// Also count what servers and database write, and their context switches
    #[arg(long)]
    pub io: bool,
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
    /// All but one in a thousand did.
    pub p999_ms: f64,
    /// CPU time of the server.
    pub server_us: f64,
    /// CPU time of the database's processes.
    pub database_us: f64,
    /// Resident memory of the server afterwards.
    pub server_memory_mib: f64,
    /// Resident memory of the server at its highest since it started.
    pub server_memory_peak_mib: f64,
    /// What the server did per request beside computing, where that is counted.
    pub server_io: Option<Io>,
    /// The same of the database's processes.
    pub database_io: Option<Io>,
}

impl Row {
    /// The row of a table, with its costs as multiples of the floor.
    #[must_use]
    pub fn against(&self, floor_us: f64) -> String {
        format!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} | {:.0} |",
            self.load,
            self.per_second,
            self.median_ms,
            self.p99_ms,
            self.p999_ms,
            self.server_us,
            self.database_us,
            self.server_us / floor_us,
            (self.server_us + self.database_us) / floor_us,
            self.server_memory_mib
        )
    }

    /// The row of the table below [`IO_HEADING`]; `None` where nothing was counted.
    #[must_use]
    pub fn io(&self) -> Option<String> {
        let cells = |io: Io| format!("{:.1} | {:.1} | {:.1}", io.written_bytes / 1024.0, io.writes, io.switches);
        Some(format!("| {} | {} | {} |", self.load, cells(self.server_io?), cells(self.database_io?)))
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
        let hosts = iter::once(&self.url).chain(&self.replica).map(|url| load::host(url));
        let hosts = hosts.collect::<anyhow::Result<Vec<_>>>()?;
        let before = self.used()?;
        let outcome = load::run(&hosts, plan, requests, expected).await?;
        let after = self.used()?;
        let memory = self.servers().map(process::resident).collect::<anyhow::Result<Vec<_>>>()?;
        let io = |before: Used, after: Used| self.io.then(|| after.io.per_request_since(before.io, count));
        Ok(Row {
            load: format!("{name}, {plan}"),
            requests: outcome.count(),
            per_second: count / outcome.seconds,
            median_ms: outcome.quantile_ms(0.5),
            p99_ms: outcome.quantile_ms(0.99),
            p999_ms: outcome.quantile_ms(0.999),
            server_us: (after.server.cpu_seconds - before.server.cpu_seconds) * 1e6 / count,
            database_us: (after.database.cpu_seconds - before.database.cpu_seconds) * 1e6 / count,
            server_memory_mib: memory.iter().map(|memory| memory.now_mib).sum(),
            server_memory_peak_mib: memory.iter().map(|memory| memory.peak_mib).sum(),
            server_io: io(before.server, after.server),
            database_io: io(before.database, after.database),
        })
    }

    /// The process ids of the servers.
    fn servers(&self) -> impl Iterator<Item = u32> {
        iter::once(self.pid).chain(self.replica_pid)
    }

    fn used(&self) -> anyhow::Result<Both> {
        let (mut server, mut database) = (Used::default(), Used::default());
        for pid in self.servers() {
            server.cpu_seconds += process::cpu_seconds(pid)?;
            if self.io {
                server.io = server.io.plus(process::io(pid)?);
            }
        }
        for pid in &self.database_pid {
            database.cpu_seconds += process::cpu_seconds_with_children(*pid)?;
            if self.io {
                database.io = database.io.plus(process::io_with_children(*pid)?);
            }
        }
        Ok(Both { server, database })
    }
}

/// What processes have used so far.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu_seconds: f64,
    /// Nothing where that is not counted.
    io: Io,
}

#[derive(Debug, Clone, Copy)]
struct Both {
    server: Used,
    database: Used,
}

/// The first lines of a table of rows as [`Row::against`] writes them: what is counted, and how its cost is named.
#[must_use]
pub fn heading(counted: &str, cost: &str) -> String {
    format!(
        "| load | {counted}/s | median ms | p99 ms | p99.9 ms | server {cost} | database {cost} | server/floor | with database | MiB |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    )
}

/// The first lines of a table of rows as [`Row::io`] writes them, per request.
pub const IO_HEADING: &str = "| load | server KiB | writes | switches | database KiB | writes | switches |\n\
     |---|---|---|---|---|---|---|";

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
