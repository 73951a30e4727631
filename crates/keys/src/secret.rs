//! Passwords and tokens: a URI names where they are and never holds them. They are read again for each use.

use crate::refused;
use chancery_daemon::signer::SignerError;
use std::path::PathBuf;

/// Where to find a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The file's contents, without a line break at the end.
    File(PathBuf),
    /// The value of this environment variable.
    Environment(String),
}

impl Secret {
    /// Reads it.
    pub(crate) fn read(&self) -> Result<Vec<u8>, SignerError> {
        let mut secret = match self {
            Self::File(path) => {
                std::fs::read(path).map_err(|source| SignerError::File { path: path.clone(), source })?
            }
            Self::Environment(name) => std::env::var_os(name)
                .map(std::os::unix::ffi::OsStringExt::into_vec)
                .ok_or_else(|| refused(format_args!("the environment variable {name} is not set")))?,
        };
        if matches!(self, Self::File(_)) && secret.ends_with(b"\n") {
            secret.pop();
            if secret.ends_with(b"\r") {
                secret.pop();
            }
        }
        if secret.is_empty() { Err(refused(format_args!("{self} is empty"))) } else { Ok(secret) }
    }

    /// Reads it as text.
    pub(crate) fn read_text(&self) -> Result<String, SignerError> {
        String::from_utf8(self.read()?).map_err(|_| refused(format_args!("{self} is not text")))
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}
