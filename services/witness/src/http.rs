//! The HTTP API of a witness: one route that writes, and the public reads.
//!
//! `POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint` are C2SP's; `GET /` shows the verifier key and
//! the logs in plain text.

mod openapi;

pub use openapi::describe;

use crate::{NotCosigned, Witness};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chancery_daemon::budget::RETRY_AFTER_SECONDS;
use chancery_daemon::http::{NotReceived, readable_anywhere, receive};
use chancery_verify::leaves;
use chancery_verify::witness::{MAX_BYTES, Refusal};
use std::fmt::Write as _;

/// Content type of everything except a size.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
/// Content type of the size in a conflict.
const SIZE_TYPE: &str = "text/x.tlog.size";
const SIZE: HeaderValue = HeaderValue::from_static(SIZE_TYPE);
const TEXT: HeaderValue = HeaderValue::from_static(TEXT_TYPE);
/// The contents change with every checkpoint, so caches must revalidate.
const CHANGES: (header::HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));

/// The routes.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint).layer(map_response(readable_anywhere)))
        .route("/", get(about))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Witness>, request: Request) -> Response {
    let refuse = |status, text: &'static str| (status, [(header::CONTENT_TYPE, TEXT)], text).into_response();
    let bytes = match receive(request, MAX_BYTES).await {
        Ok(received) => received.bytes,
        Err(NotReceived::TooLarge) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large\n"),
        Err(NotReceived::Incomplete) => return refuse(StatusCode::BAD_REQUEST, "the request is incomplete\n"),
        Err(NotReceived::Busy(busy)) => {
            let headers = [(header::CONTENT_TYPE, TEXT), (header::RETRY_AFTER, RETRY_AFTER_SECONDS.into())];
            return (StatusCode::SERVICE_UNAVAILABLE, headers, format!("{busy}\n")).into_response();
        }
    };
    let Ok(request) = String::from_utf8(bytes.into()) else {
        return refuse(StatusCode::BAD_REQUEST, "the request is not UTF-8\n");
    };
    match witness.add_checkpoint(request).await {
        Ok(lines) => ([(header::CONTENT_TYPE, TEXT)], lines).into_response(),
        Err(NotCosigned::UnknownLog) => refuse(StatusCode::NOT_FOUND, "no log of this origin is witnessed here\n"),
        Err(NotCosigned::Refused(refusal)) => match refusal {
            Refusal::Malformed => refuse(StatusCode::BAD_REQUEST, "not a request of c2sp.org/tlog-witness\n"),
            Refusal::Unsigned => refuse(StatusCode::FORBIDDEN, "the log's key has not signed this checkpoint\n"),
            Refusal::Conflict { size } => {
                (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
            }
            Refusal::Inconsistent => {
                refuse(StatusCode::UNPROCESSABLE_ENTITY, "the tree is not shown to extend the one cosigned last\n")
            }
        },
        Err(NotCosigned::Clock(fault)) => {
            tracing::error!(error.code = fault.code(), %fault, "a checkpoint is not cosigned");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "the witness cannot cosign at the moment\n")
        }
        Err(NotCosigned::Broken(error)) => {
            tracing::error!(%error, "a checkpoint could not be cosigned");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot cosign at the moment\n")
        }
    }
}

async fn checkpoint(State(witness): State<Witness>, Path(origin): Path<String>) -> Response {
    match witness.checkpoint(&origin).await {
        Some(note) => ([(header::CONTENT_TYPE, TEXT), CHANGES], note).into_response(),
        None => (StatusCode::NOT_FOUND, [CHANGES], "nothing was cosigned for such a log\n").into_response(),
    }
}

async fn about(State(witness): State<Witness>) -> Response {
    let mut page = format!("{}\n", witness.verifier_key());
    for log in witness.logs().await {
        let size = log.head.map_or_else(|| "nothing yet".to_owned(), |head| leaves(head.size));
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{}: {size}", log.origin);
    }
    ([(header::CONTENT_TYPE, TEXT), CHANGES], page).into_response()
}
