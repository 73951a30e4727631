//! Bearer tokens of readers (RFC 6750), and the refusal of a request in the form of the protocol that it speaks.

use super::{Readers, RefusalKind, Refused};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use chancery_daemon::http::RequestId;
use chancery_daemon::http::grpc;
use serde_json::json;
use tonic::Code;

/// Seconds after which the keys of an issuer may be at hand.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The form of a protocol's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Rekor v1: an object with code and message.
    Rekor,
    /// `google.rpc.Status`.
    Status,
    /// The words of the status, and in the next line the reason.
    Text,
}

impl Form {
    /// The form of the protocol that has this path.
    fn of(path: &str) -> Self {
        if path.starts_with("/api/v1/") {
            Self::Rekor
        } else if path.starts_with("/api/") {
            Self::Status
        } else {
            Self::Text
        }
    }
}

/// Answers with the routes of `router` whom `readers` admits, and refuses everybody else. Unmatched paths are not checked.
pub fn readers_only(router: Router, readers: &Readers) -> Router {
    if !readers.are_restricted() {
        return router;
    }
    router.route_layer(from_fn_with_state((readers.clone(), None::<Form>), guard))
}

impl Readers {
    /// The same for the methods that a route has up to now. Its errors have this form.
    pub(crate) fn only_for<S: Clone + Send + Sync + 'static>(
        &self,
        route: MethodRouter<S>,
        form: Form,
    ) -> MethodRouter<S> {
        if !self.are_restricted() {
            return route;
        }
        route.layer(from_fn_with_state((self.clone(), Some(form)), guard))
    }

    /// The answer that `entries` makes, if the request with these headers may have it.
    pub(crate) async fn answer(
        &self,
        headers: &HeaderMap,
        form: Form,
        entries: impl Future<Output = Response>,
    ) -> Response {
        match self.admit(bearer(headers)).await {
            Err(refused) => refusal(&refused, form, None),
            Ok(()) if self.are_restricted() => unshared(entries.await),
            Ok(()) => entries.await,
        }
    }
}

/// Middleware: what is behind it is for readers.
async fn guard(State((readers, form)): State<(Readers, Option<Form>)>, request: Request, next: Next) -> Response {
    let form = form.unwrap_or_else(|| Form::of(request.uri().path()));
    let token = bearer(request.headers()).to_owned();
    match readers.admit(&token).await {
        Ok(()) => unshared(next.run(request).await),
        Err(refused) => refusal(&refused, form, request.extensions().get::<RequestId>()),
    }
}

/// The token of a request; empty if there is none (RFC 6750 §2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

/// What was answered to one reader may be kept by that reader, and by no cache that others ask.
fn unshared(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let cached = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if cached.contains("public")
        && let Ok(private) = HeaderValue::from_str(&cached.replace("public", "private"))
    {
        headers.insert(header::CACHE_CONTROL, private);
    }
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    response
}

