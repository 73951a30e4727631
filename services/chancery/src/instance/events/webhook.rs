//! Client for a receiver of events over HTTP: `CloudEvents` 1.0, its HTTP protocol binding in structured and batched mode.
//!
//! A status from 200 to 299 confirms a request, and nothing else does; redirects are not followed. The body of an answer is not read:
//! nothing in it is of interest. The handshake of the webhook specification (`OPTIONS`) is not made, because the operator of this
//! server has chosen the receiver.

use anyhow::{Context as _, ensure};
use chancery_address::is_protected;
use chancery_outbound::causes;
use chancery_search::events::{DEADLINE, Delivering, EventRequest, Receiver, Undelivered};
use reqwest::{Client, header};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Time limit for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Connections are kept this long between requests.
const IDLE: Duration = Duration::from_mins(1);

/// A receiver at a URL.
pub(crate) struct Webhook {
    client: Client,
    url: String,
    /// The bearer token is in this file.
    token: Option<PathBuf>,
}

impl Webhook {
    /// Refuses a URL that cannot be that of a receiver.
    pub(crate) fn check(url: &Url, has_token: bool) -> anyhow::Result<()> {
        chancery_outbound::base(url).context(
            "expected https://host/path without user, query and fragment; a secret belongs into the file that `token_file` names",
        )?;
        ensure!(
            !has_token || is_protected(url),
            "over http everyone on the way can read the token of `token_file`; write https"
        );
        Ok(())
    }

    /// The receiver at `url`, which gets the token in the file `token`. The certificates in the file `authorities` are trusted for
    /// it, or else the system's authorities. Nothing is sent yet.
    pub(crate) fn new(url: &Url, token: Option<PathBuf>, authorities: Option<&Path>) -> anyhow::Result<Self> {
        Self::check(url, token.is_some())?;
        let client = chancery_outbound::client(CONNECT_DEADLINE, DEADLINE).pool_idle_timeout(IDLE);
        let client = chancery_outbound::trusting_file(client, authorities).context("cannot use `ca_file`")?;
        let url = url.as_str().to_owned();
        Ok(Self { client: client.build().context("TLS cannot be set up")?, url, token })
    }

    /// Why the token cannot be read now. It may be there later.
    pub(crate) fn token_fault(&self) -> Option<String> {
        self.token().err().map(|undelivered| undelivered.reason)
    }

    /// The token, which may have been replaced since the last request.
    fn token(&self) -> Result<Option<String>, Undelivered> {
        let Some(file) = &self.token else { return Ok(None) };
        let text = fs::read_to_string(file)
            .map_err(|error| undelivered(format!("the token in {} cannot be read: {error}", file.display())))?;
        Ok(Some(text.trim().to_owned()))
    }

    async fn send(&self, EventRequest { content_type, body }: EventRequest) -> Result<(), Undelivered> {
        let mut request = self.client.post(&self.url).header(header::CONTENT_TYPE, content_type).body(body);
        if let Some(token) = self.token()? {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| {
            let reason = causes(&error.without_url());
            undelivered(format!("{} cannot be reached: {reason}", self.url))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let reason = format!("{} answers {}", self.url, status.as_u16());
        Err(Undelivered { reason, retry_after: chancery_outbound::retry_after(response.headers()) })
    }
}

fn undelivered(reason: String) -> Undelivered {
    Undelivered { reason, retry_after: None }
}

impl Receiver for Webhook {
    fn name(&self) -> &str {
        &self.url
    }

    fn deliver(&self, request: EventRequest) -> Delivering<'_> {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_place_and_gets_a_token_where_nobody_else_reads_it() {
        let check = |url: &str, has_token| {
            let checked = Webhook::check(&url.parse().unwrap(), has_token);
            checked.map_err(|error| format!("{error:#}"))
        };
        for (url, has_token) in [
            ("https://hooks.example.org/rekor", true),
            ("http://127.0.0.1:8000/", true),
            ("http://hooks.example.org", false),
        ] {
            assert_eq!(check(url, has_token), Ok(()), "{url}");
        }
        assert!(check("http://hooks.example.org", true).unwrap_err().contains("write https"));
        for url in ["ftp://hooks.example.org", "https://me@hooks.example.org", "https://hooks.example.org/?code=1"] {
            assert!(check(url, false).unwrap_err().contains("token_file"), "{url}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let url: Url = "https://hooks.example.org/rekor".parse().unwrap();
        let missing = Webhook::new(&url, None, Some(Path::new("/nowhere/ca.pem"))).err().unwrap();
        assert!(format!("{missing:#}").contains("cannot read /nowhere/ca.pem"), "{missing:#}");
        let directory = tempfile::tempdir().unwrap();
        let (file, token) = (directory.path().join("ca.pem"), directory.path().join("token"));
        fs::write(&file, "no certificate").unwrap();
        let unusable = Webhook::new(&url, None, Some(&file)).err().unwrap();
        assert!(format!("{unusable:#}").contains("ca.pem"), "{unusable:#}");
        let webhook = Webhook::new(&url, Some(token.clone()), None).unwrap();
        assert!(webhook.token().unwrap_err().reason.contains("token"));
        assert!(webhook.token_fault().unwrap().contains("cannot be read"));
        for secret in ["first\n", "second"] {
            fs::write(&token, secret).unwrap();
            assert_eq!(webhook.token().unwrap().as_deref(), Some(secret.trim()));
        }
    }
}
