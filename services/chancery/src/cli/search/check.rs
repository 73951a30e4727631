//! `chancery search check`: compares a search index with the entries of its logs.

use super::subject::SubjectArguments;
use crate::{
    cli::log::{index, undecided::wrong_usage},
    output,
};
use anyhow::Context as _;
use chancery_log::store::Database;
use chancery_search::Report;
use chancery_verify::{counted, entries};
use clap::Args;
use serde_json::json;
use std::{io::Write as _, process::ExitCode, time::Duration};

/// A followed log is asked for its head again if the index has grown beyond the one before: then at once.
const AT_ONCE: Duration = Duration::ZERO;

/// Derive a search index again from the entries of its logs, and compare
///
/// Exits with 1 at the first row that is missing, added or changed, and names it. Only reads; a server may be running. The
/// entries are believed: chancery log check derives the logs from them, and then does this, too.
///
/// With --followed the index that chancery search follow has made of a log elsewhere. Its entries are read again, and hashed into
/// the signed tree that the index names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search check --data ./chancery-dev
  chancery search check --config /etc/chancery/chancery.toml
  chancery search check --data /var/lib/chancery --database postgres://chancery@db.example.org/chancery --json
  chancery search check --followed https://rekor.example.org --database rekor.db --key rekor.pub")]
pub(super) struct Arguments {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    subject: SubjectArguments,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let location = arguments.subject.location().map_err(|error| wrong_usage(&error))?;
    let database = Database::open_read_only(&location).await.with_context(|| format!("{location}"))?;
    let reports = check(arguments, &database).await;
    database.close().await;
    let reports = reports?;
    if arguments.json {
        let printed: Vec<_> = reports.iter().map(as_json).collect();
        output::print_json(&printed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::data();
    for report in &reports {
        let Report { log, indexed, postings, runs, pages, bytes, problems } = report;
        let (size, terms) = (entries(*indexed), counted(*postings, "term", "terms"));
        let (runs, pages) = (counted(*runs, "run", "runs"), counted(*pages, "page", "pages"));
        let bytes = counted(*bytes, "byte", "bytes");
        writeln!(out, "{log}: the index of {size} re-derived: {terms} in {runs}, {pages}, {bytes}")?;
        if *problems > 0 {
            writeln!(out, "{log}: {} cannot be parsed as a whole; searches may miss them", entries(*problems))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(arguments: &Arguments, database: &Database) -> anyhow::Result<Vec<Report>> {
    index::check(&arguments.subject.index(database, AT_ONCE).await?).await
}

fn as_json(report: &Report) -> serde_json::Value {
    let Report { log, indexed, postings, runs, pages, bytes, problems } = report;
    json!({ "log": log, "indexed": indexed, "terms": postings, "runs": runs, "pages": pages, "bytes": bytes,
        "problems": problems })
}
