//! Entries of Rekor v1's kinds for packages, archives and the formats of other tools. Bodies by upstream's code are
//! rebuilt byte by byte, from signatures made by `GnuPG`, `OpenSSH`, `OpenSSL`, jarsigner and the Go libraries of each format
//! (`golden/rekor1-kinds/make`). Also proposals that are refused.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::hash::sha256;
use chancery_verify::rekor::{Admission, EntryKind, KeyFormat, ProposedEntry, attestation_hash, canonical_key_in};
use chancery_verify::terms::{self, index_key};
use chancery_verify::{Rejection, pem};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;

/// Proposals with their bodies and keys of the index by Rekor 1.5.4's code.
const UPSTREAM: &str = include_str!("golden/rekor1-kinds.json");

fn vectors() -> Vec<Value> {
    serde_json::from_str(UPSTREAM).unwrap()
}

fn proposal(name: &str) -> Value {
    vectors().iter().find(|vector| vector["name"] == name).unwrap()["proposal"].clone()
}

fn kind(proposal: &Value) -> EntryKind {
    EntryKind::named(proposal["kind"].as_str().unwrap()).next().unwrap()
}

fn admit_text(kind: EntryKind, proposal: &str) -> Result<Admission, Rejection> {
    kind.admission(&ProposedEntry::parse(proposal.as_bytes())?)
}

fn admit(proposal: &Value) -> Result<Admission, Rejection> {
    admit_text(kind(proposal), &proposal.to_string())
}

/// As [`admit`], of a proposal that is changed.
fn admit_with(name: &str, pointer: &str, value: Value) -> Result<Admission, Rejection> {
    let mut proposal = proposal(name);
    *proposal.pointer_mut(pointer).unwrap() = value;
    admit(&proposal)
}

fn decoded(document: &Value, pointer: &str) -> Vec<u8> {
    STANDARD.decode(document.pointer(pointer).unwrap().as_str().unwrap()).unwrap()
}

#[test]
fn bodies_are_those_that_upstream_makes() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 36);
    for vector in vectors {
        println!("{}", vector["name"]);
        let (proposal, body) = (&vector["proposal"], vector["body"].as_str().unwrap());
        let admission = admit(proposal).unwrap();
        assert_eq!(String::from_utf8(admission.body.as_bytes().to_vec()).unwrap(), body);
        let logged: Value = serde_json::from_str(body).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&logged).unwrap(), body, "a body is RFC 8785");
        let text = proposal.to_string();
        let found = kind(proposal).canonicalize(&ProposedEntry::parse(text.as_bytes()).unwrap());
        assert_eq!(found.unwrap(), admission.body, "it is found by its proposal");
        assert_eq!(attestation_hash(body.as_bytes()), admission.attestation.as_deref().map(sha256));
    }
}

#[test]
fn entries_are_found_by_every_key_of_upstreams_index() {
    for vector in vectors() {
        println!("{}", vector["name"]);
        let (proposal, body) = (&vector["proposal"], vector["body"].as_str().unwrap());
        let mut found = terms::of_rekor(body.as_bytes()).unwrap();
        let attestation = admit(proposal).unwrap().attestation;
        let payload = attestation.as_deref().and_then(|attestation| kind(proposal).payload(attestation));
        if let Some(Ok(statement)) = payload.map(terms::of_attestation) {
            found = found.and(statement);
        }
        for key in vector["keys"].as_array().unwrap() {
            let key = key.as_str().unwrap();
            assert!(index_key::terms(key).iter().any(|term| found.contains(term)), "{key}");
        }
    }
}

#[test]
fn a_key_is_looked_up_in_its_canonical_form() {
    for vector in vectors() {
        let (proposal, keys) = (&vector["proposal"], vector["keys"].as_array().unwrap());
        let Some(format) = proposal.pointer("/spec/signature/format").and_then(Value::as_str) else { continue };
        let format = KeyFormat::from_name(format).unwrap();
        let key = canonical_key_in(format, &decoded(proposal, "/spec/signature/publicKey/content")).unwrap();
        assert!(keys.contains(&json!(index_key::of_public_key(&key))), "{}", vector["name"]);
        assert_eq!(canonical_key_in(format, &key).as_ref(), Ok(&key), "it is its own canonical form");
        for other in KeyFormat::ALL.into_iter().filter(|other| *other != format) {
            assert!(canonical_key_in(other, &key).is_err(), "{} as {}", vector["name"], other.name());
        }
    }
    let root = decoded(&proposal("tuf in base64"), "/spec/root/content");
    let canonical = canonical_key_in(KeyFormat::Tuf, &root).unwrap();
    assert_eq!(serde_json_canonicalizer::pipe(str::from_utf8(&root).unwrap()).unwrap().as_bytes(), canonical);
}

