//! `chancery search`: asks a server what its logs hold.
//!
//! Questions go to the server's search API ([`server`]). Its answer is shown and not verified: names in entries are
//! foreign, and a server can answer what it likes. `chancery artifact` verifies.
//!
//! Exit codes: 0 something matches; 1 nothing does; 2 the arguments are wrong, or the server refuses the question; 3 there is
//! no answer.
//!
//! [`rebuild`] and [`check`] are about an index itself ([`subject`]). [`follow`] makes one of a log elsewhere.

mod answer;
pub(super) mod beside;
mod check;
pub(super) mod filters;
mod follow;
mod rebuild;
pub(super) mod server;
mod subject;

use super::{authorities::AuthorityArguments, log::undecided};
use crate::output;
use answer::{Certificates, Counts, Page};
use anyhow::ensure;
use clap::{Args, Subcommand};
use filters::FilterArguments;
use serde_json::Value;
use server::{AskError, Server, ServerArguments};
use std::{io::Write, process::ExitCode};

/// Wrong arguments, or a question that the server refuses.
const WRONG_USAGE: u8 = 2;
/// No answer.
const UNANSWERED: u8 = 3;
/// Entries of one page.
const PAGE: u64 = 1000;
/// Certificates of one page.
const PAGE_OF_CERTIFICATES: u64 = 200;

/// Find entries in the logs of a server by signer, digest, repository, time and more
///
/// Asks the search API of a server. Filters combine: an entry must meet all of them. A filter that is given several times
/// means any of its values. Prints the newest entries first. The answer is the server's word, nothing in it is verified; use
/// chancery artifact to verify who signed a file.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:
  chancery search --identity alice@example.org --url https://sign.example.org
  chancery search --repository https://github.com/acme/app --from 2026-11-01 --to 2026-11-30 --csv > november.csv
  chancery search --digest sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --json --proof
  chancery search --domain example.org --count
  chancery search --certificates --unused --issuer https://issuer.example.org --all
  chancery search --kind dsse --url https://log.acme.example --token-file /run/auditor/token --ca-file acme.pem
  chancery search check --data ./chancery-dev
  chancery search rebuild --data ./chancery-dev
  chancery search follow https://rekor.example.org --database rekor.db --key rekor.pub",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    authorities: AuthorityArguments,
    #[command(flatten)]
    filters: FilterArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Rebuild(Box<rebuild::Arguments>),
    Check(Box<check::Arguments>),
    Follow(Box<follow::Arguments>),
}

/// What is answered, and how it is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answer")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct AnswerArguments {
    /// Ask for certificates in the certificate logs, with the entries in which each was used
    #[arg(long, conflicts_with_all = ["count", "csv", "proof"])]
    certificates: bool,
    /// Show only certificates that no log of signatures has an entry of
    #[arg(long, requires = "certificates")]
    unused: bool,
    /// Show the oldest entries first
    #[arg(long)]
    oldest: bool,
    /// Show at most this many entries
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..=PAGE))]
    limit: u64,
    /// Show every entry
    #[arg(long, conflicts_with_all = ["limit", "count"])]
    all: bool,
    /// Go on where an earlier answer ended; all filters must be the same
    #[arg(long, value_name = "CURSOR", conflicts_with = "count")]
    cursor: Option<String>,
    /// Print only the number of entries
    #[arg(long)]
    count: bool,
    /// Add leaf and inclusion proof to every entry; needs --json
    #[arg(long, requires = "json")]
    proof: bool,
    /// Print the answer as JSON; with --all one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print every entry as CSV, a row for each signer
    #[arg(long, conflicts_with_all = ["json", "all", "limit", "count"])]
    csv: bool,
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    if let Some(verb) = &arguments.verb {
        return maintain(verb).await;
    }
    match ask(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let unanswered = matches!(error.downcast_ref(), Some(AskError::Unanswered(_)));
            output::failed(&error, if unanswered { UNANSWERED } else { WRONG_USAGE })
        }
    }
}

