//! Requirements: which signers a policy asks for, alone and combined.
//!
//! A requirement is one rule (conditions that one signature has to meet together), or `all_of`, `any_of` or `at_least` over
//! others. `all_of` may be met by different signatures. There is no negation: what must not count stands in a distrust rule.

mod table;

pub(super) use table::public_key;

use super::condition::Condition;
use super::kind::Kind;
use super::pattern::Pattern;
use crate::extension::Claim;
use crate::{PublicKey, Rejection};
use serde::Deserialize;
use table::RequirementTable;

/// Which signers are enough.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RequirementTable")]
pub struct Requirement {
    pub(super) name: String,
    pub(super) form: Form,
}

/// What a requirement consists of.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// One signature meets every condition.
    One(Vec<Condition>),
    /// Every requirement is met.
    All(Vec<Requirement>),
    /// One of the requirements is met.
    Any(Vec<Requirement>),
    /// So many rules are met, each by a signer of its own.
    AtLeast(usize, Vec<Requirement>),
}

impl Requirement {
    /// One signature of the artifact itself by this identity, vouched for by this issuer, both compared byte by byte.
    #[must_use]
    pub fn identity(identity: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self::matching(Pattern::exact(identity), Pattern::exact(issuer))
    }

    /// One signature of the artifact itself by an identity and an issuer that match.
    #[must_use]
    pub fn matching(identity: Pattern, issuer: Pattern) -> Self {
        Self::one(vec![Condition::Issuer(issuer), Condition::Identity(identity)])
    }

    /// One signature of the artifact itself with this key, without a certificate.
    #[must_use]
    pub fn key(key: PublicKey) -> Self {
        Self::one(vec![Condition::Key(key)])
    }

    fn one(mut conditions: Vec<Condition>) -> Self {
        conditions.extend(Condition::of_kind(Kind::Signature));
        Self { name: String::new(), form: Form::One(conditions) }
    }

    /// Asks for this kind of thing instead of a signature, in a requirement that is one rule; a combination asks it of each
    /// part.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        self.changed(&|conditions| {
            conditions.retain(|condition| !matches!(condition, Condition::Kind(_)));
            conditions.extend(Condition::of_kind(kind));
        })
    }

    /// Also asks for a claim of the certificate, in a requirement that is one rule; a combination asks it of each part.
    #[must_use]
    pub fn with_claim(self, claim: Claim, pattern: Pattern) -> Self {
        self.with(&Condition::Claim(claim, pattern))
    }

    /// Asks for an attestation of this type instead of a signature, as [`Self::of_kind`] does.
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

    /// Every one of these, perhaps by different signatures. None at all is never met.
    #[must_use]
    pub fn all_of(parts: Vec<Self>) -> Self {
        Self { name: String::new(), form: Form::All(parts) }
    }

    /// One of these. None at all is never met.
    #[must_use]
    pub fn any_of(parts: Vec<Self>) -> Self {
        Self { name: String::new(), form: Form::Any(parts) }
    }

    /// So many of these, by different signers.
    ///
    /// # Errors
    /// [`Rejection::PolicyQuorum`] unless `count` is between 1 and their number; [`Rejection::PolicyMalformed`] where one of
    /// them is a combination.
    pub fn at_least(count: usize, parts: Vec<Self>) -> Result<Self, Rejection> {
        if count == 0 || count > parts.len() {
            return Err(Rejection::PolicyQuorum { found: parts.len(), needed: count });
        }
        if parts.iter().any(|part| !matches!(part.form, Form::One(_))) {
            return Err(Rejection::PolicyMalformed);
        }
        Ok(Self { name: String::new(), form: Form::AtLeast(count, parts) })
    }

    /// Gives it the name that explanations use.
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

    /// Every rule below this requirement, with what it asks of the signer alone.
    pub(super) fn of_signers(&self) -> Vec<Self> {
        match &self.form {
            Form::One(conditions) => {
                let kept = conditions.iter().filter(|condition| condition.is_of_signer()).cloned().collect();
                vec![Self { name: self.name.clone(), form: Form::One(kept) }]
            }
            _ => self.parts().iter().flat_map(Self::of_signers).collect(),
        }
    }

    /// This requirement and all below it.
    pub(super) fn rules(&self) -> usize {
        1 + self.parts().iter().map(Self::rules).sum::<usize>()
    }

    /// Levels of combinations, 1 for a rule.
    pub(super) fn depth(&self) -> usize {
        1 + self.parts().iter().map(Self::depth).max().unwrap_or(0)
    }
}
