//! Requirements: the signers that a policy requires, alone and combined.
//!
//! A requirement is a single rule, or `all_of`, `any_of` or `at_least` over others. One signature must meet all
//! conditions of a rule. Different signatures can meet the parts of `all_of`. There is no negation: use a distrust
//! rule.

use super::condition::Condition;
use super::field::Field;
use super::forge::{GitHub, GitLab};
use super::parse::fault;
use super::pattern::Pattern;
use super::period::{Moment, Period};
use crate::extension::Claim;
use crate::{PublicKey, Rejection};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Maximum entries of a combination.
const MAX_ALTERNATIVES: usize = 256;

/// The required signers.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RequirementTable")]
pub struct Requirement {
    pub(super) name: String,
    pub(super) form: Form,
}

/// The form of a requirement.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// A single rule: one signature meets every condition.
    One(Vec<Condition>),
    /// Every requirement is met.
    All(Vec<Requirement>),
    /// One of the requirements is met.
    Any(Vec<Requirement>),
    /// This number of rules is met, each by a different signer.
    AtLeast(usize, Vec<Requirement>),
}

/// One requirement: conditions on one signature, or one of `all_of`, `any_of`, `at_least`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct RequirementTable {
    /// Name in explanations.
    name: Option<String>,
    /// Identity in the certificate: an email address, a URI or a username. Needs `issuer`.
    identity: Option<Pattern>,
    /// OIDC issuer of the identity.
    issuer: Option<Pattern>,
    /// Claims of the certificate by name, e.g. `source-repository-uri`. A missing claim never matches.
    #[serde(default)]
    claims: BTreeMap<String, Pattern>,
    /// A build of GitHub Actions.
    github: Option<GitHub>,
    /// A pipeline of GitLab CI.
    gitlab: Option<GitLab>,
    /// Public key in PEM, for signatures without a certificate.
    key: Option<String>,
    /// Annotations in the signed payload.
    #[serde(default)]
    annotations: BTreeMap<String, Pattern>,
    /// Predicate of the attestation.
    predicate: Option<PredicateTable>,
    /// SLSA provenance, version 0.2 or 1.
    slsa: Option<SlsaTable>,
    /// SLSA verification summary with the result `PASSED`.
    vsa: Option<SummaryTable>,
    /// Signed at this time or later.
    not_before: Option<Moment>,
    /// Signed at this time or earlier.
    not_after: Option<Moment>,
    /// All of these must be met. Different signatures can meet them.
    all_of: Option<Vec<Requirement>>,
    /// At least one of these must be met.
    any_of: Option<Vec<Requirement>>,
    /// `count` of these must be met, by different signers.
    at_least: Option<AtLeastTable>,
}

/// Conditions on the statement's predicate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PredicateTable {
    /// The predicate type, a URI.
    #[serde(rename = "type")]
    kind: Pattern,
    /// Rules over fields of the predicate. All must hold.
    #[serde(default)]
    fields: Vec<Field>,
}

/// Conditions on SLSA provenance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct SlsaTable {
    /// The builder's id.
    builder: Option<Pattern>,
    /// The source, including any prefix or suffix of the build type.
    source: Option<Pattern>,
    /// The build type.
    build_type: Option<Pattern>,
}

/// Conditions on a verification summary.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct SummaryTable {
    /// Id of the verifier.
    verifier: Pattern,
    /// URI of the verified resource.
    resource: Option<Pattern>,
    /// SLSA levels that it must state.
    #[serde(default)]
    levels: Vec<String>,
}

/// A number of rules that different signers must meet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AtLeastTable {
    /// Required number of signers.
    count: usize,
    /// The rules. Each must be a single rule, not a combination.
    of: Vec<Requirement>,
}

