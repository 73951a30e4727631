//! `/trust/…`: the files over HTTP, for clients that fetch their trust once.
//!
//! The routes are an explicit list, not a directory, so no other file of the data directory can be read. Answers carry
//! a strong `ETag`. Caches may keep them for a minute, so a rotation is visible soon.

use crate::files::{CurrentFiles, FileName};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use chancery_daemon::http::readable_anywhere;
use std::sync::Arc;

/// One route per file. Each request is answered from the current `files`.
pub fn router(files: &CurrentFiles) -> Router {
    let router = FileName::ALL.into_iter().fold(Router::new(), |router, name| {
        router.route(&format!("/trust/{}", name.as_str()), get(serve).with_state((name, files.clone())))
    });
    // A page that verifies fetches its trust as any client does.
    router.layer(map_response(readable_anywhere))
}

async fn serve(State((name, files)): State<(FileName, CurrentFiles)>, request: HeaderMap) -> Response {
    let files = Arc::clone(&files.borrow());
    let etag = files.etag(name);
    let is_current = is_current(&request, &etag);
    let headers = [
        (header::CONTENT_TYPE, name.content_type().to_owned()),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "public, max-age=60".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if is_current {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, files.contents(name).to_owned()).into_response()
}

/// RFC 9110 §13.1.2: a list of tags or `*`, compared weakly.
pub(crate) fn is_current(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{TrustFiles, tests};
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use tokio::sync::watch;
    use tower::ServiceExt as _;

    fn example() -> Arc<TrustFiles> {
        Arc::new(tests::example())
    }

    async fn ask(path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(tag) = if_none_match {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let (_sender, files) = watch::channel(example());
        router(&files).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn serves_each_file_with_its_type() {
        for name in FileName::ALL {
            let response = ask(&format!("/trust/{}", name.as_str()), None).await;
            assert_eq!(response.status(), StatusCode::OK, "{name:?}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], name.content_type());
            assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=60");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, example().contents(name).as_bytes());
        }
    }

    #[tokio::test]
    async fn answers_not_modified_to_who_has_it() {
        let etag = ask("/trust/trusted_root.json", None).await.headers()[header::ETAG].to_str().unwrap().to_owned();
        for tag in [etag.clone(), format!("W/{etag}"), format!("\"old\", {etag}"), "*".to_owned()] {
            let response = ask("/trust/trusted_root.json", Some(&tag)).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tag}");
            assert_eq!(response.headers()[header::ETAG], etag);
        }
        assert_eq!(ask("/trust/trusted_root.json", Some("\"old\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn serves_the_files_of_the_moment() {
        let (sender, files) = watch::channel(example());
        let router = router(&files);
        let ask = || router.clone().oneshot(Request::get("/trust/fulcio-chain.pem").body(Body::empty()).unwrap());
        let before = ask().await.unwrap();
        sender.send_replace(Arc::new(tests::rotated()));
        let after = ask().await.unwrap();
        assert_ne!(before.headers()[header::ETAG], after.headers()[header::ETAG]);
        let body = after.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, tests::rotated().contents(FileName::FulcioChain).as_bytes());
        drop(sender);
        assert_eq!(ask().await.unwrap().status(), StatusCode::OK, "the last files stay");
    }

    #[tokio::test]
    async fn serves_nothing_else() {
        for path in ["/trust/", "/trust/../keys/ca.pem", "/trust/%2e%2e/keys/ca.pem", "/keys/ca.pem"] {
            assert_eq!(ask(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
