//! Search over HTTP: paths, statuses and bodies.
//!
//! | path | answers |
//! |---|---|
//! | `GET /api/search` | entries that match: a page as JSON, everything as NDJSON or CSV, or their number |
//! | `POST /api/search/digests` | which of many digests are in a log |
//! | `GET /api/search/consistency` | that one tree of a log extends another |
//! | `GET /api/artifacts/{algorithm}:{hex}` | who signed this |
//! | `GET /api/certificates` | which certificates were issued to whom, and which were never used |
//! | `POST /api/v1/index/retrieve` | Rekor v1's search |
//!
//! Answers say what entries say, so no page of another origin may read them, and no cache keeps them.

mod artifacts;
mod certificates;
mod consistency;
mod csv;
mod digests;
mod entry_ids;
mod error;
mod export;
mod form;
mod openapi;
mod page;
mod response;
mod search;

pub use openapi::describe;

use crate::answer::Asking;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use chancery_daemon::http::grpc::method_not_allowed;
use chancery_daemon::http::{Received, receive};
use error::Failure;

/// The routes. The shell answers unmatched paths.
pub fn router(asking: Asking) -> Router {
    let routes: [(&str, MethodRouter<Asking>); 6] = [
        ("/api/search", get(search::search).fallback(method_not_allowed)),
        ("/api/search/digests", post(digests::digests).fallback(method_not_allowed)),
        ("/api/search/consistency", get(consistency::prove).fallback(method_not_allowed)),
        ("/api/artifacts/{digest}", get(artifacts::artifact).fallback(method_not_allowed)),
        ("/api/certificates", get(certificates::list).fallback(method_not_allowed)),
        ("/api/v1/index/retrieve", post(entry_ids::retrieve).fallback(entry_ids::method_not_allowed)),
    ];
    let add = |router: Router<Asking>, (path, route): (&str, MethodRouter<Asking>)| {
        router.route(path, route.layer(map_response(forbid_caching)))
    };
    routes.into_iter().fold(Router::new(), add).with_state(asking)
}

/// Whether this is a question: as the query of `GET /api/search`, as the body of `POST /api/search/digests`, and as that of
/// `POST /api/v1/index/retrieve`. Nothing is asked. For tests with arbitrary input.
#[must_use]
pub fn can_be_asked(input: &[u8]) -> [bool; 3] {
    let query = str::from_utf8(input).is_ok_and(search::can_be_asked);
    [query, digests::can_be_asked(input), entry_ids::can_be_asked(input)]
}

/// The answer of a moment later is another one.
async fn forbid_caching(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Receives a body that must be JSON, where it says what it is.
async fn receive_json(request: Request, limit_bytes: usize) -> Result<Received, Failure> {
    let is_json =
        content_type(request.headers()).is_none_or(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    let received = receive(request, limit_bytes).await?;
    if is_json { Ok(received) } else { Err(Failure::ContentType) }
}

/// The media type of a body, without parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(sent.split(';').next().unwrap_or_default().trim())
}
