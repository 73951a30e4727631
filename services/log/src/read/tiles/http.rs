//! The HTTP side of a log as files.

pub(crate) mod openapi;

use super::Files;
use crate::Error;
use crate::reader::{Form, Readers};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chancery_daemon::http::READABLE_ANYWHERE;
use chancery_verify::tile::{FULL_WIDTH, TilePath};

/// What never changes may be kept for ever.
pub(crate) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The files, and who may read those with entries.
#[derive(Clone)]
struct Served {
    files: Files,
    readers: Readers,
}

/// `checkpoint` and `tile/…`. Bundles of entries are for `readers`.
pub(crate) fn router(files: Files, readers: &Readers) -> Router {
    let served = Served { files, readers: readers.clone() };
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*path}", get(tile)).with_state(served)
}

async fn checkpoint(State(Served { files, .. }): State<Served>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        READABLE_ANYWHERE,
    ];
    match files.log.latest().await {
        Ok(published) => (headers, published.note.clone()).into_response(),
        Err(error) => failure(&error),
    }
}

async fn tile(State(served): State<Served>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Served { files, readers } = &served;
    let Ok(path) = TilePath::parse(&path, files.entries) else {
        return (StatusCode::BAD_REQUEST, "not a tile path; see https://c2sp.org/tlog-tiles\n").into_response();
    };
    let contents = contents(files, &path, &headers);
    if path.level.is_some() { contents.await } else { readers.answer(&headers, Form::Text, contents).await }
}

async fn contents(files: &Files, path: &TilePath, headers: &HeaderMap) -> Response {
    match files.log.tile_bytes(path, files.encode).await {
        Ok(Some(bytes)) => found(files, path, bytes, headers).await,
        // Not immutable: the tree may grow into it.
        Ok(None) => {
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store")), READABLE_ANYWHERE];
            (StatusCode::NOT_FOUND, headers, "no such tile yet\n").into_response()
        }
        Err(error) => failure(&error),
    }
}

/// Hashes do not compress, and a partial bundle is soon another: only full bundles are worth it. Hashes say nothing of what
/// was logged, so every web page may read them; entries are for configured origins.
async fn found(files: &Files, path: &TilePath, bytes: Bytes, headers: &HeaderMap) -> Response {
    let octets = (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let cached = (header::CACHE_CONTROL, IMMUTABLE);
    if path.level.is_some() {
        return ([octets, cached, READABLE_ANYWHERE], bytes).into_response();
    }
    if path.width < FULL_WIDTH {
        return ([octets, cached], bytes).into_response();
    }
    let vary = (header::VARY, HeaderValue::from_static("accept-encoding"));
    if !accepts_gzip(headers) {
        return ([octets, cached, vary], bytes).into_response();
    }
    match files.log.compressed(path.index, bytes).await {
        Ok(bytes) => {
            let coding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            ([octets, cached, vary, coding], bytes).into_response()
        }
        Err(error) => failure(&error),
    }
}

/// RFC 9110, section 12.5.3, for the one coding there is.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = parameters.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// A read that failed: the reason is in the server's log.
pub(crate) fn failure(error: &Error) -> Response {
    tracing::error!(error.code = error.code(), %error, "a read of a log's files failed");
    if let Some(seconds) = error.retry_after_seconds() {
        let retry_after = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
        let message = "the log cannot be read at the moment; try again\n";
        return (StatusCode::SERVICE_UNAVAILABLE, retry_after, message).into_response();
    }
    if matches!(error, Error::Quarantined(_)) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log has no checkpoint it can prove\n").into_response();
    }
    (StatusCode::INTERNAL_SERVER_ERROR, "the log could not be read\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_those_who_accept_it() {
        let accepts = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            accepts_gzip(&values.collect())
        };
        for accepted in [&["gzip"][..], &["br, GZIP;q=0.5"], &["deflate", "gzip"], &["gzip;q=1.0, identity"]] {
            assert!(accepts(accepted), "{accepted:?}");
        }
        for refused in [&[][..], &["identity"], &["gzip;q=0"], &["br;q=1, gzip; q=0.000"], &["gzipped"]] {
            assert!(!accepts(refused), "{refused:?}");
        }
    }
}
