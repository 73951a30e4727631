//! `GET /api/v2/configuration`: the trusted issuers.

use crate::identity::IssuerKind;
use crate::{CertificateAuthority, IssuerName, IssuerSettings};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lists every issuer in the order of the configuration. Empty fields are included, as protobuf's gateway does.
pub(super) async fn v2(State(authority): State<Arc<CertificateAuthority>>) -> Response {
    let issuers: Vec<Value> = authority.authenticator().issuers().map(issuer).collect();
    super::json(&json!({ "issuers": issuers }))
}

/// Returns the SPIFFE trust domain, the subject domain, and whether unverified addresses are accepted, if the kind of
/// issuer has them.
pub(super) fn domains(kind: &IssuerKind) -> (&str, &str, bool) {
    match kind {
        IssuerKind::Email { accept_unverified, .. } => ("", "", *accept_unverified),
        IssuerKind::Uri { subject_domain } | IssuerKind::Username { subject_domain } => {
            ("", subject_domain.as_str(), false)
        }
        IssuerKind::Spiffe { trust_domain } => (trust_domain.as_str(), "", false),
        IssuerKind::Kubernetes | IssuerKind::Chainguard | IssuerKind::Provider(_) => ("", "", false),
    }
}

fn issuer(settings: &IssuerSettings) -> Value {
    let (trust_domain, subject_domain, skip) = domains(&settings.kind);
    let mut fields = json!({
        "audience": settings.audiences.first(),
        "challengeClaim": settings.kind.challenge_claim(),
        "spiffeTrustDomain": trust_domain,
        "issuerType": settings.kind.name(),
        "subjectDomain": subject_domain,
        "skipEmailVerification": skip,
    });
    let field = match settings.name {
        IssuerName::Exact(_) => "issuerUrl",
        IssuerName::Pattern(_) => "wildcardIssuerUrl",
    };
    fields[field] = settings.name.as_str().into();
    fields
}
