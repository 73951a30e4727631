//! `chancery backup`: an instance in one file, and its proof.
//!
//! [`make`] writes it beside a running server, [`verify`] proves one without a server. What the file is made of is in
//! [`crate::backup`]; `chancery restore` is [`super::restore`].

mod make;
mod verify;

use super::place::OneInstance;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Between two looks of the bar.
const TICK: Duration = Duration::from_millis(200);

/// Write an instance to one file while its server runs, or prove such a file
///
/// In it are the logs, the TUF repository, the trust files, the marks, and the state of rotations.
/// What was acknowledged before the command began is in the file. The database is copied in one transaction, without programs
/// of the database; servers go on to write. Private keys are left out, unless --keys asks for them: with them and a database, a
/// second history of your logs can be signed.
///
/// Free space for a second copy of an SQLite database is needed beside the file while it is made. A backup that is restored is
/// older than its logs: read what chancery restore says before you need it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:
  chancery backup --data ./chancery-dev --out monday.backup
  chancery backup --config /etc/chancery/chancery.toml --out /backup/monday.backup
  chancery backup --data ./chancery-dev --keys --passphrase-file /safe/passphrase --out with-keys.backup
  chancery backup verify monday.backup",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    instance: OneInstance,
    /// Write the backup to this new file; never overwrites a file
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Add the private keys in the data directory, each encrypted with the passphrase
    #[arg(long, requires = "passphrase_file")]
    keys: bool,
    /// The passphrase of the keys, in a file; at least 16 characters
    #[arg(long, value_name = "FILE", requires = "keys")]
    passphrase_file: Option<PathBuf>,
    /// Add the audit log of the certificate authority
    #[arg(long)]
    audit: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Verify(verify::Arguments),
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.verb {
        Some(Verb::Verify(arguments)) => verify::run(arguments).await,
        None => make::run(arguments).await,
    }
}

impl Arguments {
    fn out(&self) -> anyhow::Result<&PathBuf> {
        self.out.as_ref().context("name the file with --out")
    }
}

/// How much was read or written, on standard error where that is a terminal.
pub(super) fn bytes_bar(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {bytes}, {bytes_per_sec}");
    let bar = ProgressBar::new_spinner().with_prefix(what.to_owned());
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    bar
}
