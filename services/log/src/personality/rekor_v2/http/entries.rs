//! `POST /api/v2/log/entries`: create an entry.

use super::error::{Failure, Refused};
use super::response::TransparencyLogEntry;
use crate::personality::rekor_v2::RekorV2;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chancery_daemon::http::grpc::MAX_MESSAGE_BYTES;
use chancery_daemon::http::{RequestId, receive};
use chancery_verify::rekor::v2::json;

/// 201 with the entry; 409 with it where it is logged already.
pub(super) async fn create(State(rekor): State<RekorV2>, request: Request) -> Result<Response, Refused> {
    let request_id = request.extensions().get::<RequestId>().cloned();
    match log(rekor, request).await {
        Ok(entry) => Ok((StatusCode::CREATED, Json(entry)).into_response()),
        Err(failure) => Err(Refused { failure, request_id }),
    }
}

async fn log(rekor: RekorV2, request: Request) -> Result<TransparencyLogEntry, Failure> {
    let received = receive(request, MAX_MESSAGE_BYTES).await?;
    let admitting = rekor.clone();
    let admitted = received.run(move |message| {
        let request = json::parse(message).map_err(Failure::Malformed)?;
        admitting.admit(request).map_err(Failure::from)
    });
    Ok(TransparencyLogEntry::from(&rekor.submit(admitted.await??).await?))
}
