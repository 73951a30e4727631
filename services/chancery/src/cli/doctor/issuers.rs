//! The issuers whose tokens are accepted: whether their discovery documents and keys can be fetched from here.

use super::finding::Finding;
use chancery_ca::{
    IssuerSettings,
    oidc::{Authenticator, Reached, http_fetcher},
};
use chancery_verify::Timestamp;

const CHECK: &str = "issuers";

/// Fetches the keys of all issuers with the certificate authority's own client, limits and checks.
pub(super) async fn examine(issuers: &[IssuerSettings], now: Timestamp) -> Vec<Finding> {
    if issuers.is_empty() {
        let message = "no issuer is known here, so none was asked";
        return vec![Finding::note(
            CHECK,
            "all",
            message,
            "name the configuration of the certificate authority with --config",
        )];
    }
    let authenticator = match Authenticator::new(issuers.to_vec(), &http_fetcher) {
        Ok(authenticator) => authenticator,
        Err(error) => {
            let action = "correct the list of issuers: chancery config check FILE";
            return vec![Finding::error(CHECK, "all", &format!("the list cannot be used: {error}"), action)];
        }
    };
    authenticator.fetch_keys(now).await.iter().map(finding).collect()
}

fn finding(Reached { issuer, verdict }: &Reached) -> Finding {
    match verdict {
        Ok(()) => Finding::ok(CHECK, issuer, "its keys can be fetched"),
        Err(refusal) => {
            let message = format!(
                "its keys cannot be fetched, so after a day at most its tokens are refused: {refusal} ({})",
                refusal.code()
            );
            let action = format!(
                "see that this machine reaches it: curl -fsS {}/.well-known/openid-configuration; then correct url, jwks_url, ca_file, \
                 proxy or private_addresses in the list of issuers, or open the firewall",
                issuer.trim_end_matches('/')
            );
            Finding::error(CHECK, issuer, &message, &action)
        }
    }
}
