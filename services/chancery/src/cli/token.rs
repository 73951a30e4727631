//! `chancery token`: asks a running `chancery dev` for a token. The key stays with the server.

use crate::{dev, durable, issuer, output};
use anyhow::{Context as _, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// The server is on this machine and only signs.
const DEADLINE: Duration = Duration::from_secs(10);

/// Print an identity token from a running `chancery dev`
///
/// The token is the only output, so a command can use it as an argument. It expires after ten minutes. Some clients put
/// every byte of a token file into a header, where a line break is an error: --out writes none.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery token alice@example.test
  cosign sign-blob --identity-token \"$(chancery token alice@example.test)\" …
  chancery token alice@example.test --out alice.token
  chancery token alice@example.test --claims '{\"email_verified\": false}'    (the certificate authority refuses this token)")]
pub(super) struct Arguments {
    /// Identity in the token
    #[arg(value_name = "EMAIL")]
    email: String,
    /// URL of `chancery dev`
    #[arg(long, value_name = "URL", default_value = dev::DEFAULT_URL)]
    url: String,
    /// Audience of the token (`aud`)
    #[arg(long, value_name = "NAME", default_value = issuer::DEFAULT_AUDIENCE)]
    audience: String,
    /// Add or replace these claims, given as a JSON object; null removes a claim
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<Map<String, Value>>,
    /// Let the token expire after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    lifetime: u32,
    /// Write the token to this file instead, without a line break, readable by its owner only; replaces an existing file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Print a JSON object instead of the bare token
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Request<'a> {
    email: &'a str,
    audience: &'a str,
    claims: Map<String, Value>,
    lifetime_seconds: u32,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    token: String,
}

#[derive(Deserialize)]
struct Refusal {
    error_description: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let answer = ask(&arguments).await?;
    if let Some(file) = &arguments.out {
        durable::write(file, answer.token.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let line = if arguments.json { serde_json::to_string(&answer)? } else { answer.token };
    output::print(&format!("{line}\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(arguments: &Arguments) -> anyhow::Result<Answer> {
    let base = arguments.url.trim_end_matches('/');
    let request = Request {
        email: &arguments.email,
        audience: &arguments.audience,
        claims: arguments.claims.clone().unwrap_or_default(),
        lifetime_seconds: arguments.lifetime,
    };
    // A proxy of the environment would connect to its own loopback address.
    let client =
        reqwest::Client::builder().no_proxy().timeout(DEADLINE).redirect(reqwest::redirect::Policy::none()).build()?;
    let response = client
        .post(format!("{base}/oidc/token-for"))
        .header(issuer::DEV_HEADER, "1")
        .json(&request)
        .send()
        .await
        .with_context(|| format!("no `chancery dev` answers at {base}; start it, or give its URL with --url"))?;
    let (status, body) = (response.status(), response.bytes().await.context("the connection broke during the answer")?);
    if !status.is_success() {
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => bail!("the development issuer refused: {}", refusal.error_description),
            Err(_) => {
                bail!("the server at {base} is not `chancery dev` (status {status}); give its URL with --url")
            }
        }
    }
    serde_json::from_slice(&body)
        .with_context(|| format!("the server at {base} is not `chancery dev`; give its URL with --url"))
}

fn claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}
