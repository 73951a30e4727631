//! The same checks, one by one and to the end: why a token is or is not accepted.
//!
//! For a person with a token in hand, never for a request: [`Authenticator::authenticate`] stops at the first refusal. Every
//! check is the one that counts there.

use super::claims::{CHECKS, assume_verified};
use super::token::UnverifiedToken;
use super::{Authenticator, TokenRefusal};
use crate::identity::Principal;
use chancery_verify::Timestamp;
use serde_json::Value;

/// One check and its verdict.
#[derive(Debug)]
pub struct Step {
    /// What was looked at: `form`, `signature`, `identity`, or a claim.
    pub subject: String,
    /// The claim's value, where there is one.
    pub value: Option<Value>,
    /// Whether it is accepted.
    pub verdict: Result<(), TokenRefusal>,
    /// What would help, where that is known.
    pub hint: Option<String>,
}

/// Everything that is to be said about a token.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The checks, in the order in which they count.
    pub steps: Vec<Step>,
    /// What a certificate would say; there even where the token is refused, if its claims make up a name.
    pub principal: Option<Principal>,
}

impl Explanation {
    /// Whether a certificate would be issued.
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
    /// Makes every check that can be made of `token`, also after one has failed.
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

    /// The configured issuer that was probably meant, else all of them.
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
