//! What the files are made of: authorities, logs and services, each with the time from which it counts.
//!
//! Lists rather than single values, because a rotated key stays trusted for what it signed in its time: the retired
//! instance is listed after the current one, with the end of its window.

use chancery_verify::note::{self, KeyName};
use chancery_verify::{Hash, PublicKey, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::collections::HashSet;
use url::Url;

/// Why trust files cannot be made from these inputs. Each is a mistake that some client would report in a way nobody understands.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidMaterial {
    /// Not `http(s)://host[:port][/path]`.
    #[error(
        "`{url}` is not a base URL: it must be http:// or https://, with a host and without user, query or fragment"
    )]
    NotABaseUrl {
        /// The text that was given.
        url: String,
    },
    /// Clients append `/api/…` without looking.
    #[error("`{url}` ends in a slash: clients would ask for `//api/…`")]
    TrailingSlash {
        /// The text that was given.
        url: String,
    },
    /// sigstore-python replaces the path of the certificate authority's URL.
    #[error("`{url}` has a path: sigstore-python drops it, so a certificate authority must be at the root of its host")]
    AuthorityBelowRoot {
        /// The text that was given.
        url: String,
    },
    /// cosign and sigstore-js compare the origin of a Rekor v2 log with the host of its URL.
    #[error(
        "`{url}` has a path: cosign does not believe the checkpoints of a Rekor v2 log that is not at the root of its host"
    )]
    LogBelowRoot {
        /// The text that was given.
        url: String,
    },
    /// sigstore-js wants the self-signed root, sigstore-python the issuing certificate's issuer.
    #[error("the chain of `{common_name}` needs the certificate that signs and its root")]
    ShortChain {
        /// Which authority.
        common_name: String,
    },
    /// sigstore-rust refuses the file, others keep one of the two.
    #[error("two {kind} logs have the key id {key_id}")]
    DuplicateLog {
        /// `rekor` or `ct`.
        kind: &'static str,
        /// Hexadecimal.
        key_id: String,
    },
    /// Generations of one authority's key share its URL, but are not the same.
    #[error("two timestamp authorities have the URL `{url}` and the same certificates")]
    DuplicateTimestampAuthority {
        /// The URL.
        url: String,
    },
    /// A trust root without one of these verifies nothing.
    #[error("no {what}: nothing signed here could be verified")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// A window that ends before it starts trusts nothing.
    #[error("validity ends {end}, before it starts {start}")]
    EndsBeforeStart {
        /// RFC 3339.
        start: String,
        /// RFC 3339.
        end: String,
    },
    /// The specification wants a scheme-less URI here.
    #[error("operator `{operator}` must be a name such as sign.example.org, without scheme")]
    OperatorHasScheme {
        /// The text that was given.
        operator: String,
    },
}

/// A service's URL as clients use it: they append `/api/…`, so it has no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Checks `url` and keeps it letter by letter: the issuer claim of a token is compared as a string.
    pub fn parse(url: &str) -> Result<Self, InvalidMaterial> {
        let not_a_base = || InvalidMaterial::NotABaseUrl { url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| not_a_base())?;
        let is_http = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
        let has_user = !parsed.username().is_empty() || parsed.password().is_some();
        if !is_http || has_user || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(not_a_base());
        }
        if url.ends_with('/') {
            return Err(InvalidMaterial::TrailingSlash { url: url.to_owned() });
        }
        Ok(Self(url.to_owned()))
    }

    /// The URL, without trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn has_path(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.path() != "/")
    }
}

/// When something counts: from `start` to `end`, or to further notice. JSON: `{"start": …}`, RFC 3339, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not after the first thing it signed. Required, because three clients refuse a log without it.
    pub start: Timestamp,
    /// Set when a key is retired.
    pub end: Option<Timestamp>,
}

impl Validity {
    /// From `start` to further notice.
    #[must_use]
    pub const fn since(start: Timestamp) -> Self {
        Self { start, end: None }
    }

