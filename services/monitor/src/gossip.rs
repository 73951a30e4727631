//! Checkpoints of a log that others have seen: witnesses, other monitors, saved files.
//!
//! Witnesses and monitors are asked the same: `GET <URL>/<SHA-256 of the origin>/checkpoint` (C2SP tlog-witness). A note that
//! they show counts only if the log's key has signed it. Not here: its relation to our tree ([`crate::relation`]).

use crate::client::HttpClient;
use chancery_verify::{hash, witness};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use url::Url;

/// Maximum files of a directory of saved checkpoints.
const MAX_FILES: usize = 1024;

/// A place that has seen checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A witness or a monitor at this URL, without trailing slash.
    Url(String),
    /// A saved checkpoint, or a directory of these.
    File(PathBuf),
}

impl Peer {
    /// Reads a URL or a path, which is relative to `directory`.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        if !text.contains("://") {
            return Ok(Self::File(directory.join(text)));
        }
        let url: Url = text.parse().map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        let base = chancery_outbound::base(&url);
        base.map(Self::Url).ok_or_else(|| {
            format!("{text:?} is not the URL of a witness or monitor: write http(s)://host/path without user, query and fragment")
        })
    }

    /// As it was configured.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The checkpoints that it shows, perhaps of the log with this origin. Not verified.
    pub(crate) async fn checkpoints(&self, client: &HttpClient, origin: &str) -> Result<Vec<String>, String> {
        match self {
            Self::Url(url) => {
                let url = format!("{url}/{}/checkpoint", hex::encode(hash::sha256(origin.as_bytes())));
                Ok(client.checkpoint(&url).await?.into_iter().collect())
            }
            Self::File(path) => {
                let read = saved(path).map_err(|error| error.to_string())?;
                Ok(read.into_iter().filter(|note| note.lines().next() == Some(origin)).collect())
            }
        }
    }
}

fn saved(path: &Path) -> io::Result<Vec<String>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(path)?.take(MAX_FILES) {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> io::Result<String> {
    let mut note = String::new();
    let limit = u64::try_from(witness::MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_string(&mut note)?;
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_show_the_checkpoints_of_an_origin() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "one\n1\n").unwrap();
        fs::write(directory.path().join("b"), "two\n2\n").unwrap();
        fs::create_dir(directory.path().join("c")).unwrap();
        let client = HttpClient::new(None, HttpClient::DEADLINE).unwrap();
        let peer = Peer::parse(".", directory.path()).unwrap();
        assert_eq!(peer.checkpoints(&client, "two").await, Ok(vec!["two\n2\n".to_owned()]));
        let peer = Peer::parse("a", directory.path()).unwrap();
        assert_eq!(peer.checkpoints(&client, "two").await, Ok(Vec::new()));
        let missing = Peer::parse("missing", directory.path()).unwrap();
        assert!(missing.checkpoints(&client, "two").await.is_err());
    }

    #[test]
    fn a_url_is_that_of_a_place() {
        let parse = |text| Peer::parse(text, Path::new("/etc"));
        assert_eq!(parse("https://witness.example.org/w/"), Ok(Peer::Url("https://witness.example.org/w".to_owned())));
        assert_eq!(parse("saved"), Ok(Peer::File("/etc/saved".into())));
        for bad in ["ftp://a.example", "https://me@a.example", "https://a.example/?q", "https://"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
