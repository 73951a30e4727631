//! From verified claims to a name: who is asking, and what their certificate will say.
//!
//! Each kind of issuer has a module that knows what its claims mean. This is the seam where further kinds come in: a
//! variant of [`IssuerKind`], and a function from [`VerifiedClaims`] to [`Principal`].

mod email;

use crate::oidc::{TokenRefusal, VerifiedClaims};
use chancery_verify::certificate::Identity;
use chancery_verify::extension::Claim;
use std::collections::BTreeMap;

/// What an issuer's tokens say about a signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerKind {
    /// A person, by an address the issuer has verified.
    Email,
}

impl IssuerKind {
    /// Fulcio's name of the kind, as `/api/v2/configuration` lists it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
        }
    }

    /// The claim a client is told to prove possession over.
    #[must_use]
    pub const fn challenge_claim(self) -> &'static str {
        match self {
            Self::Email => "email",
        }
    }

    /// Who the claims speak of.
    pub(crate) fn principal(self, claims: &VerifiedClaims) -> Result<Principal, TokenRefusal> {
        match self {
            Self::Email => email::principal(claims),
        }
    }
}

/// Who asked: a token has been verified for this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who vouches: the token's `iss`, and what the certificate says about it.
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
