//! The inputs of the files: authorities, logs and services, each with its validity.
//!
//! Lists and not single values, because a rotated key stays trusted for the signatures made in its time: the retired
//! instance follows the current one, with the end of its window.

use chancery_address::{BaseUrl, InvalidUrl};
use chancery_verify::note::{self, KeyName};
use chancery_verify::{Hash, PublicKey, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::collections::HashSet;

/// Why trust files cannot be made from these inputs. For each of these mistakes some client would report an error that
/// is hard to understand.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidMaterial {
    /// Not the URL of a service.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// sigstore-python replaces the path of the certificate authority's URL.
    #[error("`{url}` has a path: sigstore-python drops it, so a certificate authority must be at the root of its host")]
    AuthorityBelowRoot {
        /// The given text.
        url: String,
    },
    /// cosign and sigstore-js compare the origin of a Rekor v2 log with the host of its URL.
    #[error("`{url}` has a path: cosign refuses the checkpoints of a Rekor v2 log that is not at the root of its host")]
    LogBelowRoot {
        /// The given text.
        url: String,
    },
    /// Go's clients take the name of such a log without the brackets of its URL, others with them.
    #[error(
        "`{url}` has an IPv6 address: clients do not agree on the name of a Rekor v2 log there; use a host name, which may \
         point to that address"
    )]
    LogAtIpv6Address {
        /// The given text.
        url: String,
    },
    /// A log signs in the name of its host, and a note's format leaves some characters out.
    #[error("the host of `{url}` cannot be the name of a log: it is longer than 255 characters, or has a `+`")]
    LogName {
        /// The given text.
        url: String,
    },
    /// Clients look for a signature in the name of the host, letter by letter.
    #[error("the Rekor v2 log at `{url}` signs as `{name}`, but clients look for the host of its URL")]
    LogOfOtherName {
        /// Its URL.
        url: String,
        /// The origin of its checkpoints.
        name: String,
    },
    /// sigstore-js requires the self-signed root, sigstore-python the issuing certificate's issuer.
    #[error("the chain of `{common_name}` must have the signing certificate and its root")]
    ShortChain {
        /// The authority.
        common_name: String,
    },
    /// sigstore-rust refuses such a file; other clients keep only one of the two.
    #[error("two {kind} logs have the key id {key_id}")]
    DuplicateLog {
        /// `rekor` or `ct`.
        kind: &'static str,
        /// Hexadecimal.
        key_id: String,
    },
    /// Generations of one authority's key share its URL, but must have different certificates.
    #[error("two timestamp authorities have the URL `{url}` and the same certificates")]
    DuplicateTimestampAuthority {
        /// The URL.
        url: String,
    },
    /// Without one of these, a trust root cannot verify anything.
    #[error("no {what}: signatures made here could not be verified")]
    Missing {
        /// The missing kind.
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
        /// The given text.
        operator: String,
    },
}

/// The name of a Rekor v2 log at this URL. Clients expect its checkpoints to be signed in the name of the host.
pub fn log_name(base_url: &BaseUrl) -> Result<KeyName, InvalidMaterial> {
    let (url, name) = (base_url.to_string(), base_url.host());
    if base_url.has_path() {
        return Err(InvalidMaterial::LogBelowRoot { url });
    }
    if name.contains(':') {
        return Err(InvalidMaterial::LogAtIpv6Address { url });
    }
    KeyName::new(name).map_err(|_| InvalidMaterial::LogName { url })
}

/// A validity window: from `start` to `end`, or without an end. JSON: `{"start": …}`, RFC 3339, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not later than the first signature. Required, because three clients refuse a log without it.
    pub start: Timestamp,
    /// Set when a key is retired.
    pub end: Option<Timestamp>,
}

impl Validity {
    /// From `start`, without an end.
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

/// A transparency log, as verifiers need it.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its URL.
    pub base_url: BaseUrl,
    /// The key that verifies its checkpoints, promises or SCTs.
    pub key: PublicKey,
    /// For a Rekor v2 log, the origin of its checkpoints, which is the host of its URL; `None` for other logs.
    pub origin: Option<KeyName>,
    /// Validity of that key.
    pub validity: Validity,
}

impl Log {
    /// Returns the log id in entries and SCTs: SHA-256 of the SPKI for RFC 6962 logs and for Rekor v1, C2SP's for Rekor
    /// v2.
    #[must_use]
    pub fn key_id(&self) -> Hash {
        self.origin.as_ref().map_or_else(|| self.key.fingerprint(), |origin| note::key_hash(origin, &self.key))
    }
}

/// An authority for certificates or timestamps: its signing certificate and the path to a root.
#[derive(Debug, Clone)]
pub struct CertificateAuthority {
    /// Its URL.
    pub url: BaseUrl,
    /// Organisation in the subject of the signing certificate.
    pub organization: String,
    /// Common name in the subject of the signing certificate.
    pub common_name: String,
    /// DER, the signing certificate first, self-signed root last.
    pub chain_der: Vec<Vec<u8>>,
    /// Validity as an issuer.
    pub validity: Validity,
}

