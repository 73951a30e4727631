//! The form of a requirement in a policy file, and what belongs together there. Nothing is evaluated here.

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

/// Alternatives of one combination.
const MAX_ALTERNATIVES: usize = 256;

/// One requirement: conditions on one signature, or one of `all_of`, `any_of`, `at_least`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RequirementTable {
    /// What explanations call it.
    name: Option<String>,
    /// The identity in the certificate: a mail address, a URI or a username. Needs `issuer`.
    identity: Option<Pattern>,
    /// The OIDC issuer that vouches for the identity.
    issuer: Option<Pattern>,
    /// Claims of the certificate by name, e.g. `source-repository-uri`. A claim that is absent never matches.
    #[serde(default)]
    claims: BTreeMap<String, Pattern>,
    /// A build of GitHub Actions.
    github: Option<GitHub>,
    /// A pipeline of GitLab CI.
    gitlab: Option<GitLab>,
    /// A public key in PEM, for signatures without a certificate.
    key: Option<String>,
    /// What must be signed. A rule with `predicate`, `slsa` or `vsa` is about attestations; every other rule asks for a
    /// `signature` if nothing is said.
    kind: Option<Kind>,
    /// Annotations that were signed along.
    #[serde(default)]
    annotations: BTreeMap<String, Pattern>,
    /// What was attested.
    predicate: Option<PredicateTable>,
    /// SLSA provenance, version 0.2 or 1.
    slsa: Option<SlsaTable>,
    /// A SLSA verification summary that says `PASSED`.
    vsa: Option<SummaryTable>,
    /// Signed at this time or later.
    not_before: Option<Moment>,
    /// Signed at this time or earlier.
    not_after: Option<Moment>,
    /// All of these must be met, perhaps by different signatures.
    all_of: Option<Vec<Requirement>>,
    /// One of these must be met.
    any_of: Option<Vec<Requirement>>,
    /// So many of these must be met, by different signers.
    at_least: Option<AtLeastTable>,
}

/// What the statement's predicate must be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PredicateTable {
    /// The predicate type, a URI.
    #[serde(rename = "type")]
    kind: Pattern,
    /// Rules over fields of the predicate; all must hold.
    #[serde(default)]
    fields: Vec<Field>,
}

/// What SLSA provenance must say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct SlsaTable {
    /// The builder's id.
    builder: Option<Pattern>,
    /// The source, with what the build type writes before or after it.
    source: Option<Pattern>,
    /// The build type.
    build_type: Option<Pattern>,
}

/// What a verification summary must say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct SummaryTable {
    /// What has verified.
    verifier: Pattern,
    /// What it was asked about.
    resource: Option<Pattern>,
    /// Levels that it must vouch for.
    #[serde(default)]
    levels: Vec<String>,
}

/// So many of these, by different signers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AtLeastTable {
    /// How many signers.
    count: usize,
    /// The rules of which so many must be met. Each must be one rule, not a combination.
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
                    "a requirement has only one of `all_of`, `any_of`, `at_least`: nest one in the other",
                );
            }
        };
        if !table.is_empty() {
            return malformed(
                "a requirement has either conditions of its own or one of `all_of`, `any_of`, `at_least`: \
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
            return empty("`at_least.count = 0` is met without a signature: ask for at least 1");
        }
        if self.count > parts.len() {
            let reason = format!("`at_least.count` is {}, and `of` has only {} entries", self.count, parts.len());
            return malformed(&reason);
        }
        if parts.iter().any(|part| !matches!(part.form, Form::One(_))) {
            return malformed(
                "entries of `at_least.of` are single rules: list the alternatives as entries of their own, \
                 or give one entry a pattern with `one_of`",
            );
        }
        Ok(Form::AtLeast(self.count, parts))
    }
}

impl RequirementTable {
    /// Whether nothing but a name or a combination is given.
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

    /// The rules about which parts of a rule belong together.
    fn check(&self) -> Result<(), String> {
        let shorthand = self.github.is_some() || self.gitlab.is_some();
        if self.is_empty() {
            return empty(
                "a requirement without conditions is met by any signer: add `identity` and `issuer`, or a `key`",
            );
        }
        if !self.names_a_signer() {
            return empty("this rule names no signer, so everybody meets it: add `identity` and `issuer`, or a `key`");
        }
        if self.key.is_some() && self.speaks_of_certificates() {
            return malformed(
                "a signature with a `key` has no certificate, so no `identity`, `issuer` or claims: use two entries of `any_of`",
            );
        }
        if self.github.is_some() && self.gitlab.is_some() {
            return malformed("no build is both of `github` and of `gitlab`: use two entries of `any_of`");
        }
        if shorthand && self.issuer.is_some() {
            return malformed("`github` and `gitlab` have their issuer: write another one as `github.issuer`");
        }
        if self.key.is_none() && !shorthand && self.issuer.is_none() {
            return malformed(
                "`identity` and `claims` mean nothing without the issuer that vouches for them: add `issuer`",
            );
        }
        if self.issuer.is_some() && self.identity.is_none() && self.claims.is_empty() {
            return malformed(
                "`issuer` alone trusts everybody with an account there: add `identity`; \
                 `identity = { regex = \".*\" }` if that is meant",
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

/// A public key as a policy has it, in PEM.
pub(in crate::policy) fn public_key(pem: &str) -> Result<PublicKey, String> {
    PublicKey::from_pem(pem.trim_start().as_bytes()).map_err(|rejection| {
        fault(
            Rejection::PolicyKey,
            &format!("`key` is a public key in PEM, from `-----BEGIN PUBLIC KEY-----` on: {rejection}"),
        )
    })
}
