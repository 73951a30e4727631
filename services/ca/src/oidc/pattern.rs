//! Families of issuers: a URL with wildcards stands for all issuers of a service (the clusters of a cloud, say).
//!
//! Each `*` is one whole label or segment of `[-_A-Za-z0-9]`, and the match covers the token's whole `iss`. Only these
//! characters can vary, so the operator decides scheme, host and shape of the path. Still, a stranger can invent
//! issuers that match: so they are kept in limited number, and what their lookups may cost, `failures` says.

use super::discovery::{IssuerUrl, KeyLocation};
use super::failures::Failures;
use super::keyset::KeyCache;
use super::{InvalidIssuer, TokenRefusal};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest `iss` that is compared with a pattern.
const MAX_ISSUER_BYTES: usize = 512;
/// Issuers kept per pattern.
const MAX_KNOWN: usize = 256;
/// Seconds during which an issuer that had no keys is not asked again.
const RETRY_SECONDS: u64 = 30;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IssuerPattern {
    literals: Vec<String>,
}

impl IssuerPattern {
    /// Checks a configured pattern.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let invalid = || InvalidIssuer::Pattern { pattern: text.to_owned() };
        let rest = text.strip_prefix("https://").ok_or_else(invalid)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let whole = |part: &str| part == "*" || !part.contains('*');
        let labels: Vec<&str> = host.split('.').collect();
        let (free, fixed) = labels.split_at(labels.len().saturating_sub(2));
        let shaped = !host.contains(':')
            && free.iter().copied().chain(path.split('/')).all(whole)
            && !fixed.iter().any(|label| label.contains('*'));
        let literals: Vec<String> = text.split('*').map(str::to_owned).collect();
        // With every star filled in, the pattern must be a valid issuer URL.
        let is_url = IssuerUrl::parse(&text.replace('*', "x"), false).is_ok();
        if shaped && is_url && literals.len() > 1 { Ok(Self { literals }) } else { Err(invalid()) }
    }

    /// Returns whether the whole of `issuer` matches.
    pub(super) fn matches(&self, issuer: &str) -> bool {
        if issuer.len() > MAX_ISSUER_BYTES {
            return false;
        }
        let mut literals = self.literals.iter();
        let Some(mut rest) = literals.next().and_then(|first| issuer.strip_prefix(first.as_str())) else {
            return false;
        };
        for literal in literals {
            // A literal begins with another character, so only the longest run can match.
            let free = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            match free.strip_prefix(literal.as_str()) {
                Some(after) if free.len() < rest.len() => rest = after,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// One issuer that matched.
#[derive(Debug)]
pub(super) struct Matched {
    /// Its cached keys.
    pub(super) keys: KeyCache,
    /// Where to find them.
    pub(super) location: KeyLocation,
}

/// The issuers that have matched a pattern.
#[derive(Debug, Default)]
pub(super) struct Family {
    known: Mutex<HashMap<String, Arc<Matched>>>,
    failures: Failures,
}

impl Family {
    /// Returns the issuer `name`, which matches the pattern.
    pub(super) fn member(&self, name: &str, jwks_hosts: &[String]) -> Result<Arc<Matched>, TokenRefusal> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return Ok(Arc::clone(known));
        }
        let issuer = IssuerUrl::parse(name, false)?;
        let keys = KeyCache::new(RETRY_SECONDS).at(self.failures.of(issuer.host()));
        let location = KeyLocation::Discovered { issuer, jwks_hosts: jwks_hosts.to_vec() };
        if known.len() >= MAX_KNOWN {
            forget_one(&mut known);
        }
        let matched = Arc::new(Matched { keys, location });
        known.insert(name.to_owned(), Arc::clone(&matched));
        Ok(matched)
    }

    /// Returns every known issuer with its keys.
    pub(super) fn members(&self) -> Vec<(String, Arc<Matched>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, matched)| (name.clone(), Arc::clone(matched))).collect()
    }
}

/// Removes an issuer without keys, which may not even exist; if all have keys, the one with the oldest keys.
fn forget_one(known: &mut HashMap<String, Arc<Matched>>) {
    let oldest = known.iter().min_by_key(|(_, matched)| matched.keys.fetched());
    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
        known.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_whole_label_or_segment() {
        let eks = IssuerPattern::parse("https://oidc.eks.*.amazonaws.com/id/*").unwrap();
        for good in ["https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", "https://oidc.eks.x.amazonaws.com/id/a_b-c"] {
            assert!(eks.matches(good), "{good}");
        }
        for bad in [
            "https://oidc.eks.eu-west-1.amazonaws.com/id/",
            "https://oidc.eks..amazonaws.com/id/ABC",
            "https://oidc.eks.a.b.amazonaws.com/id/ABC",
            "https://oidc.eks.eu.amazonaws.com/id/ABC/",
            "https://oidc.eks.eu.amazonaws.com/id/A/B",
            "https://oidc.eks.eu.amazonaws.com/id/ABC\n",
            "https://oidc.eks.eu.amazonaws.com/id/ABC?x",
            "https://oidc.eks.eu.amazonaws.com/id/ABC#x",
            "https://oidc.eks.eu.amazonaws.com/id/%41",
            "https://oidc.eks.eu.amazonaws.com/id/ü",
            "https://oidc.eks.evil.test/x.amazonaws.com/id/ABC",
            "https://oidc.eks.evil.test?.amazonaws.com/id/ABC",
            "https://me@oidc.eks.eu.amazonaws.com/id/ABC",
            "http://localhost:3000?https://oidc.eks.eu.amazonaws.com/id/ABC",
            "x https://oidc.eks.eu.amazonaws.com/id/ABC",
            "http://oidc.eks.eu.amazonaws.com/id/ABC",
            "HTTPS://oidc.eks.eu.amazonaws.com/id/ABC",
            "",
        ] {
            assert!(!eks.matches(bad), "{bad:?}");
        }
        assert!(!eks.matches(&format!("https://oidc.eks.eu.amazonaws.com/id/{}", "a".repeat(600))));
        assert!(IssuerPattern::parse("https://token.actions.githubusercontent.com/*").is_ok());
        for bad in [
            "https://*",
            "https://*.com",
            "https://*.test/x",
            "https://a.*.test",
            "https://a.test*/x",
            "https://a*.b.test/x",
            "https://a.b.test/x*",
            "https://a.b.test:*/x",
            "https://*.b.test:1/x",
            "http://*.b.test/x",
            "https://a.b.test/x",
            "https://u@*.b.test/x",
            "https://*.b.test/?*",
            "*",
            "",
        ] {
            assert!(IssuerPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn issuers_that_were_made_up_take_bounded_memory() {
        let family = Family::default();
        let member = |n: usize| family.member(&format!("https://a.b.test/{n}"), &[]).unwrap();
        let first = member(0);
        assert!(Arc::ptr_eq(&first, &member(0)));
        (0..1000).for_each(|n| drop(member(n)));
        assert_eq!(family.members().len(), MAX_KNOWN);
    }
}
