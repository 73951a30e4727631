//! Thresholds: the evidence that a policy requires, of every certificate or of the certificates of one authority.

use super::parse::sha256;
use crate::Hash;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::fmt;

/// Maximum of a threshold.
const MAX_THRESHOLD: u8 = 32;
/// Maximum authorities with their own thresholds.
const MAX_AUTHORITIES: usize = 64;

/// Number of different operators for each kind of evidence. Two logs of one operator count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PolicyThresholds {
    /// Transparency logs with the signature.
    pub logs: u8,
    /// Certificate transparency logs with the certificate.
    pub scts: u8,
    /// Sources of time: timestamp authorities, and logs that promise a time.
    pub times: u8,
    /// Timestamp authorities among the sources of time.
    pub timestamps: u8,
    /// Witnesses that have cosigned the log's checkpoint.
    pub witnesses: u8,
}

impl Default for PolicyThresholds {
    fn default() -> Self {
        Self { logs: 1, scts: 1, times: 1, timestamps: 0, witnesses: 0 }
    }
}

impl PolicyThresholds {
    /// Each threshold with its name in the file.
    const fn named(self) -> [(&'static str, u8); 5] {
        [
            ("logs", self.logs),
            ("scts", self.scts),
            ("times", self.times),
            ("timestamps", self.timestamps),
            ("witnesses", self.witnesses),
        ]
    }

    /// Replaces the thresholds that a table of the file sets: logs, SCTs, times, timestamps, witnesses.
    fn with(self, place: &str, [logs, scts, times, timestamps, witnesses]: [Option<u8>; 5]) -> Result<Self, String> {
        let changed = Self {
            logs: logs.unwrap_or(self.logs),
            scts: scts.unwrap_or(self.scts),
            times: times.unwrap_or(self.times),
            timestamps: timestamps.unwrap_or(self.timestamps),
            witnesses: witnesses.unwrap_or(self.witnesses),
        };
        match changed.named().into_iter().find(|(_, value)| *value > MAX_THRESHOLD) {
            Some((name, value)) => Err(format!("`{place}.{name}` is {value}, at most {MAX_THRESHOLD} is allowed")),
            None => Ok(changed),
        }
    }
}

/// The name of a certificate authority of the trust root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorityName {
    /// Its `uri` in the trust root, byte by byte.
    Url(String),
    /// SHA-256 of a certificate of its chain, in DER.
    Certificate(Hash),
}

impl fmt::Display for AuthorityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Certificate(hash) => write!(f, "sha256:{}", hex::encode(hash)),
        }
    }
}

/// Thresholds for signatures with a certificate of one authority. They replace the general ones. Authorities differ:
/// GitHub's for private repositories logs neither certificates nor signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityThresholds {
    /// The authority.
    pub authority: AuthorityName,
    /// The evidence that its certificates need.
    pub thresholds: PolicyThresholds,
}

impl AuthorityThresholds {
    /// Returns whether this names the authority with this URL and these certificates.
    #[must_use]
    pub fn are_for(&self, url: &str, certificates_sha256: &[Hash]) -> bool {
        match &self.authority {
            AuthorityName::Url(meant) => !url.is_empty() && meant == url,
            AuthorityName::Certificate(hash) => certificates_sha256.contains(hash),
        }
    }
}

impl Serialize for AuthorityThresholds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("authority", &self.authority.to_string())?;
        for (name, value) in self.thresholds.named() {
            json.serialize_entry(name, &value)?;
        }
        json.end()
    }
}

/// Evidence that each signature must have, from different operators.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ThresholdsTable {
    /// Transparency logs with the signature. Default: 1.
    logs: Option<u8>,
    /// Certificate transparency logs with the certificate. Default: 1.
    scts: Option<u8>,
    /// Sources of time: timestamp authorities, and logs that promise a time. Default: 1.
    times: Option<u8>,
    /// Timestamp authorities among the sources of time. Default: 0.
    timestamps: Option<u8>,
    /// Witnesses that have cosigned the log's checkpoint. Default: 0.
    witnesses: Option<u8>,
    /// Thresholds for the certificates of one authority.
    authority: Vec<AuthorityTable>,
}

/// Thresholds for signatures with a certificate of one authority. Either `url` or `certificate` names the authority.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AuthorityTable {
    /// The authority's `uri` in the trust root, byte by byte.
    url: Option<String>,
    /// SHA-256 of a certificate of the authority's chain in DER, in hexadecimal. A prefix `sha256:` and colons are
    /// allowed.
    certificate: Option<String>,
    /// As in `[thresholds]`. Default: the value there.
    logs: Option<u8>,
    /// As in `[thresholds]`. Default: the value there.
    scts: Option<u8>,
    /// As in `[thresholds]`. Default: the value there.
    times: Option<u8>,
    /// As in `[thresholds]`. Default: the value there.
    timestamps: Option<u8>,
    /// As in `[thresholds]`. Default: the value there.
    witnesses: Option<u8>,
}

impl ThresholdsTable {
    /// Returns the general thresholds, and those of authorities.
    pub(super) fn read(self) -> Result<(PolicyThresholds, Vec<AuthorityThresholds>), String> {
        let counts = [self.logs, self.scts, self.times, self.timestamps, self.witnesses];
        let general = PolicyThresholds::default().with("thresholds", counts)?;
        if self.authority.len() > MAX_AUTHORITIES {
            return Err(format!("`thresholds.authority` has more than {MAX_AUTHORITIES} entries"));
        }
        let mut authorities: Vec<AuthorityThresholds> = Vec::new();
        for table in self.authority {
            let read = table.read(general)?;
            if authorities.iter().any(|before| before.authority == read.authority) {
                return Err(format!(
                    "`thresholds.authority` names {} twice: remove one of the entries",
                    read.authority
                ));
            }
            authorities.push(read);
        }
        Ok((general, authorities))
    }
}

impl AuthorityTable {
    fn read(self, general: PolicyThresholds) -> Result<AuthorityThresholds, String> {
        let authority = match (self.url, self.certificate) {
            (Some(url), None) if !url.is_empty() => AuthorityName::Url(url),
            (None, Some(text)) => {
                let hash = sha256(text.strip_prefix("sha256:").unwrap_or(&text));
                AuthorityName::Certificate(hash.ok_or(
                    "`thresholds.authority.certificate` must be the SHA-256 of a certificate: 64 hexadecimal digits",
                )?)
            }
            _ => return Err("an entry of `thresholds.authority` needs one of `url` and `certificate`".to_owned()),
        };
        let counts = [self.logs, self.scts, self.times, self.timestamps, self.witnesses];
        Ok(AuthorityThresholds { authority, thresholds: general.with("thresholds.authority", counts)? })
    }
}
