//! The console's routes: a page, an icon, and two files that are read by programs.
//!
//! Every route is GET and HEAD; any other method is answered as if the console were not there. The page is made at most once a
//! second. All requests of that second get the same copy.

mod openapi;

pub use openapi::describe;

use crate::{
    facts::{Server, Source},
    page,
};
use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_daemon::http::{UnknownPath, not_found};
use chancery_verify::hash;
use maud::Markup;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long requests get the same copy of the page.
const PAGE_LIFETIME: Duration = Duration::from_secs(1);
/// How long a copy of `security.txt` may be believed (RFC 9116 §2.5.5 recommends less than a year).
const CONTACT_LIFETIME_SECONDS: u64 = 90 * 24 * 3600;
/// Media type of the pages.
const HTML: &str = "text/html; charset=utf-8";
/// Media type of the files for programs.
const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of the icon.
const ICON_TYPE: &str = "image/x-icon";
/// RFC 9116.
const CONTACT_PATH: &str = "/.well-known/security.txt";
/// Three sizes.
const ICON: &[u8] = include_bytes!("favicon.ico");
/// Nothing here is for a search engine, and a log is large.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

/// The console of a process. Clones are the same.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    server: Server,
    source: Arc<dyn Source>,
    headers: [(HeaderName, HeaderValue); 6],
    overview: Mutex<Option<(Instant, Bytes)>>,
    unknown: Bytes,
}

impl Console {
    /// A console that says what `server` is, and what `source` knows when it is asked.
    #[must_use]
    pub fn new(server: Server, source: Arc<dyn Source>) -> Self {
        let (overview, unknown) = (Mutex::default(), bytes(page::unknown(&server)));
        Self(Arc::new(Inner { server, source, headers: page_headers(), overview, unknown }))
    }

    /// `/`, `/favicon.ico`, `/robots.txt`, and `/.well-known/security.txt` where there is a contact.
    pub fn router(&self) -> Router {
        let (overview, contact) = (self.clone(), self.clone());
        let mut router = Router::new()
            .route("/", only_read(get(move || async move { overview.overview() })))
            .route("/favicon.ico", only_read(get(|| async { file(ICON_TYPE, ICON) })))
            .route("/robots.txt", only_read(get(|| async { file(TEXT, ROBOTS) })));
        if self.0.server.security_contact.is_some() {
            let contact = move || async move { contact.security_contact() };
            router = router.route(CONTACT_PATH, only_read(get(contact)));
        }
        router
    }

    /// A page instead of JSON at an unknown path, for a browser.
    #[must_use]
    pub fn unknown_path(&self) -> UnknownPath {
        let console = self.clone();
        Arc::new(move |method, headers| {
            let is_read = method == Method::GET || method == Method::HEAD;
            (is_read && prefers_html(headers)).then(|| console.page(StatusCode::NOT_FOUND, console.0.unknown.clone()))
        })
    }

    fn overview(&self) -> Response {
        let mut made = self.0.overview.lock().unwrap_or_else(PoisonError::into_inner);
        let page = match &*made {
            Some((when, page)) if when.elapsed() < PAGE_LIFETIME => page.clone(),
            _ => {
                let page = bytes(page::overview(&self.0.server, &self.0.source.state()));
                *made = Some((Instant::now(), page.clone()));
                page
            }
        };
        drop(made);
        self.page(StatusCode::OK, page)
    }

    fn page(&self, status: StatusCode, page: Bytes) -> Response {
        (status, self.0.headers.clone(), page).into_response()
    }

    /// RFC 9116. `Expires` is what this very answer promises.
    fn security_contact(&self) -> Response {
        let Server { url, security_contact, .. } = &self.0.server;
        let expires = self.0.source.now().plus_seconds(CONTACT_LIFETIME_SECONDS).rfc3339();
        let contact = security_contact.as_deref().unwrap_or_default();
        // Web addresses in it must begin with https://.
        let canonical = url.starts_with("https://").then(|| format!("Canonical: {url}{CONTACT_PATH}\n"));
        let canonical = canonical.unwrap_or_default();
        file(TEXT, format!("Contact: {contact}\nExpires: {expires}\n{canonical}"))
    }
}

/// Any other method is answered as at an unknown path.
fn only_read(route: MethodRouter) -> MethodRouter {
    route.fallback(|| async { not_found() })
}

/// Something that changes rarely.
fn file(content_type: &'static str, contents: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, contents).into_response()
}

/// What keeps a page what it is: no script, no frame, nothing from elsewhere, and the one style by its hash.
fn page_headers() -> [(HeaderName, HeaderValue); 6] {
    let style = STANDARD.encode(hash::sha256(page::STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Base64 and the words above are all visible ASCII; without a valid policy nothing at all is allowed.
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(HTML)),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // It says how things are now.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// Whether a request names HTML among the types it accepts (RFC 9110 §12.5.1), as browsers do. `*/*` does not count: clients of
/// the APIs send it, or nothing.
fn prefers_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"));
        let is_refused = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0)
        });
        is_html && !is_refused
    })
}

fn bytes(page: Markup) -> Bytes {
    page.into_string().into()
}

#[cfg(test)]
mod tests;