    fn check(self) -> Result<(), InvalidMaterial> {
        match self.end {
            Some(end) if end < self.start => {
                Err(InvalidMaterial::EndsBeforeStart { start: self.start.rfc3339(), end: end.rfc3339() })
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for Validity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("start", &self.start.rfc3339())?;
        if let Some(end) = self.end {
            map.serialize_entry("end", &end.rfc3339())?;
        }
        map.end()
    }
}

/// A transparency log, as its verifiers know it.
#[derive(Debug, Clone)]
pub struct Log {
    /// Where it answers.
    pub base_url: BaseUrl,
    /// The key its checkpoints, promises or SCTs verify with.
    pub key: PublicKey,
    /// Of a Rekor v2 log the name its checkpoints are signed under, which is the host of its URL; of others `None`.
    pub origin: Option<KeyName>,
    /// When that key was in use.
    pub validity: Validity,
}

impl Log {
    /// The id entries and SCTs carry: SHA-256 of the SPKI for RFC 6962 logs and for Rekor v1, C2SP's for Rekor v2.
    #[must_use]
    pub fn key_id(&self) -> Hash {
        self.origin.as_ref().map_or_else(|| self.key.fingerprint(), |origin| note::key_hash(origin, &self.key))
    }
}

/// An authority with certificates of its own, for certificates or for timestamps: one that signs, with its path to a root.
#[derive(Debug, Clone)]
pub struct CertificateAuthority {
    /// Where it answers.
    pub url: BaseUrl,
    /// Organisation in the subject of the certificate that signs.
    pub organization: String,
    /// Common name in the subject of the certificate that signs.
    pub common_name: String,
    /// DER, the certificate that signs first, self-signed root last.
    pub chain_der: Vec<Vec<u8>>,
    /// When it issued.
    pub validity: Validity,
}

/// Everything to be trusted, current instances first.
#[derive(Debug, Clone)]
pub struct Material {
    /// Who issues certificates.
    pub certificate_authorities: Vec<CertificateAuthority>,
    /// Where certificates are logged.
    pub ct_logs: Vec<Log>,
    /// Where signatures are logged.
    pub rekor_logs: Vec<Log>,
    /// Who says when something was signed. Their URLs are the whole ones that signers ask.
    pub timestamp_authorities: Vec<CertificateAuthority>,
}

impl Material {
    /// Refuses what some client would refuse, or silently misread.
    pub fn check(&self) -> Result<(), InvalidMaterial> {
        check_authorities("certificate authority", &self.certificate_authorities)?;
        check_authorities("timestamp authority", &self.timestamp_authorities)?;
        check_timestamp_authorities(&self.timestamp_authorities)?;
        check_logs("ct", "certificate transparency log", &self.ct_logs)?;
        check_logs("rekor", "signature log", &self.rekor_logs)
    }
}

fn check_authorities(what: &'static str, authorities: &[CertificateAuthority]) -> Result<(), InvalidMaterial> {
    if authorities.is_empty() {
        return Err(InvalidMaterial::Missing { what });
    }
    for authority in authorities {
        authority.validity.check()?;
        if authority.chain_der.len() < 2 {
            return Err(InvalidMaterial::ShortChain { common_name: authority.common_name.clone() });
        }
    }
    Ok(())
}

/// sigstore-go counts timestamps of one URL once, whoever made them, which is right for the generations of one authority's key.
fn check_timestamp_authorities(authorities: &[CertificateAuthority]) -> Result<(), InvalidMaterial> {
    let mut seen = HashSet::new();
    match authorities.iter().find(|authority| !seen.insert((&authority.url.0, &authority.chain_der))) {
        Some(twice) => Err(InvalidMaterial::DuplicateTimestampAuthority { url: twice.url.0.clone() }),
        None => Ok(()),
    }
}

fn check_logs(kind: &'static str, what: &'static str, logs: &[Log]) -> Result<(), InvalidMaterial> {
    if logs.is_empty() {
        return Err(InvalidMaterial::Missing { what });
    }
    let mut seen = HashSet::new();
    for log in logs {
        log.validity.check()?;
        if log.origin.is_some() && log.base_url.has_path() {
            return Err(InvalidMaterial::LogBelowRoot { url: log.base_url.0.clone() });
        }
        if !seen.insert(log.key_id()) {
            return Err(InvalidMaterial::DuplicateLog { kind, key_id: hex::encode(log.key_id()) });
        }
    }
    Ok(())
}

/// A signature log, as signers know it.
#[derive(Debug, Clone)]
pub struct SignatureLog {
    /// Where it answers.
    pub url: BaseUrl,
    /// Which protocol it speaks: Rekor's 1 or 2. Signers take the highest they know.
    pub major_api_version: u32,
    /// When signers are to use it.
    pub validity: Validity,
}

/// What a signer calls: one service of each kind is what an instance has, but of signature logs
/// one of each protocol, and of version 2 those before, whose time is over.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who runs them, as a scheme-less URI. Clients pick one service per operator.
    pub operator: String,
    /// The certificate authority, at the root of its host.
    pub certificate_authority: BaseUrl,
    /// The OIDC issuer that clients without a token send people to, where there is one.
    pub oidc_issuer: Option<BaseUrl>,
    /// The signature logs, at least one of version 1; the highest version first, because sigstore-js takes the first.
    pub signature_logs: Vec<SignatureLog>,
    /// The highest version that signers are told of unless they ask for another: 1 where it is to be Rekor v1.
    pub default_major_api_version: u32,
    /// The timestamp authority: the whole URL, to which clients append nothing.
    pub timestamp_authority: BaseUrl,
    /// From when they may be used.
    pub validity: Validity,
}

impl Services {
    /// Refuses what some client would refuse, or silently misread.
    pub fn check(&self) -> Result<(), InvalidMaterial> {
        self.validity.check()?;
        self.signature_logs.iter().try_for_each(|log| log.validity.check())?;
        if self.operator.is_empty() || self.operator.contains("://") {
            return Err(InvalidMaterial::OperatorHasScheme { operator: self.operator.clone() });
        }
        if !self.signature_logs.iter().any(|log| log.major_api_version == 1) {
            return Err(InvalidMaterial::Missing { what: "Rekor v1 log" });
        }
        if self.certificate_authority.has_path() {
            return Err(InvalidMaterial::AuthorityBelowRoot { url: self.certificate_authority.0.clone() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_kept_as_written_or_refused() {
        for good in
            ["http://127.0.0.1:8080", "https://sign.example.org", "http://127.0.0.1:8080/oidc", "http://[::1]:80"]
        {
            assert_eq!(BaseUrl::parse(good).unwrap().as_str(), good);
        }
        let slash = BaseUrl::parse("https://sign.example.org/").unwrap_err();
        assert_eq!(slash, InvalidMaterial::TrailingSlash { url: "https://sign.example.org/".to_owned() });
        for bad in ["sign.example.org", "ftp://x", "https://u@x", "https://:p@x", "https://x?a=b", "https://x#f", ""] {
            assert!(matches!(BaseUrl::parse(bad), Err(InvalidMaterial::NotABaseUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn a_window_must_not_end_before_it_starts() {
        let start = Timestamp::from_seconds(100);
        assert!(Validity { start, end: Some(start) }.check().is_ok());
        let backwards = Validity { start, end: Some(Timestamp::from_seconds(99)) };
        assert!(matches!(backwards.check(), Err(InvalidMaterial::EndsBeforeStart { .. })));
    }
}