/// JSON of `value`, with the member or element at `pointer` written twice.
fn doubled(value: &Value, pointer: &str) -> String {
    let (next, rest) = match pointer.strip_prefix('/').map(|path| path.split_once('/').unwrap_or((path, ""))) {
        Some((next, "")) => (Some(next.to_owned()), String::new()),
        Some((next, rest)) => (Some(next.to_owned()), format!("/{rest}")),
        None => (None, String::new()),
    };
    let part = |name: &str, part: &Value, text: &dyn Fn(String) -> String| match &next {
        Some(next) if next == name && rest.is_empty() => {
            let text = text(part.to_string());
            format!("{text},{text}")
        }
        Some(next) if next == name => text(doubled(part, &rest)),
        _ => text(part.to_string()),
    };
    match value {
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, member)| part(name, member, &|text| format!("{}:{text}", json!(name))));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(elements) => {
            let elements = elements
                .iter()
                .enumerate()
                .map(|(position, element)| part(&position.to_string(), element, &|text| text));
            format!("[{}]", elements.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut add = |name: &str, member: &Value| {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(member, &pointer, found);
        found.push(pointer);
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                add(name, member);
            }
        }
        Value::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                add(&position.to_string(), element);
            }
        }
        _ => {}
    }
}

fn without(value: &Value, pointer: &str) -> Value {
    let (mut changed, (parent, name)) = (value.clone(), pointer.rsplit_once('/').unwrap());
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(elements) => drop(elements.remove(name.parse().unwrap())),
        _ => {}
    }
    changed
}

#[test]
fn a_member_that_is_missing_null_of_another_type_or_doubled_is_refused_or_means_nothing() {
    let mut seen = Vec::new();
    for vector in vectors() {
        let proposal = &vector["proposal"];
        let format = proposal.pointer("/spec/signature/format").cloned();
        if seen.contains(&(kind(proposal), format.clone())) {
            continue;
        }
        seen.push((kind(proposal), format));
        let body = admit(proposal).unwrap().body;
        let mut found = Vec::new();
        pointers(&proposal["spec"], "/spec", &mut found);
        for pointer in found {
            let others =
                [json!(null), json!(1), json!(true), json!("x"), json!(""), json!([]), json!({}), json!([null])];
            let others = others.map(|other| {
                let mut changed = proposal.clone();
                *changed.pointer_mut(&pointer).unwrap() = other;
                changed.to_string()
            });
            let mut changed = others.to_vec();
            changed.push(without(proposal, &pointer).to_string());
            // A second element of a list is another list.
            if pointer.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_err()) {
                changed.push(doubled(proposal, &pointer));
            }
            for text in changed {
                // No outcome but these two: neither a panic nor another body.
                if let Ok(admission) = admit_text(kind(proposal), &text) {
                    assert_eq!(admission.body, body, "{}: {pointer}: {text}", vector["name"]);
                }
            }
        }
    }
    assert_eq!(seen.len(), 11, "each kind and format");
}

