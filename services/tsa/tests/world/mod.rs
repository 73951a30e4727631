//! An authority with a clock that tests can set, asked over its router.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]
#![allow(dead_code, reason = "each test binary uses what it needs")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request as HttpRequest, StatusCode, header};
use chancery_daemon::clock::{ClockGuard, FixedClock, FixedUptime};
use chancery_daemon::random::SystemRandom;
use chancery_daemon::signer::Signer;
use chancery_tsa::{Policies, Profile, TimestampAuthority, chain, router};
use chancery_verify::key::KeyKind;
use chancery_verify::timestamping::{Authority, Imprint, Request};
use chancery_verify::{HashAlgorithm, Timestamp};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

/// When every test begins.
pub(crate) const START: u64 = 1_795_244_400;
pub(crate) const PATH: &str = "/api/v1/timestamp";
pub(crate) const DER: &str = "application/timestamp-query";
pub(crate) const JSON: &str = "application/json";

pub(crate) struct World {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) uptime: Arc<FixedUptime>,
    pub(crate) authority: Arc<TimestampAuthority>,
    pub(crate) router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(KeyKind::P256, Policies::default()).await
    }

    pub(crate) async fn with(kind: KeyKind, profile: impl Into<Profile>) -> Self {
        let (signer, root) = (Signer::generate(kind).unwrap().0, Signer::generate(kind).unwrap().0);
        let start = Timestamp::from_seconds(START - 10);
        let certificates = chain::create("Test", 1, &root, &signer, &SystemRandom, start).await.unwrap();
        Self::over(certificates, Arc::new(signer), profile)
    }

    pub(crate) fn over(certificates: Authority, signer: Arc<Signer>, profile: impl Into<Profile>) -> Self {
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(START)));
        let uptime = Arc::new(FixedUptime::default());
        let guard = ClockGuard::new(clock.clone(), uptime.clone(), Timestamp::from_seconds(0));
        let authority = TimestampAuthority::new(certificates, signer, profile, guard, Arc::new(SystemRandom));
        let authority = Arc::new(authority.unwrap());
        let router = router(authority.clone());
        Self { clock, uptime, authority, router }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.set(Timestamp::from_seconds(START + seconds));
        self.uptime.set(Duration::from_secs(seconds));
    }

    pub(crate) async fn ask(&self, kind: &str, body: impl Into<Body>) -> Answer {
        self.send(Method::POST, PATH, &[("content-type", kind)], body.into()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = HttpRequest::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body }
    }
}

/// A request for the timestamp of a digest.
pub(crate) fn request(digest: &[u8]) -> Request<'_> {
    let imprint = Imprint { hash: HashAlgorithm::Sha256, digest, null_parameters: true };
    Request { imprint, policy: None, nonce: None, certificates: false, extensions: None }
}
