//! From verified claims to a name: who is asking, and what their certificate will say.
//!
//! Each kind of issuer has a module that knows what its claims mean: a function from [`VerifiedClaims`] to [`Identity`].
//! Providers of continuous integration differ only in data ([`Provider`]: templates over claims; [`provider::Known`] has
//! those of the services everybody uses). The mapping is Fulcio's, claim by claim (its `docs/oidc.md` and
//! `docs/oid-info.md`), so that policies written for Fulcio hold for these certificates too.

mod chainguard;
mod claim_path;
mod condition;
mod email;
mod kubernetes;
pub mod provider;
mod spiffe;
mod template;
mod uri;
mod username;

pub use claim_path::ClaimPath;
pub use condition::Condition;
pub use provider::{InvalidProvider, Provider};
pub use spiffe::is_trust_domain;
pub use template::{InvalidTemplate, Template};

use crate::oidc::{TokenRefusal, VerifiedClaims};
use chancery_verify::certificate::Identity;
use chancery_verify::extension::Claim;
use std::collections::BTreeMap;

/// What an issuer's tokens say about a signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKind {
    /// A person, by an address the issuer has verified.
    Email {
        /// Names the issuer in the certificate, for an issuer that signs people in at others and says where.
        issuer_claim: Option<ClaimPath>,
        /// Takes an address that the issuer does not say it has verified.
        accept_unverified: bool,
    },
    /// Whatever `sub` names, a URL.
    Uri {
        /// Scheme, host and port every `sub` must have, as a URL.
        subject_domain: String,
    },
    /// A name that means something within a domain.
    Username {
        /// Follows the name, after an exclamation mark.
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
    /// Fulcio's name of the kind, as `/api/v2/configuration` lists it.
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

    /// The claim a client is told to prove possession over.
    #[must_use]
    pub const fn challenge_claim(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            _ => "sub",
        }
    }

    /// Who the claims speak of.
    pub(crate) fn principal(&self, claims: &VerifiedClaims) -> Result<Principal, TokenRefusal> {
        let mut issuer = claims.issuer().to_owned();
        let mut extensions = BTreeMap::new();
        let identity = match self {
            Self::Email { issuer_claim, accept_unverified } => {
                if let Some(path) = issuer_claim {
                    let named = claims.rendered(path)?.filter(|name| !name.is_empty());
                    issuer = named.ok_or_else(|| TokenRefusal::missing(path.as_str().to_owned()))?.into_owned();
                }
                email::identity(claims, *accept_unverified)?
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

/// Clients sign over `email` where the token has one and over `sub` elsewhere, whatever the kind of issuer: they do not
/// know it.
fn challenges(claims: &VerifiedClaims) -> Vec<String> {
    let email = claims.text("email").map(str::to_owned);
    email.into_iter().chain([claims.subject().to_owned()]).collect()
}

/// Who asked: a token has been verified for this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who vouches: the token's `iss`, or where that is a broker, whom it names; what the certificate says about it.
    pub issuer: String,
    /// The token's `sub`, untouched.
    pub subject: String,
    /// Whom the certificate names.
    pub identity: Identity,
    /// What else the certificate says. Issuer and subject are not in here; they have fields of their own.
    pub claims: BTreeMap<Claim, String>,
    /// Texts a proof of possession may be over. Clients choose by what the token contains, not by the kind of issuer:
    /// `email` where there is one, else `sub`.
    pub challenges: Vec<String>,
}
