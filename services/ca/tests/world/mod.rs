//! A small world around the authority: an issuer, a log, a clock. Everything real but the network.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot build its world has failed")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_ca::chain::IssuingChain;
use chancery_ca::identity::IssuerKind;
use chancery_ca::issue::Pipeline;
use chancery_ca::oidc::{Authenticator, Fetch, FetchError, Fetched};
use chancery_ca::transparency::{Acceptance, CertificateLog, LogError, Submission, Transparency};
use chancery_ca::{Access, CertificateAuthority, ClientAlgorithms, IssuerSettings, Rates, Records};
use chancery_daemon::clock::{ClockGuard, FixedClock, FixedUptime};
use chancery_daemon::http::openapi::{self, Document};
use chancery_daemon::random::Random;
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::Certificate;
use chancery_verify::key::KeyKind;
use chancery_verify::sct::{self, LogEntry, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Timestamp};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;
use url::Url;

/// 2026-11-21T07:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_244_400);
pub(crate) const ISSUER: &str = "https://issuer.example.test/realm";
pub(crate) const EMAIL: &str = "alice@example.test";
pub(crate) const SUBJECT: &str = "user-1";

/// Counts instead of drawing: every run of a test makes the same serial numbers.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = u8::try_from(self.0.fetch_add(1, Ordering::SeqCst) % 251).unwrap();
        }
    }
}

/// Documents by URL, and how often each was asked for.
#[derive(Default)]
pub(crate) struct Documents {
    pub(crate) answers: Mutex<HashMap<String, Vec<u8>>>,
    pub(crate) requests: AtomicUsize,
}

impl Documents {
    pub(crate) fn put(&self, url: &str, body: &Value) {
        self.answers.lock().unwrap().insert(url.to_owned(), body.to_string().into_bytes());
    }

    pub(crate) fn remove_all(&self) {
        self.answers.lock().unwrap().clear();
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Publishes `keys` (JWKs) as those of [`ISSUER`].
    pub(crate) fn publish(&self, keys: &[Value]) {
        self.put(
            &format!("{ISSUER}/.well-known/openid-configuration"),
            &json!({"issuer": ISSUER, "jwks_uri": "https://issuer.example.test/keys"}),
        );
        self.put("https://issuer.example.test/keys", &json!({ "keys": keys }));
    }
}

impl Fetch for Documents {
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.lock().unwrap().get(url.as_str()).cloned();
        Box::pin(async move { answer.ok_or(FetchError::Status { url: url.clone(), status: 404 }) })
    }
}

/// What a log may do to a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Honest,
    Down,
    Silent,
    SignsSomethingElse,
    SignsWithAnotherKey,
}

pub(crate) struct FakeLog {
    signer: Signer,
    other: Signer,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) submissions: Mutex<Vec<Vec<Vec<u8>>>>,
}

impl FakeLog {
    fn new() -> Self {
        let key = || Signer::generate(KeyKind::P256).unwrap().0;
        Self { signer: key(), other: key(), behaviour: Mutex::new(Behaviour::Honest), submissions: Mutex::default() }
    }

    async fn promise(&self, chain: Vec<Vec<u8>>, precertificate: bool) -> Result<SignedCertificateTimestamp, LogError> {
        let behaviour = *self.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Down => return Err(LogError::Unavailable { reason: "test".to_owned() }),
            Behaviour::Silent => std::future::pending().await,
            _ => {}
        }
        let issuer = Certificate::from_der(&chain[1]).unwrap();
        // A log that confuses the two endpoints is the dishonest one.
        let entry = if precertificate == (behaviour != Behaviour::SignsSomethingElse) {
            Certificate::from_der(&chain[0]).unwrap().precert_entry(issuer.public_key()).unwrap()
        } else {
            LogEntry::X509 { certificate: chain[0].clone() }
        };
        let index = u64::try_from(self.submissions.lock().unwrap().len()).unwrap();
        self.submissions.lock().unwrap().push(chain);
        let extensions = sct::leaf_index_extension(index).unwrap().to_vec();
        let signed = sct::sct_signed_bytes(NOW, &entry, &extensions).unwrap();
        let signer = if behaviour == Behaviour::SignsWithAnotherKey { &self.other } else { &self.signer };
        let signature = signer.sign(&signed).await.unwrap();
        Ok(SignedCertificateTimestamp {
            log_id: self.signer.public_key().fingerprint(),
            timestamp: NOW,
            extensions,
            signature,
        })
    }
}

