//! `signing_config.json`: which services a signer calls.
//!
//! Specification: protobuf-specs `sigstore_trustroot.proto`, message `SigningConfig` v0.2. Every service carries
//! `operator` (sigstore-python demands it) and `validFor.start` (sigstore-rust demands it); selectors are `ANY`, the only
//! one all clients implement; certificate authority and issuer say API version 1 although signers then call
//! Fulcio's `/api/v2`: sigstore-go finds "no matching service" otherwise.

use crate::material::{BaseUrl, InvalidMaterial, Services, Validity};
use serde::Serialize;

/// Version 0.2, the one with operators and validity.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// The file as a typed document; serialise it with `serde_json`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningConfig<'a> {
    media_type: &'static str,
    ca_urls: [ServiceJson<'a>; 1],
    oidc_urls: Vec<ServiceJson<'a>>,
    rekor_tlog_urls: [ServiceJson<'a>; 1],
    rekor_tlog_config: Selection,
    // Present although empty: sigstore-python's model has no default for them.
    tsa_urls: [ServiceJson<'a>; 0],
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
    /// Builds the document after [`Services::check`].
    pub fn new(services: &'a Services) -> Result<Self, InvalidMaterial> {
        services.check()?;
        let service =
            |url| ServiceJson { url, major_api_version: 1, valid_for: services.validity, operator: &services.operator };
        Ok(Self {
            media_type: MEDIA_TYPE,
            ca_urls: [service(&services.certificate_authority)],
            oidc_urls: services.oidc_issuer.iter().map(service).collect(),
            rekor_tlog_urls: [service(&services.rekor_v1)],
            rekor_tlog_config: Selection { selector: "ANY" },
            tsa_urls: [],
            tsa_config: Selection { selector: "ANY" },
        })
    }
}
