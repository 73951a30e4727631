//! A request for a certificate, from whichever API it came: decided once, and recorded whatever the decision.

use crate::audit::{Asked, AuditLog};
use crate::challenge::{self, KeyRequest};
use crate::identity::Principal;
use crate::issue::Issued;
use crate::{CertificateAuthority, Error};
use chancery_daemon::http::RequestId;
use chancery_daemon::metrics::{Counter, Counters, MetricError, Metrics};
use chancery_verify::{Rejection, Timestamp};
use std::sync::Arc;

/// What a client has sent.
pub(crate) struct SigningRequest {
    /// As received; empty where there was none.
    pub(crate) token: String,
    /// The key and the proof that the client holds it; `None` where there was none.
    pub(crate) key: Option<KeyRequest>,
}

/// Which request it is.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `None` where nobody gave it a name.
    pub(crate) request_id: Option<RequestId>,
    /// `v1`, `v2` or `grpc`.
    pub(crate) api: &'static str,
}

/// What the authority counts. Issuers are those of the configuration, so that the labels are bounded.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Fulcio's own name for it.
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
    /// A line for each.
    pub audit: Option<Arc<AuditLog>>,
    /// Counted.
    pub counts: Option<Counts>,
}

impl CertificateAuthority {
    /// Decides about a request, or about what went wrong when it was read. Who asked is remembered, granted or not.
    ///
    /// Once begun it is done to the end, whether or not the client still waits: what is in the certificate log must be in
    /// the audit log, too.
    pub(crate) async fn answer(
        self: Arc<Self>,
        origin: Origin,
        request: Result<SigningRequest, Error>,
    ) -> Result<Issued, Error> {
        match tokio::spawn(async move { self.decide(&origin, request).await }).await {
            Ok(outcome) => outcome,
            // The shell answers for what panics. Nothing cancels the task but the end of the process.
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn decide(&self, origin: &Origin, request: Result<SigningRequest, Error>) -> Result<Issued, Error> {
        let now = self.clock.now();
        let mut principal = None;
        let authenticator = self.authenticator();
        let (issuer, outcome) = match request {
            Ok(request) => {
                let (issuer, verdict) = authenticator.judge(&request.token, now).await;
                let outcome = match verdict {
                    Ok(verified) => self.issue(principal.insert(verified), request.key.as_ref(), now).await,
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

    /// After the token limits, then key, then certificate: the order in which Fulcio finds fault.
    async fn issue(&self, principal: &Principal, key: Option<&KeyRequest>, now: Timestamp) -> Result<Issued, Error> {
        if let Some(limits) = &self.limits {
            limits.admit(principal)?;
        }
        let key = key.ok_or(Error::KeyMalformed(Rejection::KeyMalformed))?;
        let key = challenge::verify(key, &principal.challenges, &self.client_algorithms)?;
        Ok(self.pipeline().issue(principal, &key, now).await?)
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
