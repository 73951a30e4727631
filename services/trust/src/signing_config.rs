//! `signing_config.json`, `signing_config_rekor_v1.json`, `signing_config_rekor_v2.json`: the services that a signer
//! calls.
//!
//! Specification: protobuf-specs `sigstore_trustroot.proto`, message `SigningConfig` v0.2. Every service carries
//! `operator` (sigstore-python demands it) and `validFor.start` (sigstore-rust demands it); selectors are `ANY`, the only
//! one all clients implement; certificate authority and issuer say API version 1 although signers then call
//! Fulcio's `/api/v2`: sigstore-go finds "no matching service" otherwise.

use crate::material::{InvalidMaterial, Services, SignatureLog, Validity};
use chancery_address::BaseUrl;
use serde::Serialize;
use std::ops::RangeInclusive;

/// Version 0.2, which has operators and validity.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// The file as a typed document; serialise it with `serde_json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningConfig<'a> {
    media_type: &'static str,
    ca_urls: [ServiceJson<'a>; 1],
    oidc_urls: Vec<ServiceJson<'a>>,
    rekor_tlog_urls: Vec<ServiceJson<'a>>,
    rekor_tlog_config: Selection,
    tsa_urls: [ServiceJson<'a>; 1],
    tsa_config: Selection,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceJson<'a> {
    url: &'a BaseUrl,
    major_api_version: u32,
    valid_for: Validity,
    operator: &'a str,
}

#[derive(Debug, Clone, Serialize)]
struct Selection {
    selector: &'static str,
}

impl<'a> SigningConfig<'a> {
    /// Builds the document after [`Services::check`], with the signature logs of these protocols, in their order there.
    /// A signer takes the highest version that it knows; sigstore-js takes the first.
    pub fn new(services: &'a Services, major_api_versions: RangeInclusive<u32>) -> Result<Self, InvalidMaterial> {
        services.check()?;
        let service = |url, major_api_version| ServiceJson {
            url,
            major_api_version,
            valid_for: services.validity,
            operator: &services.operator,
        };
        let log =
            |log: &'a SignatureLog| ServiceJson { valid_for: log.validity, ..service(&log.url, log.major_api_version) };
        let logs = services.signature_logs.iter().filter(|log| major_api_versions.contains(&log.major_api_version));
        Ok(Self {
            media_type: MEDIA_TYPE,
            ca_urls: [service(&services.certificate_authority, 1)],
            oidc_urls: services.oidc_issuer.iter().map(|issuer| service(issuer, 1)).collect(),
            rekor_tlog_urls: logs.map(log).collect(),
            rekor_tlog_config: Selection { selector: "ANY" },
            tsa_urls: [service(&services.timestamp_authority, 1)],
            tsa_config: Selection { selector: "ANY" },
        })
    }
}
