//! Conditions of a rule on one signature.

use super::decision::Explanation;
use super::evidence::Evidence;
use super::field::Field;
use super::kind::Kind;
use super::pattern::Pattern;
use super::period::Period;
use crate::claims::Claims;
use crate::extension::Claim;
use crate::signer::Signer;
use crate::statement::{Provenance, VerificationSummary};
use crate::{PublicKey, Refusal, Rejection};

/// One condition on one signature. A rule holds for a signature that meets all of its conditions.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Signed with this key, without a certificate.
    Key(PublicKey),
    /// The certificate's one subject alternative name matches.
    Identity(Pattern),
    /// The identity is the value of this claim.
    IdentityIs(Claim),
    /// The identity is a path below the value of this claim.
    IdentityBelow(Claim),
    /// The identity has exactly one `//` after its scheme. In GitLab's identities it separates project and file.
    IdentityOneFile,
    Issuer(Pattern),
    Claim(Claim, Pattern),
    /// A signature of the artifact itself, or an attestation.
    Kind(Kind),
    /// Every established time is in the period.
    Signed(Period),
    Annotation(String, Pattern),
    PredicateType(Pattern),
    Field(Field),
    Builder(Pattern),
    Source(Pattern),
    BuildType(Pattern),
    /// A verification summary by this verifier, with the verdict `PASSED`.
    SummaryVerifier(Pattern),
    SummaryResource(Pattern),
    SummaryLevel(String),
}

/// The value that a condition compares. `Err` if it cannot be read.
type Found<'a> = Result<Option<&'a str>, Refusal>;

impl Condition {
    /// The condition of a rule that requires `kind`. `None` if any kind is accepted.
    pub(super) fn of_kind(kind: Kind) -> Option<Self> {
        (kind != Kind::Any).then_some(Self::Kind(kind))
    }

    /// Returns whether the condition is about the signer only, and not about content or time.
    pub(super) const fn is_of_signer(&self) -> bool {
        matches!(
            self,
            Self::Key(_)
                | Self::Identity(_)
                | Self::IdentityIs(_)
                | Self::IdentityBelow(_)
                | Self::IdentityOneFile
                | Self::Issuer(_)
                | Self::Claim(..)
        )
    }

    /// Checks one signature.
    pub(super) fn check(&self, evidence: &Evidence) -> Explanation {
        let claims = evidence.signer.claims();
        let identity = claims.map(|claims| claims.identity().as_str());
        let claim = |claim: Claim| claims.and_then(|claims| claims.get(claim));
        match self {
            Self::Key(key) => same_key(key, &evidence.signer),
            Self::Identity(pattern) => matched("identity", Rejection::PolicyIdentity, pattern, identity),
            Self::IdentityIs(name) => {
                related("identity", identity, claim(*name), *name, |identity, claim| identity == claim)
            }
            Self::IdentityBelow(name) => related("identity", identity, claim(*name), *name, |identity, claim| {
                identity.strip_prefix(claim).is_some_and(|rest| rest.starts_with('/'))
            }),
            Self::IdentityOneFile => {
                let files = identity.map_or(0, |identity| identity.matches("//").count());
                Explanation::comparison("identity", Rejection::PolicyIdentity, files == 2)
                    .values("one // after the scheme", identity.unwrap_or(NO_CERTIFICATE))
            }
            Self::Issuer(pattern) => matched("issuer", Rejection::PolicyIssuer, pattern, claims.map(Claims::issuer)),
            Self::Claim(name, pattern) => {
                matched(name.name(), Rejection::PolicyClaim { name: name.name() }, pattern, claim(*name))
            }
            Self::Kind(kind) => same_kind(*kind, evidence),
            Self::Signed(period) => signed(period, evidence),
            Self::Annotation(name, pattern) => {
                let found = evidence.annotations.get(name).map(String::as_str);
                matched(&format!("annotation {name}"), Rejection::PolicyAnnotation, pattern, found)
            }
            Self::PredicateType(pattern) => {
                let found = evidence.predicate.as_ref().map(|(kind, _)| kind.as_str());
                matched("predicate type", Rejection::StatementPredicateType, pattern, found)
            }
            Self::Field(field) => field.check(evidence.predicate.as_ref().map(|(_, predicate)| predicate)),
            Self::Builder(pattern) => provenance("builder", pattern, evidence, |read| Some(read.builder_id())),
            Self::Source(pattern) => provenance("source", pattern, evidence, source),
            Self::BuildType(pattern) => provenance("build type", pattern, evidence, |read| Some(read.build_type())),
            Self::SummaryVerifier(pattern) => summary("verifier", pattern, evidence, |read| read.verifier),
            Self::SummaryResource(pattern) => summary("resource", pattern, evidence, |read| read.resource),
            Self::SummaryLevel(level) => summary_level(level, evidence),
        }
    }
}

