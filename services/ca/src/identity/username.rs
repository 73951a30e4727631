//! Issuers that identify people by a user name, unique within a domain.

use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;

/// Longest name.
const MAX_NAME_BYTES: usize = 256;

/// Returns `sub!domain`. The name has no exclamation mark, so that the result can be split in only one way. It is not
/// an email address, so that it is not mistaken for one.
pub(super) fn identity(claims: &VerifiedClaims, subject_domain: &str) -> Result<Identity, TokenRefusal> {
    let name = claims.subject();
    let refused = |reason| Err(TokenRefusal::Subject { reason });
    if name.contains('!') {
        return refused("a username with an exclamation mark");
    }
    if name.contains('@') {
        return refused("a username that looks like an address");
    }
    // Beyond ASCII two names can look alike, and right-to-left marks can make name and domain appear swapped.
    if name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused("a username in other than visible ASCII characters");
    }
    Ok(Identity::Username(format!("{name}!{subject_domain}")))
}
