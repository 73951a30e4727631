//! The answer of a policy, with its reasons.

use crate::{JSON_VERSION, Refusal, Rejection, Step};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use std::fmt::{self, Write as _};

/// One rule, whether it held, and the rules it consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the rule is, e.g. `issuer`, or the name the policy gives it.
    pub rule: String,
    /// Whether it held.
    pub held: bool,
    /// What the policy asks for; empty where the rule only combines others.
    pub expected: String,
    /// What there was instead; empty where nothing was compared.
    pub found: String,
    /// Why it did not hold.
    pub rejection: Option<Rejection>,
    /// The position of the evidence that was looked at.
    pub evidence: Option<usize>,
    /// The rules it consists of.
    pub rules: Vec<Explanation>,
}

impl Explanation {
    /// A comparison of one value.
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

    /// A rule that consists of others.
    pub(super) fn of(rule: impl Into<String>, held: bool, rules: Vec<Self>) -> Self {
        Self { rules, ..Self::comparison(rule, Rejection::PolicyEmpty, held) }
    }

    /// Rules below this one that held: what a branch is chosen by when all have failed.
    pub(super) fn closeness(&self) -> usize {
        self.rules.iter().map(Self::closeness).sum::<usize>() + usize::from(self.rules.is_empty() && self.held)
    }

    /// The first comparison that did not hold, in the branch that came closest.
    pub(super) fn failure(&self) -> Option<&Self> {
        if self.held {
            return None;
        }
        let failed = self.rules.iter().filter(|rule| !rule.held);
        // The first of those that came equally close.
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
    /// One line a rule, indented under the rule it is part of; `✓` held, `✗` did not.
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

/// Whether signatures are enough for a policy, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub(super) accepted: bool,
    pub(super) counted: Vec<usize>,
    pub(super) distrusted: Vec<Distrusted>,
    pub(super) explanation: Explanation,
}

/// Evidence that a distrust rule took out of the count.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Distrusted {
    /// Its position in the evidence.
    pub evidence: usize,
    /// The position of the rule in the policy.
    pub rule: usize,
    /// The reason the policy gives.
    pub reason: String,
}

impl Decision {
    /// Whether the policy is satisfied.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.accepted
    }

    /// Positions of the evidence that satisfied a rule, ascending.
    #[must_use]
    pub fn counted(&self) -> &[usize] {
        &self.counted
    }

    /// Evidence that did not count because a rule distrusts it.
    #[must_use]
    pub fn distrusted(&self) -> &[Distrusted] {
        &self.distrusted
    }

    /// Rule by rule, what held and what did not.
    #[must_use]
    pub const fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// The one reason for a refusal: the first rule that failed in the branch that came closest, or the distrust rule where
    /// that took away all evidence. `None` where the policy is satisfied.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if self.accepted {
            return None;
        }
        let failure = self.explanation.failure().unwrap_or(&self.explanation);
        let rejection = failure.rejection.unwrap_or(Rejection::PolicyEmpty);
        let refusal = Refusal::new(rejection, Step::Policy).at(format!("policy: {}", failure.rule));
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
