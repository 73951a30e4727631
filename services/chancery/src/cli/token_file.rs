//! `--token-file`: the token with which a command reads from a server what it shows to readers only.

use anyhow::{Context as _, ensure};
use chancery_address::is_protected;
use chancery_log_client::Token;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use url::Url;

/// What to do where a server answers that a token is missing.
pub(super) const ADVICE: &str = "this is for readers there; give a file with a token of one with --token-file";

/// A file with a token. It is read for every request: tokens are short-lived, and what makes them replaces the file.
#[derive(Debug, Clone)]
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    /// The file, for requests to the server at `url`. Everybody on the way could use a token that is not encrypted.
    pub(super) fn for_server(file: &Path, url: &str) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("{url} is not a URL"))?;
        ensure!(
            is_protected(&parsed),
            "a token is sent over https, or to this machine, and {url} is neither; leave out --token-file, or use https"
        );
        let token = Self(file.to_owned());
        token.read().map_err(anyhow::Error::msg)?;
        Ok(token)
    }

    /// The same for the requests to a log.
    pub(super) fn into_token(self) -> Token {
        Arc::new(move || self.read())
    }

    /// The token.
    pub(super) fn read(&self) -> Result<String, String> {
        let name = self.0.display();
        let text = fs::read_to_string(&self.0).map_err(|error| format!("cannot read {name}: {error}"))?;
        let token = text.trim();
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(token.to_owned()) } else { Err(format!("{name} does not contain a token and nothing else")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_to_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        fs::write(&file, "abc.def.ghi\n").unwrap();
        for url in ["https://log.example.org", "http://127.0.0.1:8080", "http://localhost:8080"] {
            assert_eq!(TokenFile::for_server(&file, url).unwrap().read().unwrap(), "abc.def.ghi", "{url}");
        }
        let refused = |url: &str| format!("{:#}", TokenFile::for_server(&file, url).unwrap_err());
        assert!(refused("http://log.example.org").contains("over https"));
        let token = TokenFile::for_server(&file, "https://log.example.org").unwrap();
        fs::write(&file, "another").unwrap();
        assert_eq!(token.read().unwrap(), "another");
        for bad in ["", "a b", "a\nb"] {
            fs::write(&file, bad).unwrap();
            assert!(refused("https://log.example.org").contains("token and nothing else"), "{bad:?}");
        }
        fs::remove_file(&file).unwrap();
        assert!(refused("https://log.example.org").contains("cannot read"));
    }
}
