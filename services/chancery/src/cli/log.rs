//! `chancery log`: commands of operators and auditors on whole logs.
//!
//! [`stored`] reads a log from a data directory, [`remote`] from a URL. The trusted keys come from the caller's trust files
//! ([`trust`]), never from the log that is checked. [`index`] is the search index in the database of the logs, for
//! `chancery search`, too.

mod checkpoint;
mod end;
mod freeze;
pub(super) mod index;
mod remote;
mod stored;
pub(super) mod trust;
pub(super) mod undecided;

use super::{
    authorities::AuthorityArguments,
    place::{LogsArguments, Place},
    token_file::TokenFile,
};
use crate::output;
use anyhow::{Context as _, bail, ensure};
use chancery_log::{
    check::{Opened, Options, Report, Signatures},
    store::{LogRecord, Store},
};
use chancery_verify::{counted, entries};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use remote::Remote;
use std::{fs, io::Write as _, num::NonZeroU32, path::PathBuf, process::ExitCode};
use stored::Checked;
use trust::TrustedLog;
use undecided::wrong_usage;

/// Of a log that was checked beside others that were compared.
const NOT_COMPARED: &str = ", not compared with a saved checkpoint";
/// What to do about logs that are in doubt, although nothing is wrong with what is stored.
const NEXT: &str = "What is stored is sound in itself, so it may be an older state than was published. Act on the code as the \
                    runbook says under ChanceryLogQuarantined: docs/src/operate/runbook.md";

/// Check, fetch checkpoints of, freeze, and end whole logs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log check --data ./chancery-dev
  chancery log check --url https://sign.example.org --trust ./trust --from yesterday.checkpoint
  chancery log checkpoint --url https://sign.example.org --trust ./trust --out today.checkpoint
  chancery log freeze --data ./chancery-dev --log rekor2
  chancery log end --data ./chancery-dev --log rekor")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(CheckArguments),
    Checkpoint(checkpoint::Arguments),
    Freeze(freeze::Arguments),
    End(end::Arguments),
}

/// Recompute every log from its entries and compare leaf hashes, tiles, roots, checkpoints and signatures
///
/// Exits with 1 at the first mismatch and names it. Only reads; a server may be running. The search index of the logs is
/// derived again and compared, too. With --url it needs nothing but files: checkpoint, hash tiles and entry bundles. If the
/// server shows entries to readers only, it also needs a token.
///
/// With --data it also exits with 1 if a log is quarantined although nothing is wrong with what is stored: the database was
/// put back to an older state that is sound in itself. Each such log is named.
///
/// Exits with 2 if the arguments, or the files that they name, cannot be used, and with 3 if the server or the database gives no
/// answer. Both say nothing about the log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery log check --data ./chancery-dev
  chancery log check --config /etc/chancery/chancery.toml
  chancery log check --url https://sign.example.org --trust trusted_root.json
  chancery log check --url https://sign.example.org --trust ./trust --token-file /run/auditor/token --ca-file acme.pem
  chancery log check --url https://sign.example.org --trust ./trust --from yesterday.checkpoint --json")]
struct CheckArguments {
    #[command(flatten)]
    logs: LogsArguments,
    /// Read the logs from this server or from a copy of its files; needs --trust
    ///
    /// Of several Rekor v2 logs, the one with the host name of the URL is read.
    #[arg(long, value_name = "URL", requires = "trust", conflicts_with_all = ["data", "config", "database", "sample_signatures"])]
    url: Option<String>,
    /// Trust the keys in this `trusted_root.json`, or in this directory of trust files or data directory
    ///
    /// A directory of trust files has `trusted_root.json`, or `rekor.pub` and `ctfe.pub`.
    #[arg(long, value_name = "FILE|DIR", requires = "url")]
    trust: Option<PathBuf>,
    /// Find a log at this path below the URL, for example in copies made with --tiles
    ///
    /// For such copies: --path rekor=/rekor rekor2=/rekor2 ct=/ct.
    #[arg(long, value_name = "LOG=PATH", num_args = 1.., value_parser = trust::place, requires = "url")]
    path: Vec<(String, String)>,
    /// Send the token in this file, if the server shows entries to readers only; it is read again for each request
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    authorities: AuthorityArguments,
    /// Require that the log extends this checkpoint, which was saved earlier; repeatable
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Verify the signature of one in N stored checkpoints and of the newest; all root hashes are recomputed
    #[arg(long, value_name = "N")]
    sample_signatures: Option<NonZeroU32>,
    /// Check the logs only, and not their search index
    #[arg(long, conflicts_with = "url")]
    without_index: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Check(arguments) => Ok(undecided::told(check(&arguments).await)),
        Verb::Checkpoint(arguments) => Ok(undecided::told(checkpoint::run(&arguments).await)),
        Verb::Freeze(arguments) => freeze::run(&arguments).await,
        Verb::End(arguments) => end::run(&arguments).await,
    }
}

async fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let mut saved = SavedCheckpoints::read(&arguments.from).map_err(|error| wrong_usage(&error))?;
    let signatures = arguments.sample_signatures.map_or(Signatures::All, Signatures::OneIn);
    let Checked { reports, doubts } = if let (Some(url), Some(path)) = (&arguments.url, &arguments.trust) {
        let token = arguments.token_file.as_ref().map(|file| TokenFile::for_server(file, url)).transpose();
        let token = token.map_err(|error| wrong_usage(&error))?;
        let remote = Remote::new(url, arguments.authorities.file()).map_err(|error| wrong_usage(&error))?;
        let logs = trust::read(path, &arguments.path).map_err(|error| wrong_usage(&error))?;
        let reports = remote::check(remote, token.as_ref(), &logs, &mut saved).await?;
        Checked { reports, doubts: Vec::new() }
    } else {
        let place = instance(arguments).map_err(|error| wrong_usage(&error))?;
        stored::check(&place, signatures, !arguments.without_index, &mut saved).await?
    };
    saved.all_used()?;
    if arguments.json {
        output::print_json(&reports)?;
    } else {
        print(&reports, !arguments.from.is_empty())?;
    }
    ensure!(doubts.is_empty(), "{}\n{NEXT}", doubts.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// The instance whose logs are checked.
fn instance(arguments: &CheckArguments) -> anyhow::Result<Place> {
    ensure!(arguments.authorities.file().is_none(), "--ca-file is for the server of --url");
    arguments.logs.place()
}

/// Prints what was checked, and where saved checkpoints were given whether each log was compared with one.
fn print(reports: &[Report], has_saved: bool) -> anyhow::Result<()> {
    let mut out = output::data();
    for report in reports {
        let Report { origin, tree_size, checkpoints, signatures, root_hash, .. } = report;
        let signed = counted(*signatures, "signature", "signatures");
        let signed = if signatures == checkpoints { String::new() } else { format!(" ({signed})") };
        let checkpoints = counted(*checkpoints, "checkpoint", "checkpoints");
        let compared = if !has_saved || !report.extends.is_empty() { "" } else { NOT_COMPARED };
        let size = entries(*tree_size);
        writeln!(out, "{origin}: {size} re-derived, {checkpoints} verified{signed}, root hash {root_hash}{compared}")?;
        if let Some(lost) = report.lost {
            writeln!(out, "{origin}: was ended there; {} after it cannot be proven", entries(lost))?;
        }
        for size in &report.extends {
            writeln!(out, "{origin}: extends the saved checkpoint of {}", entries(*size))?;
        }
    }
    Ok(())
}

/// The log of this name.
async fn record(store: &dyn Store, name: &str) -> anyhow::Result<LogRecord> {
    let Some(record) = store.open(name).await? else {
        let known: Vec<String> = store.logs().await?.into_iter().map(|log| log.name).collect();
        bail!("there is no log {name}; the logs are: {}", known.join(", "));
    };
    Ok(record)
}

/// Checkpoints from earlier, until it is known to which log each belongs.
struct SavedCheckpoints(Vec<SavedCheckpoint>);

struct SavedCheckpoint {
    path: PathBuf,
    note: Vec<u8>,
    used: bool,
}

impl SavedCheckpoints {
    fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            let note = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(SavedCheckpoint { path: path.clone(), note, used: false })
        };
        paths.iter().map(read).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Those that one of this log's keys has signed.
    fn of(&mut self, trusted: &TrustedLog) -> Vec<Opened> {
        let published = &trusted.published;
        let open = |saved: &mut SavedCheckpoint| {
            let opened =
                chancery_log::check::open_checkpoint(&saved.note, &published.keys, published.personality).ok()?;
            saved.used = true;
            Some(opened)
        };
        self.0.iter_mut().filter_map(open).collect()
    }

    fn all_used(&self) -> anyhow::Result<()> {
        let stray = self.0.iter().find(|saved| !saved.used).map(|saved| saved.path.display());
        stray.map_or(Ok(()), |path| {
            anyhow::bail!(
                "{path} is not a checkpoint of any log that was checked: it is of another log, signed with another key, or \
                 changed since it was saved"
            )
        })
    }
}

/// Checks the logs of an instance that was unpacked, as [`check`] does. Each of `checkpoints`, with the name by which it is told,
/// must be signed by a log of the instance, and that log must extend it. Returns the doubts about logs that are sound in
/// themselves, too.
pub(super) async fn check_unpacked(
    place: &Place,
    with_index: bool,
    checkpoints: Vec<(PathBuf, String)>,
) -> anyhow::Result<(Vec<Report>, Vec<String>)> {
    let saved = checkpoints.into_iter();
    let saved = saved.map(|(path, note)| SavedCheckpoint { path, note: note.into_bytes(), used: false });
    let mut saved = SavedCheckpoints(saved.collect());
    let Checked { reports, doubts } = stored::check(place, Signatures::All, with_index, &mut saved).await?;
    saved.all_used()?;
    Ok((reports, doubts))
}

/// What to check beyond re-deriving, and afterwards whether it was about this log.
fn options(signatures: Signatures, saved: &[Opened]) -> Options {
    Options { signatures, saved: saved.iter().map(|opened| opened.head).collect() }
}

fn same_origin(report: &Report, saved: &[Opened]) -> anyhow::Result<()> {
    match saved.iter().find(|opened| opened.origin != report.origin) {
        None => Ok(()),
        Some(opened) => {
            anyhow::bail!(
                "the saved checkpoint is of log {}, but the log now calls itself {}",
                opened.origin,
                report.origin
            )
        }
    }
}

/// A bar on standard error where that is a terminal.
fn progress(name: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} entries, {per_sec}, {eta} left");
    ProgressBar::new(0).with_prefix(name.to_owned()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
