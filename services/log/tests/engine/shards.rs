//! A Rekor v1 log goes on in its next shard while it is written to: no entry is refused, and every index is given once.

use crate::bench::{Bench, Running, START};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_log::rekor_v1::RekorV1;
use chancery_verify::hash::sha256;
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::ServiceExt as _;

const WRITERS: usize = 4;

async fn ask(router: &Router, method: Method, path: &str, body: String) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (status, body) = (response.status(), to_bytes(response.into_body(), usize::MAX).await.unwrap());
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn proposal(signer: &Signer, artifact: &str) -> String {
    let signature = STANDARD.encode(signer.sign(artifact.as_bytes()).await.unwrap());
    let key = STANDARD.encode(signer.public_key().to_pem());
    let spec = json!({
        "data": {"hash": {"algorithm": "sha256", "value": hex::encode(sha256(artifact.as_bytes()))}},
        "signature": {"content": signature, "publicKey": {"content": key}},
    });
    json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": spec}).to_string()
}

fn id_and_index(entry: &Value) -> (String, u64) {
    let (id, entry) = entry.as_object().unwrap().iter().next().unwrap();
    (id.clone(), entry["logIndex"].as_u64().unwrap())
}

/// Writes until it is told to stop; every answer must be a new entry, which can be read through every router at once.
async fn write(routers: Vec<Router>, name: usize, done: Arc<AtomicBool>) -> Vec<(String, u64)> {
    let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
    let mut logged = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let artifact = format!("{name} {}", logged.len());
        let router = &routers[(name + logged.len()) % routers.len()];
        let body = proposal(&signer, &artifact).await;
        let (status, answer) = ask(router, Method::POST, "/api/v1/log/entries", body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let (id, index) = id_and_index(&answer);
        for reader in &routers {
            for path in [format!("?logIndex={index}"), format!("/{id}"), format!("/{}", &id[16..])] {
                let path = format!("/api/v1/log/entries{path}");
                let (status, read) = ask(reader, Method::GET, &path, String::new()).await;
                assert_eq!((status, id_and_index(&read)), (StatusCode::OK, (id.clone(), index)), "{path}");
            }
        }
        logged.push((id, index));
    }
    logged
}

/// One process, or with `twin` two that know nothing of each other but the database.
async fn switch(bench: &Bench, twin: Option<Bench>) {
    let signer = || Arc::new(Signer::generate(KeyKind::P256).unwrap().0);
    let (given_up, next) = (signer(), signer());
    let (mut running, mut logs): (Vec<Running>, Vec<RekorV1>) = (Vec::new(), Vec::new());
    for bench in std::iter::once(bench).chain(&twin) {
        let first = bench.start().await;
        let rekor = RekorV1::new(first.log.clone());
        // The second shard was given up, which the first process has not heard of; its twin does not know it at all.
        let known = if running.is_empty() { vec![("rekor-2", &given_up)] } else { Vec::new() };
        for (name, signer) in known.into_iter().chain([("rekor-3", &next)]) {
            rekor.add_shard(first.open_beside(bench, name, signer.clone()).await).await.unwrap();
        }
        running.push(first);
        logs.push(rekor);
    }
    let routers: Vec<Router> = logs.iter().map(RekorV1::router).collect();
    let done = Arc::<AtomicBool>::default();
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(routers.clone(), writer, done.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    logs[0].switch_to(3, START).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    done.store(true, Ordering::Relaxed);
    let mut entries = BTreeMap::new();
    for writer in writers {
        for (id, index) in writer.await.unwrap() {
            assert_eq!(entries.insert(index, id), None, "an index is given once");
        }
    }
    for router in &routers {
        let (_, info) = ask(router, Method::GET, "/api/v1/log", String::new()).await;
        let [closed] = info["inactiveShards"].as_array().unwrap().as_slice() else { panic!("{info}") };
        let (before, after) = (closed["treeSize"].as_u64().unwrap(), info["treeSize"].as_u64().unwrap());
        // Only an entry of our own is missing: the new shard's first, however many processes have seen the shard empty.
        let missing: Vec<u64> = (0..before + after).filter(|index| !entries.contains_key(index)).collect();
        assert_eq!(missing, [before]);
        for (index, id) in &entries {
            let tree = if *index < before { &closed["treeID"] } else { &info["treeID"] };
            assert_eq!(tree, i64::from_str_radix(&id[..16], 16).unwrap().to_string().as_str());
        }
        let past = format!("/api/v1/log/entries?logIndex={}", before + after);
        assert_eq!(ask(router, Method::GET, &past, String::new()).await.0, StatusCode::NOT_FOUND);
    }
    // Nothing happens the second time.
    logs[0].switch_to(3, START).await.unwrap();
    for running in running {
        running.stop().await;
    }
}

pub(crate) async fn a_switch_under_load_refuses_nobody_and_gives_every_index_once(bench: Bench) {
    switch(&bench, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_switch_without_knowing_of_each_other() {
    let bench = Bench::postgres();
    let twin = bench.twin();
    switch(&bench, Some(twin)).await;
}
