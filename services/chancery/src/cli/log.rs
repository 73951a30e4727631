//! `chancery log`: what an operator or auditor does with a whole log.

use anyhow::Context as _;
use chancery_daemon::database::{self, Sqlite};
use chancery_log::{
    check::{self, Report, Subject},
    ct, rekor_v1,
    store::{LogRecord, SqliteStore, Store as _},
};
use chancery_verify::PublicKey;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Work on whole logs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chancery log check --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(CheckArguments),
}

/// Recompute every log from its entries and compare: leaf hashes, tiles, roots, checkpoints and their signatures
///
/// Names the first thing that does not follow and exits with 1. Reads only; it may run beside the server.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chancery log check --data ./chancery-dev")]
struct CheckArguments {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Check(arguments) => check(&arguments).await,
    }
}

async fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let path = arguments.data.join("chancery.db");
    let database = database::open_sqlite_read_only(&path).await.with_context(|| format!("{}", path.display()))?;
    let reports = check_logs(&arguments.data, &database).await;
    database.close().await;
    let reports = reports?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        for report in &reports {
            println!(
                "{}: {} entries re-derived, {} checkpoints verified, root hash {}",
                report.origin, report.tree_size, report.checkpoints, report.root_hash
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check_logs(data: &Path, database: &Sqlite) -> anyhow::Result<Vec<Report>> {
    let store = SqliteStore::new(database.clone());
    let mut reports = Vec::new();
    for record in store.logs().await? {
        let name = record.name.clone();
        let key = public_key(data, &record)?;
        let subject = Subject::new(record, key).with_context(|| format!("log {name}"))?;
        let bar = progress(&name);
        let report = check::check(&store, &subject, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        reports.push(report.await.with_context(|| format!("log {name}"))?);
        bar.finish_and_clear();
    }
    anyhow::ensure!(!reports.is_empty(), "there is no log in {}", data.display());
    Ok(reports)
}

/// The log's key from the trust files: the database must not be its own witness.
fn public_key(data: &Path, record: &LogRecord) -> anyhow::Result<PublicKey> {
    let file = match record.name.as_str() {
        rekor_v1::NAME => "rekor.pub",
        ct::NAME => "ctfe.pub",
        name => anyhow::bail!("log {name} is of no known kind"),
    };
    let path = data.join("trust").join(file);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKey::from_pem(&text).with_context(|| format!("{} is no public key", path.display()))
}

/// A bar on standard error where that is a terminal.
fn progress(name: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} entries, {per_sec}, {eta} left");
    ProgressBar::new(0).with_prefix(name.to_owned()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