impl Requirement {
    /// Requires one signature by this identity of this issuer, both compared byte by byte.
    #[must_use]
    pub fn identity(identity: impl Into<String>, issuer: impl Into<String>) -> Self {
        let identity = Condition::Identity(Pattern::exact(identity));
        Self { name: String::new(), form: Form::One(vec![Condition::Issuer(Pattern::exact(issuer)), identity]) }
    }

    /// Requires one signature by a matching identity and issuer.
    #[must_use]
    pub fn matching(identity: Pattern, issuer: Pattern) -> Self {
        Self { name: String::new(), form: Form::One(vec![Condition::Issuer(issuer), Condition::Identity(identity)]) }
    }

    /// Requires one signature with this key, without a certificate.
    #[must_use]
    pub fn key(key: PublicKey) -> Self {
        Self { name: String::new(), form: Form::One(vec![Condition::Key(key)]) }
    }

    /// Also requires a claim of the certificate. In a combination, every part requires it.
    #[must_use]
    pub fn with_claim(self, claim: Claim, pattern: Pattern) -> Self {
        self.with(&Condition::Claim(claim, pattern))
    }

    /// Also requires a predicate type. In a combination, every part requires it.
    #[must_use]
    pub fn with_predicate_type(self, pattern: Pattern) -> Self {
        self.with(&Condition::PredicateType(pattern))
    }

    fn with(mut self, condition: &Condition) -> Self {
        match &mut self.form {
            Form::One(conditions) => conditions.push(condition.clone()),
            Form::All(parts) | Form::Any(parts) | Form::AtLeast(_, parts) => {
                *parts = std::mem::take(parts).into_iter().map(|part| part.with(condition)).collect();
            }
        }
        self
    }

    /// Requires all of these. Different signatures can meet them. An empty list is never met.
    #[must_use]
    pub fn all_of(parts: Vec<Self>) -> Self {
        Self { name: String::new(), form: Form::All(parts) }
    }

    /// Requires at least one of these. An empty list is never met.
    #[must_use]
    pub fn any_of(parts: Vec<Self>) -> Self {
        Self { name: String::new(), form: Form::Any(parts) }
    }

    /// Requires `count` of these, by different signers.
    ///
    /// # Errors
    /// [`Rejection::PolicyQuorum`] unless `count` is between 1 and their number. [`Rejection::PolicyMalformed`] if one
    /// of them is a combination.
    pub fn at_least(count: usize, parts: Vec<Self>) -> Result<Self, Rejection> {
        if count == 0 || count > parts.len() {
            return Err(Rejection::PolicyQuorum { found: parts.len(), needed: count });
        }
        if parts.iter().any(|part| !matches!(part.form, Form::One(_))) {
            return Err(Rejection::PolicyMalformed);
        }
        Ok(Self { name: String::new(), form: Form::AtLeast(count, parts) })
    }

    /// Sets the name for explanations.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The parts of a combination.
    pub(super) fn parts(&self) -> &[Self] {
        match &self.form {
            Form::One(_) => &[],
            Form::All(parts) | Form::Any(parts) | Form::AtLeast(_, parts) => parts,
        }
    }

    /// Every condition below this requirement.
    pub(super) fn conditions(&self) -> Vec<&Condition> {
        match &self.form {
            Form::One(conditions) => conditions.iter().collect(),
            _ => self.parts().iter().flat_map(Self::conditions).collect(),
        }
    }

    /// Every rule below this requirement, with only its conditions on the signer.
    pub(super) fn of_signers(&self) -> Vec<Self> {
        match &self.form {
            Form::One(conditions) => {
                let kept = conditions.iter().filter(|condition| condition.is_of_signer()).cloned().collect();
                vec![Self { name: self.name.clone(), form: Form::One(kept) }]
            }
            _ => self.parts().iter().flat_map(Self::of_signers).collect(),
        }
    }

    /// The number of rules: this requirement and all below it.
    pub(super) fn rules(&self) -> usize {
        1 + self.parts().iter().map(Self::rules).sum::<usize>()
    }