#[test]
fn what_is_required_is_named_as_upstream_names_it() {
    let path = |path| Rejection::EntryRequired { path };
    let part = |field| Rejection::EntryContent { field };
    for (name, pointer, expected) in [
        ("rekord x509 ec", "/spec/data", path("data")),
        ("rekord x509 ec", "/spec/data/content", part("data")),
        ("rekord x509 ec", "/spec/signature", path("signature")),
        ("rekord x509 ec", "/spec/signature/content", path("signature.signature.content")),
        ("rekord x509 ec", "/spec/signature/format", path("signature.signature.format")),
        ("rekord x509 ec", "/spec/signature/publicKey", path("signature.signature.publicKey")),
        (
            "rekord x509 ec",
            "/spec/signature/publicKey/content",
            path("signature.signature.publicKey.signature.publicKey.content"),
        ),
        ("cose ES256", "/spec/message", Rejection::EntryNotInsertable { field: "COSE Sign1 message" }),
        ("cose ES256", "/spec/publicKey", path("publicKey")),
        ("cose ES256", "/spec/data", Rejection::EntryMissing { field: "data" }),
        ("helm", "/spec/chart", path("chart")),
        ("helm", "/spec/chart/provenance", path("chart.chart.provenance")),
        ("helm", "/spec/chart/provenance/content", part("provenance")),
        ("helm", "/spec/publicKey", path("publicKey")),
        ("helm", "/spec/publicKey/content", path("publicKey.publicKey.content")),
        ("tuf timestamp", "/spec/root", path("root")),
        ("tuf timestamp", "/spec/root/content", path("root.root.content")),
        ("tuf timestamp", "/spec/metadata", path("metadata")),
        ("tuf timestamp", "/spec/metadata/content", path("metadata.metadata.content")),
        ("jar rsa", "/spec/archive", path("archive")),
        ("jar rsa", "/spec/archive/content", part("package")),
        ("alpine", "/spec/package", path("package")),
        ("alpine", "/spec/package/content", part("package")),
        ("alpine", "/spec/publicKey", path("publicKey")),
        ("alpine", "/spec/publicKey/content", path("publicKey")),
        ("rpm with all signatures", "/spec/package", path("package")),
        ("rpm with all signatures", "/spec/package/content", part("package")),
        ("rpm with all signatures", "/spec/publicKey", path("publicKey")),
        ("rpm with all signatures", "/spec/publicKey/content", path("publicKey.publicKey.content")),
        ("rfc3161 rsa-sha256-certificates", "/spec/tsr", path("tsr")),
        ("rfc3161 rsa-sha256-certificates", "/spec/tsr/content", path("tsr.tsr.content")),
    ] {
        let proposal = proposal(name);
        assert_eq!(admit(&without(&proposal, pointer)), Err(expected), "{name}: {pointer}");
        assert_eq!(admit_with(name, pointer, json!(null)), Err(expected), "{name}: {pointer}");
    }
    for other in ["", "tuf", "pkcs7", "PGP"] {
        let refused = admit_with("rekord x509 ec", "/spec/signature/format", json!(other)).unwrap_err();
        let text = "signature.signature.format in body should be one of [pgp minisign x509 ssh]";
        assert_eq!(refused.to_string(), text, "{other}");
    }
}

#[test]
fn an_entry_in_its_logged_form_cannot_be_added() {
    for (name, field) in [
        ("rekord x509 ec", "data content"),
        ("jar rsa", "archive content"),
        ("rpm with all signatures", "package content"),
        ("alpine", "package content"),
        ("helm", "provenance content"),
        ("cose ES256", "COSE Sign1 message"),
    ] {
        let vectors = vectors();
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let refused = admit_text(kind(&vector["proposal"]), vector["body"].as_str().unwrap());
        assert_eq!(refused, Err(Rejection::EntryNotInsertable { field }), "{name}");
    }
    // These two have no other form.
    for name in ["tuf timestamp", "rfc3161 rsa-sha256-certificates"] {
        let vectors = vectors();
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let body = vector["body"].as_str().unwrap();
        assert_eq!(admit_text(kind(&vector["proposal"]), body).unwrap().body.as_bytes(), body.as_bytes(), "{name}");
    }
}

