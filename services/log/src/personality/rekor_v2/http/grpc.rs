//! The same API over gRPC: `dev.sigstore.rekor.v2.Rekor`, as a route of the same listener.
//!
//! Decisions, texts and codes are those of the HTTP API. The methods for files do not exist: upstream does not implement
//! them either, and files are read over HTTP.

mod messages;

use super::error::{ENTRY_TYPE, Failure, INDEX_HEADER};
use crate::personality::rekor_v2::RekorV2;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use chancery_daemon::budget::Load;
use chancery_daemon::http::RequestId;
use chancery_daemon::http::grpc::{MAX_MESSAGE_BYTES, Refusal, unary};
use messages::{CreateEntryRequest, TransparencyLogEntry};
use prost::Message as _;
use tonic::Status;
use tonic::metadata::MetadataValue;

/// The route.
pub(super) fn router() -> Router<RekorV2> {
    Router::new().route("/dev.sigstore.rekor.v2.Rekor/CreateEntry", post(create_entry))
}

async fn create_entry(State(rekor): State<RekorV2>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    unary(request, MAX_MESSAGE_BYTES, move |request: tonic::Request<CreateEntryRequest>| {
        let (rekor, request_id) = (rekor.clone(), request_id.clone());
        async move { log(rekor, request).await.map_err(|failure| status(&failure, request_id.as_ref())) }
    })
    .await
}

async fn log(rekor: RekorV2, request: tonic::Request<CreateEntryRequest>) -> Result<TransparencyLogEntry, Failure> {
    let (_, mut extensions, message) = request.into_parts();
    let load = extensions.remove::<Load>();
    let admitting = rekor.clone();
    let admit = move || admitting.admit(message.into_request());
    let admitted = match load {
        Some(load) => load.run(admit).await?,
        None => admit(),
    };
    Ok(TransparencyLogEntry::from(&rekor.submit(admitted?).await?))
}

fn status(failure: &Failure, request_id: Option<&RequestId>) -> Status {
    failure.report();
    let (code, message, reason) = failure.answer();
    let existing = failure.existing();
    let entry = existing.map(|entry| (ENTRY_TYPE, TransparencyLogEntry::from(entry).encode_to_vec()));
    let refusal = Refusal { code, message: &message, reason, request_id };
    let mut status = refusal.status(entry.into_iter().collect());
    if let Some(entry) = existing {
        status.metadata_mut().insert(INDEX_HEADER, MetadataValue::from(entry.receipt.index));
    }
    status
}
