//! The audit log, where the client does not wait for the answer.

mod world;

use chancery_ca::Records;
use chancery_ca::audit::{AuditLog, Rotation};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use world::{Behaviour, EMAIL, World};

#[tokio::test(start_paused = true)]
async fn what_was_begun_is_recorded_though_nobody_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let audit = Some(Arc::new(AuditLog::open(&path, Rotation::default()).unwrap()));
    let world = World::recorded(Records { audit, counts: None }).await;
    *world.log.behaviour.lock().unwrap() = Behaviour::Silent;
    let (token, body) = (world.token().await, world.possession(EMAIL).await.to_string());
    let asked = world.post("/api/v2/signingCert", Some(&token), body);
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err(), "the client hangs up");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(
        (&line["event"], &line["code"], &line["identity"]),
        (&"refused".into(), &"ct.deadline".into(), &EMAIL.into())
    );
}
