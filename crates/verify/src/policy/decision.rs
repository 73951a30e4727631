//! The decision of a policy, with its reasons.

use crate::{JSON_VERSION, Refusal, Rejection, Step};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use std::fmt::{self, Write as _};

/// The result of one rule, and of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The kind of rule, e.g. `issuer`, or the rule's name in the policy.
    pub rule: String,
    /// Whether the rule held.
    pub held: bool,
    /// The value that the policy requires. Empty if the rule only combines others.
    pub expected: String,
    /// The value found. Empty if the rule compared none.
    pub found: String,
    /// The reason why the rule did not hold.
    pub rejection: Option<Rejection>,
    /// The position of the checked evidence.
    pub evidence: Option<usize>,
    /// The parts of the rule.
    pub rules: Vec<Explanation>,
}

impl Explanation {
    /// Makes the result of a comparison of one value.
    pub(super) fn comparison(rule: impl Into<String>, rejection: Rejection, held: bool) -> Self {
        Self {
            rule: rule.into(),
            held,
            expected: String::new(),
            found: String::new(),
            rejection: (!held).then_some(rejection),
            evidence: None,
            rules: Vec::new(),
        }
    }

    pub(super) fn values(mut self, expected: impl Into<String>, found: impl AsRef<str>) -> Self {
        self.expected = expected.into();
        self.found = crate::shown(found.as_ref());
        self
    }

    /// Makes the result of a rule with parts.
    pub(super) fn of(rule: impl Into<String>, held: bool, rules: Vec<Self>) -> Self {
        Self { rules, ..Self::comparison(rule, Rejection::PolicyEmpty, held) }
    }

    /// The number of rules below this one that held. If all branches failed, the one with the largest number is
    /// reported.
    pub(super) fn closeness(&self) -> usize {
        self.rules.iter().map(Self::closeness).sum::<usize>() + usize::from(self.rules.is_empty() && self.held)
    }

    /// The first failed comparison in the branch that came closest.
    pub(super) fn failure(&self) -> Option<&Self> {
        if self.held {
            return None;
        }
        let failed = self.rules.iter().filter(|rule| !rule.held);
        // Of branches that came equally close, the first.
        let closest = failed.min_by_key(|rule| std::cmp::Reverse(rule.closeness()));
        match self.rejection {
            Some(Rejection::PolicyQuorum { .. } | Rejection::PolicyDistrusted) => Some(self),
            _ => closest.map_or(Some(self), Self::failure),
        }
    }

    fn write(&self, depth: usize, out: &mut String) -> fmt::Result {
        let indent = "  ".repeat(depth);
        write!(out, "{indent}{} {}", if self.held { "✓" } else { "✗" }, self.rule)?;
        match (self.expected.is_empty(), self.held) {
            (true, _) => {}
            (false, true) => write!(out, ": {}", self.found)?,
            (false, false) => write!(out, ": expected {}, found {}", self.expected, self.found)?,
        }
        writeln!(out)?;
        self.rules.iter().try_for_each(|rule| rule.write(depth + 1, out))
    }
}

impl fmt::Display for Explanation {
    /// One line per rule, indented below the rule that it is part of. `✓` means held, `✗` failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(0, &mut text)?;
        f.write_str(&text)
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Explanation", 7)?;
        json.serialize_field("rule", &self.rule)?;
        json.serialize_field("held", &self.held)?;
        json.serialize_field("expected", &self.expected)?;
        json.serialize_field("found", &self.found)?;
        json.serialize_field("code", &self.rejection.map(|rejection| rejection.code()))?;
        json.serialize_field("evidence", &self.evidence)?;
        json.serialize_field("rules", &self.rules)?;
        json.end()
    }
}

/// The decision whether signatures satisfy a policy, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub(super) accepted: bool,
    pub(super) counted: Vec<usize>,
    pub(super) distrusted: Vec<Distrusted>,
    pub(super) explanation: Explanation,
}

/// Evidence that a distrust rule removed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Distrusted {
    /// Its position in the evidence.
    pub evidence: usize,
    /// The position of the rule in the policy.
    pub rule: usize,
    /// The rule's reason in the policy.
    pub reason: String,
}

impl Decision {
    /// Returns whether the policy is satisfied.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.accepted
    }

    /// Positions of the evidence that satisfied a rule, ascending.
    #[must_use]
    pub fn counted(&self) -> &[usize] {
        &self.counted
    }

    /// Evidence that a distrust rule removed.
    #[must_use]
    pub fn distrusted(&self) -> &[Distrusted] {
        &self.distrusted
    }

    /// The result of every rule.
    #[must_use]
    pub const fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// The reason for a refusal: the first failed rule in the branch that came closest. If distrust rules or the
    /// policy's period removed all evidence, it is the first of these. `None` if the policy is satisfied.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if self.accepted {
            return None;
        }
        let failure = self.explanation.failure().unwrap_or(&self.explanation);
        let rejection = failure.rejection.unwrap_or(Rejection::PolicyEmpty);
        let is_whole = failure.rule == self.explanation.rule;
        let place = if is_whole { failure.rule.clone() } else { format!("policy: {}", failure.rule) };
        let refusal = Refusal::new(rejection, Step::Policy).at(place);
        Some(if failure.expected.is_empty() { refusal } else { refusal.expected(&failure.expected, &failure.found) })
    }

    /// [`Self::refusal`] as a result.
    ///
    /// # Errors
    /// The refusal.
    pub fn into_result(self) -> Result<Self, Refusal> {
        match self.refusal() {
            None => Ok(self),
            Some(refusal) => Err(refusal),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal() {
            None => writeln!(f, "accepted")?,
            Some(refusal) => writeln!(f, "refused, {}: {refusal}", refusal.code())?,
        }
        write!(f, "{}", self.explanation)
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Decision", 6)?;
        json.serialize_field("version", &JSON_VERSION)?;
        json.serialize_field("accepted", &self.accepted)?;
        json.serialize_field("counted", &self.counted)?;
        json.serialize_field("distrusted", &self.distrusted)?;
        json.serialize_field("refusal", &self.refusal())?;
        json.serialize_field("explanation", &self.explanation)?;
        json.end()
    }
}