    /// Levels of combinations, 1 for a rule.
    pub(super) fn depth(&self) -> usize {
        1 + self.parts().iter().map(Self::depth).max().unwrap_or(0)
    }
}

fn malformed<T>(reason: &str) -> Result<T, String> {
    Err(fault(Rejection::PolicyMalformed, reason))
}

fn empty<T>(reason: &str) -> Result<T, String> {
    Err(fault(Rejection::PolicyEmpty, reason))
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Requirement {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Requirement".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RequirementTable::json_schema(generator)
    }
}

impl TryFrom<RequirementTable> for Requirement {
    type Error = String;

    fn try_from(mut table: RequirementTable) -> Result<Self, String> {
        let name = table.name.take().unwrap_or_default();
        let combinations = (table.all_of.take(), table.any_of.take(), table.at_least.take());
        let form = match combinations {
            (None, None, None) => return Ok(Self { name, form: Form::One(table.conditions()?) }),
            (Some(parts), None, None) => Form::All(counted("all_of", parts)?),
            (None, Some(parts), None) => Form::Any(counted("any_of", parts)?),
            (None, None, Some(table)) => table.form()?,
            _ => {
                return malformed(
                    "a requirement can have only one of `all_of`, `any_of`, `at_least`: nest one in the other",
                );
            }
        };
        if !table.is_empty() {
            return malformed(
                "a requirement can have either conditions or one of `all_of`, `any_of`, `at_least`: \
                 put the conditions into an entry of `all_of`",
            );
        }
        Ok(Self { name, form })
    }
}

fn counted(key: &str, parts: Vec<Requirement>) -> Result<Vec<Requirement>, String> {
    if parts.is_empty() {
        return empty(&format!("`{key}` needs at least one entry"));
    }
    if parts.len() > MAX_ALTERNATIVES {
        return malformed(&format!("`{key}` has {} entries, at most {MAX_ALTERNATIVES} are allowed", parts.len()));
    }
    Ok(parts)
}

impl AtLeastTable {
    fn form(self) -> Result<Form, String> {
        let parts = counted("at_least.of", self.of)?;
        if self.count == 0 {
            return empty("`at_least.count = 0` needs no signature: ask for at least 1");
        }
        if self.count > parts.len() {
            let reason = format!("`at_least.count` is {}, but `of` has only {} entries", self.count, parts.len());
            return malformed(&reason);
        }
        if parts.iter().any(|part| !matches!(part.form, Form::One(_))) {
            return malformed(
                "an entry of `at_least.of` must be a single rule: list the alternatives as separate entries, \
                 or give one entry a pattern with `one_of`",
            );
        }
        Ok(Form::AtLeast(self.count, parts))
    }
}

impl RequirementTable {
    /// Returns whether the table has no condition.
    fn is_empty(&self) -> bool {
        !self.names_a_signer()
            && self.annotations.is_empty()
            && self.predicate.is_none()
            && self.slsa.is_none()
            && self.vsa.is_none()
            && self.not_before.is_none()
            && self.not_after.is_none()
    }

    fn names_a_signer(&self) -> bool {
        self.key.is_some() || self.speaks_of_certificates()
    }

    fn speaks_of_certificates(&self) -> bool {
        self.identity.is_some()
            || self.issuer.is_some()
            || !self.claims.is_empty()
            || self.github.is_some()
            || self.gitlab.is_some()
    }

