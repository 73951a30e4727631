//! The answers, with every header that matters.

use super::*;
use crate::{
    facts::State,
    page::tests::{NOW, server, state},
};
use axum::{body::Body, http::Request};
use chancery_daemon::http::{Origins, Shell};
use chancery_verify::Timestamp;
use http_body_util::BodyExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt as _;

/// What a browser of today sends for a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const NOT_FOUND: &str = r#"{"code":5,"message":"Not Found","details":[]}"#;

#[derive(Default)]
struct Counted(AtomicUsize);

impl Source for Counted {
    fn state(&self) -> State {
        self.0.fetch_add(1, Ordering::Relaxed);
        state()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(NOW)
    }
}

fn routes(server: Server) -> (Router, Arc<Counted>) {
    let source = Arc::new(Counted::default());
    let console = Console::new(server, Arc::clone(&source) as Arc<dyn Source>);
    let pages = Some(console.unknown_path());
    let shell = Shell { checks: Arc::new(Vec::new), pages, origins: Origins::default() };
    (shell.around(console.router()), source)
}

async fn ask(routes: &Router, method: &str, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT, accept);
    let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn the_page_is_html_that_may_do_nothing() {
    let (routes, _) = routes(server());
    let (status, headers, body) = ask(&routes, "GET", "/", "*/*").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        STANDARD.encode(hash::sha256(style.as_bytes()))
    );
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], policy);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let (routes, _) = routes(server());
    for path in ["/", "/favicon.ico", "/robots.txt"] {
        let (_, of_get, body) = ask(&routes, "GET", path, BROWSER).await;
        let (status, of_head, nothing) = ask(&routes, "HEAD", path, BROWSER).await;
        assert_eq!((status, nothing.as_str()), (StatusCode::OK, ""), "{path}");
        assert!(!body.is_empty());
        assert_eq!(of_get, of_head, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_made_once_a_second() {
    let (routes, source) = routes(server());
    for _ in 0..100 {
        ask(&routes, "GET", "/", BROWSER).await;
    }
    // Two, where the hundred took over a second.
    assert!((1..=3).contains(&source.0.load(Ordering::Relaxed)));
    tokio::time::sleep(PAGE_LIFETIME).await;
    let before = source.0.load(Ordering::Relaxed);
    ask(&routes, "GET", "/", BROWSER).await;
    assert_eq!(source.0.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn a_browser_gets_a_page_at_an_unknown_path_and_a_client_its_json() {
    let (routes, source) = routes(server());
    for accept in [BROWSER, "text/html", "application/json, Text/HTML;q=0.5"] {
        let (status, headers, body) = ask(&routes, "GET", "/nothing", accept).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{accept}");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY) && body.contains("There is no page here"));
    }
    for (method, accept) in
        [("GET", "*/*"), ("GET", ""), ("GET", "application/json"), ("GET", "text/html;q=0"), ("POST", BROWSER)]
    {
        let (status, headers, body) = ask(&routes, method, "/nothing", accept).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, NOT_FOUND), "{method} {accept}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
    assert_eq!(source.0.load(Ordering::Relaxed), 0, "an unknown path asks for nothing");
}

#[tokio::test]
async fn another_method_finds_nothing() {
    let (routes, _) = routes(server());
    for path in ["/", "/favicon.ico", "/robots.txt"] {
        let (status, _, body) = ask(&routes, "POST", path, BROWSER).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, NOT_FOUND), "{path}");
    }
}

#[tokio::test]
async fn security_txt_names_the_contact_and_when_to_ask_again() {
    let path = "/.well-known/security.txt";
    let (without, _) = routes(server());
    assert_eq!(ask(&without, "GET", path, "*/*").await.0, StatusCode::NOT_FOUND);
    let contact = "mailto:security@example.org".to_owned();
    let (with, _) = routes(Server { security_contact: Some(contact), ..server() });
    let (status, headers, body) = ask(&with, "GET", path, "*/*").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    let expires = Timestamp::from_seconds(NOW + 90 * 24 * 3600).rfc3339();
    let expected = format!(
        "Contact: mailto:security@example.org\nExpires: {expires}\n\
         Canonical: https://sign.example.org/.well-known/security.txt\n"
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_icon_is_an_icon_and_robots_stay_away() {
    let (routes, _) = routes(server());
    let (_, headers, _) = ask(&routes, "GET", "/favicon.ico", "image/*").await;
    assert_eq!(headers[header::CONTENT_TYPE], "image/x-icon");
    assert!(ICON.starts_with(&[0, 0, 1, 0]));
    assert_eq!(ask(&routes, "GET", "/robots.txt", "*/*").await.2, ROBOTS);
}
