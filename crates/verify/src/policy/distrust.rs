//! Distrust rules: signatures that never count.
//!
//! A rule names an identity, an issuer, a key or a certificate, or several of these together. It can have a window of
//! time, for example for a pipeline that was compromised from Monday to Wednesday. In doubt, a rule matches.
//! Comparisons ignore case. Globs cross `@`. A signature without an established time is in every window. A signature
//! with times on both sides of a window is in it.

use super::evidence::Evidence;
use super::parse::{digits, fault, sha256};
use super::pattern::Pattern;
use super::period::{Moment, Period};
use super::requirement::public_key;
use crate::signer::Signer;
use crate::{Hash, Rejection};
use serde::Deserialize;
use std::fmt;

/// A rule that removes signatures.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "DistrustTable")]
pub struct Distrust {
    reason: String,
    targets: Vec<Target>,
    period: Period,
}

/// A part of a rule. All parts of a rule must match.
#[derive(Debug, Clone)]
enum Target {
    Identity(Pattern),
    Issuer(Pattern),
    Key(Hash),
    Fingerprint(Hash),
    Serial(Vec<u8>),
}

/// Signatures that do not count. All given keys must match.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct DistrustTable {
    /// Reason, shown in reports.
    reason: Option<String>,
    /// Identity. Case is ignored.
    identity: Option<Pattern>,
    /// Issuer. Case is ignored.
    issuer: Option<Pattern>,
    /// Key: PEM, or `sha256:` and its fingerprint (of the `SubjectPublicKeyInfo`).
    key: Option<String>,
    /// Certificate of the signer, or of an authority above it.
    certificate: Option<CertificateTable>,
    /// Start of the window, inclusive. Without it the window has no start.
    from: Option<Moment>,
    /// End of the window, inclusive. Without it the window has no end.
    until: Option<Moment>,
}

/// A certificate. Exactly one key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct CertificateTable {
    /// SHA-256 of the certificate in DER, in hexadecimal. A prefix `sha256:` and colons are allowed.
    fingerprint: Option<String>,
    /// Serial number of the signer's certificate in hexadecimal. Colons are allowed.
    serial: Option<String>,
}

impl Distrust {
    /// Makes a rule against an identity, for every issuer and all time.
    ///
    /// # Errors
    /// [`Rejection::PolicyPattern`] for a regular expression that is too large when compiled to ignore case.
    pub fn identity(pattern: Pattern, reason: impl Into<String>) -> Result<Self, Rejection> {
        let pattern = pattern.broadened().map_err(|_| Rejection::PolicyPattern)?;
        Ok(Self { reason: reason.into(), targets: vec![Target::Identity(pattern)], period: Period::default() })
    }

    /// Makes a rule against the key with this SHA-256 fingerprint, for all time.
    #[must_use]
    pub fn key(fingerprint: Hash, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), targets: vec![Target::Key(fingerprint)], period: Period::default() }
    }

    /// The rule's reason in the policy.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The patterns of the rule for identities.
    pub(super) fn identities(&self) -> impl Iterator<Item = &Pattern> {
        self.targets
            .iter()
            .filter_map(|target| if let Target::Identity(pattern) = target { Some(pattern) } else { None })
    }

    /// The patterns of the rule for issuers.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &Pattern> {
        self.targets.iter().filter_map(|target| if let Target::Issuer(pattern) = target { Some(pattern) } else { None })
    }

    /// Returns whether the rule matches a signature.
    pub(super) fn hits(&self, evidence: &Evidence) -> bool {
        self.targets.iter().all(|target| target.is(evidence)) && self.period.touches(&evidence.times)
    }
}

impl Target {
    fn is(&self, evidence: &Evidence) -> bool {
        let Signer::Certificate { claims, sha256, key_sha256, serial } = &evidence.signer else {
            return matches!(self, Self::Key(distrusted) if *distrusted == evidence.signer.key_sha256());
        };
        match self {
            Self::Key(distrusted) => distrusted == key_sha256,
            Self::Identity(pattern) => pattern.matches(claims.identity().as_str()),
            Self::Issuer(pattern) => pattern.matches(claims.issuer()),
            Self::Fingerprint(hash) => sha256 == hash || evidence.authorities.contains(hash),
            Self::Serial(distrusted) => distrusted == serial,
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.targets.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " and " })?;
            match target {
                Target::Identity(pattern) => write!(f, "identity {pattern}")?,
                Target::Issuer(pattern) => write!(f, "issuer {pattern}")?,
                Target::Key(hash) => write!(f, "key sha256:{}", hex::encode(hash))?,
                Target::Fingerprint(hash) => write!(f, "certificate sha256:{}", hex::encode(hash))?,
                Target::Serial(serial) => write!(f, "serial number {}", hex::encode(serial))?,
            }
        }
        if !self.period.is_unbounded() {
            write!(f, ", signed {}", self.period)?;
        }
        Ok(())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Distrust {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Distrust".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        DistrustTable::json_schema(generator)
    }
}

impl TryFrom<DistrustTable> for Distrust {
    type Error = String;

    fn try_from(table: DistrustTable) -> Result<Self, String> {
        let broadened =
            |pattern: Pattern| pattern.broadened().map_err(|reason| fault(Rejection::PolicyPattern, &reason));
        let mut targets = Vec::new();
        if let Some(pattern) = table.identity {
            targets.push(Target::Identity(broadened(pattern)?));
        }
        if let Some(pattern) = table.issuer {
            targets.push(Target::Issuer(broadened(pattern)?));
        }
        if let Some(text) = &table.key {
            let fingerprint = match text.strip_prefix("sha256:") {
                Some(digits) => fingerprint(digits)?,
                None => public_key(text)?.fingerprint(),
            };
            targets.push(Target::Key(fingerprint));
        }
        if let Some(certificate) = table.certificate {
            targets.push(certificate.target()?);
        }
        if targets.is_empty() {
            let reason = "a distrust rule needs at least one of `identity`, `issuer`, `key`, `certificate`";
            return Err(fault(Rejection::PolicyEmpty, reason));
        }
        let period = Period::new(table.from, table.until, ["from", "until"])?;
        Ok(Self { reason: table.reason.unwrap_or_default(), targets, period })
    }
}

impl CertificateTable {
    fn target(self) -> Result<Target, String> {
        match (self.fingerprint, self.serial) {
            (Some(text), None) => Ok(Target::Fingerprint(fingerprint(text.strip_prefix("sha256:").unwrap_or(&text))?)),
            (None, Some(text)) => serial(&text).map(Target::Serial),
            _ => Err(fault(Rejection::PolicyMalformed, "`certificate` has exactly one of `fingerprint`, `serial`")),
        }
    }
}

fn fingerprint(text: &str) -> Result<Hash, String> {
    sha256(text).ok_or_else(|| fault(Rejection::PolicyMalformed, "a fingerprint is SHA-256: 64 hexadecimal digits"))
}

fn serial(text: &str) -> Result<Vec<u8>, String> {
    let digits = digits(text);
    let significant = digits.trim_start_matches('0');
    let even = if significant.len() % 2 == 1 { format!("0{significant}") } else { significant.to_owned() };
    hex::decode(&even).ok().filter(|bytes| (1..=20).contains(&bytes.len())).ok_or_else(|| {
        fault(
            Rejection::PolicyMalformed,
            "a serial number is 1 to 40 hexadecimal digits, as `openssl x509 -serial` prints it",
        )
    })
}
