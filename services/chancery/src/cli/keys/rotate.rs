//! `chancery keys rotate`: the steps from one key to the next, while the server answers.

use super::generate::Kind;
use crate::{
    durable, duration,
    instance::key_uri,
    rotation::{Generation, Place, Progress, Ring, RingFiles, Role, State, generations::open_place},
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::{
    clock::{Clock as _, SystemClock},
    random::SystemRandom,
    signer::Signer,
};
use chancery_verify::Timestamp;
use clap::{Args, Subcommand};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// How often the server's answer is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Change a signing key while the server runs, without one failed request
///
/// Stage: the next key's certificates are published, in the trust bundle and the trusted root. Then wait until every client has
/// fetched them. Activate: it signs, and the one before does not any more. Retire: what the one before has signed counts, what
/// it signs from then on does not. `chancery keys list` shows how far it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev stage
  chancery keys rotate ca --data ./chancery-dev activate
  chancery keys rotate ca --data ./chancery-dev retire
  chancery keys rotate ca stage --key 'awskms:///alias/ca-2?region=eu-central-1'
  chancery keys rotate ca retire --end 2026-11-21T07:00:00Z")]
pub(super) struct Arguments {
    #[command(subcommand)]
    role: RoleVerb,
}

#[derive(Debug, Subcommand)]
enum RoleVerb {
    Ca(Ca),
}

/// The certificate authority's issuing key
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys rotate ca --data ./chancery-dev stage

Servers that have copies of one data directory need a copy of its keys/ after each step.")]
struct Ca {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev", global = true)]
    data: PathBuf,
    /// How long to wait until the server has taken the step
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse, global = true)]
    wait: Duration,
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    Stage(Stage),
    Activate(Activate),
    Retire(Retire),
    Abandon(Abandon),
}

/// Make or take the next key and have its certificates published; it signs nothing yet
#[derive(Debug, Args)]
struct Stage {
    /// Where the key is, if it is not to be made in the data directory
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Kind of key to make
    #[arg(long, value_name = "KIND", default_value = "p256", conflicts_with = "key")]
    kind: Kind,
    /// Certificates for the key, in PEM: the issuing one first, the root last. Made, under a new root, if not given
    #[arg(long, value_name = "FILE", requires = "key")]
    chain: Option<PathBuf>,
}

/// Sign with the staged key from now on
#[derive(Debug, Args)]
struct Activate {
    /// How long its certificates must have been published: longer than any client keeps what it has fetched
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration::parse)]
    overlap: Duration,
}

/// End the time of the key before
///
/// It leaves the trust bundle and fulcio-chain.pem, which know no times; in the trusted root it stays with its end. Without
/// --end that is when the last certificate it issued has ended.
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
    let RoleVerb::Ca(Ca { data, wait, step }) = arguments.role;
    let files = RingFiles::of(&data);
    ensure!(files.is_complete()?, "{} is not complete: start the server first", data.display());
    let _alone = files.lock()?;
    let mut ring = files.ring()?;
    let progress = files.progress(Role::Ca)?.unwrap_or_default();
    let now = SystemClock.now();
    match step {
        Step::Stage(stage) => {
            let number = stage.run(&files, &mut ring, now).await?;
            say(&format!("generation {number} is staged"))?;
            let published = |progress: &Progress| progress.published_seconds.contains_key(&number);
            await_server(&files, wait, number, published, "its certificates are published").await
        }
        Step::Activate(Activate { overlap }) => {
            let number = ring.activate(Role::Ca, &progress, overlap.as_secs(), now)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is active"))?;
            await_server(&files, wait, number, |progress| progress.signing == number, "the server signs with it").await
        }
        Step::Retire(Retire { end }) => {
            let (number, end) = ring.retire(Role::Ca, &progress, end)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is retired: what it has signed until {} counts", end.rfc3339()))?;
            Ok(ExitCode::SUCCESS)
        }
        Step::Abandon(Abandon {}) => {
            let number = ring.abandon(Role::Ca)?;
            files.write_ring(&ring)?;
            say(&format!("generation {number} is abandoned"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The organisation in the certificates of the key that signs.
fn organization(files: &RingFiles, ring: &Ring) -> anyhow::Result<String> {
    let active = ring.find(Role::Ca, State::Active).and_then(|active| active.chain.as_deref());
    let path = files.key_file(active.context("no CA key with certificates is active")?);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let chain = IssuingChain::inactive_from_pem(&text).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(chain.subject().0)
}

impl Stage {
    /// Writes key, certificates and ring, in this order: what was written before a crash is taken up, or written again, by the
    /// next attempt, and counts for nothing until the ring names it.
    async fn run(self, files: &RingFiles, ring: &mut Ring, now: Timestamp) -> anyhow::Result<u64> {
        let number = ring.next_number(Role::Ca)?;
        let (key, signer) = self.key(files, number).await?;
        let fingerprint = hex::encode(signer.public_key().fingerprint());
        let known = ring.generations(Role::Ca).iter().find(|known| known.fingerprint == fingerprint);
        if let Some(known) = known {
            bail!("this is the key of generation {}; a rotation needs another one", known.number);
        }
        let chain = if let Some(path) = &self.chain {
            given_chain(path, &signer, now)?
        } else {
            let path = files.key_file(&format!("ca-root-{number}.pem"));
            let root = Signer::open_or_create(&path, signer.public_key().kind()).context("cannot use the root key")?;
            IssuingChain::create(&organization(files, ring)?, number, &root, &signer, &SystemRandom, now).await?
        };
        chain.verify_signer(&signer).await.context("the key does not sign")?;
        let name = format!("ca-{number}-chain.pem");
        durable::write(&files.key_file(&name), chain.to_pem().as_bytes())?;
        let generation = Generation {
            number,
            state: State::Staged,
            key,
            fingerprint,
            chain: Some(name),
            since_seconds: now.seconds(),
            activated_seconds: None,
            ends_seconds: None,
        };
        ring.stage(Role::Ca, generation);
        files.write_ring(ring)?;
        Ok(number)
    }

    async fn key(&self, files: &RingFiles, number: u64) -> anyhow::Result<(Place, Signer)> {
        let place = if let Some(uri) = &self.key {
            Place::Uri(uri.clone())
        } else {
            let name = format!("ca-{number}.pem");
            Signer::open_or_create(&files.key_file(&name), self.kind.into()).context("cannot make the key")?;
            Place::File(name)
        };
        let signer = open_place(files, &place).await?;
        Ok((place, signer))
    }
}

fn given_chain(path: &Path, signer: &Signer, now: Timestamp) -> anyhow::Result<IssuingChain> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let chain = IssuingChain::from_pem(&text, signer.public_key(), now);
    let chain = chain.with_context(|| format!("cannot use {}", path.display()))?;
    ensure!(chain.certificates().len() > 1, "{} needs the issuing certificate and its root", path.display());
    Ok(chain)
}

/// Waits until the server has taken the step, and says so. A server that cannot is an error; one that does not run will.
async fn await_server(
    files: &RingFiles,
    wait: Duration,
    number: u64,
    done: impl Fn(&Progress) -> bool,
    what: &str,
) -> anyhow::Result<ExitCode> {
    let waited = tokio::time::timeout(wait, async {
        loop {
            let progress = files.progress(Role::Ca)?.unwrap_or_default();
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

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("cannot write to standard output")
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "expected a time such as 2026-11-21T07:00:00Z".to_owned())
}
