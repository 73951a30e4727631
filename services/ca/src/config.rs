//! The issuers in a configuration file: `[[issuer]]` tables in TOML.
//!
//! Strict. These are errors, and each names its issuer: an unknown key, a key that the kind of issuer does not use, a
//! missing file, and a file without issuers. Only listed issuers are trusted; there are no public defaults. The same
//! types produce the JSON schema for editors ([`schema`]) and the output of an import.

mod conversion;
mod entry;
mod kind;
mod preset;

pub use entry::{IssuerEntry, IssuerType, Patterns, Preset};

use crate::IssuerSettings;
use crate::oidc::{Authenticator, InvalidIssuer, http_fetcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Largest file that is read. Fulcio's own public configuration has 20 KiB.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read, or is too large.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not TOML, or not of this form.
    #[error("{path}: {source}", path = .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Place and cause.
        source: Box<toml::de::Error>,
    },
    /// The file has no issuer.
    #[error("{path} has no [[issuer]]", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The table of an issuer is wrong.
    #[error("[[issuer]] {issuer}: {reason}")]
    Issuer {
        /// Its URL or pattern, or its number in the file.
        issuer: String,
        /// The fault.
        reason: String,
    },
    /// The issuer cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidIssuer),
}

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuersFile {
    /// The trusted issuers.
    #[serde(default)]
    pub issuer: Vec<IssuerEntry>,
}

/// Reads the issuers of a file, and the files it names. Relative paths start at its directory.
pub fn load(path: &Path) -> Result<Vec<IssuerSettings>, ConfigError> {
    let text = read(path)?;
    let file: IssuersFile = toml::from_str(&text)
        .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
    if file.issuer.is_empty() {
        return Err(ConfigError::Empty { path: path.to_owned() });
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    file.settings(directory)
}

/// As [`load`], and also runs the checks of [`Authenticator::new`].
pub fn check(path: &Path) -> Result<Vec<IssuerSettings>, ConfigError> {
    let issuers = load(path)?;
    Authenticator::new(issuers.clone(), &http_fetcher)?;
    Ok(issuers)
}

/// The JSON schema of a file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(IssuersFile).to_value()
}

impl IssuersFile {
    /// Turns the file into settings. Relative paths start at `directory`.
    pub fn settings(self, directory: &Path) -> Result<Vec<IssuerSettings>, ConfigError> {
        let mut all = Vec::with_capacity(self.issuer.len());
        for (number, entry) in self.issuer.into_iter().enumerate() {
            let name = entry.name().map_or_else(|| format!("number {}", number + 1), str::to_owned);
            all.push(entry.settings(directory).map_err(|error| match error {
                Wrong::Reason(reason) => ConfigError::Issuer { issuer: name, reason },
                Wrong::Config(error) => error,
            })?);
        }
        Ok(all)
    }
}

/// A fault of an issuer, before the issuer's name is known.
enum Wrong {
    Reason(String),
    Config(ConfigError),
}

impl Wrong {
    fn because<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Reason(reason.into()))
    }
}

/// Reads a text file, up to the size limit.
fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other("larger than 4 MiB")));
    }
    std::fs::read_to_string(path).map_err(failed)
}
