//! A request for a certificate from any of the APIs: decided once, and every decision is recorded.

use crate::audit::{Asked, AuditLog};
use crate::challenge::{self, KeyRequest};
use crate::identity::Principal;
use crate::issue::Issued;
use crate::{CertificateAuthority, Error};
use chancery_daemon::clock::Clock as _;
use chancery_daemon::http::RequestId;
use chancery_daemon::metrics::{Counter, Counters, MetricError, Metrics};
use chancery_verify::{Rejection, Timestamp};
use std::sync::Arc;

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

impl CertificateAuthority {
    /// Decides a request, or handles the error of parsing it. Records the signer, whether granted or not.
    ///
    /// Once begun it runs to the end, even if the client has gone: an entry of the certificate log must also be in the
    /// audit log.
    pub(crate) async fn answer(
        self: Arc<Self>,
        origin: Origin,
        request: Result<SigningRequest, Error>,
    ) -> Result<Issued, Error> {
        match tokio::spawn(async move { self.decide(&origin, request).await }).await {
            Ok(outcome) => outcome,
            // The shell handles panics. Only the end of the process cancels the task.
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn decide(&self, origin: &Origin, request: Result<SigningRequest, Error>) -> Result<Issued, Error> {
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
            issuer,
            principal: principal.as_ref(),
        };
        self.record(&asked, outcome, now)
    }

    /// Checks limits after the token, then the key, then issues: the order of Fulcio's errors.
    async fn issue(&self, principal: &Principal, key: Option<&KeyRequest>) -> Result<Issued, Error> {
        if let Some(limits) = &self.limits {
            limits.admit(principal)?;
        }
        let key = key.ok_or(Error::KeyMalformed(Rejection::KeyMalformed))?;
        let key = challenge::verify(key, &principal.challenges, &self.client_algorithms)?;
        Ok(self.pipeline().issue(principal, &key, self.clock.signing_time()?).await?)
    }

    fn record(&self, asked: &Asked<'_>, mut outcome: Result<Issued, Error>, now: Timestamp) -> Result<Issued, Error> {
        if let Some(audit) = &self.records.audit {
            let written = match &outcome {
                Ok(issued) => audit.issued(asked, issued, now),
                Err(error) => audit.refused(asked, error, now),
            };
            if let Err(source) = written {
                tracing::error!(error = %source, request_id = asked.request_id, "the audit log cannot be written");
                outcome = outcome.and(Err(Error::Audit(source)));
            }
        }
        let issuer = asked.issuer.unwrap_or("unknown");
        let result = match &outcome {
            Ok(issued) => {
                let serial = issued.certificate.tbs().serial_number();
                tracing::info!(issuer, %serial, request_id = asked.request_id, "issued a certificate");
                "issued"
            }
            Err(error) => error.code(),
        };
        if let Some(counts) = &self.records.counts {
            counts.requests.increment(&[issuer, result]);
            match &outcome {
                Ok(_) => counts.certificates.inc(),
                Err(Error::Token(refusal)) => counts.refused_tokens.increment(&[issuer, refusal.code()]),
                Err(_) => {}
            }
        }
        outcome
    }
}
