//! Requirements: the signers that a policy requires, alone and combined.
//!
//! A requirement is a single rule, or `all_of`, `any_of` or `at_least` over others. One signature must meet all
//! conditions of a rule. Different signatures can meet the parts of `all_of`. There is no negation: use a distrust
//! rule.

mod table;

pub(super) use table::public_key;

use super::condition::Condition;
use super::kind::Kind;
use super::pattern::Pattern;
use crate::extension::Claim;
use crate::{PublicKey, Rejection};
use serde::Deserialize;
use table::RequirementTable;

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

impl Requirement {
    /// Requires one signature of the artifact itself by this identity of this issuer, both compared byte by byte.
    #[must_use]
    pub fn identity(identity: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self::matching(Pattern::exact(identity), Pattern::exact(issuer))
    }

    /// Requires one signature of the artifact itself by a matching identity and issuer.
    #[must_use]
    pub fn matching(identity: Pattern, issuer: Pattern) -> Self {
        Self::one(vec![Condition::Issuer(issuer), Condition::Identity(identity)])
    }

    /// Requires one signature of the artifact itself with this key, without a certificate.
    #[must_use]
    pub fn key(key: PublicKey) -> Self {
        Self::one(vec![Condition::Key(key)])
    }

    fn one(mut conditions: Vec<Condition>) -> Self {
        conditions.extend(Condition::of_kind(Kind::Signature));
        Self { name: String::new(), form: Form::One(conditions) }
    }

    /// Requires this kind of evidence instead of a signature of the artifact itself. In a combination, every part
    /// requires it.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        self.changed(&|conditions| {
            conditions.retain(|condition| !matches!(condition, Condition::Kind(_)));
            conditions.extend(Condition::of_kind(kind));
        })
    }

    /// Also requires a claim of the certificate. In a combination, every part requires it.
    #[must_use]
    pub fn with_claim(self, claim: Claim, pattern: Pattern) -> Self {
        self.with(&Condition::Claim(claim, pattern))
    }

    /// Requires an attestation of this type instead of a signature, as [`Self::of_kind`] does.
    #[must_use]
    pub fn with_predicate_type(self, pattern: Pattern) -> Self {
        self.of_kind(Kind::Any).with(&Condition::PredicateType(pattern))
    }

    fn with(self, condition: &Condition) -> Self {
        self.changed(&|conditions| conditions.push(condition.clone()))
    }

    /// Changes the conditions of every rule.
    fn changed(mut self, change: &impl Fn(&mut Vec<Condition>)) -> Self {
        match &mut self.form {
            Form::One(conditions) => change(conditions),
            Form::All(parts) | Form::Any(parts) | Form::AtLeast(_, parts) => {
                *parts = std::mem::take(parts).into_iter().map(|part| part.changed(change)).collect();
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
