//! `trusted_root.json`: the trusted authorities and logs, and their validity.
//!
//! Specification: protobuf-specs `sigstore_trustroot.proto`, message `TrustedRoot`, in protojson. Two deviations from
//! its newest text are deliberate: the media type is the legacy spelling (Go and Python clients refuse the new one)
//! and `operator` is left out (cosign up to 2.5.0 refuses it as an unknown field).

use crate::material::{CertificateAuthority, InvalidMaterial, Log, Material, Validity};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_address::BaseUrl;
use chancery_verify::key::KeyKind;
use serde::Serialize;

/// The one spelling that Go, Python, JavaScript and Rust clients all accept.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// The file as a typed document; serialise it with `serde_json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedRoot<'a> {
    media_type: &'static str,
    tlogs: Vec<LogJson<'a>>,
    certificate_authorities: Vec<AuthorityJson<'a>>,
    ctlogs: Vec<LogJson<'a>>,
    timestamp_authorities: Vec<AuthorityJson<'a>>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogJson<'a> {
    base_url: &'a BaseUrl,
    hash_algorithm: &'static str,
    public_key: KeyJson,
    log_id: LogId,
    /// Only for Rekor v2 logs; this field distinguishes them from other logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_key_id: Option<LogId>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyJson {
    raw_bytes: String,
    key_details: &'static str,
    valid_for: Validity,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityJson<'a> {
    subject: Subject<'a>,
    uri: &'a BaseUrl,
    cert_chain: Chain,
    valid_for: Validity,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    organization: &'a str,
    common_name: &'a str,
}

#[derive(Debug, Clone, Serialize)]
struct Chain {
    certificates: Vec<Certificate>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

impl<'a> TrustedRoot<'a> {
    /// Builds the document after [`Material::check`].
    pub fn new(material: &'a Material) -> Result<Self, InvalidMaterial> {
        material.check()?;
        Ok(Self {
            media_type: MEDIA_TYPE,
            tlogs: material.rekor_logs.iter().map(log).collect(),
            certificate_authorities: material.certificate_authorities.iter().map(authority).collect(),
            ctlogs: material.ct_logs.iter().map(log).collect(),
            timestamp_authorities: material.timestamp_authorities.iter().map(authority).collect(),
        })
    }
}

fn log(log: &Log) -> LogJson<'_> {
    let log_id = LogId { key_id: STANDARD.encode(log.key_id()) };
    LogJson {
        base_url: &log.base_url,
        hash_algorithm: "SHA2_256",
        public_key: KeyJson {
            raw_bytes: STANDARD.encode(log.key.spki_der()),
            key_details: key_details(log.key.kind()),
            valid_for: log.validity,
        },
        checkpoint_key_id: log.origin.as_ref().map(|_| log_id.clone()),
        log_id,
    }
}

fn authority(authority: &CertificateAuthority) -> AuthorityJson<'_> {
    let certificates = authority.chain_der.iter().map(|der| Certificate { raw_bytes: STANDARD.encode(der) }).collect();
    AuthorityJson {
        subject: Subject { organization: &authority.organization, common_name: &authority.common_name },
        uri: &authority.url,
        cert_chain: Chain { certificates },
        valid_for: authority.validity,
    }
}

/// Returns the `PublicKeyDetails` name (`sigstore_common.proto`) of the scheme with which a key of this kind signs log
/// data.
const fn key_details(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 => "PKIX_ECDSA_P256_SHA_256",
        KeyKind::P384 => "PKIX_ECDSA_P384_SHA_384",
        KeyKind::P521 => "PKIX_ECDSA_P521_SHA_512",
        KeyKind::Rsa(4096) => "PKIX_RSA_PKCS1V15_4096_SHA256",
        KeyKind::Rsa(3072) => "PKIX_RSA_PKCS1V15_3072_SHA256",
        // A checked key has 2048, 3072 or 4096 bits.
        KeyKind::Rsa(_) => "PKIX_RSA_PKCS1V15_2048_SHA256",
        KeyKind::Ed25519 => "PKIX_ED25519",
    }
}
