//! `/livez`, `/readyz` and `/healthz`: whether to restart a process, and whether it does its work. `/ping` is what Rekor v1
//! and Sigstore's timestamp authority have instead, and the probes in their charts ask it.
//!
//! They only read the verdict that [`crate::health`] has anyway. `/livez`, `/healthz` and `/ping` do not even read that: what
//! a restart does not mend must not cause one.

use super::json;
use crate::health::{self, Checks, Finding};
use axum::Router;
use axum::extract::RawQuery;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

pub(super) fn routes(checks: Checks) -> Router {
    let ready = move |RawQuery(query): RawQuery| async move { readiness(&checks(), is_verbose(query.as_deref())) };
    Router::new()
        .route("/healthz", get(|| async { json(StatusCode::OK, r#"{"status":"SERVING"}"#) }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/ping", get(|| async { ([(header::CONTENT_TYPE, "text/plain")], ".") }))
        .route("/readyz", get(ready))
}

/// Whether the query has `verbose`, with or without a value.
fn is_verbose(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| pair.split_once('=').map_or(pair, |(name, _)| name) == "verbose")
}

fn readiness(findings: &[Finding], verbose: bool) -> Response {
    let obstacles = health::obstacles(findings);
    let is_ready = obstacles.is_empty();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lines: Vec<String> = if verbose {
        let verdict = if is_ready { "passed" } else { "failed" };
        findings.iter().map(ToString::to_string).chain([format!("readyz check {verdict}")]).collect()
    } else if is_ready {
        let warnings = findings.iter().filter_map(Finding::warning).map(|warning| format!("warning: {warning}"));
        std::iter::once("ready".to_owned()).chain(warnings).collect()
    } else {
        obstacles
    };
    (status, format!("{}\n", lines.join("\n"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use std::sync::Arc;
    use tower::ServiceExt as _;

    async fn ask(findings: &[Finding], path: &str) -> (u16, String) {
        let findings = findings.to_vec();
        let checks: Checks = Arc::new(move || findings.clone());
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes(checks).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_obstacle_or_every_check_is_shown() {
        let passed = Finding::unless("log", "rekor", None);
        let warned = Finding::new("log", "rekor witnesses", State::Warning("one is away".to_owned()));
        let failed = Finding::unless("ca", "certificate log", Some("it does not answer".to_owned()));
        let ready = [passed.clone(), warned.clone()];
        assert_eq!(ask(&ready, "/readyz").await, (200, "ready\nwarning: one is away\n".to_owned()));
        let all = "[+]log rekor ok\n[!]log rekor witnesses warning: one is away\nreadyz check passed\n";
        for query in ["verbose", "verbose=1", "x=y&verbose="] {
            assert_eq!(ask(&ready, &format!("/readyz?{query}")).await, (200, all.to_owned()));
        }
        let doubtful = |log: &str| Finding::unless("log", log, Some(format!("the {log} log is\nQUARANTINED")));
        let not_ready = [passed, warned, failed.clone(), doubtful("ct"), doubtful("rekor2"), failed];
        // Each once, and on a line of its own.
        let said = "it does not answer\nthe ct log is QUARANTINED\nthe rekor2 log is QUARANTINED\n";
        assert_eq!(ask(&not_ready, "/readyz?verbosely").await, (503, said.to_owned()));
        let all = "[+]log rekor ok\n[!]log rekor witnesses warning: one is away\n\
                   [-]ca certificate log failed: it does not answer\n\
                   [-]log ct failed: the ct log is QUARANTINED\n\
                   [-]log rekor2 failed: the rekor2 log is QUARANTINED\n\
                   [-]ca certificate log failed: it does not answer\nreadyz check failed\n";
        assert_eq!(ask(&not_ready, "/readyz?verbose").await, (503, all.to_owned()));
        // A restart would not mend it.
        assert_eq!(ask(&not_ready, "/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(ask(&not_ready, "/healthz").await.0, 200);
        assert_eq!(ask(&not_ready, "/ping").await, (200, ".".to_owned()));
    }
}
