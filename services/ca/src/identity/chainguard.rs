//! Identities at Chainguard. Their names are only unique below their issuer.

use super::uri;
use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;

/// `sub` as a path below `iss`.
pub(super) fn identity(claims: &VerifiedClaims) -> Result<Identity, TokenRefusal> {
    let subject = claims.subject();
    // Other characters could be parsed as something other than a path.
    if subject.contains(['?', '#', '%', '\\']) || subject.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(TokenRefusal::Subject { reason: "not a path below the issuer" });
    }
    uri::name(&format!("{}/{}", claims.issuer().trim_end_matches('/'), uri::encode(subject)))
}
