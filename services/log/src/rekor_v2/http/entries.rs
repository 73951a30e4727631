//! `POST /api/v2/log/entries`: create an entry.

use super::error::{Failure, Refused};
use super::response::TransparencyLogEntry;
use crate::rekor_v2::RekorV2;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use chancery_daemon::http::RequestId;
use chancery_verify::rekor::v2::json;

/// 201 with the entry; 409 with it where it is logged already.
pub(super) async fn create(
    State(rekor): State<RekorV2>,
    request_id: Option<Extension<RequestId>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let refused = |failure| Refused { failure, request_id: request_id.map(|Extension(id)| id) };
    match log(&rekor, body).await {
        Ok(entry) => Ok((StatusCode::CREATED, Json(entry)).into_response()),
        Err(failure) => Err(refused(failure)),
    }
}

async fn log(rekor: &RekorV2, body: Result<Bytes, BytesRejection>) -> Result<TransparencyLogEntry, Failure> {
    let request = json::parse(&body?).map_err(Failure::Malformed)?;
    Ok(TransparencyLogEntry::from(&rekor.submit(request).await?))
}
