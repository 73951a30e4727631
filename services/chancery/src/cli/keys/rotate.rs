//! `chancery keys rotate`: the steps from one key to the next, while the server answers.

mod activate;
mod certificates;
mod stage;

use crate::{
    cli::{place::InstanceArguments, trust, waiting::Generation},
    duration,
    instance::key_uri,
    output::Steps,
    rotation::{Progress, RingFiles, Role},
};
use activate::Activate;
pub(super) use certificates::organization;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf;
use chancery_verify::Timestamp;
use clap::{Args, Subcommand};
pub(in crate::cli) use stage::Stage;
use std::{process::ExitCode, time::Duration};

/// Replace a signing key while the server runs, without one failed request
///
/// stage publishes the next key in the trusted root (a CA key also in the trust bundle); it signs nothing yet. It is published
/// when the TUF repository serves it. Wait until every client has fetched it. activate signs with the next key instead of the old
/// one. retire sets the time until which the old key is trusted. `chancery keys list` shows the progress.
///
/// A new key of a log starts a new tree. activate freezes the old shard of a Rekor v1 log for ever. The old Rekor v2 log
/// serves signers with an old signing configuration until retire freezes it.
///
/// Keys of the TUF repository are replaced in one step: clients follow from one root to the next.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev stage
  chancery keys rotate ca --data ./chancery-dev activate
  chancery keys rotate ca --data ./chancery-dev retire
  chancery keys rotate ca --config /etc/chancery/chancery.toml stage
  chancery keys rotate ca stage --key 'awskms:///alias/ca-2?region=eu-central-1'
  chancery keys rotate ca stage --root-key 'awskms:///alias/ca-root?region=eu-central-1'
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
    /// The certificate log's key; the next key starts another log beside the first
    Ct(Rotated),
    /// The Rekor v1 log's key; the next key starts another shard, and clients still see one log with one index
    Rekor(Rotated),
    /// The Rekor v2 log's key; the next key starts another log at a host name of its own
    Rekor2(Rotated),
    /// The TUF repository's root key; same as `chancery trust rotate --role root`
    TufRoot(RotatedTuf),
    /// The TUF repository's targets key; same as `chancery trust rotate --role targets`
    TufTargets(RotatedTuf),
    /// The TUF repository's snapshot key; same as `chancery trust rotate --role snapshot`
    TufSnapshot(RotatedTuf),
    /// The TUF repository's timestamp key; same as `chancery trust rotate --role timestamp`
    TufTimestamp(RotatedTuf),
}

/// Rotate one key in steps
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate ca --data ./chancery-dev stage

If several servers have copies of one data directory: copy keys/ to each of them after every step.")]
struct Rotated {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Wait at most this long for the server to take the step
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse, global = true)]
    wait: Duration,
    #[command(subcommand)]
    step: Step,
}

/// Replace one key of the TUF repository in one step
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate tuf-timestamp --data ./chancery-dev")]
struct RotatedTuf {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Use the P-256 key at this URI instead of a new key beside the old one
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

/// Set the time until which the old key is trusted
///
/// The trusted root keeps the old key with that time. The trust bundle and fulcio-chain.pem have no times, so the old key is
/// removed from them. Default: the time of the last signature that can depend on the old key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev retire
  chancery keys rotate ca --data ./chancery-dev retire --end 2026-11-21T07:00:00Z")]
struct Retire {
    /// Trust the old key until this time (RFC 3339); for a stolen key, the time of the theft
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: Option<Timestamp>,
}

/// Withdraw the staged key, which never signs
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate ca --data ./chancery-dev abandon")]
struct Abandon {}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (role, Rotated { instance, wait, step }) = match arguments.role {
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
    let data = instance.data()?;
    let files = RingFiles::of(&data);
    files.verify_complete()?;
    let _alone = files.lock()?;
    let mut ring = files.ring(role)?;
    let progress = files.progress(role)?.unwrap_or_default();
    let now = SystemClock.now();
    let of = |number| Generation { files: &files, role, number };
    let mut steps = Steps::new(false);
    match step {
        Step::Stage(stage) => {
            let number = stage.run(&files, role, &mut ring, now).await?;
            steps.say(&format!("generation {number} is staged"));
            let published = |progress: &Progress| progress.published_seconds.contains_key(&number);
            await_step(of(number), wait, published, "it is published", &mut steps).await?;
        }
        Step::Activate(activate) => {
            let number = ring.activate(role, &progress, activate.overlap_seconds(), now)?;
            if let Some(warning) = activate.warning(role, number, &progress, now) {
                steps.say(&warning);
            }
            files.write_ring(&ring)?;
            steps.say(&format!("generation {number} is active"));
            let signing = |progress: &Progress| progress.signing == number;
            await_step(of(number), wait, signing, "the server signs with it", &mut steps).await?;
        }
        Step::Retire(Retire { end }) => {
            let (number, end) = ring.retire(role, &progress, end, now)?;
            files.write_ring(&ring)?;
            steps.say(&format!("generation {number} is retired: its signatures are trusted until {}", end.rfc3339()));
        }
        Step::Abandon(Abandon {}) => {
            let number = ring.abandon(role)?;
            files.write_ring(&ring)?;
            steps.say(&format!("generation {number} is abandoned"));
        }
    }
    steps.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl RotatedTuf {
    async fn run(self, role: tuf::Role) -> anyhow::Result<ExitCode> {
        trust::rotate(self.instance.data()?, role, self.key.as_deref()).await
    }
}

/// Waits until the server has taken the step, and prints that.
pub(super) async fn await_step(
    generation: Generation<'_>,
    wait: Duration,
    done: impl Fn(&Progress) -> bool,
    what: &str,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let failed = "the server cannot use the new key and still signs with the old one";
    if generation.await_progress(wait, done, failed).await? {
        steps.say(what);
        return Ok(());
    }
    match generation.reason_unpublished()? {
        Some(reason) => steps.say(&format!("it is not published yet: {reason}")),
        None => steps.say("no running server has taken this step yet; the next start takes it"),
    }
    Ok(())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-11-21T07:00:00Z".to_owned())
}
