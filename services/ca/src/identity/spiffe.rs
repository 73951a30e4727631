//! Workloads by their SPIFFE ID (the SPIFFE-ID standard, §2).

use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;

/// Longest SPIFFE ID (§2.3).
const MAX_ID_BYTES: usize = 2048;
/// Longest trust domain (§2.1, a host name).
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// Returns the `sub`, which must be an ID of `trust_domain`.
pub(super) fn identity(claims: &VerifiedClaims, trust_domain: &str) -> Result<Identity, TokenRefusal> {
    let id = claims.subject();
    let refused = |reason| TokenRefusal::Subject { reason };
    let (domain, path) = parts(id).ok_or(refused("not a SPIFFE ID"))?;
    if domain != trust_domain {
        return Err(refused("a SPIFFE ID of another trust domain"));
    }
    if path.is_empty() {
        return Err(refused("a SPIFFE ID that names a trust domain and no workload"));
    }
    Ok(Identity::Uri(id.to_owned()))
}

/// Splits an ID into trust domain and path. `None` if any character violates the grammar.
fn parts(id: &str) -> Option<(&str, &str)> {
    let rest = id.strip_prefix("spiffe://").filter(|_| id.len() <= MAX_ID_BYTES)?;
    let (domain, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let segment_ok = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    (is_trust_domain(domain) && path.split('/').skip(1).all(segment_ok)).then_some((domain, path))
}

/// Whether `text` is a trust domain: lower-case letters, digits, dots, dashes and underscores.
#[must_use]
pub fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=MAX_TRUST_DOMAIN_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_the_standard() {
        assert_eq!(parts("spiffe://example.org/ns/a/sa/b_c.d-E"), Some(("example.org", "/ns/a/sa/b_c.d-E")));
        assert_eq!(parts("spiffe://example.org"), Some(("example.org", "")));
        let long = format!("spiffe://example.org/{}", "a".repeat(2048));
        for bad in [
            "",
            "spiffe://",
            "spiffe:///x",
            "SPIFFE://example.org/x",
            "https://example.org/x",
            "spiffe://Example.org/x",
            "spiffe://example.org/",
            "spiffe://example.org//x",
            "spiffe://example.org/x/",
            "spiffe://example.org/./x",
            "spiffe://a/../b",
            "spiffe://example.org/x?q",
            "spiffe://example.org/x#f",
            "spiffe://example.org:80/x",
            "spiffe://me@example.org/x",
            "spiffe://example.org/%41",
            "spiffe://example.org/ü",
            "spiffe://example.org/x\n",
            &long,
        ] {
            assert_eq!(parts(bad), None, "{bad:?}");
        }
    }
}
