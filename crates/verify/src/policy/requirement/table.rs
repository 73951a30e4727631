//! The form of a requirement in a policy file, and which of its keys can be combined. Nothing is evaluated here.

use super::{Condition, Form, Requirement};
use crate::extension::Claim;
use crate::policy::field::Field;
use crate::policy::forge::{GitHub, GitLab};
use crate::policy::kind::Kind;
use crate::policy::parse::fault;
use crate::policy::pattern::Pattern;
use crate::policy::period::{Moment, Period};
use crate::{PublicKey, Rejection};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Maximum entries of a combination.
const MAX_ALTERNATIVES: usize = 256;

/// One requirement: conditions on one signature, or one of `all_of`, `any_of`, `at_least`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RequirementTable {
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
    /// Kind of evidence. Default: `attestation` with `predicate`, `slsa` or `vsa`, otherwise `signature`.
    kind: Option<Kind>,
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
            let entries = crate::counted(parts.len(), "entry", "entries");
            return malformed(&format!("`at_least.count` is {}, but `of` has only {entries}", self.count));
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
            && self.kind.is_none()
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
        let is_of_attestations = self.predicate.is_some() || self.slsa.is_some() || self.vsa.is_some();
        conditions.extend(Condition::of_kind(Kind::of_rule(self.kind, is_of_attestations)?));
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
pub(in crate::policy) fn public_key(pem: &str) -> Result<PublicKey, String> {
    PublicKey::from_pem(pem.trim_start().as_bytes()).map_err(|rejection| {
        fault(
            Rejection::PolicyKey,
            &format!("`key` must be a public key in PEM, starting with `-----BEGIN PUBLIC KEY-----`: {rejection}"),
        )
    })
}