    /// Checks which keys may be combined.
    fn check(&self) -> Result<(), String> {
        let shorthand = self.github.is_some() || self.gitlab.is_some();
        if self.is_empty() {
            return empty(
                "a requirement without conditions is met by any signer: add `identity` and `issuer`, or a `key`",
            );
        }
        if !self.names_a_signer() {
            return empty("this rule names no signer, so any signer meets it: add `identity` and `issuer`, or a `key`");
        }
        if self.key.is_some() && self.speaks_of_certificates() {
            return malformed(
                "a signature by a `key` has no certificate, so no `identity`, `issuer` or claims: use two entries of `any_of`",
            );
        }
        if self.github.is_some() && self.gitlab.is_some() {
            return malformed("a build cannot be from both `github` and `gitlab`: use two entries of `any_of`");
        }
        if shorthand && self.issuer.is_some() {
            return malformed(
                "`github` and `gitlab` set the issuer: write another one as `github.issuer` or `gitlab.issuer`",
            );
        }
        if self.key.is_none() && !shorthand && self.issuer.is_none() {
            return malformed("`identity` and `claims` have no meaning without their issuer: add `issuer`");
        }
        if self.issuer.is_some() && self.identity.is_none() && self.claims.is_empty() {
            return malformed(
                "`issuer` alone trusts every account of that issuer: add `identity`; \
                 to trust every account, write `identity = { regex = \".*\" }`",
            );
        }
        Ok(())
    }

    /// The conditions of one rule.
    fn conditions(self) -> Result<Vec<Condition>, String> {
        self.check()?;
        let mut conditions = Vec::new();
        if let Some(github) = &self.github {
            conditions.extend(github.conditions()?);
        }
        if let Some(gitlab) = &self.gitlab {
            conditions.extend(gitlab.conditions()?);
        }
        conditions.extend(self.issuer.map(Condition::Issuer));
        conditions.extend(self.identity.map(Condition::Identity));
        for (name, pattern) in self.claims {
            conditions.push(Condition::Claim(claim(&name)?, pattern));
        }
        if let Some(pem) = &self.key {
            conditions.push(Condition::Key(public_key(pem)?));
        }
        let period = Period::new(self.not_before, self.not_after, ["not_before", "not_after"])?;
        if !period.is_unbounded() {
            conditions.push(Condition::Signed(period));
        }
        conditions.extend(self.annotations.into_iter().map(|(name, pattern)| Condition::Annotation(name, pattern)));
        if let Some(predicate) = self.predicate {
            conditions.push(Condition::PredicateType(predicate.kind));
            conditions.extend(predicate.fields.into_iter().map(Condition::Field));
        }
        if let Some(slsa) = self.slsa {
            conditions.extend(slsa.conditions()?);
        }
        if let Some(summary) = self.vsa {
            conditions.push(Condition::SummaryVerifier(summary.verifier));
            conditions.extend(summary.resource.map(Condition::SummaryResource));
            conditions.extend(summary.levels.into_iter().map(Condition::SummaryLevel));
        }
        Ok(conditions)
    }
}

impl SlsaTable {
    fn conditions(self) -> Result<Vec<Condition>, String> {
        let conditions: Vec<_> = [
            self.builder.map(Condition::Builder),
            self.source.map(Condition::Source),
            self.build_type.map(Condition::BuildType),
        ]
        .into_iter()
        .flatten()
        .collect();
        if conditions.is_empty() {
            return empty("`slsa` needs at least one of `builder`, `source`, `build_type`");
        }
        Ok(conditions)
    }
}

fn claim(name: &str) -> Result<Claim, String> {
    Claim::ALL.iter().find(|claim| claim.name() == name).copied().ok_or_else(|| {
        let names = Claim::ALL.iter().map(|claim| claim.name()).collect::<Vec<_>>().join(", ");
        fault(Rejection::PolicyMalformed, &format!("there is no claim `{}`, only {names}", crate::shown(name)))
    })
}

/// Parses a public key of a policy, in PEM.
pub(super) fn public_key(pem: &str) -> Result<PublicKey, String> {
    PublicKey::from_pem(pem.trim_start().as_bytes()).map_err(|rejection| {
        fault(
            Rejection::PolicyKey,
            &format!("`key` must be a public key in PEM, starting with `-----BEGIN PUBLIC KEY-----`: {rejection}"),
        )
    })
}
