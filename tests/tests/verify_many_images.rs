//! `chancery verify image` on two hundred images in one run, each with a digest and a signature of its own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Person,
    key::{Key, sha256},
    registry::Registry,
    stack::chancery_binary,
};
use serde_json::{Value, json};
use std::{collections::HashSet, path::PathBuf};

const IMAGES: usize = 200;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What an image has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Signed {
    ByTheKey,
    ByAnotherKey,
    /// By the key, and the statement is about another image.
    AboutAnother,
    No,
}

impl Signed {
    const fn of(number: usize) -> Self {
        match number % 50 {
            7 => Self::No,
            17 => Self::ByAnotherKey,
            27 => Self::AboutAnother,
            _ => Self::ByTheKey,
        }
    }

    /// Status and code of the answer.
    const fn expected(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::ByTheKey => ("verified", None),
            Self::ByAnotherKey => ("refused", Some("bundle.key_hint")),
            Self::AboutAnother => ("refused", Some("subject.mismatch")),
            Self::No => ("refused", Some("image.none")),
        }
    }
}

fn manifest(layers: &Value, more: &Value) -> Value {
    let config = json!({ "mediaType": EMPTY, "digest": format!("sha256:{}", hex::encode(sha256(b"{}"))), "size": 2 });
    let mut manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    for (name, value) in more.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    manifest
}

/// cosign's signature of the image `digest` with a key, without a log.
fn bundle(key: &Key, digest: &str) -> Value {
    let payload = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "app", "digest": { "sha256": digest.trim_start_matches("sha256:") } }],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    })
    .to_string();
    let signed = format!("DSSEv1 {} {PAYLOAD_TYPE} {} {payload}", PAYLOAD_TYPE.len(), payload.len());
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": STANDARD.encode(sha256(&key.public_der())) } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": key.sign_base64(signed.as_bytes()) }],
        },
    })
}

/// Puts an image and its signature into the registry; returns its digest.
fn push(registry: &Registry, number: usize, key: &Key, other: &Key) -> String {
    let image = manifest(&json!([]), &json!({ "annotations": { "number": number.to_string() } }));
    let digest = registry.put_manifest("app", &image);
    let bundle = match Signed::of(number) {
        Signed::ByTheKey => bundle(key, &digest),
        Signed::ByAnotherKey => bundle(other, &digest),
        Signed::AboutAnother => bundle(key, &hex::encode(sha256(b"another image"))),
        Signed::No => return digest,
    };
    let layer = registry.put_blob("app", BUNDLE, bundle.to_string().as_bytes());
    let subject = json!({ "mediaType": MANIFEST, "digest": digest, "size": image.to_string().len() });
    registry.put_manifest("app", &manifest(&json!([layer]), &json!({ "artifactType": BUNDLE, "subject": subject })));
    digest
}

#[test]
fn two_hundred_images_have_an_answer_each_and_few_requests_at_a_time() {
    // Nothing of an instance is needed: the key is all that is trusted.
    let alice = Person::at("http://127.0.0.1:9", PathBuf::new(), ALICE);
    let registry = Registry::with_referrers(&alice);
    let (key, other) = (Key::generate(), Key::generate());
    alice.write("key.pub", key.public_pem());
    let digests: Vec<String> = (0..IMAGES).map(|number| push(&registry, number, &key, &other)).collect();
    assert_eq!(digests.iter().collect::<HashSet<_>>().len(), IMAGES);
    let images: Vec<String> = digests.iter().map(|digest| format!("{}/app@{digest}", registry.address())).collect();

    let run = |limits: &str| {
        registry.peak();
        let program = alice.program(chancery_binary()).args("verify image --json --key key.pub --insecure-ignore-tlog");
        let program = images.iter().fold(program.args(limits), chancery_tests::program::Program::arg);
        let outcome = program.run();
        assert_eq!(outcome.code(), 1, "{}", outcome.report());
        let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let results = document["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), IMAGES);
        for (number, (result, image)) in results.iter().zip(&images).enumerate() {
            let (status, code) = Signed::of(number).expected();
            assert_eq!((&result["status"], result["code"].as_str()), (&status.into(), code), "{number}: {result}");
            assert_eq!(result["pinned"], *image, "the answers are in the order of the images");
        }
        registry.peak()
    };
    assert_eq!(run("--parallel 1 --registry-concurrency 1"), 1);
    let peak = run("--parallel 16 --registry-concurrency 3");
    assert!((2..=3).contains(&peak), "{peak} requests at the same time");
    let peak = run("");
    assert!((2..=8).contains(&peak), "{peak} requests at the same time");
}

#[test]
fn an_image_that_is_named_often_is_looked_up_once() {
    let alice = Person::at("http://127.0.0.1:9", PathBuf::new(), ALICE);
    let registry = Registry::with_referrers(&alice);
    let (key, other) = (Key::generate(), Key::generate());
    alice.write("key.pub", key.public_pem());
    let image = format!("{}/app@{}", registry.address(), push(&registry, 0, &key, &other));
    registry.listings();
    let program = alice.program(chancery_binary()).args("verify image --json --parallel 8");
    let program = program.args("--key key.pub --insecure-ignore-tlog");
    let outcome = (0..50).fold(program, |program, _| program.arg(&image)).run();
    assert_eq!(outcome.code(), 0, "{}", outcome.report());
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["results"].as_array().unwrap().len(), 50);
    assert_eq!(registry.listings(), 1, "all share one look-up");
}
