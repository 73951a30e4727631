//! A request for a certificate from any of the APIs: decided once, and every decision is recorded.

use crate::audit::{Asked, AuditLog, Recorded};
use crate::challenge::{self, KeyRequest};
use crate::identity::Principal;
use crate::issue::{IssueError, Issued};
use crate::{CertificateAuthority, Error};
use chancery_daemon::clock::Clock as _;
use chancery_daemon::http::{Peer, RequestId};
use chancery_daemon::metrics::{Counter, Counters, MetricError, Metrics};
use chancery_verify::{Rejection, Timestamp};
use std::sync::Arc;
use tracing::Instrument as _;

/// The contents of a request.
pub(crate) struct SigningRequest {
    /// The token as received; empty if there was none.
    pub(crate) token: String,
    /// The key and the proof that the client holds it; `None` if missing.
    pub(crate) key: Option<KeyRequest>,
}

/// Identifies a request.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `None` if the request has no id.
    pub(crate) request_id: Option<RequestId>,
    /// `None` if there is no connection.
    pub(crate) peer: Option<Peer>,
    /// `v1`, `v2` or `grpc`.
    pub(crate) api: &'static str,
}

/// The authority's counters. Labels use the configured issuers, so that they are bounded.
#[derive(Debug, Clone)]
pub struct Counts {
    /// The metric with Fulcio's name.
    certificates: Counter,
    requests: Counters,
    refused_tokens: Counters,
    left_out: Counters,
    /// Apart from `requests`, so that it is there before the first one: an increase from nothing is none to Prometheus.
    failed_checks: Counter,
}

impl Counts {
    /// Registers the authority's metrics.
    pub fn register(metrics: &Metrics) -> Result<Self, MetricError> {
        Ok(Self {
            certificates: metrics.counter("fulcio_new_certs", "Certificates issued")?,
            requests: metrics.counters(
                "chancery_certs_total",
                "Requests for a certificate, by issuer of the token and result: issued, or the code of the refusal",
                &["issuer", "result"],
            )?,
            refused_tokens: metrics.counters(
                "chancery_token_rejected_total",
                "Refused tokens, by issuer and reason",
                &["issuer", "reason"],
            )?,
            failed_checks: metrics.counter(
                "chancery_ca_self_check_failures_total",
                "Certificates, or timestamps of the certificate log for them, that failed the authority's own verification",
            )?,
            left_out: metrics.counters(
                "chancery_audit_left_out_total",
                "Refusals without a line in the audit log, because their address or all together had too many",
                &["reason"],
            )?,
        })
    }
}

/// Where decisions are recorded, beside the log of the process.
#[derive(Debug, Default)]
pub struct Records {
    /// The audit log.
    pub audit: Option<Arc<AuditLog>>,
    /// The counters.
    pub counts: Option<Counts>,
}

/// A request that was not granted.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    /// Whether its address has caused so many lines about it that no log gets another one.
    pub(crate) left_out: bool,
}

impl CertificateAuthority {
    /// Decides a request, or handles the error of parsing it. Records the signer, whether granted or not.
    ///
    /// Once begun it runs to the end, even if the client has gone: an entry of the certificate log must also be in the
    /// audit log.
    pub(crate) async fn answer(
        self: Arc<Self>,
        origin: Origin,
        request: Result<SigningRequest, Error>,
    ) -> Result<Issued, Refusal> {
        let decided = async move { self.decide(&origin, request).await };
        match tokio::spawn(decided.in_current_span()).await {
            Ok(outcome) => outcome,
            // The shell handles panics. Only the end of the process cancels the task.
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn decide(&self, origin: &Origin, request: Result<SigningRequest, Error>) -> Result<Issued, Refusal> {
        // What was asked is recorded even if nothing can be dated.
        let (now, request) = match self.clock.check() {
            Ok(now) => (now, request),
            Err(fault) => (self.clock.now(), request.and(Err(fault.into()))),
        };
        let mut principal = None;
        let authenticator = self.authenticator();
        let (issuer, outcome) = match request {
            Ok(request) => {
                let (issuer, verdict) = authenticator.judge(&request.token, now).await;
                let outcome = match verdict {
                    Ok(verified) => self.issue(principal.insert(verified), request.key.as_ref()).await,
                    Err(refusal) => Err(refusal.into()),
                };
                (issuer, outcome)
            }
            Err(error) => (None, Err(error)),
        };
        let asked = Asked {
            request_id: origin.request_id.as_ref().map_or("", RequestId::as_str),
            api: origin.api,
            peer: origin.peer,
            issuer,
            principal: principal.as_ref(),
        };
        self.record(&asked, outcome, now)
    }

    /// Checks limits after the token, then the key, then issues: the order of Fulcio's errors. While nothing can be
    /// recorded, nothing is logged and signed either.
    async fn issue(&self, principal: &Principal, key: Option<&KeyRequest>) -> Result<Issued, Error> {
        if let Some(obstacle) = self.records.audit.as_ref().and_then(|audit| audit.obstacle()) {
            return Err(Error::Audit(std::io::Error::other(obstacle)));
        }
        if let Some(limits) = &self.limits {
            limits.admit(principal)?;
        }
        let key = key.ok_or(Error::KeyMalformed(Rejection::KeyMalformed))?;
        let key = challenge::verify(key, &principal.challenges, &self.client_algorithms)?;
        Ok(self.pipeline().issue(principal, &key, self.clock.signing_time()?).await?)
    }

    fn record(&self, asked: &Asked<'_>, mut outcome: Result<Issued, Error>, now: Timestamp) -> Result<Issued, Refusal> {
        let mut left_out = false;
        if let Some(audit) = &self.records.audit {
            let written = match &outcome {
                Ok(issued) => audit.issued(asked, issued, now),
                Err(error) => audit.refused(asked, error, now).map(|recorded| {
                    left_out = recorded == Recorded::LeftOut;
                }),
            };
            if let Err(source) = written {
                outcome = outcome.and(Err(Error::Audit(source)));
            }
        }
        let issuer = asked.issuer.unwrap_or("unknown");
        let result = match &outcome {
            Ok(issued) => {
                let serial = issued.certificate.tbs().serial_number();
                tracing::info!(issuer, %serial, "issued a certificate");
                "issued"
            }
            Err(error) => error.code(),
        };
        if let Some(counts) = &self.records.counts {
            counts.requests.increment(&[issuer, result]);
            if left_out {
                counts.left_out.increment(&[result]);
            }
            match &outcome {
                Ok(_) => counts.certificates.inc(),
                Err(Error::Issue(IssueError::Corrupt(_) | IssueError::LogPromise(_))) => counts.failed_checks.inc(),
                Err(Error::Token(refusal)) => counts.refused_tokens.increment(&[issuer, refusal.code()]),
                Err(_) => {}
            }
        }
        outcome.map_err(|error| Refusal { error, left_out })
    }
}
