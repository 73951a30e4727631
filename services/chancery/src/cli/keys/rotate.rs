//! `chancery keys rotate`: the steps from one key to the next, while the server answers.

mod stage;

use crate::{
    cli::trust,
    duration,
    instance::key_uri,
    rotation::{Progress, RingFiles, Role},
};
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf;
use chancery_verify::Timestamp;
use clap::{Args, Subcommand};
use stage::Stage;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// How often the server's answer is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Change a signing key while the server runs, without one failed request
///
/// Stage: the next key is published in the trusted root, a CA's also in the trust bundle. Then wait until every client has
/// fetched it. Activate: it signs, and the one before does not any more. Retire: what the one before has signed counts, what it
/// signs from then on does not. `chancery keys list` shows how far it is.
///
/// The next key of a log is that of another tree. `activate` of a Rekor v1 log freezes the shard before, for ever. A Rekor v2 log
/// that is not used any more by new signing configurations goes on for signers with an old one, until `retire` freezes it.
///
/// Keys of the TUF repository need no steps: clients follow from one root to the next by themselves.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev stage
  chancery keys rotate ca --data ./chancery-dev activate
  chancery keys rotate ca --data ./chancery-dev retire
  chancery keys rotate ca stage --key 'awskms:///alias/ca-2?region=eu-central-1'
  chancery keys rotate ca retire --end 2026-11-21T07:00:00Z
  chancery keys rotate tsa --data ./chancery-dev stage
  chancery keys rotate ct --data ./chancery-dev stage
  chancery keys rotate rekor --data ./chancery-dev stage
  chancery keys rotate rekor2 --data ./chancery-dev stage --url https://log2.example.org
  chancery keys rotate tuf-timestamp --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(subcommand)]
    role: RoleVerb,
}

#[derive(Debug, Subcommand)]
enum RoleVerb {
    /// The certificate authority's issuing key
    Ca(Rotated),
    /// The timestamp authority's key
    Tsa(Rotated),
    /// The certificate log's key: the next one is of another log, beside the first
    Ct(Rotated),
    /// The Rekor v1 log's key: the next one is of another shard, and clients still see one log with one index
    Rekor(Rotated),
    /// The Rekor v2 log's key: the next one is of another log at a host name of its own, which signers are told of
    Rekor2(Rotated),
    /// The TUF repository's root key: as `chancery trust rotate --role root`
    TufRoot(RotatedTuf),
    /// The TUF repository's targets key: as `chancery trust rotate --role targets`
    TufTargets(RotatedTuf),
    /// The TUF repository's snapshot key: as `chancery trust rotate --role snapshot`
    TufSnapshot(RotatedTuf),
    /// The TUF repository's timestamp key: as `chancery trust rotate --role timestamp`
    TufTimestamp(RotatedTuf),
}

/// One key, in steps
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate ca --data ./chancery-dev stage

Servers that have copies of one data directory need a copy of its keys/ after each step, of a log's before the next one.")]
struct Rotated {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev", global = true)]
    data: PathBuf,
    /// How long to wait until the server has taken the step
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse, global = true)]
    wait: Duration,
    #[command(subcommand)]
    step: Step,
}

/// One key of the TUF repository, at once
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate tuf-timestamp --data ./chancery-dev")]
struct RotatedTuf {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// Where the new key is, if it is not to be made in the data directory; P-256
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Step {
    Stage(Stage),
    Activate(Activate),
    Retire(Retire),
    Abandon(Abandon),
}

/// Sign with the staged key from now on
#[derive(Debug, Args)]
struct Activate {
    /// How long it must have been published: longer than any client keeps what it has fetched
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration::parse)]
    overlap: Duration,
}

/// End the time of the key before
///
/// In the trusted root it stays with its end; the trust bundle and fulcio-chain.pem, which know no times, do without it. Without
/// --end that is when the last signature that depends on it can have been made.
#[derive(Debug, Args)]
struct Retire {
    /// Nothing it has signed after this time counts (RFC 3339): for a key that was stolen
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: Option<Timestamp>,
}

/// Give up the staged key
#[derive(Debug, Args)]
struct Abandon {}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (role, Rotated { data, wait, step }) = match arguments.role {
        RoleVerb::Ca(rotated) => (Role::Ca, rotated),
        RoleVerb::Tsa(rotated) => (Role::Tsa, rotated),
        RoleVerb::Ct(rotated) => (Role::Ct, rotated),
        RoleVerb::Rekor(rotated) => (Role::Rekor, rotated),
        RoleVerb::Rekor2(rotated) => (Role::Rekor2, rotated),
        RoleVerb::TufRoot(rotated) => return rotated.run(tuf::Role::Root).await,
        RoleVerb::TufTargets(rotated) => return rotated.run(tuf::Role::Targets).await,
        RoleVerb::TufSnapshot(rotated) => return rotated.run(tuf::Role::Snapshot).await,
        RoleVerb::TufTimestamp(rotated) => return rotated.run(tuf::Role::Timestamp).await,
    };
    let files = RingFiles::of(&data);
    ensure!(files.is_complete()?, "{} is not complete: start the server first", data.display());
    let _alone = files.lock()?;
    let mut ring = files.ring(role)?;
    let progress = files.progress(role)?.unwrap_or_default();
    let now = SystemClock.now();
    let server = Server { files: &files, role, wait };
    match step {
        Step::Stage(stage) => {
            let number = stage.run(&files, role, &mut ring, now).await?;
            say(&format!("generation {number} is staged"))?;
            let published = |progress: &Progress| progress.published_seconds.contains_key(&number);
            server.await_step(number, published, "it is published").await
        }
        Step::Activate(Activate { overlap }) => {
            let number = ring.activate(role, &progress, overlap.as_secs(), now)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is active"))?;
            server.await_step(number, |progress| progress.signing == number, "the server signs with it").await
        }
        Step::Retire(Retire { end }) => {
            let (number, end) = ring.retire(role, &progress, end, now)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is retired: what it has signed until {} counts", end.rfc3339()))?;
            Ok(ExitCode::SUCCESS)
        }
        Step::Abandon(Abandon {}) => {
            let number = ring.abandon(role)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is abandoned"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl RotatedTuf {
    async fn run(self, role: tuf::Role) -> anyhow::Result<ExitCode> {
        trust::rotate(&self.data, role, self.key.as_deref()).await
    }
}

/// The server that takes the steps.
struct Server<'a> {
    files: &'a RingFiles,
    role: Role,
    wait: Duration,
}

impl Server<'_> {
    /// Waits until the server has taken the step, and says so. A server that cannot is an error; one that does not run will.
    async fn await_step(&self, number: u64, done: impl Fn(&Progress) -> bool, what: &str) -> anyhow::Result<ExitCode> {
        let waited = tokio::time::timeout(self.wait, async {
            loop {
                let progress = self.files.progress(self.role)?.unwrap_or_default();
                if done(&progress) {
                    return Ok(());
                }
                if let Some(reason) = progress.obstacles.get(&number) {
                    bail!("the server cannot use it, and signs with the key before: {reason}");
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        match waited.await {
            Ok(outcome) => {
                outcome?;
                say(what)?;
            }
            Err(_) => say("no server has taken this up yet; one that starts will")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("cannot write to standard output")
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-11-21T07:00:00Z".to_owned())
}
