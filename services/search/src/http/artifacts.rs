//! `GET /api/artifacts/{algorithm}:{hex}`: the signers of an artifact.

use super::error::{Failure, respond};
use super::response::{CompleteTo, Entry};
use crate::answer::Asking;
use crate::answer::artifact::{Evidence, Role, signatures};
use crate::answer::newest::newest;
use crate::query::parameters::Parameters;
use crate::query::{Digest, Unusable};
use crate::source::LogKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chancery_daemon::http::RequestId;
use chancery_verify::pem;
use chancery_verify::rekor::logged::{LoggedEntry, LoggedSigner};
use chancery_verify::verifier::{Attribution, Undated};
use chancery_verify::{Refusal, Rejection, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Entries of one page: each costs several signature checks.
pub(super) const MAX_PAGE: u64 = 200;
/// Entries of a page where a client names no limit.
pub(super) const USUAL_PAGE: u64 = 50;

/// The signers of an artifact.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ArtifactAnswer")]
pub(super) struct Answer {
    /// `algorithm:hex`, in lower case.
    digest: String,
    /// A signature for each signer of each entry about the digest, the newest entry first. Empty: nobody.
    signatures: Vec<Signature>,
    /// Of the next page. `null` after the last one.
    cursor: Option<String>,
    complete_to: Vec<CompleteTo>,
}

/// A signature that a log has an entry of.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ArtifactSignature")]
struct Signature {
    /// Whether everything holds that the entry proves by itself: `verified`; `unread` if the entry does not have what its
    /// signature is over, so that nothing can be said; `undated` if everything holds but the log promises no time, so that it
    /// is not established that the certificate was used while it was valid; `refused`; or `unjudged` if this server has no
    /// trust root.
    verdict: &'static str,
    /// Why it is refused, or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refused>,
    /// The signer as it was verified: the certificate's identity, issuer and claims, or the key. Missing unless it is
    /// verified or undated.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<Value>,
    /// `signed` if the digest was signed itself, `payload` if it is that of the signed envelope's payload, `named` if the
    /// entry names it otherwise: as the envelope, or as a subject of its statement.
    role: &'static str,
    /// The validity of the certificate, if the signature is undated.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_validity: Option<Validity>,
    /// Whether the signature was verified here: over the digest, or, if the log keeps the statement that names the digest,
    /// over its envelope. If not, it is over an envelope that the log had at hand and the entry has not: the log verified it
    /// when it took the entry.
    #[serde(rename = "signature_verified")]
    is_verified: bool,
    /// Times at which certificate logs promised to log the certificate (RFC 3339).
    sct_times: Vec<String>,
    /// The certificate in PEM. Missing if a bare key signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    /// The key in PEM, if a bare key signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The entry, with its proof. Its time is when it was logged, by the log's record, if the log tells it: only a promise or a
    /// timestamp proves a time. If the verdict is `verified` and a certificate signed, the log of Rekor v1 has promised it.
    entry: Entry,
}

/// The first and the last moment at which a certificate is valid (RFC 3339).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificateValidity")]
struct Validity {
    not_before: String,
    not_after: String,
}

impl Validity {
    fn of(Undated { not_before, not_after }: &Undated) -> Self {
        Self { not_before: not_before.rfc3339_millis(), not_after: not_after.rfc3339_millis() }
    }
}

/// Why a signature does not count.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ArtifactRefusal")]
struct Refused {
    /// The reason's stable code.
    code: &'static str,
    message: String,
}

impl Refused {
    fn of(refusal: &Refusal) -> Self {
        Self { code: refusal.code(), message: refusal.to_string() }
    }

    /// Of an entry that has no signature at all.
    fn unsigned() -> Self {
        let rejection = Rejection::EntryMissing { field: "signature" };
        Self { code: rejection.code(), message: rejection.to_string() }
    }
}

pub(super) async fn artifact(
    State(asking): State<Asking>,
    digest: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request_id: Option<Extension<RequestId>>,
) -> Response {
    let request_id = request_id.map(|Extension(id)| id);
    // A path that is not UTF-8 has no digest.
    let digest = digest.map(|Path(digest)| digest).unwrap_or_default();
    respond(answer(&asking, &digest, &query.unwrap_or_default()).await, request_id.as_ref())
}

async fn answer(asking: &Asking, digest: &str, query: &str) -> Result<Response, Failure> {
    let digest = Digest::parse(digest).map_err(|error| Unusable::new("digest", error.to_string()))?;
    let mut parameters = Parameters::parse(query)?;
    let cursor = parameters.one("cursor")?;
    let limit = parameters.number("limit", 1, MAX_PAGE)?.unwrap_or(USUAL_PAGE);
    parameters.finish()?;
    newest(asking, Some(LogKind::Rekor), cursor.as_deref()).await;
    let _place = asking.admit()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = signatures(asking, &digest, limit, cursor.as_deref()).await?;
    Ok(Json(Answer {
        digest: digest.to_string(),
        signatures: found.evidence.iter().flat_map(signatures_of).collect(),
        cursor: found.cursor.map(|cursor| cursor.encode()),
        complete_to: CompleteTo::of_all(&found.logs),
    })
    .into_response())
}

/// A signature for each signer of an entry; one without a signer, if the entry cannot be read.
fn signatures_of(evidence: &Evidence) -> Vec<Signature> {
    let named = evidence.logged.as_ref().map_or(0, |logged| logged.signatures.len());
    let judged = evidence.verdict.as_ref().and_then(|verdict| verdict.as_ref().ok());
    let count = named.max(judged.map_or(0, |verified| verified.signatures.len())).max(1);
    (0..count).map(|number| signature(evidence, number)).collect()
}

fn signature(evidence: &Evidence, number: usize) -> Signature {
    let signer = evidence.logged.as_ref().ok().and_then(|logged| signer_of(logged, number));
    let (certificate, key) = match signer {
        Some(LoggedSigner::Certificate(der)) => (Some(pem::encode(pem::CERTIFICATE, der)), None),
        Some(LoggedSigner::PublicKey(der)) => (None, Some(pem::encode(pem::PUBLIC_KEY, der))),
        None => (None, None),
    };
    let (verdict, established, refusal) = match &evidence.verdict {
        None => ("unjudged", None, None),
        Some(Err(refusal)) => ("refused", None, Some(Refused::of(refusal))),
        Some(Ok(verified)) => match verified.signatures.get(number) {
            Some(Ok(attribution)) if attribution.undated.is_some() => ("undated", Some(attribution), None),
            Some(Ok(attribution)) => ("verified", Some(attribution), None),
            Some(Err(refusal)) if matches!(refusal.rejection(), Rejection::EntryUnverifiable { .. }) => {
                ("unread", None, Some(Refused::of(refusal)))
            }
            Some(Err(refusal)) => ("refused", None, Some(Refused::of(refusal))),
            None => ("refused", None, Some(Refused::unsigned())),
        },
    };
    let scts = established.map(|attribution| attribution.scts.as_slice()).unwrap_or_default();
    Signature {
        verdict,
        refusal,
        signer: established.and_then(|attribution| serde_json::to_value(&attribution.signer).ok()),
        role: match evidence.role {
            Role::Signed => "signed",
            Role::Payload => "payload",
            Role::Named => "named",
        },
        certificate_validity: established.and_then(|attribution| attribution.undated.as_ref()).map(Validity::of),
        is_verified: established.is_some_and(Attribution::is_verified),
        sct_times: scts.iter().map(|sct| sct.time).map(Timestamp::rfc3339_millis).collect(),
        certificate,
        key,
        entry: Entry::proven(&evidence.proven),
    }
}

fn signer_of(logged: &LoggedEntry, number: usize) -> Option<&LoggedSigner> {
    logged.signatures.get(number).map(|signature| &signature.signer)
}
