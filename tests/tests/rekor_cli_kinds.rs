//! rekor-cli adds entries of every kind and in every format of keys, finds them again, and checks every answer itself.
//!
//! What it adds was signed by `GnuPG`, `OpenSSH`, `OpenSSL`, jarsigner and the Go libraries of each format; the bodies are those that
//! Rekor's own code makes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Stack,
    key::Key,
    person::Person,
    rekor::{ENTRIES, Entry, envelope},
    search::wait,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VECTORS: &str = include_str!("../../crates/verify/tests/golden/rekor1-kinds.json");

/// Every kind that is not about a DSSE envelope, archives among them.
const KINDS: &str = "hashedrekord,rekord,rfc3161,cose,helm,tuf,jar,rpm,alpine";

fn vectors() -> Vec<Value> {
    serde_json::from_str(VECTORS).unwrap()
}

/// Writes the parts of a proposal into files, and returns the options of rekor-cli that name them.
fn options(person: &Person, proposal: &Value) -> String {
    let (kind, spec) = (proposal["kind"].as_str().unwrap(), &proposal["spec"]);
    let (artifact, key, format) = match kind {
        "rekord" => ("/data/content", "/signature/publicKey/content", spec["signature"]["format"].as_str().unwrap()),
        "rfc3161" => ("/tsr/content", "", ""),
        "cose" => ("/message", "/publicKey", "x509"),
        "helm" => ("/chart/provenance/content", "/publicKey/content", "pgp"),
        "tuf" => ("/metadata/content", "/root/content", "tuf"),
        "jar" => ("/archive/content", "", ""),
        "rpm" => ("/package/content", "/publicKey/content", "pgp"),
        "alpine" => ("/package/content", "/publicKey/content", "x509"),
        other => panic!("{other}"),
    };
    let mut options = vec![format!("--type {kind}")];
    for (option, place) in [("artifact", artifact), ("public-key", key), ("signature", "/signature/content")] {
        let contents = match spec.pointer(place).filter(|_| !place.is_empty()) {
            Some(Value::String(text)) => STANDARD.decode(text).unwrap(),
            Some(document) => document.to_string().into_bytes(),
            None => continue,
        };
        person.write(option, contents);
        options.push(format!("--{option} {option}"));
    }
    if !format.is_empty() {
        options.push(format!("--pki-format {format}"));
    }
    if let Some(aad) = spec.pointer("/data/aad").and_then(Value::as_str).filter(|aad| !aad.is_empty()) {
        options.push(format!("--aad {aad}"));
    }
    options.join(" ")
}

#[test]
fn uploads_and_verifies_every_kind_and_format() {
    let stack = Stack::start_with(&["--rekor-v1-kinds", KINDS, "--rekor-v1-attestations"]);
    let alice = stack.person(ALICE);
    let mut bodies = BTreeSet::new();
    for vector in vectors() {
        let (name, proposal, body) = (&vector["name"], &vector["proposal"], vector["body"].as_str().unwrap());
        let what = options(&alice, proposal);
        let said = alice.rekor_cli().arg("upload").args(&what).run();
        // Two spellings of one entry have one body.
        let expected = if bodies.insert(body.to_owned()) { "Created entry at index" } else { "Entry already exists" };
        assert!(said.written().contains(expected), "{name}: {}", said.report());
        let verified = alice.rekor_cli().arg("verify").args(&what).run().succeeds();
        let (_, hash) = verified.split_once("Entry Hash: ").unwrap_or_else(|| panic!("{name}: {verified}"));
        let uuid = hash.lines().next().unwrap();
        let map = stack.get(&format!("/api/v1/log/entries/{uuid}")).expect(200).json();
        let entry = Entry::parse(&map);
        assert_eq!(String::from_utf8(entry.body()).unwrap(), body, "{name}");
        // The one kind here that has something beside its entry: the message itself.
        let kept = &map[&entry.id]["attestation"]["data"];
        let expected = if proposal["kind"] == "cose" { &proposal["spec"]["message"] } else { &Value::Null };
        assert_eq!(kept, expected, "{name}");
        let shown = alice.rekor_cli().args("get --format json --uuid").arg(uuid).run().succeeds();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["Attestation"] != json!(""), !kept.is_null(), "{name}: {shown}");
    }
    assert!(bodies.len() > 30, "{}", bodies.len());
}

#[test]
fn shows_what_an_envelope_s_entry_has_only_a_hash_of_where_the_log_keeps_it() {
    let stack = Stack::start_with(&["--rekor-v1-attestations", "--rekor-v1-attestation-max-bytes", "200"]);
    let alice = stack.person(ALICE);
    let key = Key::generate();
    alice.write("key.pub", key.public_pem());
    for (length, is_kept) in [(10, true), (500, false)] {
        let payload =
            json!({ "_type": "https://in-toto.io/Statement/v1", "subject": [], "x": "x".repeat(length) }).to_string();
        alice.write("envelope", envelope(&key, "application/vnd.in-toto+json", payload.as_bytes()).to_string());
        for kind in ["dsse:0.0.1", "intoto:0.0.1", "intoto:0.0.2"] {
            let what = format!("--artifact envelope --public-key key.pub --type {kind}");
            alice.rekor_cli().arg("upload").args(&what).run().succeeds();
            let verified = alice.rekor_cli().arg("verify").args(&what).run().succeeds();
            let (_, hash) = verified.split_once("Entry Hash: ").unwrap_or_else(|| panic!("{kind}: {verified}"));
            let uuid = hash.lines().next().unwrap();
            let shown = alice.rekor_cli().args("get --format json --uuid").arg(uuid).run().succeeds();
            let shown: Value = serde_json::from_str(&shown).unwrap();
            let expected = if is_kept { payload.as_str() } else { "" };
            assert_eq!(shown["Attestation"], json!(expected), "{kind}: {shown}");
        }
    }
}

#[test]
fn finds_entries_by_keys_of_every_format() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let vectors = vectors();
    let names = [
        ("rekord x509, a chain", "x509"),
        ("rekord pgp rsa", "pgp"),
        ("rekord ssh, a line with options", "ssh"),
        ("rekord minisign, as signify", "minisign"),
        ("tuf timestamp", "tuf"),
    ];
    let logged = names.map(|(name, format)| {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let proposal = &vector["proposal"];
        let id = Entry::parse(&stack.post(ENTRIES, proposal).expect(201).json()).id;
        (proposal, format, id)
    });
    wait(&stack);
    for (proposal, format, id) in logged {
        // Writes the key.
        options(&alice, proposal);
        let search = alice.rekor_cli().args("search --public-key public-key --pki-format").arg(format);
        let found = search.run().succeeds();
        assert_eq!(found.lines().filter(|line| line.len() == id.len()).collect::<Vec<_>>(), [id.as_str()], "{format}");
    }
}

#[test]
fn is_told_of_a_kind_that_the_log_does_not_take() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for name in ["jar rsa", "rpm with all signatures", "alpine"] {
        let vector = vectors().into_iter().find(|vector| vector["name"] == name).unwrap();
        let what = options(&alice, &vector["proposal"]);
        let kind = vector["proposal"]["kind"].as_str().unwrap();
        let refused = format!("entry kind '{kind}' is not enabled for submission on this server");
        alice.rekor_cli().arg("upload").args(&what).run().fails_with(&[&refused]);
    }
}
