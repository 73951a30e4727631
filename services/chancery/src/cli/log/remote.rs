//! The logs of a server, through its public files. The only file of `chancery log` that makes requests.
//!
//! The server is not trusted: answers are bounded, redirects are not followed, and nothing it says about keys is asked.

use super::super::token_file::{ADVICE, TokenFile};
use super::{SavedCheckpoints, TrustedLog, options, progress, same_origin};
use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use chancery_log::{
    check::{self, FileError, Files, Opened, Personality, Published, Reading, Report, Signatures, open_checkpoint},
    series,
};
use chancery_trust::BaseUrl;
use chancery_verify::{PublicKey, merkle::TreeHead};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use std::time::Duration;
use tokio::{task::JoinSet, time};

/// Shards of one log that are looked for: a rotation each quarter of a year makes as many in 16 years.
const MOST_SHARDS: u64 = 64;
/// For one file.
const DEADLINE: Duration = Duration::from_mins(1);
/// Requests for one file, where the server is busy or the network fails.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A bundle of 256 entries of 64 KiB has 16 MiB; data tiles carry precertificate and certificate.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Checks every trusted log on the server at `url`, as a reader with `token`.
pub(super) async fn check(
    url: &str,
    token: Option<&TokenFile>,
    logs: &[TrustedLog],
    saved: &mut SavedCheckpoints,
) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    let mut found = Vec::new();
    for trusted in logs {
        found.extend(shards(url, trusted).await.with_context(|| format!("log {}", trusted.published.name))?);
    }
    for trusted in &found {
        let name = &trusted.published.name;
        let saved = saved.of(trusted);
        let files = Server { token: token.cloned(), ..Server::new(url, &trusted.path)? };
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
async fn shards(url: &str, trusted: &TrustedLog) -> anyhow::Result<Vec<TrustedLog>> {
    let Published { name, keys, personality } = &trusted.published;
    if keys.len() < 2 || *personality == Personality::RekorV2 {
        return Ok(vec![trusted.clone()]);
    }
    let (mut found, mut wanted) = (Vec::new(), keys.clone());
    for number in 1..=MOST_SHARDS {
        let path = series::name(&trusted.path, number);
        let Some(note) = Server::new(url, &path)?.read(vec!["checkpoint".to_owned()]).await?.pop().flatten() else {
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
    bail!("no shard below {}{} is signed with the trusted key with SHA-256 {missing}", url, trusted.path)
}

/// The log's present checkpoint, verified.
pub(super) async fn checkpoint(url: &str, trusted: &TrustedLog) -> anyhow::Result<(String, Opened)> {
    let files = Server::new(url, &trusted.path)?;
    let note = files.read(vec!["checkpoint".to_owned()]).await?.pop().flatten();
    let note = note.with_context(|| format!("there is no checkpoint at {}; see --path", files.prefix))?;
    let opened = open_checkpoint(&note, &trusted.published.keys, trusted.published.personality)?;
    Ok((String::from_utf8(note.to_vec())?, opened))
}

/// Whether the log proves with its hash tiles that the tree of `head` extends `old`.
pub(super) async fn verify_extends(
    url: &str,
    trusted: &TrustedLog,
    old: &TreeHead,
    head: TreeHead,
) -> anyhow::Result<()> {
    let files = Server::new(url, &trusted.path)?;
    Ok(check::verify_extends(&files, trusted.published.personality, old, head).await?)
}

/// The files of one log.
struct Server {
    client: Client,
    prefix: String,
    token: Option<TokenFile>,
}

impl Server {
    fn new(url: &str, path: &str) -> anyhow::Result<Self> {
        let base = BaseUrl::parse(url)?;
        let client = Client::builder().timeout(DEADLINE).redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, prefix: format!("{}{path}", base.as_str()), token: None })
    }
}

impl Files for Server {
    fn read(&self, paths: Vec<String>) -> Reading<'_> {
        Box::pin(async move {
            let token = self.token.as_ref().map(TokenFile::read).transpose();
            let token = token.map_err(|reason| FileError { path: self.prefix.clone(), reason })?;
            let mut requests = JoinSet::new();
            for (position, path) in paths.iter().cloned().enumerate() {
                let (client, url) = (self.client.clone(), format!("{}/{path}", self.prefix));
                let token = token.clone();
                requests.spawn(async move { (position, path, fetch(&client, &url, token.as_deref()).await) });
            }
            let mut contents = vec![None; paths.len()];
            while let Some(done) = requests.join_next().await {
                let interrupted =
                    |_| FileError { path: self.prefix.clone(), reason: "the request was lost".to_owned() };
                let (position, path, read) = done.map_err(interrupted)?;
                let read = read.map_err(|reason| FileError { path, reason })?;
                if let Some(slot) = contents.get_mut(position) {
                    *slot = read;
                }
            }
            Ok(contents)
        })
    }
}

/// One file; `None` where the server says that there is none.
async fn fetch(client: &Client, url: &str, token: Option<&str>) -> Result<Option<Bytes>, String> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match fetch_once(client, url, token).await {
            Err(Failure::Passing(_)) if attempt < ATTEMPTS => {}
            Err(Failure::Passing(reason) | Failure::Lasting(reason)) => return Err(reason),
            Ok(read) => return Ok(read),
        }
        time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

enum Failure {
    /// Another attempt may go well.
    Passing(String),
    Lasting(String),
}

async fn fetch_once(client: &Client, url: &str, token: Option<&str>) -> Result<Option<Bytes>, Failure> {
    let broken = |error: reqwest::Error| Failure::Passing(format!("{:#}", anyhow::Error::new(error)));
    let request = token.into_iter().fold(client.get(url), RequestBuilder::bearer_auth);
    let mut response = request.send().await.map_err(broken)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Passing(format!("the server answers {status}")));
        }
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            return Err(Failure::Lasting(format!("the server answers {status}: {ADVICE}")));
        }
        status => return Err(Failure::Lasting(format!("the server answers {status}"))),
    }
    let mut contents = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(broken)? {
        if contents.len() + part.len() > MAX_FILE_BYTES {
            return Err(Failure::Lasting(format!("the answer is larger than {MAX_FILE_BYTES} bytes")));
        }
        contents.extend_from_slice(&part);
    }
    Ok(Some(contents.freeze()))
}
