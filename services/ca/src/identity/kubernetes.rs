//! Service accounts of Kubernetes clusters, by the tokens their API servers issue.

use super::ClaimPath;
use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_verify::certificate::Identity;

/// Path of the account's namespace in a token.
const NAMESPACE: &str = "/kubernetes.io/namespace";
/// Path of the account's name in a token.
const SERVICE_ACCOUNT: &str = "/kubernetes.io/serviceaccount/name";

/// Returns the account's namespace and name. Both must be present and valid, and agree with `sub`. Only the issuer
/// identifies the cluster.
pub(super) fn identity(claims: &VerifiedClaims) -> Result<Identity, TokenRefusal> {
    let read = |path: &'static str, is_name: fn(&str) -> bool| {
        let value = ClaimPath::parse(path).and_then(|path| claims.rendered(&path).transpose()).transpose()?;
        let value = value.filter(|value| !value.is_empty()).ok_or_else(|| TokenRefusal::missing(path))?;
        if is_name(&value) { Ok(value) } else { Err(TokenRefusal::ClaimUnfit { claim: path.to_owned() }) }
    };
    let namespace = read(NAMESPACE, is_label)?;
    let account = read(SERVICE_ACCOUNT, is_subdomain)?;
    if claims.subject() != format!("system:serviceaccount:{namespace}:{account}") {
        return Err(TokenRefusal::Subject { reason: "not the service account that the token's other claims name" });
    }
    Ok(Identity::Uri(format!("https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{account}")))
}

/// A label of RFC 1123, which a namespace is.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A subdomain of RFC 1123, which a service account is.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}
