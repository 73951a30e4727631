//! From verified claims to a name: the signer, and the contents of the certificate.
//!
//! Each kind of issuer has a module that interprets its claims: a function from [`VerifiedClaims`] to [`Identity`]. CI
//! providers differ only in data ([`Provider`]: templates over claims; [`provider::Known`] has those of the common
//! services). The mapping is Fulcio's, claim by claim (its `docs/oidc.md` and `docs/oid-info.md`), so that policies
//! written for Fulcio also hold for these certificates.

mod chainguard;
mod condition;
mod email;
mod kubernetes;
pub mod provider;
mod spiffe;
mod template;
mod uri;
mod username;

pub use crate::claims::ClaimPath;
pub use condition::Condition;
pub use provider::{InvalidProvider, Provider};
pub use spiffe::is_trust_domain;
pub use template::{InvalidTemplate, Template};

use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;
use chancery_verify::extension::Claim;
use std::collections::BTreeMap;

/// How an issuer's tokens identify a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKind {
    /// A person, by an email address that the issuer has verified.
    Email {
        /// The claim that has the address, if it is not `email`. `email_verified` says nothing of another claim.
        address_claim: Option<ClaimPath>,
        /// The claim that names the issuer in the certificate. For an issuer that signs people in at other providers
        /// and names them.
        issuer_claim: Option<ClaimPath>,
        /// Accepts an address that the issuer does not mark as verified.
        accept_unverified: bool,
    },
    /// A URL, taken from `sub`.
    Uri {
        /// URL with the scheme, host and port that every `sub` must have.
        subject_domain: String,
    },
    /// A user name, unique within a domain.
    Username {
        /// The domain. It follows the name, after an exclamation mark.
        subject_domain: String,
    },
    /// A workload, by its SPIFFE ID.
    Spiffe {
        /// The only trust domain the issuer may speak for.
        trust_domain: String,
    },
    /// A service account of a Kubernetes cluster.
    Kubernetes,
    /// An identity at Chainguard.
    Chainguard,
    /// A job of a continuous integration service.
    Provider(Provider),
}

impl IssuerKind {
    /// Returns Fulcio's name of the kind, as in `/api/v2/configuration`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Uri { .. } => "uri",
            Self::Username { .. } => "username",
            Self::Spiffe { .. } => "spiffe",
            Self::Kubernetes => "kubernetes",
            Self::Chainguard => "chainguard-identity",
            Self::Provider(provider) => provider.kind_name(),
        }
    }

    /// Returns the claim that a client's proof of possession is over.
    #[must_use]
    pub const fn challenge_claim(&self) -> &'static str {
        match self {
            Self::Email { address_claim: None, .. } => "email",
            _ => "sub",
        }
    }

    /// Returns the identity that the claims describe.
    pub(crate) fn principal(&self, claims: &VerifiedClaims) -> Result<Principal, TokenRefusal> {
        let mut issuer = claims.issuer().to_owned();
        let mut extensions = BTreeMap::new();
        let identity = match self {
            Self::Email { address_claim, issuer_claim, accept_unverified } => {
                if let Some(path) = issuer_claim {
                    let named = claims.rendered(path)?.filter(|name| !name.is_empty());
                    issuer = named.ok_or_else(|| TokenRefusal::missing(path.as_str().to_owned()))?.into_owned();
                }
                email::identity(claims, address_claim.as_ref(), *accept_unverified)?
            }
            Self::Uri { subject_domain } => uri::identity(claims, subject_domain)?,
            Self::Username { subject_domain } => username::identity(claims, subject_domain)?,
            Self::Spiffe { trust_domain } => spiffe::identity(claims, trust_domain)?,
            Self::Kubernetes => kubernetes::identity(claims)?,
            Self::Chainguard => chainguard::identity(claims)?,
            Self::Provider(provider) => {
                extensions = provider.extensions(claims)?;
                provider.identity(claims)?
            }
        };
        Ok(Principal {
            issuer,
            subject: claims.subject().to_owned(),
            identity,
            claims: extensions,
            challenges: challenges(claims),
        })
    }
}

/// Clients sign over `email` if the token has it, otherwise over `sub`. They do not know the kind of issuer.
fn challenges(claims: &VerifiedClaims) -> Vec<String> {
    let email = claims.text("email").map(str::to_owned);
    email.into_iter().chain([claims.subject().to_owned()]).collect()
}

/// The signer, from a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The issuer in the certificate: the token's `iss`, or the provider that a broker names.
    pub issuer: String,
    /// The token's `sub`, unchanged.
    pub subject: String,
    /// The name in the certificate.
    pub identity: Identity,
    /// Other contents of the certificate. Issuer and subject have fields of their own.
    pub claims: BTreeMap<Claim, String>,
    /// Texts that a proof of possession may be over. Clients choose by the token's contents, not by the kind of issuer:
    /// `email` if present, otherwise `sub`.
    pub challenges: Vec<String>,
}
