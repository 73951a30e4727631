//! `GET /api/v2/trustBundle` and `GET /api/v1/rootCert`: the authority's own certificates.
//!
//! This helps to set clients up, but does not establish trust: an attacker who controls the server controls this
//! answer.

use crate::CertificateAuthority;
use crate::chain::IssuingChain;
use axum::extract::State;
use axum::response::Response;
use chancery_verify::certificate::Certificate;
use serde_json::json;
use std::sync::Arc;

/// Every chain, the issuing one first. A staged chain may issue soon, and the previous one issued until lately.
pub(super) async fn v2(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    let chains = authority.chains();
    let chains: Vec<_> = chains.iter().map(|chain| json!({ "certificates": certificates(chain) })).collect();
    super::json(&json!({ "chains": chains }))
}

/// All certificates of all chains. Includes intermediates, in spite of the path's name.
pub(super) async fn v1(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    super::pem(authority.chains().iter().map(|chain| chain.to_pem()).collect())
}

/// Issuing certificate first; unlike in a signing answer each PEM ends in a newline.
pub(super) fn certificates(chain: &IssuingChain) -> Vec<String> {
    chain.certificates().iter().map(Certificate::to_pem).collect()
}