#[test]
fn a_given_hash_must_be_that_of_the_artifact() {
    for (name, artifact) in [
        ("rekord x509 ec", "data"),
        ("jar rsa", "archive"),
        ("rpm with all signatures", "package"),
        ("alpine", "package"),
    ] {
        let with = |hash: Value| {
            let mut proposal = proposal(name);
            proposal["spec"][artifact]["hash"] = hash;
            admit(&proposal).map(|admission| admission.body)
        };
        let refused = |hash: Value| with(hash).unwrap_err().to_string();
        let computed = hex::encode(sha256(&decoded(&proposal(name), &format!("/spec/{artifact}/content"))));
        let hash = |value: &str| json!({ "algorithm": "sha256", "value": value });
        assert_eq!(with(hash(&computed)), with(json!(null)), "{name}");
        for other in ["00".repeat(32), computed.to_uppercase()] {
            assert_eq!(with(hash(&other)), Err(Rejection::EntryDigestMismatch), "{name}");
        }
        for malformed in [hash("00"), hash(&"zz".repeat(32))] {
            assert_eq!(with(malformed), Err(Rejection::EntryHash), "{name}");
        }
        let member = |member: &str| format!("{artifact}.{artifact}.hash.{artifact}.hash.{member} in body");
        for algorithm in ["sha512", "SHA256", ""] {
            let other = json!({ "algorithm": algorithm, "value": computed });
            assert_eq!(refused(other), format!("{} should be one of [sha256]", member("algorithm")));
        }
        assert_eq!(refused(json!({ "value": computed })), format!("{} is required", member("algorithm")));
        assert_eq!(refused(json!({ "algorithm": "sha256" })), format!("{} is required", member("value")));
    }
}

#[test]
fn another_artifact_key_or_signature_is_refused() {
    let names = ["rekord pgp rsa", "rekord ssh ed25519-256", "rekord minisign, prehashed", "rekord x509 ec"];
    for name in names {
        let (good, other_artifact) = (proposal(name), json!(STANDARD.encode("another artifact")));
        assert!(admit_with(name, "/spec/data/content", other_artifact).is_err(), "{name}");
        for other in names.into_iter().filter(|other| *other != name) {
            let other = proposal(other);
            for pointer in ["/spec/signature/publicKey/content", "/spec/signature/content", "/spec/signature/format"] {
                let other = other.pointer(pointer).unwrap().clone();
                assert!(admit_with(name, pointer, other).is_err(), "{name}: {pointer}");
            }
        }
        for pointer in ["/spec/signature/publicKey/content", "/spec/signature/content"] {
            let bytes = decoded(&good, pointer);
            // Not at the end of a line: the first two of minisign are a signature of signify.
            for end in [0, 1, bytes.len() / 3] {
                let cut = json!(STANDARD.encode(&bytes[..end]));
                assert!(admit_with(name, pointer, cut).is_err(), "{name}: {pointer}: {end}");
            }
        }
    }
    // A key of the same format that did not sign.
    let key = |name: &str| proposal(name)["spec"]["signature"]["publicKey"]["content"].clone();
    for (name, other, rejection) in [
        ("rekord pgp rsa", "rekord pgp curve", Rejection::EntrySigner),
        ("rekord ssh ed25519-256", "rekord ssh ecdsa-256", Rejection::EntrySigner),
        ("rekord x509 ec", "rekord x509 rsa", Rejection::EntrySignature),
    ] {
        let refused = admit_with(name, "/spec/signature/publicKey/content", key(other));
        assert_eq!(refused, Err(rejection), "{name}");
    }
}

#[test]
fn packages_are_refused_if_a_byte_that_is_signed_changes() {
    for (name, pointer) in [
        ("jar rsa", "/spec/archive/content"),
        ("jar ec", "/spec/archive/content"),
        ("rpm with all signatures", "/spec/package/content"),
        ("rpm without epoch, by a subkey", "/spec/package/content"),
        ("alpine", "/spec/package/content"),
        ("helm", "/spec/chart/provenance/content"),
        ("cose ES256", "/spec/message"),
        ("rfc3161 rsa-sha256-certificates", "/spec/tsr/content"),
    ] {
        let good = proposal(name);
        let bytes = decoded(&good, pointer);
        let body = admit(&good).unwrap().body;
        let mut refused = 0;
        for place in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[place] ^= 0x40;
            match admit_with(name, pointer, json!(STANDARD.encode(changed))) {
                // The text around a provenance file's signature is not logged.
                Ok(admission) => assert!(name == "helm" || admission.body != body, "{name}: {place}"),
                Err(_) => refused += 1,
            }
        }
        // What is not signed: times in archives, certificates beside the signer's, unhashed parts of signatures.
        assert!(refused * 5 > bytes.len() / 7, "{name}: {refused} of {}", bytes.len() / 7);
        for end in (0..bytes.len() - 64).step_by(101) {
            let cut = json!(STANDARD.encode(&bytes[..end]));
            assert!(admit_with(name, pointer, cut).is_err(), "{name}: {end}");
        }
    }
}

