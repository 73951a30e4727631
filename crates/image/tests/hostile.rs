//! Content that a registry, or an attacker with push access, can put in place of signatures. Signatures are not
//! verified here. The tests check which items become candidates, which are set aside with a reason, and which leave the
//! search incomplete.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use axum::{
    Router,
    body::Body,
    http::{Response, Uri},
};
use chancery_image::{Found, Layout, MAX_FETCHED, Signed, find};
use chancery_registry::{Client, Digest, Options, Repository};
use chancery_verify::HashAlgorithm;
use std::{collections::HashMap, sync::Arc, time::Duration};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

/// The image that is asked about.
fn target() -> Digest {
    sha256(b"image")
}

/// Answers by path below `/v2/app/`: status, type and body.
#[derive(Clone, Default)]
struct Answers(HashMap<String, (u16, String, Vec<u8>)>);

impl Answers {
    fn with(mut self, path: impl Into<String>, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), (200, kind.to_owned(), body.into()));
        self
    }

    fn failing(mut self, path: impl Into<String>, status: u16) -> Self {
        self.0.insert(path.into(), (status, "text/plain".to_owned(), Vec::new()));
        self
    }

    /// A manifest that the referrers API lists, and its one blob.
    fn referrer(self, listed: &mut Vec<String>, manifest: &str, kind: &str) -> Self {
        let digest = sha256(manifest.as_bytes());
        let size = manifest.len();
        listed
            .push(format!(r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{size},"artifactType":"{kind}"}}"#));
        self.with(format!("manifests/{digest}"), MANIFEST, manifest)
    }

    fn listing(self, listed: &[String]) -> Self {
        let body = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, listed.join(","));
        self.with(format!("referrers/{}", target()), INDEX, body)
    }

    async fn ask(self, layout: Layout) -> Result<Found, &'static str> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let repository: Repository = format!("{}/app", listener.local_addr().unwrap()).parse().unwrap();
        let answers = Arc::new(self.0);
        let handle = move |uri: Uri| {
            let answers = Arc::clone(&answers);
            async move {
                let path = uri.path().trim_start_matches("/v2/app/");
                let missing = (404, "text/plain".to_owned(), Vec::new());
                let (status, kind, body) = answers.get(path).cloned().unwrap_or(missing);
                let answer =
                    Response::builder().status(status).header("content-type", kind).header("retry-after", "99");
                answer.body(Body::from(body)).unwrap()
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
        let client = Client::new(Options { request: Duration::from_secs(5), ..Options::default() }).unwrap();
        find(&client, &repository, &target(), layout).await.map_err(|error| error.code())
    }
}

/// A manifest of an artifact about `subject` with these layers.
fn manifest(subject: &Digest, artifact: &str, layers: &[&[u8]]) -> String {
    let one =
        |bytes: &&[u8]| format!(r#"{{"mediaType":"{BUNDLE}","digest":"{}","size":{}}}"#, sha256(bytes), bytes.len());
    let layers: Vec<String> = layers.iter().map(one).collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"{artifact}",
            "config":{{"mediaType":"{EMPTY}","digest":"{}","size":2}},"layers":[{}],
            "subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":5}}}}"#,
        sha256(b"{}"),
        layers.join(",")
    )
}

/// A well-formed bundle by an unknown key.
fn bundle() -> Vec<u8> {
    format!(
        r#"{{"mediaType":"{BUNDLE}","verificationMaterial":{{"publicKey":{{"hint":"k"}}}},
            "messageSignature":{{"messageDigest":{{"algorithm":"SHA2_256","digest":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}},"signature":"AAAA"}}}}"#
    )
    .into_bytes()
}

fn blob(bytes: &[u8]) -> String {
    format!("blobs/{}", sha256(bytes))
}

fn codes(found: &Found) -> Vec<&'static str> {
    found.broken.iter().map(|broken| broken.code).collect()
}

#[tokio::test]
async fn rubbish_beside_a_signature_hides_nothing_and_has_a_reason() {
    let good = bundle();
    let mut listed = Vec::new();
    let answers = Answers::default()
        .with(blob(&good), "", good.clone())
        .with(blob(b"other"), "", "OTHER")
        .with(blob(b"not json"), "", "not json")
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[&good]), BUNDLE)
        .referrer(&mut listed, &manifest(&sha256(b"other image"), BUNDLE, &[&good]), BUNDLE)
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[&good, &good]), BUNDLE)
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[]), BUNDLE)
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[b"other"]), BUNDLE)
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[b"not json"]), BUNDLE)
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[b"gone"]), BUNDLE)
        .referrer(&mut listed, "{", BUNDLE);
    let found = answers.listing(&listed).ask(Layout::Bundle).await.unwrap();
    assert_eq!(found.candidates.len(), 1);
    assert_eq!(found.candidates[0].signed, Signed::Manifest);
    assert_eq!(
        codes(&found),
        [
            "image.subject",
            "image.layout",
            "image.layout",
            "image.digest",
            "bundle.malformed",
            "registry.not_found",
            "image.layout"
        ]
    );
}

