//! Families of issuers: a URL with wildcards stands for all issuers of a service (the clusters of a cloud, say).
//!
//! Each `*` is one whole label or segment of `[-_A-Za-z0-9]`, and the match covers the token's whole `iss`. Only these
//! characters can vary, so the operator decides scheme, host and shape of the path. Still, a stranger can invent
//! issuers that match: so new ones are looked up at a limited rate and kept in limited number.

use super::TokenRefusal;
use super::discovery::{InvalidIssuer, IssuerUrl, KeyLocation};
use super::keyset::KeyCache;
use chancery_verify::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest `iss` that is compared with a pattern.
const MAX_ISSUER_BYTES: usize = 512;
/// Issuers kept per pattern.
const MAX_KNOWN: usize = 256;
/// New issuers per pattern whose keys are fetched in [`WINDOW_SECONDS`].
const MAX_NEW: usize = 30;
/// See [`MAX_NEW`].
const WINDOW_SECONDS: u64 = 60;
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
pub(super) struct Family(Mutex<Members>);

#[derive(Debug, Default)]
struct Members {
    known: HashMap<String, Arc<Matched>>,
    window: Option<Timestamp>,
    new_in_window: usize,
}

impl Family {
    /// Returns the issuer `name`, which matches the pattern.
    pub(super) fn member(
        &self,
        name: &str,
        jwks_hosts: &[String],
        now: Timestamp,
    ) -> Result<Arc<Matched>, TokenRefusal> {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = members.known.get(name) {
            return Ok(Arc::clone(known));
        }
        let location =
            KeyLocation::Discovered { issuer: IssuerUrl::parse(name, false)?, jwks_hosts: jwks_hosts.to_vec() };
        if members.window.is_none_or(|start| now.seconds() >= start.seconds().saturating_add(WINDOW_SECONDS)) {
            (members.window, members.new_in_window) = (Some(now), 0);
        }
        if members.new_in_window == MAX_NEW {
            return Err(TokenRefusal::IssuerBusy);
        }
        members.new_in_window += 1;
        if members.known.len() >= MAX_KNOWN {
            members.forget_one();
        }
        let matched = Arc::new(Matched { keys: KeyCache::new(RETRY_SECONDS), location });
        members.known.insert(name.to_owned(), Arc::clone(&matched));
        Ok(matched)
    }

    /// Returns every known issuer with its keys.
    pub(super) fn members(&self) -> Vec<(String, Arc<Matched>)> {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.known.iter().map(|(name, matched)| (name.clone(), Arc::clone(matched))).collect()
    }
}

impl Members {
    /// Removes an issuer without keys, which may not even exist; if all have keys, the one with the oldest keys.
    fn forget_one(&mut self) {
        let oldest = self.known.iter().min_by_key(|(_, matched)| matched.keys.fetched());
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.known.remove(&name);
        }
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
    fn strangers_cannot_make_up_issuers_faster_than_allowed() {
        let family = Family::default();
        let now = Timestamp::from_seconds(1_800_000_000);
        let member = |n: usize, now| family.member(&format!("https://a.b.test/{n}"), &[], now);
        for n in 0..MAX_NEW {
            assert!(member(n, now).is_ok());
        }
        assert!(matches!(member(MAX_NEW, now), Err(TokenRefusal::IssuerBusy)));
        assert!(member(3, now).is_ok(), "one that is known costs nothing");
        for n in 0..1000 {
            let window = u64::try_from(n / MAX_NEW).unwrap();
            assert!(member(1000 + n, now.plus_seconds(WINDOW_SECONDS * (1 + window))).is_ok());
        }
        assert_eq!(family.members().len(), MAX_KNOWN);
    }
}