impl CertificateLog for FakeLog {
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        Box::pin(self.promise(chain, true))
    }

    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        Box::pin(self.promise(chain, false))
    }

    fn accept_root(&self, _root: Vec<u8>) -> Acceptance<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }
}

pub(crate) struct World {
    pub(crate) authority: Arc<CertificateAuthority>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) log: Arc<FakeLog>,
    pub(crate) chain: IssuingChain,
    pub(crate) issuer_key: Signer,
    pub(crate) client: Signer,
    pub(crate) router: Router,
}

pub(crate) const EMAIL_KIND: IssuerKind =
    IssuerKind::Email { address_claim: None, issuer_claim: None, accept_unverified: false };

pub(crate) fn email_issuer() -> IssuerSettings {
    IssuerSettings::new(ISSUER, EMAIL_KIND)
}

/// Every issuer is asked through `documents`.
pub(crate) fn fetchers(documents: &Arc<Documents>) -> impl Fn(&Access) -> Result<Arc<dyn Fetch>, String> {
    let documents = Arc::clone(documents);
    move |_| Ok(documents.clone() as Arc<dyn Fetch>)
}

/// What a world may be made of instead of the usual.
struct Choices {
    issuers: Vec<IssuerSettings>,
    issuing: Signer,
    permitted: ClientAlgorithms,
    rates: Rates,
    records: Records,
    transparency: fn(Arc<FakeLog>) -> Transparency,
    /// Moved apart from the clock; otherwise moving the clock is time that passes.
    uptime: Option<Arc<FixedUptime>>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            issuers: vec![email_issuer()],
            issuing: Signer::generate(KeyKind::P256).unwrap().0,
            permitted: ClientAlgorithms::default(),
            rates: Rates::default(),
            records: Records::default(),
            transparency: |log| Transparency::Embedded(log),
            uptime: None,
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::trusting(vec![email_issuer()]).await
    }

    pub(crate) async fn trusting(issuers: Vec<IssuerSettings>) -> Self {
        Self::make(Choices { issuers, ..Choices::default() }).await
    }

    /// As [`Self::new`], with this key as the authority's, for these keys of clients.
    pub(crate) async fn issuing_with(issuing: Signer, permitted: ClientAlgorithms) -> Self {
        Self::make(Choices { issuing, permitted, ..Choices::default() }).await
    }

    pub(crate) async fn limited(rates: Rates) -> Self {
        Self::make(Choices { rates, ..Choices::default() }).await
    }

    pub(crate) async fn recorded(records: Records) -> Self {
        Self::make(Choices { records, ..Choices::default() }).await
    }

    pub(crate) async fn with_transparency(transparency: fn(Arc<FakeLog>) -> Transparency) -> Self {
        Self::make(Choices { transparency, ..Choices::default() }).await
    }

    /// As [`Self::recorded`], with a clock that can jump: time passes by `uptime` alone.
    pub(crate) async fn watched(uptime: &Arc<FixedUptime>, records: Records) -> Self {
        Self::make(Choices { uptime: Some(uptime.clone()), records, ..Choices::default() }).await
    }

    async fn make(choices: Choices) -> Self {
        let Choices { issuers, issuing, permitted, rates, records, transparency, uptime } = choices;
        let key = |kind| Signer::generate(kind).unwrap().0;
        let (root, issuing) = (key(KeyKind::P256), Arc::new(issuing));
        let random = Arc::new(Counting::default());
        let chain = IssuingChain::create("Example Org", 1, &root, &issuing, random.as_ref(), NOW).await.unwrap();
        let (clock, documents, log) =
            (Arc::new(FixedClock::new(NOW)), Arc::new(Documents::default()), Arc::new(FakeLog::new()));
        let issuer_key = key(KeyKind::P256);
        documents.publish(&[jwk(issuer_key.public_key(), Some("k1"))]);
        let authenticator = Authenticator::new(issuers, &fetchers(&documents)).unwrap();
        let pipeline = Pipeline::new(chain.clone(), issuing, transparency(log.clone()), random).unwrap();
        let guard = match uptime {
            None => clock.guard(),
            Some(uptime) => Arc::new(ClockGuard::new(clock.clone(), uptime, NOW)),
        };
        let authority = CertificateAuthority::new(authenticator, pipeline, guard)
            .with_client_algorithms(permitted)
            .limited(rates)
            .recorded(records);
        let authority = Arc::new(authority);
        let mut description = Document::new("Certificate authority", "2");
        chancery_ca::http::describe(&mut description);
        let router = chancery_ca::router(Arc::clone(&authority)).merge(openapi::router(&description.into_json()));
        Self { authority, clock, documents, log, chain, issuer_key, client: key(KeyKind::P256), router }
    }

    pub(crate) async fn token(&self) -> String {
        token(&self.issuer_key, &header("ES256", Some("k1")), &claims()).await
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> (StatusCode, String, Vec<u8>) {
        let response = self.respond(request).await;
        let status = response.status();
        let kind = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
        (status, kind, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String, Vec<u8>) {
        self.request(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: impl Into<Body>,
    ) -> (StatusCode, String, Vec<u8>) {
        let mut request = Request::post(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.request(request.body(body.into()).unwrap()).await
    }

    /// The body of a v2 request with this world's client key, proof over `challenge`.
    pub(crate) async fn possession(&self, challenge: &str) -> Value {
        possession(&self.client, challenge).await
    }
}

pub(crate) async fn possession(client: &Signer, challenge: &str) -> Value {
    let proof = STANDARD.encode(client.sign(challenge.as_bytes()).await.unwrap());
    json!({"publicKeyRequest": {
        "publicKey": {"algorithm": "ECDSA", "content": client.public_key().to_pem()},
        "proofOfPossession": proof,
    }})
}

pub(crate) fn header(algorithm: &str, key_id: Option<&str>) -> Value {
    let mut header = json!({"alg": algorithm, "typ": "JWT"});
    if let Some(key_id) = key_id {
        header["kid"] = json!(key_id);
    }
    header
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": "sigstore", "email": EMAIL, "email_verified": true,
        "iat": NOW.seconds(), "exp": NOW.seconds() + 300,
    })
}

pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A token signed by a P-256 or RSA key.
pub(crate) async fn token(key: &Signer, header: &Value, claims: &Value) -> String {
    token_of(key, &header.to_string(), &claims.to_string()).await
}

pub(crate) async fn token_of(key: &Signer, header: &str, claims: &str) -> String {
    let signed = unsigned(header, claims);
    let mut signature = key.sign(signed.as_bytes()).await.unwrap();
    if key.public_key().kind() == KeyKind::P256 {
        signature = fixed(&signature);
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An ECDSA P-256 signature in DER as `r‖s`.
pub(crate) fn fixed(der: &[u8]) -> Vec<u8> {
    let r_length = usize::from(der[3]);
    let halves = [&der[4..4 + r_length], &der[6 + r_length..]];
    let mut out = Vec::new();
    for half in halves {
        let digits = half.strip_prefix(&[0]).unwrap_or(half);
        out.extend(std::iter::repeat_n(0, 32 - digits.len()));
        out.extend_from_slice(digits);
    }
    out
}

/// The JWK of a P-256, RSA 2048 or Ed25519 key.
pub(crate) fn jwk(key: &PublicKey, key_id: Option<&str>) -> Value {
    let spki = key.spki_der();
    let end = |from: usize, to: usize| URL_SAFE_NO_PAD.encode(&spki[spki.len() - from..spki.len() - to]);
    let mut jwk = match key.kind() {
        KeyKind::P256 => json!({"kty": "EC", "crv": "P-256", "x": end(64, 32), "y": end(32, 0)}),
        KeyKind::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": end(32, 0)}),
        // … 256 bytes of modulus, then the exponent as INTEGER 65537.
        KeyKind::Rsa(2048) => json!({"kty": "RSA", "n": end(261, 5), "e": end(3, 0)}),
        other => panic!("no JWK for {other:?}"),
    };
    jwk["use"] = json!("sig");
    if let Some(key_id) = key_id {
        jwk["kid"] = json!(key_id);
    }
    jwk
}
