//! `chancery evidence`: everything that proves an answer, in one file, and its check without a network.
//!
//! [`gather`] asks a server. Nothing that it says is believed: what was gathered is made a case, and the case is checked as
//! an auditor will check it ([`chancery_search::evidence`]), before it is written. So a server that lies is found while packing.
//! [`history`] is about the trust files in a case, [`audit`] about lines of the CA's audit log, [`outcome`] prints.
//!
//! Exit codes: 0 the case is sound; 1 it is not, or the server lies; 2 the arguments or the trust root are wrong, or what was asked
//! for does not fit into a case; 3 it could not be told: there is no answer, or a file cannot be read or written.

mod audit;
mod examine;
mod gather;
mod history;
mod outcome;

use super::{
    search::{
        filters::FilterArguments,
        server::{AskError, Server, ServerArguments},
    },
    verify::{TrustArguments, WitnessArguments},
};
use crate::{durable, output};
use anyhow::{Context as _, ensure};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_search::evidence::{self, Case, Fault, Report};
use chancery_verify::verifier::{Options, Verifier};
use clap::{Args, Subcommand};
use history::History;
use outcome::Outcome;
use std::{path::PathBuf, process::ExitCode};

/// Wrong arguments or trust root.
const WRONG_USAGE: u8 = 2;

/// Pack an answer of the logs with its proofs into one file, and check it offline
///
/// Asks a server as chancery search does, for entries that meet all filters. Packs them with everything that proves them:
/// inclusion proofs to one checkpoint of each log, consistency proofs, cosignatures, certificates with their entries in the
/// certificate log, and the trust files of the server. Verifies all of it with the trust root before it writes the file. The
/// same state of the logs gives the same bytes, apart from promises of Rekor v1, which a server signs anew.
///
/// A case does not prove that nothing is missing. That the server has shown every entry is its word, up to the sizes of the
/// logs that the case names.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:
  chancery evidence --digest sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 \\
      --url https://sign.example.org --trust ./trust --out case.tar
  chancery evidence --identity ci@example.org --from 2026-11-01 --to 2026-11-30 --trust ./trust --out november.tar
  chancery evidence --repository https://github.com/acme/app --trust ./trust --audit audit.jsonl --out app.tar
  chancery evidence check case.tar --trusted-root trusted_root.json",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    server: ServerArguments,
    /// Write the case to this new file; never overwrites a file
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Add the lines of this audit log of the CA that are about certificates of the case; repeatable
    #[arg(long, value_name = "FILE")]
    audit: Vec<PathBuf>,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    filters: FilterArguments,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(Box<examine::Arguments>),
}

/// How a case is judged and shown.
#[derive(Debug, Args)]
struct Judging {
    /// Do not require an SCT in certificates; if there is one, it must verify
    #[arg(long)]
    insecure_ignore_sct: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    witnesses: WitnessArguments,
    #[command(flatten)]
    trust: TrustArguments,
}

impl Judging {
    async fn verifier(&self) -> anyhow::Result<Verifier> {
        let mut options = Options::default();
        options.thresholds.witnesses = self.witnesses.policy(0)?;
        if self.insecure_ignore_sct {
            options.thresholds.scts = 0;
        }
        Ok(Verifier::new(self.trust.load(true).await?, options))
    }
}

/// Why there is no case.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What the server says, or what is in the file, does not hold.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// There is no answer.
    #[error(transparent)]
    Asked(#[from] AskError),
    /// What was asked for is no case, however often it is asked for: there is too much of it, or a log has a name that no member
    /// can have.
    #[error("{0}")]
    Unfit(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    Undecided(String),
}

/// A case that is sound, with what it proves.
struct Sound {
    archive: Vec<u8>,
    report: Report,
    history: Option<History>,
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match &arguments.verb {
        Some(Verb::Check(check)) => examine::run(check).await,
        None => pack(&arguments).await,
    };
    outcome.unwrap_or_else(|error| output::failed(&error, WRONG_USAGE))
}

async fn pack(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { server, out, judging, filters, .. } = arguments;
    let out = out.as_deref().context("name the file with --out")?;
    let question = filters.parameters()?;
    ensure!(!question.is_empty(), "say what the case is about, for example with --digest or --identity");
    ensure!(!out.exists(), "{} exists already; name another file with --out", out.display());
    let verifier = judging.verifier().await?;
    let server = Server::new(server, judging.trust.authorities.file())?;
    let packed = packed(arguments, &server, &verifier, question).await;
    let packed = packed.and_then(|sound| {
        // Whole or not at all.
        durable::create(out, &sound.archive).map(|()| sound).map_err(|error| undecided(&error))
    });
    match packed {
        // As chancery search: a question that is refused is wrong.
        Err(error @ (Failure::Asked(AskError::Refused(_)) | Failure::Unfit(_))) => Err(error.into()),
        packed => Outcome::of("PACKED", out, packed).print(judging.json),
    }
}

async fn packed(
    arguments: &Arguments,
    server: &Server,
    verifier: &Verifier,
    question: Vec<(String, String)>,
) -> Result<Sound, Failure> {
    let name = arguments.server.url.as_str();
    let mut draft = gather::gather(server, &question, verifier.trust_root()).await?;
    if !arguments.audit.is_empty() {
        let case = Case::seal(name, question.clone(), draft.clone());
        let report = evidence::check(&case, verifier, SystemClock.now())?;
        audit::add(&mut draft, &case, &report, &arguments.audit).map_err(|error| undecided(&error))?;
    }
    // What does not fit is no lie of the server.
    let archive = Case::seal(name, question, draft).to_archive();
    sound(archive.map_err(|fault| Failure::Unfit(fault.to_string()))?, verifier)
}

/// Checks a case, whether it was read or just made.
fn sound(archive: Vec<u8>, verifier: &Verifier) -> Result<Sound, Failure> {
    let case = Case::open(&archive)?;
    let report = evidence::check(&case, verifier, SystemClock.now())?;
    let history = history::verify(&case)?;
    Ok(Sound { archive, report, history })
}

fn undecided(error: &anyhow::Error) -> Failure {
    Failure::Undecided(format!("{error:#}"))
}