#[tokio::test]
async fn what_is_no_bundle_is_not_even_fetched() {
    let good = bundle();
    let mut listed = Vec::new();
    let answers = Answers::default()
        .with(blob(&good), "", good.clone())
        .referrer(&mut listed, &manifest(&target(), "application/spdx+json", &[&good]), "application/spdx+json")
        // Clients without the referrers API write the type of the configuration into their list.
        .referrer(&mut listed, &manifest(&target(), BUNDLE, &[&good]), EMPTY)
        .referrer(&mut listed, &manifest(&target(), "application/x", &[&good]), EMPTY);
    let sbom = sha256(manifest(&target(), "application/spdx+json", &[&good]).as_bytes());
    let answers = answers.failing(format!("manifests/{sbom}"), 500);
    let found = answers.listing(&listed).ask(Layout::Bundle).await.unwrap();
    assert_eq!((found.candidates.len(), found.broken.len()), (1, 0));
}

#[tokio::test]
async fn a_list_at_a_tag_may_be_stale_and_the_api_may_not() {
    let gone = sha256(b"gone");
    let list = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{MANIFEST}","digest":"{gone}","size":4,"artifactType":"{BUNDLE}"}}]}}"#
    );
    let tag = format!("manifests/sha256-{}", target().hex());
    let found = Answers::default().with(&tag, INDEX, list.clone()).ask(Layout::Bundle).await.unwrap();
    assert_eq!(found, Found::default());
    let api = Answers::default().with(format!("referrers/{}", target()), INDEX, list);
    assert_eq!(codes(&api.ask(Layout::Bundle).await.unwrap()), ["registry.not_found"]);
}

#[tokio::test]
async fn what_is_not_answered_is_open_in_every_layout() {
    let good = bundle();
    let mut listed = Vec::new();
    let one = Answers::default().referrer(&mut listed, &manifest(&target(), BUNDLE, &[&good]), BUNDLE).listing(&listed);
    let own = format!("manifests/{}", sha256(manifest(&target(), BUNDLE, &[&good]).as_bytes()));
    let tag = |suffix: &str| format!("manifests/sha256-{}{suffix}", target().hex());
    for (status, code) in [(429, "registry.throttled"), (403, "registry.denied"), (503, "registry.unavailable")] {
        for path in [blob(&good), own.clone(), tag("")] {
            assert_eq!(one.clone().failing(&path, status).ask(Layout::Bundle).await, Err(code), "{path}");
        }
        for path in [tag(".sig"), tag(".att")] {
            assert_eq!(Answers::default().failing(&path, status).ask(Layout::Legacy).await, Err(code), "{path}");
            // Which layout counts is not the registry's choice.
            let found = Answers::default().failing(&path, status).ask(Layout::Bundle).await.unwrap();
            assert_eq!(found, Found::default());
        }
    }
}

