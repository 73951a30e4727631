//! `GET /api/v2/trustBundle` and `GET /api/v1/rootCert`: the authority's own certificates.
//!
//! Convenient for setting clients up, and not a way to trust: who controls the server controls this answer.

use crate::CertificateAuthority;
use axum::extract::State;
use axum::response::Response;
use chancery_verify::certificate::Certificate;
use serde_json::json;
use std::sync::Arc;

/// Every chain, issuing certificate first; unlike in a signing answer each PEM ends in a newline.
pub(super) async fn v2(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    let chain = authority.pipeline.chain();
    let certificates: Vec<String> = chain.certificates().iter().map(Certificate::to_pem).collect();
    super::json(&json!({ "chains": [{ "certificates": certificates }] }))
}

/// All certificates of all chains, intermediates included, in spite of the name.
pub(super) async fn v1(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    super::pem(authority.pipeline.chain().to_pem())
}
