//! `chancery identity test`: the checks of the certificate authority on one token, each with its verdict.

use crate::{cli::config::is_server, configuration::Configuration, dev, instance, output};
use anyhow::Context as _;
use chancery_ca::{
    config,
    identity::Principal,
    oidc::{Authenticator, Explanation, Step, http_fetcher},
};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_verify::{certificate::Identity, extension::Claim};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// Longest token that is read from standard input: more than the authority takes.
const MAX_INPUT_BYTES: u64 = 1 << 20;
/// Longest value that is shown.
const MAX_SHOWN: usize = 100;

/// Check a token claim by claim, and show the contents of its certificate
///
/// Runs every check of the certificate authority, and fetches the keys of the issuer as it does. Exits with 0 only if the
/// authority would issue a certificate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery identity test \"$TOKEN\" --config issuers.toml
  chancery token alice@example.test | chancery identity test -      (with the issuer of a running `chancery dev`)
  chancery identity test \"$TOKEN\" --config /etc/chancery/chancery.toml --json")]
pub(super) struct Arguments {
    /// The token, or `-` to read it from standard input, which keeps it out of the process list
    #[arg(value_name = "TOKEN")]
    token: String,
    /// Accept the issuers in this file, or those of this configuration of a server; by default the issuer of `chancery dev`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// URL of `chancery dev`
    #[arg(long, value_name = "URL", default_value = dev::DEFAULT_URL, conflicts_with = "config")]
    url: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let issuers = match &arguments.config {
        Some(file) if is_server(file)? => config::load(&Configuration::load(file)?.ca.issuers)?,
        Some(file) => config::load(file)?,
        None => vec![instance::development_issuer(&format!("{}/oidc", arguments.url.trim_end_matches('/')))],
    };
    let authenticator = Authenticator::new(issuers, &http_fetcher)?;
    let token = if arguments.token == "-" { from_stdin()? } else { arguments.token };
    let explanation = authenticator.explain(token.trim(), SystemClock.now()).await;
    let text = if arguments.json { format!("{:#}\n", as_json(&explanation)) } else { as_text(&explanation) };
    output::text().write_all(text.as_bytes())?;
    Ok(if explanation.is_accepted() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn from_stdin() -> anyhow::Result<String> {
    let mut token = String::new();
    io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut token).context("cannot read standard input")?;
    Ok(token)
}

fn as_json(explanation: &Explanation) -> Value {
    let step = |step: &Step| {
        json!({
            "check": step.subject,
            "value": step.value,
            "accepted": step.verdict.is_ok(),
            "code": step.verdict.as_ref().err().map(chancery_ca::oidc::TokenRefusal::code),
            "reason": step.verdict.as_ref().err().map(ToString::to_string),
            "hint": step.hint,
        })
    };
    json!({
        "accepted": explanation.is_accepted(),
        "checks": explanation.steps.iter().map(step).collect::<Vec<_>>(),
        "certificate": explanation.principal.as_ref().map(certificate),
    })
}

fn certificate(principal: &Principal) -> Value {
    let (kind, name) = named(&principal.identity);
    let extensions = said(principal);
    json!({
        "subjectAlternativeName": { "kind": kind, "value": name },
        "extensions": extensions.iter().map(|(claim, value)| (claim.name(), *value)).collect::<std::collections::BTreeMap<_, _>>(),
        "proofOfPossessionOver": principal.challenges,
    })
}

const fn named(identity: &Identity) -> (&'static str, &str) {
    match identity {
        Identity::Email(name) => ("email", name.as_str()),
        Identity::Uri(name) => ("uri", name.as_str()),
        Identity::Username(name) => ("username", name.as_str()),
    }
}

/// Everything a certificate says beside the name, in its order.
fn said(principal: &Principal) -> Vec<(Claim, &str)> {
    let value = |claim: Claim| match claim {
        Claim::IssuerV1 => None,
        Claim::Issuer => Some(principal.issuer.as_str()),
        Claim::TokenSubject => Some(principal.subject.as_str()),
        other => principal.claims.get(&other).map(String::as_str),
    };
    Claim::ALL.iter().filter_map(|claim| value(*claim).map(|value| (*claim, value))).collect()
}

fn as_text(explanation: &Explanation) -> String {
    let (green, red, plain) = ("\x1b[32m", "\x1b[31m", "\x1b[0m");
    let mut text = String::new();
    for step in &explanation.steps {
        let (colour, mark) = if step.verdict.is_ok() { (green, "ok  ") } else { (red, "no  ") };
        let value = step.value.as_ref().map(shown).unwrap_or_default();
        let _ = writeln!(text, "{colour}{mark}{plain}{:<11} {value}", printable(&step.subject));
        if let Err(refusal) = &step.verdict {
            let _ = writeln!(text, "                {} ({})", printable(&refusal.to_string()), refusal.code());
        }
        if let Some(hint) = &step.hint {
            let _ = writeln!(text, "                {}", printable(hint));
        }
    }
    let verdict =
        if explanation.is_accepted() { format!("{green}accepted{plain}") } else { format!("{red}refused{plain}") };
    let _ = writeln!(text, "\n{verdict}");
    if let Some(principal) = &explanation.principal {
        let (kind, name) = named(&principal.identity);
        let would = if explanation.is_accepted() {
            "The certificate says"
        } else {
            "If the token were accepted, the certificate would say"
        };
        let _ = writeln!(text, "\n{would}\n    {:<40} {}", format!("name ({kind})"), printable(name));
        for (claim, value) in said(principal) {
            let _ = writeln!(text, "    {:<40} {}", claim.name(), printable(value));
        }
    }
    text
}

/// A claim's value on one line.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let short: String = text.chars().take(MAX_SHOWN).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", printable(&short))
}

/// What a token says may be meant for the terminal: nothing but visible characters gets there.
fn printable(text: &str) -> String {
    let visible = |c: char| {
        let reorders = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !c.is_control() && !reorders
    };
    text.chars().map(|c| if visible(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}
