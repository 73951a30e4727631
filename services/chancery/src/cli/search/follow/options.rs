//! Which log is meant: the options that name a log elsewhere, beside its URL.

use super::{
    failure::Failure,
    place::{self, Place, TrustedKey, Wanted},
};
use crate::cli::{token_file::TokenFile, verify::TrustArguments};
use chancery_log_client::{Fetcher, Limits, Protocol};
use chancery_verify::trust_root::TrustRoot;
use clap::Args;
use std::path::PathBuf;
use url::Url;

/// A log elsewhere.
#[derive(Debug, Args)]
pub(in crate::cli::search) struct LogArguments {
    /// Protocol of the log: rekor-v1, rekor-v2, rfc6962 or static-ct; by default the one that answers
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<Protocol>,
    /// First line of the log's checkpoints; by default that of the first one that the key has signed
    #[arg(long, value_name = "LINE")]
    pub(super) origin: Option<String>,
    /// Name of the log in answers; by default the first line of its checkpoints
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Send the token in this file, if the log shows entries to readers only; it is read again for each request
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    pub(super) trust: TrustArguments,
}

/// Keys of logs, beside those of a trust root.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
struct KeyArguments {
    /// Trust this key of the log, in PEM; repeatable: the trees of a Rekor v1 log may have different keys
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Trust this verifier key of the log; repeatable
    #[arg(long, value_name = "VKEY")]
    vkey: Vec<String>,
}

/// What is at the URL, and what it was found with.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) keys: Vec<TrustedKey>,
    pub(super) fetcher: Fetcher,
    pub(super) root: TrustRoot,
}

impl LogArguments {
    /// Whether any of them is given.
    pub(in crate::cli::search) fn is_given(&self) -> bool {
        let Self { protocol, origin, name, token_file, keys, trust } = self;
        let has_keys = !keys.key.is_empty() || !keys.vkey.is_empty() || trust.is_given();
        protocol.is_some() || origin.is_some() || name.is_some() || token_file.is_some() || has_keys
    }

    /// Asks the server at `url` which of the logs that are meant are there.
    pub(super) async fn find(&self, url: &Url) -> Result<Found, Failure> {
        let root = self.trust.load(false).await?;
        let (keys, fetcher) = (self.keys(url, &root)?, self.fetcher(url)?);
        let wanted = Wanted { url, protocol: self.protocol, origin: self.origin.as_deref() };
        let place = place::find(&wanted, &keys, &fetcher).await?;
        Ok(Found { place, keys, fetcher, root })
    }

    /// The keys that logs at `url` may have.
    pub(super) fn keys(&self, url: &Url, root: &TrustRoot) -> anyhow::Result<Vec<TrustedKey>> {
        place::keys(url, &self.keys.key, &self.keys.vkey, root)
    }

    fn fetcher(&self, url: &Url) -> anyhow::Result<Fetcher> {
        let fetcher = Fetcher::trusting(Limits::default(), self.trust.authorities.file())?;
        let token = self.token_file.as_deref().map(|file| TokenFile::for_server(file, url.as_str())).transpose()?;
        Ok(match token {
            Some(token) => fetcher.with_token(token.into_token()),
            None => fetcher,
        })
    }
}
