//! What a token must say before anybody listens to the rest (OpenID Connect Core §3.1.3.7, RFC 7519 §4.1).

use super::TokenRefusal;
use super::token::UnverifiedToken;
use crate::IssuerSettings;
use crate::json::Object;
use chancery_verify::Timestamp;
use serde_json::Value;

/// How far the issuer's clock may be ahead of ours, in seconds. `exp` gets no such grace, as in Fulcio.
const MAX_SKEW_SECONDS: u64 = 60;
/// Longest `sub`. OpenID Connect says 255; workload identities are longer.
const MAX_SUBJECT_BYTES: usize = 2048;
/// Last second of the year 9999.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// The claims of a token whose signature, audience and times have been verified.
#[derive(Debug, Clone)]
pub struct VerifiedClaims {
    issuer: String,
    subject: String,
    claims: Object,
}

impl VerifiedClaims {
    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`, not empty.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// A claim that is a text and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether a claim is the boolean true, not a text that says so.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.claims.get(name) == Some(&Value::Bool(true))
    }
}

/// Checks audience, times and subject of a token whose signature has been verified.
pub(super) fn verify(
    token: UnverifiedToken,
    issuer: &IssuerSettings,
    now: Timestamp,
) -> Result<VerifiedClaims, TokenRefusal> {
    let (iss, claims) = token.into_claims();
    verify_audience(&claims, &issuer.audience)?;
    let now = now.seconds();
    let expires = seconds(&claims, "exp")?.ok_or(TokenRefusal::ClaimMissing { claim: "exp" })?;
    if now >= expires {
        return Err(TokenRefusal::Expired);
    }
    if seconds(&claims, "nbf")?.is_some_and(|start| start > now.saturating_add(MAX_SKEW_SECONDS)) {
        return Err(TokenRefusal::NotYetValid);
    }
    if seconds(&claims, "iat")?.is_some_and(|issued| issued > now.saturating_add(MAX_SKEW_SECONDS)) {
        return Err(TokenRefusal::IssuedInFuture);
    }
    let usable =
        |subject: &&str| (1..=MAX_SUBJECT_BYTES).contains(&subject.len()) && !subject.contains(char::is_control);
    let subject = claims.get("sub").and_then(Value::as_str).filter(usable);
    let subject = subject.ok_or(TokenRefusal::ClaimMissing { claim: "sub" })?.to_owned();
    Ok(VerifiedClaims { issuer: iss, subject, claims })
}

/// `aud` is one text or a list of texts; ours must be there, others may.
fn verify_audience(claims: &Object, expected: &str) -> Result<(), TokenRefusal> {
    let found = match claims.get("aud") {
        Some(Value::String(audience)) => audience == expected,
        Some(Value::Array(audiences)) if audiences.iter().all(Value::is_string) => {
            audiences.iter().any(|audience| audience.as_str() == Some(expected))
        }
        _ => return Err(TokenRefusal::ClaimMissing { claim: "aud" }),
    };
    // An empty audience in the configuration would match an empty one in a token.
    if found && !expected.is_empty() { Ok(()) } else { Err(TokenRefusal::Audience) }
}

/// A `NumericDate`, whole or not, rounded down to seconds.
fn seconds(claims: &Object, claim: &'static str) -> Result<Option<u64>, TokenRefusal> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return Ok(Some(seconds));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range has just been checked")]
    let rounded = value.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds)).map(|seconds| seconds as u64);
    rounded.map(Some).ok_or(TokenRefusal::ClaimMissing { claim })
}
