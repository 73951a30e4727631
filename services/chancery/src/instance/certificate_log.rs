//! The certificate authority's log, when both live in one process.
//!
//! `chancery-ca` and `chancery-log` do not know each other; this is the only place where they meet.

use chancery_ca::transparency::{Acceptance, CertificateLog, LogError, Submission};
use chancery_log::{
    Error,
    ct::{self, Ct, SubmissionError, Submitter},
};
use chancery_verify::PublicKey;

/// A certificate transparency log in this process.
pub(super) struct LocalLog(Ct);

impl LocalLog {
    pub(super) const fn new(ct: Ct) -> Self {
        Self(ct)
    }

    fn add(&self, chain: Vec<Vec<u8>>, what: ct::Submission) -> Submission<'_> {
        Box::pin(async move {
            self.0.submit(&chain, what, Submitter::OwnAuthority).await.map_err(|error| log_error(&error))
        })
    }
}

impl CertificateLog for LocalLog {
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        self.add(chain, ct::Submission::Precertificate)
    }

    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        self.add(chain, ct::Submission::Certificate)
    }

    fn accept_root(&self, root: Vec<u8>) -> Acceptance<'_> {
        let accepted = self.0.accept_root(&root);
        let accepted = accepted.map_err(|rejection| LogError::Refused { reason: rejection.to_string() });
        Box::pin(std::future::ready(accepted))
    }

    fn verify_usable(&self) -> Acceptance<'_> {
        let log = self.0.log();
        Box::pin(async move {
            let trouble = log.obstacle().map(|obstacle| obstacle.to_string()).or_else(|| log.trouble());
            let usable = match trouble {
                Some(reason) => Err(reason),
                None => log.verify_head().await,
            };
            usable.map_err(|reason| LogError::Unavailable { reason })
        })
    }

    fn verifies_its_own(&self) -> bool {
        true
    }

    fn public_key(&self) -> &PublicKey {
        self.0.log().signer().public_key()
    }
}

fn log_error(error: &SubmissionError) -> LogError {
    let reason = error.to_string();
    match error {
        SubmissionError::Refused(_) => LogError::Refused { reason },
        SubmissionError::Log(
            Error::Busy { .. }
            | Error::Unavailable { .. }
            | Error::Clock(_)
            | Error::Frozen
            | Error::Quarantined(_)
            | Error::Corrupt(_)
            | Error::Store(_),
        ) => LogError::Unavailable { reason },
    }
}
