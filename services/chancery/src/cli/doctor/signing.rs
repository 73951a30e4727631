//! A signature with a test identity, from the token to the verified bundle: what a client does, with the services of the signing
//! configuration. The certificate and the entry stay in the logs for ever.

use super::finding::Finding;
use crate::cli::{conformance::round_trip, token_file::TokenFile};
use chancery_ca::{
    IssuerSettings,
    oidc::{Authenticator, Step, http_fetcher},
};
use chancery_trust::FileName;
use chancery_verify::Timestamp;
use std::{fs, path::Path};

const CHECK: &str = "signing";
/// What is signed.
const SIGNED: &[u8] = b"chancery doctor\n";

/// What a signature needs beside the token.
pub(super) struct Client<'a> {
    /// The URL of the certificate authority, which gets the token.
    pub(super) url: &'a str,
    /// The data directory, for the signing configuration.
    pub(super) data: &'a Path,
    /// Issuers whose tokens are accepted.
    pub(super) issuers: &'a [IssuerSettings],
    /// The trusted root that a TUF client got.
    pub(super) trusted_root: Option<&'a [u8]>,
    /// Certificates of the servers, in place of the system's authorities.
    pub(super) authorities: Option<&'a Path>,
}

impl Client<'_> {
    /// Signs with the token in `file`, and verifies. A token that the authority would refuse is explained instead.
    pub(super) async fn examine(&self, file: &Path, now: Timestamp) -> Vec<Finding> {
        let subject = file.display().to_string();
        let read = TokenFile::for_server(file, self.url).map_err(|error| format!("{error:#}"));
        let token = match read.and_then(|token| token.read()) {
            Ok(token) => token,
            Err(reason) => {
                let action = "write a token and nothing else into the file that --token names";
                return vec![Finding::error(CHECK, &subject, &reason, action)];
            }
        };
        let refusals = self.refusals(&subject, &token, now).await;
        if !refusals.is_empty() {
            return refusals;
        }
        vec![self.sign(&subject, &token).await]
    }

    /// Why the certificate authority would refuse the token: the checks of `chancery identity test`.
    async fn refusals(&self, subject: &str, token: &str, now: Timestamp) -> Vec<Finding> {
        // A list that cannot be used is told by the check of issuers.
        let Ok(authenticator) = Authenticator::new(self.issuers.to_vec(), &http_fetcher) else { return Vec::new() };
        let explanation = authenticator.explain(token, now).await;
        explanation.steps.iter().filter_map(|step| refusal(subject, step)).collect()
    }

    async fn sign(&self, subject: &str, token: &str) -> Finding {
        let config = self.data.join("trust").join(FileName::SigningConfig.as_str());
        let (Some(root), Ok(config)) = (self.trusted_root, fs::read(&config)) else {
            let message = format!("no signature was tried: it needs the trusted root and {}", config.display());
            let action = "correct the findings of the check tuf first, and run chancery doctor where the role trust is";
            return Finding::note(CHECK, subject, &message, action);
        };
        match round_trip((root, config.as_slice()), token, SIGNED, self.authorities).await {
            Ok(()) => Finding::ok(CHECK, subject, "a signature with this token is made, logged and verified"),
            Err(error) => {
                let message = format!("no signature can be made with this token: {error:#}");
                let action = "see the findings about the service that the message names, and the log of its server";
                Finding::error(CHECK, subject, &message, action)
            }
        }
    }
}

fn refusal(subject: &str, step: &Step) -> Option<Finding> {
    let refusal = step.verdict.as_ref().err()?;
    let message = format!("the token is refused because of {}: {refusal} ({})", step.subject, refusal.code());
    let hint =
        step.hint.clone().unwrap_or_else(|| "see claim by claim: chancery identity test - --config FILE".to_owned());
    Some(Finding::error(CHECK, subject, &message, &hint))
}
