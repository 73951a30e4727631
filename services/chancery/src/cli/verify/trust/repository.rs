//! The trusted root of a TUF repository, fetched by a client that starts from a pinned root (`tough`), and kept.
//!
//! What was fetched serves for a day, or until its metadata expires, whichever is earlier; then the repository is asked again.
//! The pinned root decides whom the first update trusts, so it is never taken from the repository unless its hash is known.

use super::super::environment;
use crate::durable;
use anyhow::{Context as _, bail, ensure};
use chancery_address::is_protected;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_outbound::causes;
use chancery_verify::{hash::sha256, trust_root::limits::MAX_ROOT_BYTES};
use futures_util::stream;
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tough::{
    Bytes, IntoVec as _, Limits, RepositoryLoader, TargetName, Transport, TransportError, TransportErrorKind,
    TransportStream, async_trait,
};
use url::Url;

/// The target.
const TARGET: &str = "trusted_root.json";
/// What was fetched is used for so long, in seconds.
const FRESH: u64 = 24 * 60 * 60;
/// Largest file of a repository.
const MAX_FILE: usize = 10 * 1024 * 1024;
/// Root metadata between the pinned one and today's.
const MAX_ROOTS: u64 = 256;
/// For connecting, and for one file.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// When the repository is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// If the kept copy is not fresh.
    IfOld,
    /// In any case.
    Now,
    /// In no case.
    Never,
}

/// The repository could not be asked: nothing is known of it, and asking again may help.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be asked now")]
pub(in crate::cli) struct Unreached;

/// When the kept copy was made, and until when it counts; seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Kept {
    fetched: u64,
    expires: u64,
}

/// The text of `trusted_root.json` of the repository at a URL with this pinned root, kept or fetched. The certificates in the file
/// `authorities` are trusted for its server, or else the system's authorities.
pub(super) async fn trusted_root(
    (url, root): (&Url, &str),
    ask: Ask,
    authorities: Option<&Path>,
) -> anyhow::Result<Vec<u8>> {
    let base = base(url)?;
    let pinned = Pinned::read(root)?;
    let directory = environment::cache().map(|cache| {
        let name = sha256(format!("{base}\n{}", pinned.hash()).as_bytes());
        cache.join("chancery/tuf").join(hex::encode(name))
    });
    let directory = directory.context("this user has no directory for a cache: set XDG_CACHE_HOME")?;
    let now = SystemClock.now().millis() / 1000;
    if ask != Ask::Now
        && let Some(text) = kept(&directory, now)
    {
        return Ok(text);
    }
    ensure!(
        ask != Ask::Never,
        "there is no fresh copy of {url} in {}; run once without --offline",
        directory.display()
    );
    fetch(&base, pinned, &directory, (now, authorities))
        .await
        .with_context(|| format!("cannot take trust from the TUF repository {url}"))
}

/// The same of the repository as it is now, for a client that begins with the root metadata in the file `root`. What is fetched is
/// put below `directory`, and nothing of this user's cache counts.
pub(in crate::cli) async fn fetch_anew(
    (url, root): (&Url, &Path),
    directory: &Path,
    authorities: Option<&Path>,
) -> anyhow::Result<Vec<u8>> {
    let metadata = fs::read(root).with_context(|| format!("cannot read {}", root.display()))?;
    let now = SystemClock.now().seconds();
    fetch(&base(url)?, Pinned::Metadata(metadata), directory, (now, authorities)).await
}

/// The kept copy, if it is fresh.
fn kept(directory: &Path, now: u64) -> Option<Vec<u8>> {
    let kept: Kept = serde_json::from_slice(&fs::read(directory.join("kept.json")).ok()?).ok()?;
    // A copy from the future was made by another clock.
    let fresh = kept.fetched <= now && now < kept.expires.min(kept.fetched.saturating_add(FRESH));
    if fresh { fs::read(directory.join(TARGET)).ok() } else { None }
}

async fn fetch(
    base: &Url,
    pinned: Pinned,
    directory: &Path,
    (now, authorities): (u64, Option<&Path>),
) -> anyhow::Result<Vec<u8>> {
    let transport = Bounded::new(authorities)?;
    let fetched = update(base, pinned, directory, now, transport.clone()).await;
    // tough keeps no more of the reason than its text.
    fetched.map_err(|error| if transport.is_silent.load(Ordering::Relaxed) { error.context(Unreached) } else { error })
}

async fn update(base: &Url, pinned: Pinned, directory: &Path, now: u64, transport: Bounded) -> anyhow::Result<Vec<u8>> {
    let datastore = directory.join("metadata");
    fs::create_dir_all(&datastore).with_context(|| format!("cannot write to {}", directory.display()))?;
    let root = pinned.obtain(base, &transport).await?;
    let limits = Limits { max_root_updates: MAX_ROOTS, ..Limits::default() };
    let loader = RepositoryLoader::new(&root, base.clone(), base.join("targets/")?).transport(transport);
    let repository = loader.limits(limits).datastore(datastore).load().await?;
    let expires = u64::try_from(repository.timestamp().signed.expires.as_second()).unwrap_or(0);
    let target = TargetName::new(TARGET)?;
    let length = repository.targets().signed.targets.get(&target).map(|target| target.length);
    ensure!(
        length.is_some_and(|length| length <= MAX_ROOT_BYTES as u64),
        "its {TARGET} is missing, or larger than 4 MiB"
    );
    let Some(stream) = repository.read_target(&target).await? else { bail!("it has no {TARGET}") };
    let text = stream.into_vec().await?;
    // The note comes last: a copy without it does not count.
    durable::write(&directory.join(TARGET), &text)?;
    durable::write(&directory.join("kept.json"), &serde_json::to_vec(&Kept { fetched: now, expires })?)?;
    Ok(text)
}

