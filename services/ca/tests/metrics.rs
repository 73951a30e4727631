//! What strangers send makes no new series (S-26, GHSA-9c54-x2g4-v92j): a hundred thousand paths, methods, tokens and names.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::body::Body;
use axum::http::{Method, Request};
use chancery_ca::{Counts, Records};
use chancery_daemon::http;
use chancery_daemon::metrics::Metrics;
use chancery_daemon::random::{Random as _, SystemRandom};
use std::collections::BTreeSet;
use std::sync::Arc;
use tower::ServiceExt as _;
use world::{Behaviour, EMAIL, World};

const REQUESTS: usize = 100_000;

/// Names and labels, without values.
fn series(metrics: &Metrics) -> BTreeSet<String> {
    let text = metrics.text().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn letters(length: usize) -> String {
    let mut bytes = vec![0; length];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(b'A' + byte % 26)).collect()
}

#[tokio::test]
async fn a_hundred_thousand_strange_requests_make_no_new_series() {
    let metrics = Metrics::default();
    let counts = Counts::register(&metrics).unwrap();
    let world = World::recorded(Records { counts: Some(counts), ..Records::default() }).await;
    let routes = chancery_ca::measured_router(Arc::clone(&world.authority), &metrics).unwrap();
    let routes = http::measured(http::shell(routes, Arc::new(Vec::new)), &metrics).unwrap();
    let send = |method: Method, path: String, body: String| {
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        routes.clone().oneshot(request)
    };
    let usual = [Method::GET, Method::POST, Method::HEAD, Method::PUT, Method::OPTIONS];
    let known = ["/api/v2/signingCert", "/api/v2/trustBundle", "/api/v1/rootCert", "/healthz", "/nowhere"];
    let strange = |number: usize| {
        let method = match number % 7 {
            usual_one @ 0..5 => usual[usual_one].clone(),
            _ => Method::from_bytes(letters(8).as_bytes()).unwrap(),
        };
        let path = match number % 11 {
            known_one @ 0..5 => format!("{}?{}={}", known[known_one], letters(4), letters(8)),
            5 => format!("/api/v1/{}", letters(8)),
            6 => format!("/dev.sigstore.fulcio.v2.CA/{}", letters(8)),
            7 => format!("//{}", letters(200)),
            8 => format!("/%{:02x}{}", number % 256, letters(8)),
            _ => format!("/{}/{}", letters(5), letters(5)),
        };
        (method, path, format!(r#"{{"credentials":{{"oidcIdentityToken":"{}"}}}}"#, letters(64)))
    };
    // Each combination of what is bounded has been seen once after a few thousand.
    let mut before = BTreeSet::new();
    for number in 0..REQUESTS {
        let (method, path, body) = strange(number);
        send(method, path, body).await.unwrap();
        if number == REQUESTS / 20 {
            before = series(&metrics);
        }
    }
    let after = series(&metrics);
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(after.len() < 1000, "{}", after.len());
    let requests = after.iter().filter(|name| name.starts_with("chancery_http_requests_total{")).count();
    assert!((10..100).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_promise_that_does_not_verify_is_counted_apart_and_from_zero_on() {
    let metrics = Metrics::default();
    let counts = Counts::register(&metrics).unwrap();
    let world = World::recorded(Records { counts: Some(counts), ..Records::default() }).await;
    let failed = |count: u32| {
        let text = metrics.text().unwrap();
        assert!(text.contains(&format!("\nchancery_ca_self_check_failures_total {count}\n")), "{text}");
    };
    let ask = async || {
        let (token, body) = (world.token().await, world.possession(EMAIL).await.to_string());
        world.post("/api/v2/signingCert", Some(&token), body).await.0.as_u16()
    };
    assert_eq!(ask().await, 200);
    failed(0);
    // Not reached is no failed check.
    *world.log.behaviour.lock().unwrap() = Behaviour::Down;
    assert_eq!(ask().await, 503);
    failed(0);
    *world.log.behaviour.lock().unwrap() = Behaviour::SignsWithAnotherKey;
    assert_eq!(ask().await, 500);
    failed(1);
}
