//! no certificate is dated by a clock that jumps, and one that is right again is believed at once.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::http::Request;
use chancery_ca::Records;
use chancery_ca::audit::{AuditLog, Rotation};
use chancery_daemon::clock::{ClockFault, FixedUptime};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use world::{EMAIL, NOW, World};

const MONTH: u64 = 30 * 86_400;

/// Asks for a certificate; returns the status, `Retry-After`, and the reason of a refusal.
async fn ask(world: &World) -> (u16, Option<String>, Value) {
    let (token, body) = (world.token().await, world.possession(EMAIL).await.to_string());
    let request = Request::post("/api/v2/signingCert").header("authorization", format!("Bearer {token}"));
    let response = world.respond(request.body(body.into()).unwrap()).await;
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    (status, retry_after, body["details"][0]["reason"].clone())
}

#[tokio::test]
async fn no_certificate_is_dated_by_a_clock_that_jumps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let audit = Some(Arc::new(AuditLog::open(&path, Rotation::default()).unwrap()));
    let uptime = Arc::new(FixedUptime::default());
    let world = World::watched(&uptime, Records { audit, counts: None }).await;
    assert_eq!(ask(&world).await.0, 200);
    let logged = || world.log.submissions.lock().unwrap().len();
    let before = logged();
    // The token would be refused, too, but it is the clock that is wrong.
    for (clock, fault) in [
        (NOW.plus_seconds(MONTH), ClockFault::Ahead { seconds: MONTH }),
        (NOW.plus_seconds(60), ClockFault::Ahead { seconds: 60 }),
        (NOW.minus_seconds(3600), ClockFault::Behind { seconds: 3600 }),
    ] {
        world.clock.set(clock);
        assert_eq!(ask(&world).await, (503, Some("2".to_owned()), json!(fault.code())));
        assert_eq!(world.authority.obstacle(), Some(fault));
        let lines = std::fs::read_to_string(&path).unwrap();
        let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!((&line["event"], &line["code"]), (&json!("refused"), &json!(fault.code())));
    }
    assert_eq!(logged(), before, "nothing was asked of the log");
    world.clock.set(NOW.plus_seconds(5));
    uptime.set(Duration::from_secs(5));
    assert_eq!(world.authority.obstacle(), None);
    assert_eq!(ask(&world).await.0, 200);
}