/// A URL that names can be joined to.
fn base(url: &Url) -> anyhow::Result<Url> {
    let text = chancery_outbound::base(url).context("--tuf-url is not a plain http or https URL")?;
    ensure!(is_protected(url), "--tuf-url must be https, except on this machine");
    Ok(format!("{text}/").parse()?)
}

/// The root metadata that everything begins with.
enum Pinned {
    Metadata(Vec<u8>),
    Hash(String),
}

impl Pinned {
    fn read(text: &str) -> anyhow::Result<Self> {
        if let Some(digits) = text.strip_prefix("sha256:") {
            let lower = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            ensure!(
                digits.len() == 64 && lower,
                "--tuf-root {text} is not sha256: and 64 lower-case hexadecimal digits"
            );
            return Ok(Self::Hash(digits.to_owned()));
        }
        let path = PathBuf::from(text);
        let metadata = fs::read(&path).with_context(|| format!("cannot read --tuf-root {}", path.display()))?;
        Ok(Self::Metadata(metadata))
    }

    fn hash(&self) -> String {
        match self {
            Self::Metadata(metadata) => hex::encode(sha256(metadata)),
            Self::Hash(hash) => hash.clone(),
        }
    }

    async fn obtain(self, base: &Url, transport: &Bounded) -> anyhow::Result<Vec<u8>> {
        let hash = match self {
            Self::Metadata(metadata) => return Ok(metadata),
            Self::Hash(hash) => hash,
        };
        let root = transport.get(&base.join("1.root.json")?).await?;
        let found = hex::encode(sha256(&root));
        ensure!(
            found == hash,
            "its 1.root.json has the SHA-256 {found}, which is not the one in --tuf-root; correct --tuf-root, or do not trust this repository"
        );
        Ok(root.to_vec())
    }
}

/// Requests as everywhere here: no redirect, no proxy, bounded in time and bytes.
#[derive(Debug, Clone)]
struct Bounded {
    client: Client,
    /// Whether a request had no answer that says anything of the repository.
    is_silent: Arc<AtomicBool>,
}

impl Bounded {
    fn new(authorities: Option<&Path>) -> anyhow::Result<Self> {
        let client = chancery_outbound::client(DEADLINES.0, DEADLINES.1);
        let client = chancery_outbound::trusting_file(client, authorities).context("cannot use --ca-file")?;
        Ok(Self { client: client.build().context("TLS cannot be set up")?, is_silent: Arc::default() })
    }

    async fn get(&self, url: &Url) -> Result<Bytes, TransportError> {
        let other = |reason: String| TransportError::new_with_cause(TransportErrorKind::Other, url.as_str(), reason);
        let silent = |reason: String| {
            self.is_silent.store(true, Ordering::Relaxed);
            other(reason)
        };
        let broken = |error: reqwest::Error| {
            let reason = causes(&error.without_url());
            // Asking again does not help there: the certificate, or --ca-file, must be another one.
            if reason.contains("invalid peer certificate") { other(reason) } else { silent(reason) }
        };
        let mut response = self.client.get(url.clone()).send().await.map_err(broken)?;
        match response.status() {
            StatusCode::OK => {}
            // Some stores answer so for what is not there.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => {
                return Err(TransportError::new(TransportErrorKind::FileNotFound, url.as_str()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(silent(format!("status {}", status.as_u16())));
            }
            status => return Err(other(format!("status {}", status.as_u16()))),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_FILE {
                return Err(other(format!("more than {MAX_FILE} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(body))
    }
}

#[async_trait]
impl Transport for Bounded {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let body = self.get(&url).await?;
        Ok(Box::pin(stream::iter([Ok(body)])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_serves_for_a_day_or_until_it_expires() {
        let directory = tempfile::tempdir().unwrap();
        let keep = |fetched, expires| {
            fs::write(directory.path().join("kept.json"), serde_json::to_vec(&Kept { fetched, expires }).unwrap())
                .unwrap();
        };
        assert_eq!(kept(directory.path(), 5), None);
        fs::write(directory.path().join(TARGET), "{}").unwrap();
        keep(1_000, 1_000_000);
        for (now, fresh) in [(999, false), (1_000, true), (1_000 + FRESH - 1, true), (1_000 + FRESH, false)] {
            assert_eq!(kept(directory.path(), now).is_some(), fresh, "{now}");
        }
        keep(1_000, 2_000);
        assert!(kept(directory.path(), 1_999).is_some() && kept(directory.path(), 2_000).is_none());
    }

    #[test]
    fn trust_comes_by_https_from_a_pinned_root() {
        for (url, good) in [
            ("https://tuf.example.org/", true),
            ("http://127.0.0.1:8080/tuf", true),
            ("http://tuf.example.org/", false),
            ("https://me@tuf.example.org/", false),
        ] {
            assert_eq!(base(&url.parse().unwrap()).is_ok(), good, "{url}");
        }
        assert!(Pinned::read(&format!("sha256:{}", "ab".repeat(32))).is_ok());
        assert!(Pinned::read("sha256:AB").is_err());
    }
}
