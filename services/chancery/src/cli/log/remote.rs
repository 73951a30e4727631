//! The logs of a server, through its public files.
//!
//! The server is not trusted: answers are bounded, redirects are not followed (`chancery_log_client`), and nothing it says about
//! keys is asked.

use super::super::token_file::{ADVICE, TokenFile};
use super::{SavedCheckpoints, TrustedLog, options, progress, same_origin};
use anyhow::{Context as _, bail};
use chancery_log::{
    check::{self, FileError, Files, Opened, Personality, Published, Reading, Report, Signatures, open_checkpoint},
    series,
};
use chancery_log_client::{Fetcher, Limits, ReadError};
use chancery_trust::BaseUrl;
use chancery_verify::{PublicKey, merkle::TreeHead};
use std::path::Path;

/// Shards of one log that are looked for: a rotation each quarter of a year makes as many in 16 years.
const MOST_SHARDS: u64 = 64;
/// A bundle of 256 entries of 64 KiB has 16 MiB; data tiles carry precertificate and certificate.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Files that are fetched at the same time: a group of bundles.
const PARALLEL: usize = 16;

/// A server with logs.
#[derive(Clone, Copy)]
pub(super) struct Remote<'a> {
    url: &'a str,
    /// The file with the certificates that are trusted for it. `None` for the system's authorities.
    authorities: Option<&'a Path>,
}

impl<'a> Remote<'a> {
    /// The server at `url`, if requests to it can be made.
    pub(super) fn new(url: &'a str, authorities: Option<&'a Path>) -> anyhow::Result<Self> {
        let remote = Self { url, authorities };
        Server::new(remote, "")?;
        Ok(remote)
    }
}

/// Checks every trusted log on a server, as a reader with `token`.
pub(super) async fn check(
    remote: Remote<'_>,
    token: Option<&TokenFile>,
    logs: &[TrustedLog],
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    let mut found = Vec::new();
    for trusted in logs {
        found.extend(shards(remote, trusted).await.with_context(|| format!("log {}", trusted.published.name))?);
    }
    for trusted in &found {
        let name = &trusted.published.name;
        let saved = saved.of(trusted);
        let files = Server::new(remote, &trusted.path)?.with_token(token);
        let options = options(Signatures::All, &saved);
        let bar = progress(name);
        let report = check::check_files(&files, &trusted.published, &options, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        let report = report.await.with_context(|| format!("log {name} at {}", files.prefix))?;
        bar.finish_and_clear();
        same_origin(&report, &saved).with_context(|| format!("log {name}"))?;
        reports.push(report);
    }
    Ok(reports)
}

/// The shards of a log that has several keys, each at a path of its own beside the first: every key must be found at one, or
/// not all would be checked. Numbers are missing where a shard was given up.
async fn shards(remote: Remote<'_>, trusted: &TrustedLog) -> anyhow::Result<Vec<TrustedLog>> {
    let Published { name, keys, personality } = &trusted.published;
    if keys.len() < 2 || *personality == Personality::RekorV2 {
        return Ok(vec![trusted.clone()]);
    }
    let (mut found, mut wanted) = (Vec::new(), keys.clone());
    for number in 1..=MOST_SHARDS {
        let path = series::name(&trusted.path, number);
        let Some(note) = Server::new(remote, &path)?.read(vec!["checkpoint".to_owned()]).await?.pop().flatten() else {
            continue;
        };
        let signs = |key: &PublicKey| open_checkpoint(&note, std::slice::from_ref(key), *personality).is_ok();
        let Some(position) = wanted.iter().position(signs) else { continue };
        let keys = vec![wanted.swap_remove(position)];
        let published = Published { name: series::name(name, number), keys, personality: *personality };
        found.push(TrustedLog { published, path });
        if wanted.is_empty() {
            return Ok(found);
        }
    }
    let missing = wanted.iter().map(|key| hex::encode(key.fingerprint())).collect::<Vec<_>>().join(", ");
    bail!("no shard below {}{} is signed with the trusted key with SHA-256 {missing}", remote.url, trusted.path)
}

/// The log's present checkpoint, verified.
pub(super) async fn checkpoint(remote: Remote<'_>, trusted: &TrustedLog) -> anyhow::Result<(String, Opened)> {
    let files = Server::new(remote, &trusted.path)?;
    let note = files.read(vec!["checkpoint".to_owned()]).await?.pop().flatten();
    let note = note.with_context(|| format!("there is no checkpoint at {}; see --path", files.prefix))?;
    let opened = open_checkpoint(&note, &trusted.published.keys, trusted.published.personality)?;
    Ok((String::from_utf8(note.to_vec())?, opened))
}

/// Whether the log proves with its hash tiles that the tree of `head` extends `old`.
pub(super) async fn verify_extends(
    remote: Remote<'_>,
    trusted: &TrustedLog,
    old: &TreeHead,
    head: TreeHead,
) -> anyhow::Result<()> {
    let files = Server::new(remote, &trusted.path)?;
    Ok(check::verify_extends(&files, trusted.published.personality, old, head).await?)
}

/// The files of one log.
struct Server {
    fetcher: Fetcher,
    prefix: String,
}

impl Server {
    fn new(Remote { url, authorities }: Remote<'_>, path: &str) -> anyhow::Result<Self> {
        let base = BaseUrl::parse(url)?;
        let limits = Limits { answer_bytes: MAX_FILE_BYTES, parallel: PARALLEL, ..Limits::default() };
        Ok(Self { fetcher: Fetcher::trusting(limits, authorities)?, prefix: format!("{}{path}", base.as_str()) })
    }

    fn with_token(self, token: Option<&TokenFile>) -> Self {
        match token.cloned() {
            Some(token) => Self { fetcher: self.fetcher.with_token(token.into_token()), ..self },
            None => self,
        }
    }
}

impl Files for Server {
    fn read(&self, paths: Vec<String>) -> Reading<'_> {
        Box::pin(async move {
            let urls: Vec<String> = paths.iter().map(|path| format!("{}/{path}", self.prefix)).collect();
            let unreadable = |error: ReadError| {
                let lacks_token = error.needs_token() && !self.fetcher.has_token();
                let reason = if lacks_token { format!("{error}; {ADVICE}") } else { error.to_string() };
                FileError { path: self.prefix.clone(), reason, is_silent: error.is_passing() }
            };
            self.fetcher.get_all(&urls).await.map_err(unreadable)
        })
    }
}