/// GHSA-95pr-fxf5-86gv: cosign fetched any number of signatures and attestations.
#[tokio::test]
async fn there_is_an_end_to_what_is_fetched() {
    let mut listed = Vec::new();
    for number in 0..=MAX_FETCHED {
        let digest = sha256(number.to_string().as_bytes());
        listed.push(format!(r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":4,"artifactType":"{BUNDLE}"}}"#));
    }
    assert_eq!(Answers::default().listing(&listed).ask(Layout::Bundle).await, Err("image.too_many"));
    let layer = r#"{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;
    let many = format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, vec![layer; MAX_FETCHED + 1].join(","));
    let tag = format!("manifests/sha256-{}.sig", target().hex());
    assert_eq!(Answers::default().with(&tag, MANIFEST, many).ask(Layout::Legacy).await, Err("image.too_many"));
    let large = r#"{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":33554433}]}"#;
    let found = Answers::default().with(&tag, MANIFEST, large).ask(Layout::Legacy).await.unwrap();
    assert_eq!(codes(&found), ["image.too_large"]);
    // Each may be as large as it is, and all together may not. None of them is there: their sizes are enough.
    let largest = large.replace("33554433", "33554432").replace(r#"{"schemaVersion":2,"layers":["#, "");
    let largest = largest.trim_end_matches("]}");
    let together = |count: usize| format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, vec![largest; count].join(","));
    let found = Answers::default().with(&tag, MANIFEST, together(8)).ask(Layout::Legacy).await.unwrap();
    assert_eq!(codes(&found), ["registry.not_found"; 8]);
    let found = Answers::default().with(&tag, MANIFEST, together(9)).ask(Layout::Legacy).await;
    assert_eq!(found, Err("image.too_many"));
}

#[tokio::test]
async fn cosigns_layers_become_candidates_or_have_a_reason() {
    let payload = br#"{"critical":{}}"#;
    let layer = |kind: &str, annotations: &str| {
        let digest = sha256(payload);
        format!(
            r#"{{"mediaType":"{kind}","digest":"{digest}","size":{},"annotations":{{{annotations}}}}}"#,
            payload.len()
        )
    };
    let simple = "application/vnd.dev.cosign.simplesigning.v1+json";
    let layers = [
        layer(simple, r#""dev.cosignproject.cosign/signature":"AAAA""#),
        layer(simple, ""),
        layer(simple, r#""dev.cosignproject.cosign/signature":"*""#),
        layer("text/plain", r#""dev.cosignproject.cosign/signature":"AAAA""#),
    ];
    let manifest = format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","));
    let tag = format!("manifests/sha256-{}.sig", target().hex());
    let answers = Answers::default().with(&tag, MANIFEST, manifest).with(blob(payload), "", payload.as_slice());
    let found = answers.ask(Layout::Legacy).await.unwrap();
    assert_eq!(found.candidates.len(), 1);
    assert_eq!(found.candidates[0].signed, Signed::Payload(payload.to_vec()));
    assert_eq!(found.candidates[0].place.layer, 0);
    assert_eq!(codes(&found), ["bundle.missing", "bundle.malformed", "image.media_type"]);
    let index = Answers::default().with(&tag, INDEX, r#"{"schemaVersion":2,"manifests":[]}"#);
    assert_eq!(codes(&index.ask(Layout::Legacy).await.unwrap()), ["image.layout"]);
}

#[tokio::test]
async fn referrers_of_cosign_2_are_read_where_they_are_asked_for() {
    let payload = br#"{"critical":{}}"#;
    let referring = |artifact: &str, subject: &Digest, layers: usize| {
        let layer = format!(
            r#"{{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"{}","size":{},
                "annotations":{{"dev.cosignproject.cosign/signature":"AAAA"}}}}"#,
            sha256(payload),
            payload.len()
        );
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"{artifact}","digest":"{}","size":2}},
                "layers":[{}],"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":5}}}}"#,
            sha256(b"{}"),
            vec![layer; layers].join(",")
        )
    };
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let mut listed = Vec::new();
    let answers = Answers::default()
        .with(blob(payload), "", payload.as_slice())
        .referrer(&mut listed, &referring(kind, &target(), 1), kind)
        // cosign reads the last list alone, and so misses what is in the others.
        .referrer(&mut listed, &referring(kind, &target(), 2), kind)
        .referrer(&mut listed, &referring(kind, &sha256(b"other"), 1), kind)
        .referrer(&mut listed, &referring("application/vnd.dev.cosign.artifact.sbom.v1+json", &target(), 1), EMPTY);
    let answers = answers.listing(&listed);
    let found = answers.clone().ask(Layout::Oci11).await.unwrap();
    assert_eq!((found.candidates.len(), codes(&found)), (3, vec!["image.subject"]));
    assert!(found.candidates.iter().all(|one| one.signed == Signed::Payload(payload.to_vec())));
    for layout in [Layout::Bundle, Layout::Legacy] {
        assert_eq!(answers.clone().ask(layout).await, Ok(Found::default()), "{layout:?}");
    }
    assert_eq!(answers.ask(Layout::All).await.unwrap().candidates.len(), 3);
    // What is not answered is open, and there is an end.
    for (path, status) in
        [(format!("referrers/{}", target()), 429), (format!("manifests/sha256-{}", target().hex()), 503)]
    {
        assert!(Answers::default().listing(&[]).failing(&path, status).ask(Layout::Oci11).await.is_err(), "{path}");
    }
    let mut many = Vec::new();
    let answers = Answers::default()
        .with(blob(payload), "", payload.as_slice())
        .referrer(&mut many, &referring(kind, &target(), MAX_FETCHED), kind)
        .referrer(&mut many, &referring(kind, &target(), MAX_FETCHED - 1), kind);
    assert_eq!(answers.listing(&many).ask(Layout::Oci11).await, Err("image.too_many"));
}
