//! Targets for the entry types of Rekor v1 that hold packages, archives and the formats of other tools.
//!
//! Base64 would hide all of it from the fuzzer, so an input is what a proposal holds: its parts, each but the last with
//! its length in two bytes before it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::hash::sha256;
use chancery_verify::rekor::{Admission, EntryKind, KeyFormat, ProposedEntry, attestation_hash};
use chancery_verify::terms::Entry;
use serde_json::{Value, json};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 8] = [
    ("rekord", rekord),
    ("rfc3161", rfc3161),
    ("cose", cose),
    ("helm", helm),
    ("tuf_entry", tuf_entry),
    ("jar", jar),
    ("rpm", rpm),
    ("alpine", alpine),
];

/// Proposals made by other implementations, of every type and format.
const VECTORS: &str = include_str!("../../../crates/verify/tests/golden/rekor1-kinds.json");

/// The formats of keys that a `rekord` may have.
const FORMATS: [KeyFormat; 4] = [KeyFormat::X509, KeyFormat::Pgp, KeyFormat::Minisign, KeyFormat::Ssh];

/// Where the parts of a proposal are, of each target.
fn places(target: &str) -> &'static [&'static str] {
    match target {
        "rekord" => &["/signature/publicKey/content", "/signature/content", "/data/content"],
        "rfc3161" => &["/tsr/content"],
        "cose" => &["/publicKey", "/data/aad", "/message"],
        "helm" => &["/publicKey/content", "/chart/provenance/content"],
        "tuf_entry" => &["/root/content", "/metadata/content"],
        "jar" => &["/archive/content"],
        _ => &["/publicKey/content", "/package/content"],
    }
}

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("JSON");
    let kind = target.strip_suffix("_entry").unwrap_or(target);
    let proposals = vectors.iter().map(|vector| &vector["proposal"]).filter(|proposal| proposal["kind"] == kind);
    proposals.map(|proposal| seed(target, &proposal["spec"])).collect()
}

fn seed(target: &str, spec: &Value) -> Vec<u8> {
    let format = spec.pointer("/signature/format").and_then(Value::as_str).and_then(KeyFormat::from_name);
    let format = format.and_then(|format| FORMATS.iter().position(|known| *known == format));
    let mut seed: Vec<u8> = format.map(|position| u8::try_from(position).expect("few formats")).into_iter().collect();
    let places = places(target);
    for (position, place) in places.iter().enumerate() {
        let part = match spec.pointer(place) {
            Some(Value::String(text)) => STANDARD.decode(text).expect("base64"),
            Some(document) => document.to_string().into_bytes(),
            None => Vec::new(),
        };
        if position + 1 < places.len() {
            seed.extend(u16::try_from(part.len()).expect("a short part").to_be_bytes());
        }
        seed.extend(part);
    }
    seed
}

/// Splits an input into so many parts, in base64.
fn parts<const COUNT: usize>(mut input: &[u8]) -> [String; COUNT] {
    std::array::from_fn(|position| {
        let length = match input.split_first_chunk() {
            Some((length, rest)) if position + 1 < COUNT => {
                input = rest;
                usize::from(u16::from_be_bytes(*length)).min(rest.len())
            }
            _ => input.len(),
        };
        let (part, rest) = input.split_at(length);
        input = rest;
        STANDARD.encode(part)
    })
}

/// Checks a proposal. What is admitted has a canonical body, by which it is found.
fn check(kind: EntryKind, spec: &Value) {
    let proposal = json!({ "apiVersion": kind.version(), "kind": kind.name(), "spec": spec }).to_string();
    let proposal = ProposedEntry::parse(proposal.as_bytes()).expect("a proposal");
    let Ok(Admission { body, attestation }) = kind.admission(&proposal) else { return };
    assert_eq!(kind.canonicalize(&proposal).as_ref(), Ok(&body));
    let bytes = body.as_bytes();
    let value: Value = serde_json::from_slice(bytes).expect("a body is JSON");
    let canonical = serde_json_canonicalizer::to_vec(&value).expect("JSON has a canonical form");
    assert_eq!(bytes, canonical, "a body is RFC 8785");
    assert_eq!(attestation_hash(bytes), attestation.as_deref().map(sha256));
    assert!(Entry::of_rekor(bytes).is_ok(), "an index reads it");
}

/// Artifacts with signatures. The first byte chooses a format.
pub fn rekord(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let format = FORMATS[usize::from(*first) % FORMATS.len()].name();
    let [key, signature, data] = parts(rest);
    let signature = json!({ "format": format, "content": signature, "publicKey": { "content": key } });
    check(EntryKind::Rekord, &json!({ "signature": signature, "data": { "content": data } }));
}

/// Timestamps.
pub fn rfc3161(input: &[u8]) {
    let [response] = parts(input);
    check(EntryKind::Rfc3161, &json!({ "tsr": { "content": response } }));
}

/// COSE messages.
pub fn cose(input: &[u8]) {
    let [key, aad, message] = parts(input);
    check(EntryKind::Cose, &json!({ "publicKey": key, "data": { "aad": aad }, "message": message }));
}

/// Provenance files of Helm charts.
pub fn helm(input: &[u8]) {
    let [key, provenance] = parts(input);
    let chart = json!({ "provenance": { "content": provenance } });
    check(EntryKind::Helm, &json!({ "publicKey": { "content": key }, "chart": chart }));
}

/// Metadata of TUF repositories.
pub fn tuf_entry(input: &[u8]) {
    let [root, metadata] = parts(input);
    check(EntryKind::Tuf, &json!({ "root": { "content": root }, "metadata": { "content": metadata } }));
}

/// JAR files.
pub fn jar(input: &[u8]) {
    let [archive] = parts(input);
    check(EntryKind::Jar, &json!({ "archive": { "content": archive } }));
}

/// RPM packages.
pub fn rpm(input: &[u8]) {
    let [key, package] = parts(input);
    check(EntryKind::Rpm, &json!({ "publicKey": { "content": key }, "package": { "content": package } }));
}

/// Packages of Alpine Linux.
pub fn alpine(input: &[u8]) {
    let [key, package] = parts(input);
    check(EntryKind::Alpine, &json!({ "publicKey": { "content": key }, "package": { "content": package } }));
}
