//! The rule for web pages that use a server through a browser.
//!
//! A browser sends requests for any page that it shows, from inside its user's network. Without a rule, a page on the
//! Internet could append to a private log behind a firewall. So a page of another origin may write only if its origin
//! is configured. It may read only public answers, which have [`READABLE_ANYWHERE`]. Programs that are not browsers
//! send no `Origin`, and the rule does not apply to them. Cookies are not used.
//!
//! Specifications: Fetch §3.3 (CORS), Fetch Metadata (`Sec-Fetch-Site`).

use super::json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// Header of answers that every page may read: checkpoints, hash tiles and what clients trust.
pub const READABLE_ANYWHERE: (HeaderName, HeaderValue) =
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
/// The relation of page and server. Browsers set it, pages cannot.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Origins whose pages have the rights of any other client. By default none.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<[HeaderValue]>);

/// The page that sent a request.
#[derive(Debug, PartialEq, Eq)]
enum Sender {
    /// No page, or one of this server.
    Own,
    /// A page of this configured origin.
    Allowed(HeaderValue),
    /// Any other page.
    Foreign,
}

impl Origins {
    /// Parses origins as browsers write them: `https://host` or `https://host:port`.
    #[must_use]
    pub fn new(allowed: &[String]) -> Self {
        Self(allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    fn sender(&self, request: &Request) -> Sender {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        if let Some(origin) = origin.filter(|origin| self.0.contains(origin)) {
            return Sender::Allowed(origin.clone());
        }
        let is_own = match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin" || site == "none",
            // An older browser, or a browser that does not trust the connection.
            None => origin.is_none_or(|origin| is_host(origin, request)),
        };
        if is_own { Sender::Own } else { Sender::Foreign }
    }
}

/// Returns whether an origin has the host and port that the request names. A proxy may have changed the scheme.
fn is_host(origin: &HeaderValue, request: &Request) -> bool {
    let host = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| request.headers().get(header::HOST).map(HeaderValue::as_bytes));
    let origin = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    origin.zip(host).is_some_and(|(origin, host)| origin.as_bytes().eq_ignore_ascii_case(host))
}

/// Marks a route's answer as readable for every page. Use it with `axum::middleware::map_response`.
pub async fn readable_anywhere(mut response: Response) -> Response {
    let (name, value) = READABLE_ANYWHERE;
    response.headers_mut().insert(name, value);
    response
}

/// Middleware: refuses writes by pages of other origins, and tells browsers which answers a page may read.
pub(super) async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let sender = origins.sender(&request);
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match sender {
        Sender::Allowed(_) if is_preflight => permission(),
        Sender::Foreign if is_preflight || !request.method().is_safe() => refusal(),
        _ => next.run(request).await,
    };
    mark(response.headers_mut(), sender, &origins);
    response
}

fn mark(headers: &mut HeaderMap, sender: Sender, origins: &Origins) {
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) || origins.0.is_empty() {
        return;
    }
    if let Sender::Allowed(origin) = sender {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    // A cache must not give the answer for one origin to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

/// The answer to a preflight of a configured origin.
fn permission() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST,HEAD")),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("accept,authorization,content-type,x-requested-with"),
        ),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn refusal() -> Response {
    json(
        StatusCode::FORBIDDEN,
        r#"{"code":7,"message":"a web page of another origin must not do this; [listen] origins in the server's configuration allows it","details":[]}"#,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    const SEARCH: &str = "https://search.example.test";

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let request = Request::builder().method(method).uri("/").header("host", "log.example.test:8443");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn a_page_is_told_by_what_browsers_say_of_it() {
        let origins = Origins::new(&[SEARCH.to_owned()]);
        let sender = |headers: &[(&str, &str)]| origins.sender(&request("POST", headers));
        for own in [
            &[][..],
            &[("origin", "https://log.example.test:8443")],
            &[("origin", "http://LOG.example.test:8443")],
            // A form of a page without an origin.
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(sender(own), Sender::Own, "{own:?}");
        }
        for foreign in [
            &[("origin", "https://example.test")][..],
            &[("origin", "https://log.example.test")],
            &[("origin", "https://log.example.test:8443.evil.test")],
            &[("origin", "https://search.example.test:8443")],
            &[("origin", "http://search.example.test")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://log.example.test:8443"), ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(sender(foreign), Sender::Foreign, "{foreign:?}");
        }
        for site in ["cross-site", "same-site"] {
            let allowed = sender(&[("origin", SEARCH), ("sec-fetch-site", site)]);
            assert_eq!(allowed, Sender::Allowed(HeaderValue::from_static(SEARCH)));
        }
    }

    #[test]
    fn the_host_in_the_request_line_counts() {
        let request = Request::post("https://log.example.test/").header("origin", "https://log.example.test");
        let sender = Origins::default().sender(&request.header("host", "other.test").body(Body::empty()).unwrap());
        assert_eq!(sender, Sender::Own);
    }
}
