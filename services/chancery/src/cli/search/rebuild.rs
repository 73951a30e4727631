//! `chancery search rebuild`: builds a search index again.

use super::{follow::ONE_HEAD, subject::SubjectArguments};
use crate::{cli::log::index::Bars, output};
use anyhow::Context as _;
use chancery_log::store::Database;
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{io::Write as _, process::ExitCode};

/// Drop a search index and build it again from the entries of its logs
///
/// A server, or chancery search follow, may be running: it goes on, and its searches find what is indexed again already. Nothing is
/// lost if the command is interrupted: the next start of a server goes on.
///
/// With --followed the index that chancery search follow has made of a log elsewhere, from entries that are read again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search rebuild --data ./chancery-dev
  chancery search rebuild --config /etc/chancery/chancery.toml
  chancery search rebuild --data /var/lib/chancery --database postgres://chancery@db.example.org/chancery
  chancery search rebuild --followed https://rekor.example.org --database rekor.db --key rekor.pub")]
pub(super) struct Arguments {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    subject: SubjectArguments,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let location = arguments.subject.location()?;
    let database = Database::open(&location).await.with_context(|| format!("{location}"))?;
    let rebuilt = rebuild(arguments, &database).await;
    database.close().await;
    let rebuilt = rebuilt?;
    if arguments.json {
        let printed: Vec<_> = rebuilt.iter().map(|(log, indexed)| json!({ "log": log, "indexed": indexed })).collect();
        output::print_json(&printed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::data();
    for (log, indexed) in rebuilt {
        writeln!(out, "{log}: {} indexed", entries(indexed))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns how many entries of each log are indexed.
async fn rebuild(arguments: &Arguments, database: &Database) -> anyhow::Result<Vec<(String, u64)>> {
    let index = arguments.subject.index(database, ONE_HEAD).await?;
    let mut bars = Bars::default();
    let rebuilt = index.rebuild(|log, done, total| bars.show(log, done, total)).await;
    bars.finish();
    rebuilt?;
    let mut indexed = Vec::new();
    for source in index.sources() {
        indexed.push((source.name(), index.complete_to(source.log_id()).await?.size));
    }
    Ok(indexed)
}
