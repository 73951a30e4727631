//! Well-formed bundles made for the tests, with every known field. Their signatures need not verify.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that fails here has found something")]
#![allow(dead_code, reason = "each test binary uses what it needs")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::pem;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const V01: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";
pub(crate) const V02: &str = "application/vnd.dev.sigstore.bundle+json;version=0.2";
pub(crate) const V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
pub(crate) const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A root, an intermediate below it, a leaf below that, and another root.
pub(crate) struct Certificates {
    pub(crate) root: Vec<u8>,
    pub(crate) intermediate: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
    pub(crate) foreign: Vec<u8>,
}

pub(crate) static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let named = |name: &str, ca: bool| {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        if ca {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        (parameters, KeyPair::generate().expect("a key"))
    };
    let ((root, root_key), (intermediate, intermediate_key)) = (named("root", true), named("intermediate", true));
    let ((leaf, leaf_key), (foreign, foreign_key)) = (named("leaf", false), named("foreign", true));
    let root_der = root.self_signed(&root_key).expect("a root").der().to_vec();
    let root = Issuer::new(root, root_key);
    let intermediate_der = intermediate.signed_by(&intermediate_key, &root).expect("an intermediate").der().to_vec();
    let intermediate = Issuer::new(intermediate, intermediate_key);
    Certificates {
        root: root_der,
        intermediate: intermediate_der,
        leaf: leaf.signed_by(&leaf_key, &intermediate).expect("a leaf").der().to_vec(),
        foreign: foreign.self_signed(&foreign_key).expect("a root").der().to_vec(),
    }
});

pub(crate) fn raw(der: &[u8]) -> Value {
    json!({"rawBytes": b64(der)})
}

pub(crate) fn entry(version: &str) -> Value {
    json!({
        "logIndex": "7", "logId": {"keyId": b64(&[1; 32])}, "kindVersion": {"kind": "hashedrekord", "version": version},
        "inclusionProof": {"logIndex": "5", "rootHash": b64(&[2; 32]), "treeSize": "9",
            "hashes": [b64(&[3; 32]), b64(&[4; 32])], "checkpoint": {"envelope": "log\n9\nroot\n\n— log sig\n"}},
        "canonicalizedBody": b64(b"{}"),
    })
}

/// A bundle of version 0.3 with an entry of Rekor v1 that has every field.
pub(crate) fn message() -> Value {
    let mut entry = entry("0.0.1");
    entry["integratedTime"] = "1700000000".into();
    entry["inclusionPromise"] = json!({"signedEntryTimestamp": b64(b"promise")});
    json!({
        "mediaType": V03,
        "verificationMaterial": {
            "certificate": raw(&CERTIFICATES.leaf), "tlogEntries": [entry],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": b64(b"token")}]},
        },
        "messageSignature":
            {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(&[5; 32])}, "signature": b64(b"signature")},
    })
}

/// As [`message`] with an envelope, a key and an entry of Rekor v2.
pub(crate) fn envelope() -> Value {
    json!({
        "mediaType": V03,
        "verificationMaterial": {"publicKey": {"hint": "key"}, "tlogEntries": [entry("0.0.2")]},
        "dsseEnvelope": {"payload": b64(b"{}"), "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": b64(b"signature"), "keyid": "key"}]},
    })
}

/// As [`message`] in version 0.1, with a chain.
pub(crate) fn chained() -> Value {
    let mut bundle = message();
    bundle["mediaType"] = V01.into();
    let material = bundle["verificationMaterial"].as_object_mut().expect("an object");
    material.remove("certificate");
    let chain = json!({"certificates": [raw(&CERTIFICATES.leaf), raw(&CERTIFICATES.intermediate)]});
    material.insert("x509CertificateChain".to_owned(), chain);
    bundle
}

/// Removes the value at `pointer`.
pub(crate) fn remove(document: &mut Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match parent {
        Value::Array(list) => list.remove(name.parse().expect("an index")),
        _ => parent.as_object_mut().expect("an object").remove(name).unwrap_or_else(|| panic!("{pointer}")),
    }
}

/// Sets the value at `pointer`. It need not exist yet.
pub(crate) fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"))[name] = value;
}

pub(crate) fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    set(&mut document, pointer, value);
    document
}

pub(crate) fn without(mut document: Value, pointer: &str) -> Value {
    remove(&mut document, pointer);
    document
}

/// Every pointer into a document, except the document itself.
pub(crate) fn pointers(document: &Value, prefix: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match document {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in members {
        let pointer = format!("{prefix}/{name}");
        found.push(pointer.clone());
        pointers(value, &pointer, found);
    }
}

/// The bundle of `cosign sign-blob --bundle` before version 3.
pub(crate) fn legacy() -> Value {
    let body = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {}}).to_string();
    let certificate = pem::encode(pem::CERTIFICATE, &CERTIFICATES.leaf);
    json!({
        "base64Signature": b64(b"signature"), "cert": b64(certificate.as_bytes()),
        "rekorBundle": {"SignedEntryTimestamp": b64(b"promise"), "Payload":
            {"body": b64(body.as_bytes()), "integratedTime": 1_700_000_000, "logIndex": 7, "logID": hex::encode([1; 32])}},
    })
}
