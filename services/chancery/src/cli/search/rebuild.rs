//! `chancery search rebuild`: builds the search index of an instance again.

use crate::{
    cli::{log::index, place::LogsArguments},
    output,
};
use anyhow::Context as _;
use chancery_log::store::Database;
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{io::Write as _, path::Path, process::ExitCode};

/// Drop the search index of an instance and build it again from the entries of its logs
///
/// A server may be running: it goes on to log entries, and its searches find what is indexed again already. Nothing is lost if
/// the command is interrupted: the next start of a server goes on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search rebuild --data ./chancery-dev
  chancery search rebuild --config /etc/chancery/chancery.toml
  chancery search rebuild --data /var/lib/chancery --database postgres://chancery@db.example.org/chancery")]
pub(super) struct Arguments {
    #[command(flatten)]
    logs: LogsArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let place = arguments.logs.place()?;
    let location = place.existing_database()?;
    let database = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let rebuilt = rebuild(&place.data, &database).await;
    database.close().await;
    let rebuilt = rebuilt?;
    let mut out = output::data();
    if arguments.json {
        let printed: Vec<_> = rebuilt.iter().map(|(log, indexed)| json!({ "log": log, "indexed": indexed })).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (log, indexed) in rebuilt {
        writeln!(out, "{log}: {} indexed", entries(indexed))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns how many entries of each log are indexed.
async fn rebuild(data: &Path, database: &Database) -> anyhow::Result<Vec<(String, u64)>> {
    let index = index::open(data, database).await?;
    let mut bars = index::Bars::default();
    let rebuilt = index.rebuild(|log, done, total| bars.show(log, done, total)).await;
    bars.finish();
    rebuilt?;
    let mut indexed = Vec::new();
    for source in index.sources() {
        indexed.push((source.name(), index.complete_to(source.log_id()).await?.size));
    }
    Ok(indexed)
}
