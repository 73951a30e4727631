//! Runs credential helpers: programs that return a password (docker-credential-helpers, «Development»).
//!
//! `docker-credential-NAME get` reads the name of a server and prints JSON. NAME comes from the user's configuration and
//! must be one word: no path and no arguments. A helper that hangs, or prints too much, is stopped.

use super::Credential;
use crate::{Error, ErrorKind};
use serde::Deserialize;
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::timeout,
};

/// Maximum time of one call. Some helpers ask a cloud service.
const DEADLINE: Duration = Duration::from_secs(30);
/// Maximum bytes of an answer.
const MAX_ANSWER: u64 = 64 * 1024;
/// The text that a helper prints if it has no credential for the server.
const NOT_FOUND: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Returns the credential that the helper `name` has for `server`. `None` if it has none.
pub(super) async fn get(name: &str, server: &str) -> Result<Option<Credential>, Error> {
    let subject = format!("docker-credential-{name}");
    let refuse = |reason: String| {
        Error::new(ErrorKind::Credentials, server, format_args!("the credential helper {subject} {reason}"))
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(is_word) || name.len() > 128 {
        return Err(Error::new(
            ErrorKind::Credentials,
            "credential helper",
            "its name must be letters, digits, . _ and -",
        ));
    }
    let spawned = Command::new(&subject)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let child = spawned.map_err(|error| refuse(format!("cannot be run: {error}")))?;
    let (success, output) = timeout(DEADLINE, talk(child, server))
        .await
        .map_err(|_| refuse("has not answered within 30 seconds".to_owned()))?
        .map_err(|error| refuse(format!("failed: {error}")))?;
    if output.len() as u64 > MAX_ANSWER {
        return Err(refuse("answered with more than 64 KiB".to_owned()));
    }
    if !success {
        let text = String::from_utf8_lossy(&output);
        // The output is not shown, because it may contain a secret.
        return if text.contains(NOT_FOUND) { Ok(None) } else { Err(refuse(format!("refused for {server}"))) };
    }
    let Answer { username, secret } =
        serde_json::from_slice(&output).map_err(|_| refuse("did not answer with a credential".to_owned()))?;
    Ok(match username.as_str() {
        _ if secret.is_empty() => None,
        "<token>" => Some(Credential::IdentityToken(secret)),
        _ => Some(Credential::Basic { name: username, secret }),
    })
}

/// Sends `server` to the helper. Returns whether it succeeded, and its output up to [`MAX_ANSWER`] plus one byte.
async fn talk(mut child: Child, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    if let Some(mut input) = child.stdin.take() {
        // A helper may answer without reading its input.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let output = match child.stdout.take() {
        Some(output) => read(output).await?,
        None => Vec::new(),
    };
    if output.len() as u64 > MAX_ANSWER {
        return Ok((false, output));
    }
    Ok((child.wait().await?.success(), output))
}

async fn read(output: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    output.take(MAX_ANSWER + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
