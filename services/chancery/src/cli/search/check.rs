//! `chancery search check`: compares the search index of an instance with the entries of its logs.

use crate::{
    cli::{log::index, place::LogsArguments},
    output,
};
use anyhow::Context as _;
use chancery_log::store::Database;
use chancery_search::Report;
use chancery_verify::entries;
use clap::Args;
use serde_json::json;
use std::{io::Write as _, process::ExitCode};

/// Derive the search index of an instance again from the entries of its logs, and compare
///
/// Exits with 1 at the first row that is missing, added or changed, and names it. Only reads; a server may be running. The
/// entries are believed: chancery log check derives the logs from them, and then does this, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery search check --data ./chancery-dev
  chancery search check --config /etc/chancery/chancery.toml
  chancery search check --data /var/lib/chancery --database postgres://chancery@db.example.org/chancery --json")]
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
    let database = Database::open_read_only(&location).await.with_context(|| format!("{location}"))?;
    let reports = index::check(&place.data, &database).await;
    database.close().await;
    let reports = reports?;
    let mut out = output::data();
    if arguments.json {
        let printed: Vec<_> = reports.iter().map(as_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for report in &reports {
        let Report { log, indexed, postings, runs, pages, bytes, problems } = report;
        let size = entries(*indexed);
        writeln!(
            out,
            "{log}: the index of {size} re-derived: {postings} terms in {runs} runs, {pages} pages, {bytes} bytes"
        )?;
        if *problems > 0 {
            writeln!(out, "{log}: {} cannot be parsed as a whole; searches may miss them", entries(*problems))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(report: &Report) -> serde_json::Value {
    let Report { log, indexed, postings, runs, pages, bytes, problems } = report;
    json!({ "log": log, "indexed": indexed, "terms": postings, "runs": runs, "pages": pages, "bytes": bytes,
        "problems": problems })
}
