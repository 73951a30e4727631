//! A pool that is full: clients are told to come back, reads go on, and nothing that was taken in is lost.

use crate::bench::{Bench, Running, entry};
use crate::hooked::{Hooked, Step};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_log::rekor_v1::RekorV1;
use chancery_log::{Error, Outcome};
use chancery_verify::hash::sha256;
use chancery_verify::key::KeyKind;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::block_in_place;
use tower::ServiceExt as _;

/// More than a pool and a batch hold together.
const WRITERS: usize = 6000;

async fn request(running: &Running, method: Method, path: &str, body: String) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    RekorV1::new(running.log.clone()).router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

/// A valid proposal.
async fn proposal() -> String {
    let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
    let signature = STANDARD.encode(signer.sign(b"artifact").await.unwrap());
    let key = STANDARD.encode(signer.public_key().to_pem());
    let spec = json!({
        "data": {"hash": {"algorithm": "sha256", "value": hex::encode(sha256(b"artifact"))}},
        "signature": {"content": signature, "publicKey": {"content": key}},
    });
    json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": spec}).to_string()
}

/// What holds a batch back.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    /// Whether a batch waits before it.
    holds: AtomicBool,
}

/// A log whose database does not take a batch while the gate is closed.
async fn start_gated(bench: &Bench, gate: &Arc<Gate>) -> Running {
    let database = bench.open().await.unwrap();
    let gate = gate.clone();
    let store = Hooked::new(database.store(), move |step| {
        while step == Step::BeforeIntegrate && gate.closed.load(Ordering::SeqCst) {
            gate.holds.store(true, Ordering::SeqCst);
            block_in_place(|| std::thread::sleep(Duration::from_millis(2)));
        }
        Ok(())
    });
    bench.start_over(database, Arc::new(store), bench.signer.clone(), "log.example").await.unwrap()
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn a_full_pool_tells_clients_to_come_back(bench: Bench) {
    let gate = Arc::<Gate>::default();
    let running = start_gated(&bench, &gate).await;
    running.log.append(entry("before")).await.unwrap();
    gate.closed.store(true, Ordering::SeqCst);
    let log = running.log.clone();
    let first = tokio::spawn(async move { log.append(entry("first")).await });
    until(|| gate.holds.load(Ordering::SeqCst)).await;
    let refused = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (log, refused) = (running.log.clone(), refused.clone());
            tokio::spawn(async move {
                match log.append(entry(&format!("entry {number}"))).await {
                    Ok(Outcome::Logged(_)) => true,
                    Err(Error::Busy { .. }) => {
                        refused.fetch_add(1, Ordering::SeqCst);
                        false
                    }
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    // The first refusal means that the pool is full, and nothing leaves it.
    until(|| refused.load(Ordering::SeqCst) > 0).await;
    let answer = request(&running, Method::POST, "/api/v1/log/entries", proposal().await).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    let body = to_bytes(answer.into_body(), 1000).await.unwrap();
    let message = "the transparency log takes no entries at the moment; try again";
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), json!({"code": 503, "message": message}));
    for path in ["/api/v1/log", "/api/v1/log/entries?logIndex=0", "/tlog/rekor/checkpoint"] {
        assert_eq!(request(&running, Method::GET, path, String::new()).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(running.log.obstacle(), None, "it is busy, not out of order");

    gate.closed.store(false, Ordering::SeqCst);
    assert!(matches!(first.await.unwrap(), Ok(Outcome::Logged(_))));
    let mut taken = 2;
    for writer in writers {
        taken += u64::from(writer.await.unwrap());
    }
    assert_eq!(taken + refused.load(Ordering::SeqCst) as u64, WRITERS as u64 + 2);
    let answer = request(&running, Method::POST, "/api/v1/log/entries", proposal().await).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(bench.check(&running).await.unwrap(), taken + 1);
    running.stop().await;
}
