//! The same API over gRPC: `dev.sigstore.fulcio.v2.CA`, as routes of the same listener.
//!
//! Decisions, texts and codes are those of the HTTP API. The stable reason is in the status' details.

mod messages;

use super::MAX_REQUEST_BYTES;
use super::configuration::domains;
use super::error::{answer, log};
use super::signing_cert::detached_json;
use super::trust_bundle::certificates;
use crate::challenge::KeyRequest;
use crate::issue::{Issued, Promise};
use crate::request::{Origin, Refusal, SigningRequest};
use crate::{CertificateAuthority, IssuerName, IssuerSettings};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use chancery_daemon::http::grpc::{self, unary};
use chancery_daemon::http::{Peer, RequestId};
use messages::{
    Certificate, CertificateChain, Configuration, CreateSigningCertificateRequest, DetachedSct, EmbeddedSct, Issuer,
    Key, Nothing, OidcIssuer, SigningCertificate, TrustBundle,
};
use std::sync::Arc;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// The routes.
pub(super) fn router() -> Router<Arc<CertificateAuthority>> {
    Router::new()
        .route("/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate", post(create_signing_certificate))
        .route("/dev.sigstore.fulcio.v2.CA/GetTrustBundle", post(get_trust_bundle))
        .route("/dev.sigstore.fulcio.v2.CA/GetConfiguration", post(get_configuration))
}

async fn create_signing_certificate(State(authority): State<Arc<CertificateAuthority>>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let peer = request.extensions().get::<Peer>().copied();
    unary(request, MAX_REQUEST_BYTES, move |request: tonic::Request<CreateSigningCertificateRequest>| {
        let (authority, request_id) = (Arc::clone(&authority), request_id.clone());
        async move {
            let (metadata, _, message) = request.into_parts();
            let origin = Origin { request_id: request_id.clone(), peer, api: "grpc" };
            let issued = authority.answer(origin, Ok(signing_request(message, &metadata))).await;
            issued.map(|issued| signing_certificate(&issued)).map_err(|refusal| status(&refusal, request_id.as_ref()))
        }
    })
    .await
}

/// Takes the token from the message, or from the metadata, which must then have exactly one.
fn signing_request(message: CreateSigningCertificateRequest, metadata: &MetadataMap) -> SigningRequest {
    let in_message = message.credentials.unwrap_or_default().oidc_identity_token;
    let mut in_metadata = metadata.get_all("oidcidentitytoken").iter();
    let token = match (in_metadata.next(), in_metadata.next()) {
        (Some(token), None) if in_message.is_empty() => token.to_str().unwrap_or_default().to_owned(),
        _ => in_message,
    };
    let key = message.key.and_then(|key| match key {
        Key::CertificateSigningRequest(request) if request.is_empty() => None,
        Key::CertificateSigningRequest(request) => Some(KeyRequest::SigningRequest(request)),
        Key::PublicKeyRequest(request) => Some(KeyRequest::Possession {
            public_key: request.public_key.unwrap_or_default().content.into_bytes(),
            proof: request.proof_of_possession,
        }),
    });
    SigningRequest { token, key }
}

fn signing_certificate(issued: &Issued) -> SigningCertificate {
    let chain = Some(CertificateChain { certificates: issued.pem_chain() });
    let certificate = match &issued.promise {
        Promise::Embedded(_) => Certificate::SignedCertificateEmbeddedSct(EmbeddedSct { chain }),
        beside => {
            let signed_certificate_timestamp = beside.sct().map(detached_json).unwrap_or_default().into_bytes();
            Certificate::SignedCertificateDetachedSct(DetachedSct { chain, signed_certificate_timestamp })
        }
    };
    SigningCertificate { certificate: Some(certificate) }
}

fn status(refusal: &Refusal, request_id: Option<&RequestId>) -> Status {
    let (code, message) = answer(&refusal.error);
    log(refusal, code);
    grpc::Refusal { code, message: &message, reason: refusal.error.code(), request_id }.status(Vec::new())
}

async fn get_trust_bundle(State(authority): State<Arc<CertificateAuthority>>, request: Request) -> Response {
    let chains = authority.chains();
    let chains = chains.iter().map(|chain| CertificateChain { certificates: certificates(chain) }).collect();
    let bundle = TrustBundle { chains };
    unary(request, MAX_REQUEST_BYTES, move |_: tonic::Request<Nothing>| std::future::ready(Ok(bundle.clone()))).await
}

async fn get_configuration(State(authority): State<Arc<CertificateAuthority>>, request: Request) -> Response {
    let configuration = Configuration { issuers: authority.authenticator().issuers().map(oidc_issuer).collect() };
    unary(request, MAX_REQUEST_BYTES, move |_: tonic::Request<Nothing>| std::future::ready(Ok(configuration.clone())))
        .await
}

fn oidc_issuer(settings: &IssuerSettings) -> OidcIssuer {
    let (trust_domain, subject_domain, skip_email_verification) = domains(&settings.kind);
    let name = settings.name.as_str().to_owned();
    OidcIssuer {
        issuer: Some(match settings.name {
            IssuerName::Exact(_) => Issuer::IssuerUrl(name),
            IssuerName::Pattern(_) => Issuer::WildcardIssuerUrl(name),
        }),
        audience: settings.audiences.first().cloned().unwrap_or_default(),
        challenge_claim: settings.kind.challenge_claim().to_owned(),
        spiffe_trust_domain: trust_domain.to_owned(),
        issuer_type: settings.kind.name().to_owned(),
        subject_domain: subject_domain.to_owned(),
        skip_email_verification,
    }
}
