//! `GET /api/certificates`: the certificates that were issued, and whether a signature under each is in a log.

use super::error::{Failure, respond};
use super::response::{CompleteTo, Entry, Reference};
use crate::answer::Asking;
use crate::answer::certificates::{Issued, Uses, certificates};
use crate::answer::newest::newest;
use crate::query::Query;
use crate::query::parameters::Parameters;
use crate::source::LogKind;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chancery_daemon::http::RequestId;
use schemars::JsonSchema;
use serde::Serialize;

/// Certificates of one page.
pub(super) const MAX_PAGE: u64 = 200;
/// Certificates of a page where a client names no limit.
pub(super) const USUAL_PAGE: u64 = 50;

/// A page of certificates.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificatesAnswer")]
pub(super) struct Answer {
    certificates: Vec<Certificate>,
    /// Of the next page. `null` after the last one. With `unused` a page may be empty and not be the last.
    cursor: Option<String>,
    /// Of the certificate logs, and of the logs of signatures in which uses were looked for.
    complete_to: Vec<CompleteTo>,
}

/// A certificate that a certificate log has.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LoggedCertificate")]
struct Certificate {
    /// The entry of the certificate log. Of a precertificate the fingerprint is that of the precertificate as it was
    /// submitted, not of the certificate that was issued for it.
    entry: Entry,
    /// Whether no log of signatures has an entry with this certificate or by its key, up to `complete_to`.
    unused: bool,
    /// Entries with this certificate, the newest first: its SCT list removed, it has the bytes that the certificate log has.
    used_in: Vec<Reference>,
    /// Entries that its key has signed, with another certificate or with none.
    key_used_in: Vec<Reference>,
    /// Whether there may be more entries than are named.
    more: bool,
}

impl Certificate {
    fn of(Issued { found, uses }: &Issued) -> Self {
        let Uses { by_certificate, by_key, more } = uses;
        Self {
            entry: Entry::of(found),
            unused: uses.are_none(),
            used_in: by_certificate.iter().map(|found| Reference::of(&found.place())).collect(),
            key_used_in: by_key.iter().map(|found| Reference::of(&found.place())).collect(),
            more: *more,
        }
    }
}

pub(super) async fn list(
    State(asking): State<Asking>,
    RawQuery(query): RawQuery,
    request_id: Option<Extension<RequestId>>,
) -> Response {
    let request_id = request_id.map(|Extension(id)| id);
    respond(answer(&asking, &query.unwrap_or_default()).await, request_id.as_ref())
}

async fn answer(asking: &Asking, text: &str) -> Result<Response, Failure> {
    let mut parameters = Parameters::parse(text)?;
    let query = Query::read(&mut parameters, Some(LogKind::Certificates))?;
    let (cursor, only_unused) = (parameters.one("cursor")?, parameters.switch("unused")?);
    let limit = parameters.number("limit", 1, MAX_PAGE)?.unwrap_or(USUAL_PAGE);
    parameters.finish()?;
    // Of the logs of signatures, too: a certificate is unused as long as they do not have its signature.
    newest(asking, None, cursor.as_deref()).await;
    let _place = asking.admit()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = certificates(asking, query, limit, cursor.as_deref(), only_unused).await?;
    Ok(Json(Answer {
        certificates: found.issued.iter().map(Certificate::of).collect(),
        cursor: found.cursor.map(|cursor| cursor.encode()),
        complete_to: CompleteTo::of_all(&found.logs),
    })
    .into_response())
}