/// Exits with 1 where something is wrong, or was not done.
async fn maintain(verb: &Verb) -> ExitCode {
    match verb {
        Verb::Rebuild(arguments) => rebuild::run(arguments).await.unwrap_or_else(|error| output::failed(&error, 1)),
        Verb::Check(arguments) => undecided::told(check::run(arguments).await),
        Verb::Follow(arguments) => follow::run(arguments).await,
    }
}

/// Asks and prints. Returns whether something matches.
async fn ask(Arguments { server, authorities, filters, answer, .. }: &Arguments) -> anyhow::Result<bool> {
    let server = Server::new(server, authorities.file())?;
    let mut parameters = filters.parameters()?;
    let mut add = |name: &str, value: &str| parameters.push((name.to_owned(), value.to_owned()));
    for (name, is_on) in [("proof", answer.proof), ("unused", answer.unused), ("count", answer.count)] {
        if is_on {
            add(name, "1");
        }
    }
    if answer.oldest {
        add("order", "oldest");
    }
    if let Some(cursor) = &answer.cursor {
        add("cursor", cursor);
    }
    let mut out = output::data();
    if answer.csv || (answer.all && answer.json && !answer.certificates) {
        add("format", if answer.csv { "csv" } else { "ndjson" });
        return export(&server, &parameters, answer.csv, &mut out).await;
    }
    if answer.count {
        let counts: Value = server.json("/api/search", &parameters).await?;
        return print_counts(&counts, answer.json, &mut out);
    }
    pages(&server, parameters, answer, &mut out).await
}

/// Copies an export. Returns whether it has an entry.
async fn export(
    server: &Server,
    parameters: &[(String, String)],
    is_csv: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let mut lines = 0_usize;
    let mut last = Vec::new();
    server
        .lines("/api/search", parameters, |line| {
            lines += 1;
            line.clone_into(&mut last);
            Ok(out.write_all(line)?)
        })
        .await?;
    if is_csv {
        // A header.
        return Ok(lines > 1);
    }
    let end: Value = serde_json::from_slice(&last).unwrap_or_default();
    ensure!(
        end.get("end").is_some(),
        AskError::Unanswered("the export was cut off: its last line does not say that it is at its end".to_owned())
    );
    Ok(lines > 1)
}

fn print_counts(counts: &Value, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let read: Counts = serde_json::from_value(counts.clone()).map_err(|_| server::not_understood())?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(counts)?)?;
    } else {
        write!(out, "{read}")?;
    }
    Ok(read.count > 0)
}

/// Prints pages until there are enough. Returns whether something matches.
async fn pages(
    server: &Server,
    mut parameters: Vec<(String, String)>,
    answer: &AnswerArguments,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let (path, most) =
        if answer.certificates { ("/api/certificates", PAGE_OF_CERTIFICATES) } else { ("/api/search", PAGE) };
    let mut left = if answer.all { u64::MAX } else { answer.limit };
    let mut matches = false;
    loop {
        parameters.retain(|(name, _)| name != "limit");
        parameters.push(("limit".to_owned(), left.min(most).to_string()));
        let page: Value = server.json(path, &parameters).await?;
        let shown = if answer.certificates {
            let read: Certificates = serde_json::from_value(page.clone()).map_err(|_| server::not_understood())?;
            read.into()
        } else {
            let read: Page = serde_json::from_value(page.clone()).map_err(|_| server::not_understood())?;
            answer::Shown::from(read)
        };
        matches |= shown.count > 0;
        if answer.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&page)?)?;
        } else {
            write!(out, "{}", shown.lines)?;
        }
        out.flush()?;
        left = left.saturating_sub(shown.count);
        // One JSON document is one page, which may be short.
        let is_enough = left == 0 || (answer.json && !answer.all);
        match shown.cursor {
            Some(cursor) if !is_enough => {
                parameters.retain(|(name, _)| name != "cursor");
                parameters.push(("cursor".to_owned(), cursor));
            }
            cursor => {
                if !answer.json {
                    output::note(shown.complete_to.trim_end());
                    if let Some(cursor) = cursor {
                        output::note(&format!("there may be more: add --all, or go on with --cursor {cursor}"));
                    }
                }
                return Ok(matches);
            }
        }
    }
}
