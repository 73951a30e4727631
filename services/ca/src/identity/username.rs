//! Issuers that know people by a name, which means something only within a domain.

use crate::oidc::{TokenRefusal, VerifiedClaims};
use chancery_verify::certificate::Identity;

/// Longest name.
const MAX_NAME_BYTES: usize = 256;

/// `sub!domain`. The name itself has no exclamation mark, so that there is one way to read the whole, and is no address,
/// which would be taken for one.
pub(super) fn identity(claims: &VerifiedClaims, subject_domain: &str) -> Result<Identity, TokenRefusal> {
    let name = claims.subject();
    let refused = |reason| Err(TokenRefusal::Subject { reason });
    if name.contains('!') {
        return refused("a username with an exclamation mark");
    }
    if name.contains('@') {
        return refused("a username that looks like an address");
    }
    // Beyond ASCII two names can look alike, and right-to-left marks can swap name and domain for whoever reads them.
    if name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused("a username in other than visible ASCII characters");
    }
    Ok(Identity::Username(format!("{name}!{subject_domain}")))
}
