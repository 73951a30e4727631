//! `GET /api/v2/configuration`: whose tokens are accepted.

use crate::CertificateAuthority;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Every issuer, in the order of the configuration. Fields without a value are written too, as protobuf's gateway does.
pub(super) async fn v2(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    let issuers: Vec<Value> = authority
        .authenticator
        .issuers()
        .map(|issuer| {
            json!({
                "issuerUrl": issuer.url,
                "audience": issuer.audience,
                "challengeClaim": issuer.kind.challenge_claim(),
                "spiffeTrustDomain": "",
                "issuerType": issuer.kind.name(),
                "subjectDomain": "",
                "skipEmailVerification": false,
            })
        })
        .collect();
    super::json(&json!({ "issuers": issuers }))
}
