//! `chancery artifact`: who signed this, as far as a log can prove it.
//!
//! A server is asked for every entry about a digest ([`evidence`]). Nothing that it says is believed: each entry is verified
//! here with the trust root, from its own bytes, its inclusion proof and its checkpoint ([`verdict`]). So a server cannot
//! invent a signature. It can hide one: that nobody signed is only its word.

pub(super) mod evidence;
pub(super) mod outcome;
mod verdict;

use super::{
    search::server::{AskError, Server, ServerArguments},
    verify::{self, TrustArguments, artifact},
};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_verify::verifier::{Digests, Options, Verifier};
use clap::Args;
use outcome::Outcome;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Show who signed a file, from the logs of a server
///
/// Computes the digests of FILE and asks a server for all entries about them. Verifies every entry with the trust root: the
/// inclusion proof, the checkpoint, the promise of the log, the certificate with its SCTs, and the signature. A bundle is not
/// needed. What the server says about the entries is not used.
///
/// An entry of Rekor v2 proves no time, and neither does one of Rekor v1 whose promise the server does not show, as chancery
/// search follow does not. The time that is shown is then the log's record, if there is one. It is not established that a
/// certificate was used while it was valid: its signer is shown with its validity, and the answer is undecided. A timestamp in the
/// bundle proves the time: chancery verify blob.
///
/// An entry of an attestation has only hashes. If the log keeps the statement, the statement must have the hash in the entry and
/// name the digest, and the signature over it is verified. Without the statement, only the signer is verified. An entry of a
/// package or of another format may lack what was signed: it is then shown as in the log and not verified, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery artifact release.tar.gz --url https://sign.example.org --trusted-root trusted_root.json
  chancery artifact release.tar.gz --trust ./trust --json
  chancery artifact release.tar.gz --url https://log.acme.example --trust ./trust --ca-file acme.pem
  chancery artifact sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --trust ./trust")]
pub(super) struct Arguments {
    /// The file, or its digest as sha256:HEX
    #[arg(value_name = "FILE|DIGEST")]
    artifact: PathBuf,
    #[command(flatten)]
    server: ServerArguments,
    /// Do not require an SCT in the certificate; if there is one, it must verify
    #[arg(long)]
    insecure_ignore_sct: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    judge(&arguments).await.unwrap_or_else(|error| verify::failed(&error))
}

async fn judge(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { artifact: name, server, insecure_ignore_sct, json, trust } = arguments;
    let mut options = Options::default();
    if *insecure_ignore_sct {
        options.thresholds.scts = 0;
    }
    let verifier = Verifier::new(trust.load(true).await?, options);
    let server = Server::new(server, trust.authorities.file())?;
    let shown = name.display().to_string();
    let outcome = match digests(name) {
        Ok(digests) => match outcome(&server, &verifier, &shown, &digests).await {
            Ok(outcome) => outcome,
            Err(AskError::Refused(reason) | AskError::Unanswered(reason)) => Outcome::undecided(&shown, reason),
        },
        Err(error) => Outcome::undecided(&shown, format!("cannot be read: {error:#}")),
    };
    outcome.print(*json)
}

/// Every digest of the artifact that entries may be about.
fn digests(name: &Path) -> anyhow::Result<Digests> {
    Ok(artifact(name)?.as_artifact().digests().into_owned())
}

/// Asks for each digest, and verifies what is answered.
async fn outcome(server: &Server, verifier: &Verifier, shown: &str, digests: &Digests) -> Result<Outcome, AskError> {
    let mut outcome = Outcome::of(shown);
    for (algorithm, digest) in digests.iter() {
        let evidence = evidence::gather(server, algorithm, digest).await?;
        for entry in &evidence.entries {
            let verdict = verdict::of(verifier, entry, (algorithm, digest), SystemClock.now());
            outcome.add(entry, verdict);
        }
        outcome.asked(algorithm, digest, evidence.complete_to);
    }
    Ok(outcome.decided())
}
