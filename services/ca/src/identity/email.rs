//! Issuers that identify people by their email address.

use crate::claims::{ClaimPath, VerifiedClaims};
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;
use std::borrow::Cow;

/// Longest address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_ADDRESS_BYTES: usize = 254;
/// Longest local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// Returns the address, from `email` or the claim `address`. The issuer must have verified it, unless `accept_unverified` is
/// set.
pub(super) fn identity(
    claims: &VerifiedClaims,
    address: Option<&ClaimPath>,
    accept_unverified: bool,
) -> Result<Identity, TokenRefusal> {
    let email = match address {
        None => claims.text("email").map(Cow::Borrowed).ok_or_else(|| TokenRefusal::missing("email")),
        Some(path) => {
            let found = claims.rendered(path)?.filter(|text| !text.is_empty());
            found.ok_or_else(|| TokenRefusal::missing(path.as_str().to_owned()))
        }
    }?;
    // Only the boolean counts: "true" as text comes from issuers that copy it from a field that users can edit.
    if !accept_unverified && !claims.is_true("email_verified") {
        return Err(TokenRefusal::EmailUnverified);
    }
    if !is_address(&email) {
        return Err(TokenRefusal::EmailMalformed);
    }
    Ok(Identity::Email(email.into_owned()))
}

/// Returns whether this is a plain address: an `rfc822Name` can hold it, and people read it in only one way. No
/// quoting, no comments, no letters outside ASCII (two of which can look alike), and a domain with at least two labels.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = (1..=MAX_LOCAL_BYTES).contains(&local.len())
        && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_byte));
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= MAX_ADDRESS_BYTES && local_ok && domain.contains('.') && domain.split('.').all(label_ok)
}

/// `atext` of RFC 5322 §3.2.3.
fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn plain_addresses_and_nothing_else() {
        for good in ["alice@example.test", "a.b+c@x-y.example", "o'neil@example.org", "42@a.b"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@example.test", "a".repeat(65));
        for bad in [
            "",
            "alice",
            "@example.test",
            "alice@",
            "alice@localhost",
            "a b@example.test",
            "a@b@example.test",
            "a..b@example.test",
            ".a@example.test",
            "a@-b.test",
            "a@b..test",
            "a@example.test\n",
            "a\0@example.test",
            "аlice@example.test",
            "a@exämple.test",
            "<a@example.test>",
            "\"a\"@example.test",
            "a@[127.0.0.1]",
            "a@example.test, b@example.test",
            &long,
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