/// The refusal of a request.
pub(crate) fn refusal(refused: &Refused, form: Form, request_id: Option<&RequestId>) -> Response {
    let Refused { kind, code: reason, realm, message } = refused;
    let (status, code, error) = match kind {
        RefusalKind::Missing => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some("")),
        RefusalKind::Token => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some(r#", error="invalid_token""#)),
        RefusalKind::Forbidden => {
            (StatusCode::FORBIDDEN, Code::PermissionDenied, Some(r#", error="insufficient_scope""#))
        }
        RefusalKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, None),
    };
    let challenge = error.and_then(|error| HeaderValue::from_str(&format!(r#"Bearer realm="{realm}"{error}"#)).ok());
    let mut response = match form {
        Form::Rekor => {
            let body = json!({ "code": status.as_u16(), "message": message });
            (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
        }
        Form::Status => grpc::Refusal { code, message, reason, request_id }.response(status, Vec::new()),
        Form::Text => {
            (status, format!("{}\n{message}\n", status.canonical_reason().unwrap_or_default())).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let retry = (header::RETRY_AFTER, RETRY_AFTER);
    let (name, value) = challenge.map_or(retry, |challenge| (header::WWW_AUTHENTICATE, challenge));
    headers.insert(name, value);
    response
}

#[cfg(test)]
mod tests {
    use super::super::{Admission, Reader};
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::{any, get};
    use chancery_daemon::http::named;
    use chancery_daemon::random::SystemRandom;
    use serde_json::Value;
    use std::sync::Arc;
    use tower::ServiceExt as _;

    /// Admits the token that says so, and gives any other as the reason.
    struct Told;

    impl Reader for Told {
        fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
            let kind = match token {
                "good" => return Box::pin(async { Ok(()) }),
                "" => RefusalKind::Missing,
                "down" => RefusalKind::Unavailable,
                "other" => RefusalKind::Forbidden,
                _ => RefusalKind::Token,
            };
            let message = format!("no: {token}");
            Box::pin(async move { Err(Refused { kind, code: "token.test", realm: "entries", message }) })
        }
    }

    fn routes(readers: &Readers) -> Router {
        let entries = || async { ([(header::CACHE_CONTROL, "public, max-age=60")], "entries") };
        let open = Router::new().route("/checkpoint", get(|| async { "checkpoint" }));
        let closed = ["/api/v1/index", "/api/search", "/ct/entries"];
        let closed = closed.into_iter().fold(Router::new(), |router, path| router.route(path, any(entries)));
        named(open.merge(readers_only(closed, readers)), Arc::new(SystemRandom))
    }

    async fn ask(routes: &Router, path: &str, authorization: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).header(header::AUTHORIZATION, authorization);
        let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, String::from_utf8(to_bytes(body, 10_000).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn entries_are_for_readers_and_the_rest_is_for_everybody() {
        let routes = routes(&Readers::only(Arc::new(Told)));
        assert_eq!(ask(&routes, "/checkpoint", "").await.2, "checkpoint");
        for authorization in ["Bearer good", "bearer good", "BEARER  good "] {
            let (status, headers, body) = ask(&routes, "/ct/entries", authorization).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "entries"), "{authorization}");
            assert_eq!(
                (&headers["cache-control"], &headers["vary"]),
                (&HeaderValue::from_static("private, max-age=60"), &HeaderValue::from_static("authorization"),)
            );
        }
        for (authorization, status, challenge) in [
            ("", 401, Some(r#"Bearer realm="entries""#)),
            ("Basic good", 401, Some(r#"Bearer realm="entries""#)),
            ("good", 401, Some(r#"Bearer realm="entries""#)),
            ("Bearer bad", 401, Some(r#"Bearer realm="entries", error="invalid_token""#)),
            ("Bearer other", 403, Some(r#"Bearer realm="entries", error="insufficient_scope""#)),
            ("Bearer down", 503, None),
        ] {
            let (found, headers, body) = ask(&routes, "/ct/entries", authorization).await;
            assert_eq!(found.as_u16(), status, "{authorization}: {body}");
            assert_eq!(headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap()), challenge);
            assert_eq!(headers.contains_key(header::RETRY_AFTER), status == 503);
            assert_eq!(headers["cache-control"], "no-store");
        }
        let nothing = ask(&routes, "/nothing", "").await;
        assert_eq!(nothing.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_refusal_has_the_form_of_its_protocol() {
        let routes = routes(&Readers::only(Arc::new(Told)));
        let json = async |path: &str| serde_json::from_str::<Value>(&ask(&routes, path, "Bearer bad").await.2).unwrap();
        assert_eq!(json("/api/v1/index").await, json!({ "code": 401, "message": "no: bad" }));
        let status = json("/api/search").await;
        assert_eq!((&status["code"], &status["details"][0]["reason"]), (&json!(16), &json!("token.test")));
        assert!(status["details"][1]["requestId"].is_string(), "{status}");
        assert_eq!(ask(&routes, "/ct/entries", "Bearer bad").await.2, "Unauthorized\nno: bad\n");
    }

    #[tokio::test]
    async fn without_a_reader_nothing_is_asked_or_changed() {
        let (status, headers, _) = ask(&routes(&Readers::default()), "/ct/entries", "").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["cache-control"], "public, max-age=60");
        assert!(!headers.contains_key("vary"));
    }
}
