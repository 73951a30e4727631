//! Checks of the registered claims, before any other claim is used (OpenID Connect Core §3.1.3.7, RFC 7519 §4.1).

use super::token::UnverifiedToken;
use super::{TokenRefusal, VerifiedClaims};
use crate::IssuerSettings;
use crate::claims::is_invisible;
use crate::json::Object;
use chancery_verify::Timestamp;
use serde_json::Value;

/// How far the issuer's clock may be ahead of ours, in seconds. `exp` gets no leeway, as in Fulcio.
const MAX_SKEW_SECONDS: u64 = 60;
/// Longest `sub`. OpenID Connect says 255; workload identities are longer.
const MAX_SUBJECT_BYTES: usize = 2048;
/// Last second of the year 9999.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// One check of a claim, in the order of [`CHECKS`].
pub(super) type Check = fn(&Object, &IssuerSettings, Timestamp) -> Result<(), TokenRefusal>;

/// Every check but the issuer's own conditions, with the claim it looks at.
pub(super) const CHECKS: [(&str, Check); 5] =
    [("aud", audience), ("exp", expiry), ("nbf", not_before), ("iat", issued_at), ("sub", subject)];

/// Checks audience, times, subject and conditions of a token whose signature has been verified.
pub(super) fn verify(
    token: UnverifiedToken,
    settings: &IssuerSettings,
    now: Timestamp,
) -> Result<VerifiedClaims, TokenRefusal> {
    for (_, check) in CHECKS {
        check(token.unverified_claims(), settings, now)?;
    }
    let claims = assume_verified(token);
    for condition in &settings.conditions {
        condition.verify(&claims)?;
    }
    Ok(claims)
}

/// Wraps claims without checking them.
pub(super) fn assume_verified(token: UnverifiedToken) -> VerifiedClaims {
    let (issuer, claims) = token.into_claims();
    VerifiedClaims::assume(issuer, claims)
}

/// `aud` is a text or a list of texts. One of our audiences must be in it; others may be in it only if they are
/// allowed.
fn audience(claims: &Object, settings: &IssuerSettings, _: Timestamp) -> Result<(), TokenRefusal> {
    // An empty audience in the configuration would match an empty one in a token.
    let ours = |audience: &str| !audience.is_empty() && settings.audiences.iter().any(|ours| ours == audience);
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(audiences)) if audiences.iter().all(Value::is_string) => {
            audiences.iter().filter_map(Value::as_str).collect()
        }
        _ => return Err(TokenRefusal::missing("aud")),
    };
    if !audiences.iter().any(|audience| ours(audience)) {
        return Err(TokenRefusal::Audience);
    }
    let only_ours = audiences.iter().all(|audience| ours(audience));
    if only_ours || settings.other_audiences { Ok(()) } else { Err(TokenRefusal::OtherAudiences) }
}

fn expiry(claims: &Object, _: &IssuerSettings, now: Timestamp) -> Result<(), TokenRefusal> {
    let expires = seconds(claims, "exp")?.ok_or_else(|| TokenRefusal::missing("exp"))?;
    if now.seconds() < expires { Ok(()) } else { Err(TokenRefusal::Expired) }
}

fn not_before(claims: &Object, _: &IssuerSettings, now: Timestamp) -> Result<(), TokenRefusal> {
    let early = seconds(claims, "nbf")?.is_some_and(|start| start > now.seconds().saturating_add(MAX_SKEW_SECONDS));
    if early { Err(TokenRefusal::NotYetValid) } else { Ok(()) }
}

/// Refuses a token from the future, or too old. Without `iat` the age of a token is unknown; then its `exp` must be as
/// near as for a new token.
fn issued_at(claims: &Object, settings: &IssuerSettings, now: Timestamp) -> Result<(), TokenRefusal> {
    let (now, limit) = (now.seconds(), settings.max_age_seconds);
    let fresh = match seconds(claims, "iat")? {
        Some(issued) if issued > now.saturating_add(MAX_SKEW_SECONDS) => return Err(TokenRefusal::IssuedInFuture),
        Some(issued) => now <= issued.saturating_add(limit),
        None => seconds(claims, "exp")?.is_none_or(|expires| expires <= now.saturating_add(limit)),
    };
    if fresh { Ok(()) } else { Err(TokenRefusal::TooOld { limit_seconds: limit }) }
}

/// The time from which [`verify`] refuses a token with these claims: its `exp`, or when it gets too old.
pub(super) fn accepted_until(claims: &Object, settings: &IssuerSettings) -> Result<Timestamp, TokenRefusal> {
    let expires = seconds(claims, "exp")?.ok_or_else(|| TokenRefusal::missing("exp"))?;
    let aged = seconds(claims, "iat")?.map(|issued| issued.saturating_add(settings.max_age_seconds).saturating_add(1));
    Ok(Timestamp::from_seconds(aged.map_or(expires, |aged| aged.min(expires))))
}

fn subject(claims: &Object, _: &IssuerSettings, _: Timestamp) -> Result<(), TokenRefusal> {
    let usable = |subject: &&str| (1..=MAX_SUBJECT_BYTES).contains(&subject.len()) && !subject.contains(is_invisible);
    let subject = claims.get("sub").and_then(Value::as_str).filter(usable);
    subject.map(|_| ()).ok_or_else(|| TokenRefusal::missing("sub"))
}

/// A `NumericDate`, whole or not, rounded down to seconds.
fn seconds(claims: &Object, claim: &'static str) -> Result<Option<u64>, TokenRefusal> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return Ok(Some(seconds));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range has just been checked")]
    let rounded = value.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds)).map(|seconds| seconds as u64);
    rounded.map(Some).ok_or_else(|| TokenRefusal::missing(claim))
}
