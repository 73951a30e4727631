//! The logs of a server, by what everybody can read: the one file of `chancery log` that makes requests.
//!
//! The server is not trusted: answers are bounded, redirects are not followed, and nothing it says about keys is asked.

use super::{SavedCheckpoints, TrustedLog, options, progress, same_origin};
use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use chancery_log::check::{self, FileError, Files, Opened, Reading, Report, Signatures, open_checkpoint};
use chancery_trust::BaseUrl;
use reqwest::{Client, StatusCode, redirect};
use std::time::Duration;
use tokio::{task::JoinSet, time};

/// For one file.
const DEADLINE: Duration = Duration::from_mins(1);
/// Requests for one file, where the server is busy or the network fails.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A bundle of 256 entries of 64 KiB has 16 MiB; data tiles carry precertificate and certificate.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Checks every trusted log on the server at `url`.
pub(super) async fn check(url: &str, logs: &[TrustedLog], saved: &mut SavedCheckpoints) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for trusted in logs {
        let name = &trusted.published.name;
        let saved = saved.of(trusted);
        let files = Server::new(url, &trusted.path)?;
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

/// The log's present checkpoint, verified.
pub(super) async fn checkpoint(url: &str, trusted: &TrustedLog) -> anyhow::Result<(String, Opened)> {
    let files = Server::new(url, &trusted.path)?;
    let note = files.read(vec!["checkpoint".to_owned()]).await?.pop().flatten();
    let note = note.with_context(|| format!("there is no checkpoint at {}", files.prefix))?;
    let opened = open_checkpoint(&note, &trusted.published.keys, trusted.published.personality)?;
    Ok((String::from_utf8(note.to_vec())?, opened))
}

/// The files of one log.
struct Server {
    client: Client,
    prefix: String,
}

impl Server {
    fn new(url: &str, path: &str) -> anyhow::Result<Self> {
        let base = BaseUrl::parse(url.trim_end_matches('/'))?;
        let client = Client::builder().timeout(DEADLINE).redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, prefix: format!("{}{path}", base.as_str()) })
    }
}

impl Files for Server {
    fn read(&self, paths: Vec<String>) -> Reading<'_> {
        Box::pin(async move {
            let mut requests = JoinSet::new();
            for (position, path) in paths.iter().cloned().enumerate() {
                let (client, url) = (self.client.clone(), format!("{}/{path}", self.prefix));
                requests.spawn(async move { (position, path, fetch(&client, &url).await) });
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
async fn fetch(client: &Client, url: &str) -> Result<Option<Bytes>, String> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match fetch_once(client, url).await {
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

async fn fetch_once(client: &Client, url: &str) -> Result<Option<Bytes>, Failure> {
    let broken = |error: reqwest::Error| Failure::Passing(format!("{:#}", anyhow::Error::new(error)));
    let mut response = client.get(url).send().await.map_err(broken)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Passing(format!("the server answers {status}")));
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