const NO_CERTIFICATE: &str = "no certificate";

fn matched(rule: &str, rejection: Rejection, pattern: &Pattern, found: Option<&str>) -> Explanation {
    let held = found.is_some_and(|found| pattern.matches(found));
    Explanation::comparison(rule, rejection, held).values(pattern.to_string(), found.unwrap_or("none"))
}

fn same_key(key: &PublicKey, signer: &Signer) -> Explanation {
    let held = matches!(signer, Signer::Key { sha256, .. } if *sha256 == key.fingerprint());
    let expected = format!("key sha256:{}", hex::encode(key.fingerprint()));
    Explanation::comparison("key", Rejection::PolicyKey, held).values(expected, signer.to_string())
}

fn same_kind(kind: Kind, evidence: &Evidence) -> Explanation {
    let held = match kind {
        Kind::Signature => evidence.is_signature(),
        Kind::Attestation => evidence.is_attestation(),
        Kind::Any => true,
    };
    let found = match &evidence.predicate {
        _ if evidence.is_signature() => Kind::Signature.described().to_owned(),
        Some((predicate_type, _)) => format!("an attestation of type {predicate_type}"),
        None => "an envelope that holds no statement".to_owned(),
    };
    Explanation::comparison("kind", Rejection::StatementPredicateType, held).values(kind.described(), found)
}

fn related(
    rule: &str,
    identity: Option<&str>,
    claim: Option<&str>,
    name: Claim,
    relation: impl Fn(&str, &str) -> bool,
) -> Explanation {
    let held = identity.zip(claim).is_some_and(|(identity, claim)| relation(identity, claim));
    let expected = format!("the certificate's {}, {}", name.name(), crate::shown(claim.unwrap_or("none")));
    Explanation::comparison(rule, Rejection::PolicyIdentity, held).values(expected, identity.unwrap_or(NO_CERTIFICATE))
}

fn signed(period: &Period, evidence: &Evidence) -> Explanation {
    let times: Vec<_> = evidence.times.iter().map(|time| time.rfc3339_millis()).collect();
    let found = if times.is_empty() { "no established time".to_owned() } else { times.join(", ") };
    Explanation::comparison("signing time", Rejection::PolicyTime, period.contains_all(&evidence.times))
        .values(period.to_string(), found)
}

fn source<'a>(read: &Provenance<'a>) -> Option<&'a str> {
    read.source()
}

/// Reads provenance. Provenance by GitHub's action must agree with the certificate.
fn provenance(
    rule: &str,
    pattern: &Pattern,
    evidence: &Evidence,
    value: impl for<'a> Fn(&Provenance<'a>) -> Option<&'a str>,
) -> Explanation {
    let read = || -> Found<'_> {
        let Some((kind, predicate)) = &evidence.predicate else { return Ok(None) };
        let Some(provenance) = Provenance::read(kind, predicate)? else { return Ok(None) };
        if let Some(claims) = evidence.signer.claims() {
            provenance.agrees_with(claims)?;
        }
        Ok(value(&provenance))
    };
    compared(rule, pattern, read())
}

fn summary(
    rule: &str,
    pattern: &Pattern,
    evidence: &Evidence,
    value: impl for<'a> Fn(&VerificationSummary<'a>) -> &'a str,
) -> Explanation {
    let read = || -> Found<'_> {
        let Some((kind, predicate)) = &evidence.predicate else { return Ok(None) };
        let summary = VerificationSummary::read(kind, predicate)?;
        Ok(summary.filter(|summary| summary.passed).map(|summary| value(&summary)))
    };
    compared(rule, pattern, read())
}

fn summary_level(level: &str, evidence: &Evidence) -> Explanation {
    let read = evidence.predicate.as_ref().map(|(kind, predicate)| VerificationSummary::read(kind, predicate));
    match read {
        Some(Err(refusal)) => refused("level", level, &refusal),
        Some(Ok(Some(summary))) => {
            let held = summary.passed && summary.levels.contains(&level);
            Explanation::comparison("level", Rejection::PolicyPredicate, held).values(level, summary.levels.join(", "))
        }
        _ => {
            Explanation::comparison("level", Rejection::PolicyPredicate, false).values(level, "no verification summary")
        }
    }
}

fn compared(rule: &str, pattern: &Pattern, found: Found<'_>) -> Explanation {
    match found {
        Ok(found) => matched(rule, Rejection::PolicyPredicate, pattern, found),
        Err(refusal) => refused(rule, &pattern.to_string(), &refusal),
    }
}

fn refused(rule: &str, expected: &str, refusal: &Refusal) -> Explanation {
    Explanation::comparison(rule, refusal.rejection(), false).values(expected, refusal.to_string())
}
