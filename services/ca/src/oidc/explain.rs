//! Runs all checks of a token to the end, and explains why it is or is not accepted.
//!
//! For a person with a token, never for a request: [`Authenticator::authenticate`] stops at the first refusal. The
//! checks are the same ones.

use super::claims::{CHECKS, assume_verified};
use super::token::UnverifiedToken;
use super::{Authenticator, TokenRefusal};
use crate::identity::Principal;
use chancery_verify::Timestamp;
use serde_json::Value;

/// One check and its verdict.
#[derive(Debug)]
pub struct Step {
    /// The subject of the check: `form`, `signature`, `identity`, or a claim.
    pub subject: String,
    /// The claim's value, if there is one.
    pub value: Option<Value>,
    /// The verdict.
    pub verdict: Result<(), TokenRefusal>,
    /// How to fix it, if that is known.
    pub hint: Option<String>,
}

/// The explanation of a token.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The checks, in the order in which a request runs them.
    pub steps: Vec<Step>,
    /// The contents a certificate would have. Present even for a refused token, if its claims map to a name.
    pub principal: Option<Principal>,
}

impl Explanation {
    /// Returns whether a certificate would be issued.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.principal.is_some() && self.steps.iter().all(|step| step.verdict.is_ok())
    }

    fn step(&mut self, subject: &str, value: Option<&Value>, verdict: Result<(), TokenRefusal>) {
        self.steps.push(Step { subject: subject.to_owned(), value: value.cloned(), verdict, hint: None });
    }

    fn hint(&mut self, text: String) {
        if let Some(step) = self.steps.last_mut() {
            step.hint = Some(text);
        }
    }
}

impl Authenticator {
    /// Runs every check that is possible on `token`, also after one has failed.
    pub async fn explain(&self, token: &str, now: Timestamp) -> Explanation {
        let mut said = Explanation::default();
        let token = match UnverifiedToken::parse(token) {
            Ok(token) => token,
            Err(refusal) => {
                said.step("form", None, Err(refusal));
                return said;
            }
        };
        said.step("form", None, Ok(()));
        let claims = token.unverified_claims().clone();
        let iss = claims.get("iss");
        let Some(issuer) = self.find(token.unverified_issuer()) else {
            said.step("iss", iss, Err(TokenRefusal::IssuerUnknown));
            said.hint(self.near(token.unverified_issuer()));
            return said;
        };
        said.step("iss", iss, Ok(()));
        said.step("signature", None, issuer.verify_signature(&token, now).await);
        for (claim, check) in CHECKS {
            said.step(claim, claims.get(claim), check(&claims, &issuer.settings, now));
            if claim == "aud" && said.steps.last().is_some_and(|step| step.verdict.is_err()) {
                said.hint(format!("accepted are: {}", issuer.settings.audiences.join(", ")));
            }
        }
        let verified = assume_verified(token);
        for condition in &issuer.settings.conditions {
            let verdict = condition.verify(&verified);
            let refused = verdict.is_err();
            said.step(condition.claim.as_str(), condition.claim.find(&claims), verdict);
            if refused {
                said.hint(format!("accepted are: {}", condition.any_of.join(", ")));
            }
        }
        match issuer.settings.kind.principal(&verified) {
            Ok(principal) => {
                said.step("identity", Some(&principal.identity.as_str().into()), Ok(()));
                said.principal = Some(principal);
            }
            Err(refusal) => said.step("identity", None, Err(refusal)),
        }
        said
    }

    /// Returns the configured issuer that was probably meant, or all of them.
    fn near(&self, iss: &str) -> String {
        let plain = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
        let close = self.issuers().find(|settings| plain(settings.name.as_str()) == plain(iss));
        if let Some(settings) = close {
            return format!("configured is {}; issuers are compared letter by letter", settings.name.as_str());
        }
        let names: Vec<&str> = self.issuers().map(|settings| settings.name.as_str()).collect();
        format!("configured are: {}", names.join(", "))
    }
}