/// All trusted authorities and logs, current instances first.
#[derive(Debug, Clone)]
pub struct Material {
    /// Certificate authorities.
    pub certificate_authorities: Vec<CertificateAuthority>,
    /// Certificate logs.
    pub ct_logs: Vec<Log>,
    /// Signature logs.
    pub rekor_logs: Vec<Log>,
    /// Timestamp authorities. Their URLs are complete: signers append nothing.
    pub timestamp_authorities: Vec<CertificateAuthority>,
}

impl Material {
    /// Refuses inputs that some client would refuse or silently misread.
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

/// sigstore-go counts the timestamps of one URL once, whichever authority made them. That is right for the generations
/// of one authority's key.
fn check_timestamp_authorities(authorities: &[CertificateAuthority]) -> Result<(), InvalidMaterial> {
    let mut seen = HashSet::new();
    match authorities.iter().find(|authority| !seen.insert((authority.url.as_str(), &authority.chain_der))) {
        Some(twice) => Err(InvalidMaterial::DuplicateTimestampAuthority { url: twice.url.to_string() }),
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
        if let Some(origin) = &log.origin {
            check_name(origin, &log.base_url)?;
        }
        if !seen.insert(log.key_id()) {
            return Err(InvalidMaterial::DuplicateLog { kind, key_id: hex::encode(log.key_id()) });
        }
    }
    Ok(())
}

/// A log whose name differs from the host of its URL in one letter verifies nowhere.
fn check_name(origin: &KeyName, base_url: &BaseUrl) -> Result<(), InvalidMaterial> {
    let url = || base_url.to_string();
    if base_url.has_path() {
        return Err(InvalidMaterial::LogBelowRoot { url: url() });
    }
    if origin.as_str() != base_url.host() {
        return Err(InvalidMaterial::LogOfOtherName { url: url(), name: origin.to_string() });
    }
    Ok(())
}

/// A signature log, as signers need it.
#[derive(Debug, Clone)]
pub struct SignatureLog {
    /// Its URL.
    pub url: BaseUrl,
    /// Its protocol: Rekor's 1 or 2. Signers take the highest version they know.
    pub major_api_version: u32,
    /// When signers may use it.
    pub validity: Validity,
}

/// The services that a signer calls: one of each kind. The exception are the signature logs: one of each protocol, and
/// the earlier logs of version 2, whose validity has ended.
#[derive(Debug, Clone)]
pub struct Services {
    /// The operator, as a scheme-less URI. Clients pick one service per operator.
    pub operator: String,
    /// The certificate authority, at the root of its host.
    pub certificate_authority: BaseUrl,
    /// The OIDC issuer at which clients without a token sign people in, if there is one.
    pub oidc_issuer: Option<BaseUrl>,
    /// The signature logs, at least one of version 1. The highest version comes first, because sigstore-js takes the
    /// first.
    pub signature_logs: Vec<SignatureLog>,
    /// The highest version in the default signing configuration: 1 if signers are to use Rekor v1 unless they ask for
    /// another.
    pub default_major_api_version: u32,
    /// The timestamp authority's complete URL; clients append nothing.
    pub timestamp_authority: BaseUrl,
    /// Start of their validity.
    pub validity: Validity,
}

impl Services {
    /// Refuses inputs that some client would refuse or silently misread.
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
            return Err(InvalidMaterial::AuthorityBelowRoot { url: self.certificate_authority.to_string() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_its_host_for_a_name() {
        for (written, name) in [
            ("https://sign.example.org", "sign.example.org"),
            ("HTTPS://Sign.Example.ORG.:8443/", "sign.example.org"),
            ("https://Bücher.example", "xn--bcher-kva.example"),
            ("http://0x7f.1:8080", "127.0.0.1"),
        ] {
            assert_eq!(log_name(&BaseUrl::parse(written).unwrap()).unwrap().as_str(), name, "{written}");
        }
        let refused = |url: &str| log_name(&BaseUrl::parse(url).unwrap()).unwrap_err();
        let address = "https://[2001:DB8::1]:8443";
        assert!(matches!(refused(address), InvalidMaterial::LogAtIpv6Address { .. }));
        assert!(matches!(refused("https://sign.example.org/log"), InvalidMaterial::LogBelowRoot { .. }));
        assert!(matches!(refused("https://a+b.example.org"), InvalidMaterial::LogName { .. }));
        let long = format!("https://{}org", "label.".repeat(43));
        assert!(matches!(refused(&long), InvalidMaterial::LogName { .. }));
    }

    #[test]
    fn no_log_is_published_under_another_name_than_its_host() {
        let check =
            |url: &str, name: &str| check_name(&KeyName::new(name).unwrap(), &BaseUrl::as_written(url).unwrap());
        assert_eq!(check("https://sign.example.org:8443", "sign.example.org"), Ok(()));
        // As Go's clients take it; only a development server has such a URL.
        assert_eq!(check("http://[::1]:8080", "::1"), Ok(()));
        for (url, name) in
            [("https://Sign.example.org", "sign.example.org"), ("https://sign.example.org", "log.example.org")]
        {
            assert!(matches!(check(url, name), Err(InvalidMaterial::LogOfOtherName { .. })), "{url}");
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
