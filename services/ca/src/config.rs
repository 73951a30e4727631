//! The issuers in a configuration file: `[[issuer]]` tables in TOML.
//!
//! Strict: an unknown key, a key that means nothing for the kind of issuer, a file that is not there or names nobody are
//! errors, each with the issuer it is about. Nothing is trusted that is not written down; there are no public defaults. The
//! same types give the JSON schema for editors ([`schema`]) and are what an import writes.

mod entry;
mod kind;
mod preset;

pub use entry::{IssuerEntry, IssuerType, Patterns};
pub use preset::Preset;

use crate::IssuerSettings;
use crate::oidc::{Authenticator, InvalidIssuer, http_fetcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Largest file that is read. Fulcio's own public configuration has 20 KiB.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read, or is too large.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not in this form.
    #[error("{path}: {source}", path = .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A file that trusts nobody.
    #[error("{path} has no [[issuer]]", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An issuer that makes no sense.
    #[error("[[issuer]] {issuer}: {reason}")]
    Issuer {
        /// Its URL or pattern, or its number in the file.
        issuer: String,
        /// What is wrong.
        reason: String,
    },
    /// An issuer that cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidIssuer),
}

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuersFile {
    /// Whose tokens are accepted.
    #[serde(default)]
    pub issuer: Vec<IssuerEntry>,
}

/// Reads the issuers of a file, and the files it names, relative to where it is.
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

/// As [`load`], and checks also what [`Authenticator::new`] would refuse.
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
    /// What the file says. Files it names are relative to `directory`.
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

/// What is wrong with an issuer, before it is known which one it is.
enum Wrong {
    Reason(String),
    Config(ConfigError),
}

impl Wrong {
    fn because<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Reason(reason.into()))
    }
}

/// The text of a file that is no larger than it may be.
fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other("larger than 4 MiB")));
    }
    std::fs::read_to_string(path).map_err(failed)
}
