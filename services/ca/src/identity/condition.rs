//! Conditions on the claims of a genuine token («only this organisation», «only protected branches»).

use super::ClaimPath;
use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;

/// One claim and its accepted values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Path of the value.
    pub claim: ClaimPath,
    /// Patterns; one must match the whole value. `*` matches any text, also an empty one. If the claim is a list, one
    /// of its members must match.
    pub any_of: Vec<String>,
}

impl Condition {
    /// Checks the condition. A missing claim fails every condition.
    pub(crate) fn verify(&self, claims: &VerifiedClaims) -> Result<(), TokenRefusal> {
        let values = claims.members(&self.claim)?;
        let holds = values.iter().any(|value| self.any_of.iter().any(|pattern| matches(pattern, value)));
        if holds { Ok(()) } else { Err(TokenRefusal::Condition { claim: self.claim.as_str().to_owned() }) }
    }
}

/// Returns whether `pattern` matches all of `value`, in time linear in both for each star.
fn matches(pattern: &str, value: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == value };
    let Some(mut rest) = value.strip_prefix(head) else { return false };
    let mut literals = tail.split('*');
    let last = literals.next_back().unwrap_or_default();
    for literal in literals {
        // The first match is as good as any later one, because it leaves the most text for the rest of the pattern.
        match rest.find(literal).and_then(|at| rest.get(at + literal.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_whole_values() {
        for (pattern, value) in [
            ("acme", "acme"),
            ("*", ""),
            ("acme/*", "acme/"),
            ("acme/*", "acme/a/b"),
            ("refs/heads/*", "refs/heads/main"),
            ("*@acme.test", "a@acme.test"),
            ("a*b*c", "a-b-b-c"),
            ("a*a", "aa"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [
            ("acme", "acme2"),
            ("acme", "Acme"),
            ("acme/*", "acme"),
            ("acme/*", "evil/acme/x"),
            ("*@acme.test", "a@acme.test.evil"),
            ("a*a", "a"),
            ("a*b*c", "a-c-b"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, value), "{pattern} {value}");
        }
    }
}