fn gzip(contents: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents).unwrap();
    encoder.finish().unwrap()
}

fn tar_of(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(contents.len().try_into().unwrap());
    builder.append_data(&mut header, name, contents).unwrap();
    builder.into_inner().unwrap()
}

/// GHSA-2h5h-59f5-c5x9, and rekor#2831: what is small and becomes large.
#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 40 << 20];
    let signature = gzip(&tar_of(".SIGN.RSA.key.rsa.pub", &[0; 256]));
    for package in [
        gzip(&zeros),
        gzip(&tar_of(".SIGN.RSA.key.rsa.pub", &zeros)),
        [&signature[..], &gzip(&zeros)].concat(),
        [&signature[..], &gzip(&tar_of(".PKGINFO", &zeros)), &gzip(b"")].concat(),
        [&signature[..], &gzip(&tar_of(".PKGINFO", &vec![b'\n'; (1 << 20) + 1])), &gzip(b"")].concat(),
    ] {
        assert!(package.len() < 1 << 18, "it is small");
        let refused = admit_with("alpine", "/spec/package/content", json!(STANDARD.encode(&package)));
        assert!(matches!(refused, Err(Rejection::EntryPackage { .. })), "{refused:?}");
    }
    // A file with a hole: small in the archive, and said to be large.
    let mut sparse = tar_of(".PKGINFO", b"");
    let mut header = tar::Header::from_byte_slice(&sparse[..512]).clone();
    header.set_entry_type(tar::EntryType::GNUSparse);
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.set_real_size(1 << 40);
    }
    header.set_cksum();
    sparse[..512].copy_from_slice(header.as_bytes());
    let package = [&signature[..], &gzip(&sparse), &gzip(b"")].concat();
    assert!(admit_with("alpine", "/spec/package/content", json!(STANDARD.encode(&package))).is_err());
}

/// GHSA-273p-m2cw-6833 and what is like it: messages that lack a part.
#[test]
fn cose_messages_are_complete() {
    for message in [
        "d2",
        "d284",
        "d28440a040",
        "d28440a0f640",
        "d28440a04040",
        "d2844040404040",
        "d28440a0404041",
        "84a04040",
        "d28443a10126a04040",
        "d28443a10126a0f64100",
        "d2845f40ffa0404100",
    ] {
        let bytes = hex::decode(message).unwrap();
        let refused = admit_with("cose ES256", "/spec/message", json!(STANDARD.encode(bytes)));
        assert!(refused.is_err(), "{message}");
    }
    // Without the data that it is over, and with other data.
    let name = "cose ES256 with external data";
    for aad in ["", "b3RoZXI="] {
        assert!(admit_with(name, "/spec/data/aad", json!(aad)).is_err());
    }
    assert!(admit(&without(&proposal(name), "/spec/data/aad")).is_err());
}

#[test]
fn nothing_is_fetched_and_a_url_means_nothing() {
    let mut proposal = proposal("rekord x509 ec");
    let body = admit(&proposal).unwrap().body;
    for place in ["/spec/signature", "/spec/signature/publicKey", "/spec/data"] {
        proposal.pointer_mut(place).unwrap()["url"] = json!("http://127.0.0.1:1/");
    }
    assert_eq!(admit(&proposal).unwrap().body, body);
    let mut only_url = proposal.clone();
    only_url["spec"]["data"] = json!({ "url": "http://127.0.0.1:1/" });
    assert_eq!(admit(&only_url), Err(Rejection::EntryContent { field: "data" }));
}

#[test]
fn a_chain_of_certificates_has_a_limit() {
    let key = decoded(&proposal("rekord x509, a certificate"), "/spec/signature/publicKey/content");
    let certificate = pem::decode(&key).unwrap();
    let chain = pem::encode(pem::CERTIFICATE, &certificate.der).repeat(11);
    let name = "rekord x509, a certificate";
    let refused = admit_with(name, "/spec/signature/publicKey/content", json!(STANDARD.encode(chain)));
    assert_eq!(refused, Err(Rejection::PemTooMany { limit: 10 }));
}
