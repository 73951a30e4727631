//! `chancery policy`: what a policy file means, before anything depends on it.
//!
//! A policy is read by the code that every command reads it with; nothing is fetched for `check` and `schema`.

use super::verify::explain;
use crate::output;
use chancery_verify::{
    counted,
    policy::{MAX_POLICY_BYTES, ParseError, Policy},
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The exit code of `chancery verify` for an open question.
const UNDECIDED: u8 = 3;

/// Check a policy file, explain its decisions, or print its schema
///
/// A policy lists the required signatures. Every command that verifies reads the same TOML file; deploy/policy.toml explains
/// every setting.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery policy check policy.toml
  chancery policy explain policy.toml app.sigstore.json --artifact app.tar.gz --trusted-root trusted_root.json
  chancery policy schema > policy.schema.json    (for editors that complete and check TOML)")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a policy, and warn of settings that are probably mistakes
    #[command(after_help = "Example:\n  chancery policy check policy.toml --deny-warnings")]
    Check {
        /// The policy
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Exit with 1 if there is a warning
        #[arg(long)]
        deny_warnings: bool,
        /// Print the verdict as JSON
        #[arg(long)]
        json: bool,
    },
    Explain(Box<explain::Arguments>),
    /// Print the JSON schema of policy files
    #[command(after_help = "Example:\n  chancery policy schema > policy.schema.json")]
    Schema,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Check { file, deny_warnings, json } => check(&file, deny_warnings, json),
        Verb::Explain(arguments) => Ok(explain::run(*arguments).await),
        Verb::Schema => {
            write(&format!("{:#}\n", Policy::schema()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(path: &Path, deny_warnings: bool, json: bool) -> anyhow::Result<ExitCode> {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => {
            output::note(&format!("error: cannot read the policy {}: {error}", path.display()));
            // The bytes were read and are not text: no policy.
            let is_known = error.kind() == io::ErrorKind::InvalidData;
            return Ok(if is_known { ExitCode::FAILURE } else { ExitCode::from(UNDECIDED) });
        }
    };
    let policy = Policy::parse(&text);
    let warnings = policy.as_ref().map(Policy::warnings).unwrap_or_default();
    let holds = policy.is_ok() && (warnings.is_empty() || !deny_warnings);
    if json {
        write(&format!("{:#}\n", document(&policy, &warnings)))?;
    } else {
        match &policy {
            Ok(policy) => write(&summary(path, policy))?,
            Err(error) => output::note(&format!("{}: {}: {error}", path.display(), error.code())),
        }
        for warning in &warnings {
            output::note(&format!("warning: {warning}"));
        }
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a policy, and of an overlong one as much as shows that it is.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_POLICY_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn summary(path: &Path, policy: &Policy) -> String {
    let rules = counted(policy.rules(), "rule", "rules");
    let distrust = counted(policy.distrust().len(), "distrust rule", "distrust rules");
    let mut text = format!("{}: a policy with {rules} and {distrust}\n", path.display());
    for rule in policy.distrust() {
        let reason = if rule.reason().is_empty() { String::new() } else { format!(" ({})", rule.reason()) };
        text.extend(["  distrusted", &reason, ": ", &rule.to_string(), "\n"]);
    }
    text
}

fn document(policy: &Result<Policy, ParseError>, warnings: &[String]) -> Value {
    match policy {
        Ok(policy) => json!({
            "version": 1, "valid": true, "rules": policy.rules(), "distrust": policy.distrust().len(),
            "thresholds": policy.thresholds(), "thresholds_of_authorities": policy.thresholds_of_authorities(),
            "layout": policy.layout(), "warnings": warnings,
        }),
        Err(error) => json!({
            "version": 1, "valid": false, "code": error.code(), "message": error.message(),
            "line": error.position().map(|(line, _)| line), "column": error.position().map(|(_, column)| column),
        }),
    }
}

fn write(text: &str) -> anyhow::Result<()> {
    Ok(output::print(text)?)
}
