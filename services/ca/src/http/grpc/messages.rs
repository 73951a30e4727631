//! The messages of `dev.sigstore.fulcio.v2.CA`, with only the fields that are used.
//!
//! Field numbers are facts of Fulcio's `fulcio.proto`. They are written by hand because they are few and never change; a
//! test speaks to them with Fulcio's own client.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct CreateSigningCertificateRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) credentials: Option<Credentials>,
    #[prost(oneof = "Key", tags = "2, 3")]
    pub(super) key: Option<Key>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Key {
    #[prost(message, tag = "2")]
    PublicKeyRequest(PublicKeyRequest),
    #[prost(bytes = "vec", tag = "3")]
    CertificateSigningRequest(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Credentials {
    #[prost(string, tag = "1")]
    pub(super) oidc_identity_token: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PublicKeyRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) public_key: Option<PublicKey>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) proof_of_possession: Vec<u8>,
}

/// Without its field 1, the algorithm: it follows from the key.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PublicKey {
    #[prost(string, tag = "2")]
    pub(super) content: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SigningCertificate {
    #[prost(oneof = "Certificate", tags = "1, 2")]
    pub(super) certificate: Option<Certificate>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Certificate {
    #[prost(message, tag = "1")]
    SignedCertificateDetachedSct(DetachedSct),
    #[prost(message, tag = "2")]
    SignedCertificateEmbeddedSct(EmbeddedSct),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DetachedSct {
    #[prost(message, optional, tag = "1")]
    pub(super) chain: Option<CertificateChain>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) signed_certificate_timestamp: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EmbeddedSct {
    #[prost(message, optional, tag = "1")]
    pub(super) chain: Option<CertificateChain>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CertificateChain {
    #[prost(string, repeated, tag = "1")]
    pub(super) certificates: Vec<String>,
}

/// `GetTrustBundleRequest` and `GetConfigurationRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TrustBundle {
    #[prost(message, repeated, tag = "1")]
    pub(super) chains: Vec<CertificateChain>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Configuration {
    #[prost(message, repeated, tag = "1")]
    pub(super) issuers: Vec<OidcIssuer>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Issuer {
    #[prost(string, tag = "1")]
    IssuerUrl(String),
    #[prost(string, tag = "2")]
    WildcardIssuerUrl(String),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OidcIssuer {
    #[prost(oneof = "Issuer", tags = "1, 2")]
    pub(super) issuer: Option<Issuer>,
    #[prost(string, tag = "3")]
    pub(super) audience: String,
    #[prost(string, tag = "4")]
    pub(super) challenge_claim: String,
    #[prost(string, tag = "5")]
    pub(super) spiffe_trust_domain: String,
    #[prost(string, tag = "6")]
    pub(super) issuer_type: String,
    #[prost(string, tag = "7")]
    pub(super) subject_domain: String,
    #[prost(bool, tag = "8")]
    pub(super) skip_email_verification: bool,
}
