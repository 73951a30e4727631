//! Terms and summaries of real entries, of every kind of entry, and of what is no entry.
//!
//! The expected terms in `golden/terms` were derived from the same entries by a program in another language. Entries of
//! kinds that the public bundles do not have are made here, in the form in which upstream logs them.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod golden;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::Certificate;
use chancery_verify::rekor::canonical_key;
use chancery_verify::rekor::logged::{DigestOf, LoggedEntry, LoggedSigner};
use chancery_verify::terms::{
    Entry, KeyFormat, MAX_TERMS, MAX_VALUE_BYTES, Summary, Term, TermKind, Terms, certificates_of_rekor, index_key,
    of_attestation, of_certificate_entry, of_rekor, summary_of_rekor,
};
use chancery_verify::timestamping::Request;
use chancery_verify::{Rejection, hash, merkle, pem};
use proptest::prelude::*;
use serde_json::{Value, json};

const USUAL: &str = include_str!("golden/openssl-foreign/usual.pem");
const PGP: &str = include_str!("golden/key-names/pgp.asc");
const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMw55UFllwoqS/p8JJK+GsMw7LlESQn5jy2md96AVLhB\n";
const MINISIGN: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const TIMESTAMP: &[u8] = include_bytes!("golden/openssl-tsa/ec-sha384-bare.tsr");
const TIMESTAMPED: &[u8] = include_bytes!("golden/openssl-tsa/ec-sha384-bare.tsq");

macro_rules! expected {
    ($name:literal) => {
        include_str!(concat!("golden/terms/", $name, ".txt"))
    };
}

/// Bundles of public instances with their expected terms. Each payload is read, too.
const BUNDLES: [(&str, &str); 5] = [
    ("extra/a.txt.sigstore", expected!("hashedrekord")),
    ("extra/oci-attestation.sigstore.json", expected!("dsse")),
    ("examples/bundle-provenance.json", expected!("intoto")),
    ("examples/bundle-publish.json", expected!("intoto-key")),
    ("pkg/testing/data/bundles/othername.sigstore.json", expected!("username")),
];
const REKOR2: [(&str, &str); 2] = [
    (include_str!("golden/rekor2-hashedrekord.json"), expected!("rekor2-hashedrekord")),
    (include_str!("golden/rekor2-dsse.json"), expected!("rekor2-dsse")),
];

/// Body and payload of a bundle's entry.
fn logged(bundle: &Value) -> (Vec<u8>, Option<Vec<u8>>) {
    let entry = ["/verificationMaterial/tlogEntries/0", "/tlogEntry"].into_iter().find_map(|at| bundle.pointer(at));
    let payload = bundle.pointer("/dsseEnvelope/payload").and_then(Value::as_str);
    (golden::bytes(entry.unwrap(), "/canonicalizedBody"), payload.map(|payload| STANDARD.decode(payload).unwrap()))
}

/// Every golden body.
fn bodies() -> Vec<Vec<u8>> {
    let public = BUNDLES.iter().map(|(name, _)| logged(&golden::json(name)).0);
    let rekor2 = REKOR2.iter().map(|(bundle, _)| logged(&serde_json::from_str(bundle).unwrap()).0);
    let vectors: Vec<Value> = serde_json::from_str(include_str!("golden/rekor1-intoto.json")).unwrap();
    let vectors = vectors.iter().map(|vector| vector["body"].as_str().unwrap().as_bytes().to_vec());
    public.chain(rekor2).chain(vectors).collect()
}

/// Label and DER of an X.509 signer.
fn x509(signer: &LoggedSigner) -> (&'static str, &[u8]) {
    if let LoggedSigner::Certificate(der) = signer {
        return (pem::CERTIFICATE, der);
    }
    let LoggedSigner::PublicKey(der) = signer else { return ("", &[]) };
    (pem::PUBLIC_KEY, der)
}

fn lines(terms: &Terms) -> Vec<String> {
    let mut lines: Vec<_> = terms.iter().map(|term| format!("{}={}", term.kind().name(), term.text())).collect();
    lines.sort();
    lines
}

#[track_caller]
fn has(terms: &Terms, kind: TermKind, text: &str) {
    assert!(terms.contains(&Term::of_text(kind, text).unwrap()), "{}={text} is not in {terms:#?}", kind.name());
}

#[track_caller]
fn complete(terms: &Terms) {
    assert!(terms.omissions().is_empty(), "{:?}", terms.omissions());
}

fn body(kind: &str, version: &str, spec: &Value) -> Vec<u8> {
    json!({ "kind": kind, "apiVersion": version, "spec": spec }).to_string().into_bytes()
}

fn sha256_of(data: &[u8]) -> String {
    hex::encode(hash::sha256(data))
}

#[test]
fn entries_of_the_public_logs_have_exactly_their_terms() {
    let documents = BUNDLES.iter().map(|(name, expected)| (golden::json(name), *expected));
    let rekor2 = REKOR2.iter().map(|(bundle, expected)| (serde_json::from_str(bundle).unwrap(), *expected));
    for (bundle, expected) in documents.chain(rekor2) {
        let (body, payload) = logged(&bundle);
        let entry = Entry::of_rekor(&body).unwrap();
        // An entry of Rekor v2 for an envelope has no statement beside it here.
        let entry = match payload.filter(|_| bundle.get("tlogEntry").is_none()) {
            Some(payload) => entry.attested(&payload).unwrap(),
            None => entry,
        };
        let terms = entry.terms();
        let expected: Vec<_> = expected.lines().map(str::to_owned).collect();
        assert_eq!(lines(&terms), expected);
        complete(&terms);
        assert!(terms.iter().is_sorted() && !entry.summary().incomplete);
    }
}

#[test]
fn digests_and_signers_are_those_that_a_verifier_reads() {
    for body in bodies() {
        let (terms, verified) = (of_rekor(&body).unwrap(), LoggedEntry::read(&body).unwrap());
        let kind = match verified.digest_of {
            DigestOf::Signed => TermKind::ArtifactDigest,
            DigestOf::Payload => TermKind::AttestationDigest,
        };
        let (algorithm, digest) = &verified.digest;
        assert!(terms.contains(&Term::of_digest(kind, algorithm.name(), digest)));
        has(&terms, TermKind::EntryKind, &format!("{}/{}", verified.kind, verified.version));
        assert!(!verified.signatures.is_empty());
        for signature in &verified.signatures {
            let kind = match x509(&signature.signer) {
                (pem::CERTIFICATE, _) => TermKind::CertificateFingerprint,
                _ => TermKind::KeyFingerprint,
            };
            has(&terms, kind, &sha256_of(x509(&signature.signer).1));
        }
        complete(&terms);
    }
}

#[test]
fn a_summary_says_who_signed_what() {
    let (body, _) = logged(&serde_json::from_str(REKOR2[0].0).unwrap());
    let summary = summary_of_rekor(&body).unwrap();
    assert_eq!((summary.kind.as_str(), summary.version.as_deref()), ("hashedrekord", Some("0.0.2")));
    let [signer] = summary.signers.as_slice() else { panic!("{summary:?}") };
    assert_eq!(signer.issuer.as_deref(), Some("https://token.actions.githubusercontent.com"));
    assert_eq!(signer.identities[0].kind, "uri");
    assert_eq!(signer.claims["build-trigger"], "workflow_dispatch");
    assert_eq!(signer.not_before.as_deref(), Some("2025-06-12T12:02:16Z"));
    assert_eq!(signer.not_after.as_deref(), Some("2025-06-12T12:12:16Z"));
    assert!(REKOR2[0].1.contains(&format!("artifact={}\n", summary.digests[0])));
    assert!(REKOR2[0].1.contains(&format!("serial={}\n", signer.serial.as_deref().unwrap())));
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);

    let bundle = golden::json("extra/oci-attestation.sigstore.json");
    let (body, payload) = logged(&bundle);
    let summary = Entry::of_rekor(&body).unwrap().attested(&payload.unwrap()).unwrap().summary();
    assert_eq!(summary.predicate_type.as_deref(), Some("https://cosign.sigstore.dev/attestation/v1"));
    assert_eq!((summary.digests.len(), summary.attestation_digests.len()), (1, 2));
    assert_eq!(summary.signers[0].identities[0].value, "cody@soyland.com");
}

/// Upstream's keys of the entry, as its `IndexKeys` makes them.
#[test]
fn every_key_of_upstreams_index_finds_its_entry() {
    for body in bodies() {
        let terms = of_rekor(&body).unwrap();
        let verified = LoggedEntry::read(&body).unwrap();
        let found = |key: &str| index_key::terms(key).iter().any(|term| terms.contains(term));
        let (algorithm, digest) = &verified.digest;
        assert!(found(&format!("{}:{}", algorithm.name(), hex::encode(digest))));
        assert!(found(&index_key::of_hash(&hex::encode_upper(digest))));
        for signature in &verified.signatures {
            let (label, der) = x509(&signature.signer);
            let sent = pem::encode(label, der).replace('\n', "\r\n");
            let key = index_key::of_public_key(canonical_key(sent.as_bytes()).unwrap().as_bytes());
            assert!(found(&key) && found(&format!("sha256:{key}")), "upstream writes the second for dsse and intoto");
        }
    }
    let (body, _) = logged(&golden::json("extra/oci-attestation.sigstore.json"));
    let terms = of_rekor(&body).unwrap();
    assert!(index_key::terms("Cody@Soyland.com").iter().any(|term| terms.contains(term)));
    let other = index_key::terms("ody@soyland.com");
    assert!(!other.iter().any(|term| terms.contains(term)), "names are compared whole");
}

fn hashedrekord(key: &[u8]) -> Vec<u8> {
    let spec = json!({
        "data": { "hash": { "algorithm": "sha256", "value": "AB".repeat(32) } },
        "signature": { "content": "AA==", "publicKey": { "content": STANDARD.encode(key) } },
    });
    body("hashedrekord", "0.0.1", &spec)
}

#[test]
fn foreign_certificates_are_found_by_their_key_and_serial_number() {
    let key = sha256_of(Certificate::from_pem(USUAL.as_bytes()).unwrap().public_key().spki_der());
    for certificate in [
        USUAL,
        include_str!("golden/openssl-foreign/version1.pem"),
        include_str!("golden/openssl-foreign/pss.pem"),
        include_str!("golden/openssl-foreign/sha1.pem"),
        include_str!("golden/openssl-foreign/serial32.pem"),
    ] {
        let body = hashedrekord(certificate.as_bytes());
        let terms = of_rekor(&body).unwrap();
        has(&terms, TermKind::KeyFingerprint, &key);
        has(&terms, TermKind::CertificateFingerprint, &sha256_of(&pem::decode(certificate.as_bytes()).unwrap().der));
        has(&terms, TermKind::RekorKey, &sha256_of(certificate.as_bytes()));
        complete(&terms);
        assert_eq!(summary_of_rekor(&body).unwrap().signers[0].subject.as_deref(), Some("CN=leaf"));
        if certificate == include_str!("golden/openssl-foreign/serial32.pem") {
            has(&terms, TermKind::CertificateSerial, &"11".repeat(32));
        }
    }
}

#[test]
fn a_key_that_cannot_be_read_is_reported_and_hides_nothing_else() {
    let no_der = pem::encode(pem::CERTIFICATE, b"no DER");
    for (key, rejection) in [
        (no_der.as_bytes(), Rejection::CertificateMalformed),
        (&b"no PEM"[..], Rejection::EntryKey),
        (pem::encode("RSA PUBLIC KEY", b"a").as_bytes(), Rejection::EntryKey),
        (&b"\xff"[..], Rejection::EntryKey),
    ] {
        let body = hashedrekord(key);
        let terms = of_rekor(&body).unwrap();
        has(&terms, TermKind::ArtifactDigest, &format!("sha256:{}", "ab".repeat(32)));
        has(&terms, TermKind::RekorKey, &sha256_of(key));
        assert_eq!(terms.omissions(), [rejection]);
        assert!(summary_of_rekor(&body).unwrap().incomplete);
    }
    has(&of_rekor(&hashedrekord(no_der.as_bytes())).unwrap(), TermKind::CertificateFingerprint, &sha256_of(b"no DER"));
}

fn signed(format: &str, key: &str) -> Value {
    json!({
        "data": { "hash": { "algorithm": "sha256", "value": "ab".repeat(32) } },
        "signature": { "content": "AA==", "format": format, "publicKey": { "content": STANDARD.encode(key) } },
    })
}

/// Terms that an entry must have.
type Expected = Vec<(TermKind, String)>;

/// An entry of every kind that no golden bundle has, with terms that it must have.
fn others() -> Vec<(Vec<u8>, Expected)> {
    let hash = json!({ "algorithm": "sha256", "value": "ab".repeat(32) });
    let artifact = || (TermKind::ArtifactDigest, format!("sha256:{}", "ab".repeat(32)));
    let attestation = || (TermKind::AttestationDigest, format!("sha256:{}", "ab".repeat(32)));
    let key = |text: &str| (TermKind::RekorKey, sha256_of(text.as_bytes()));
    let pgp = || -> Expected {
        let id = |text: &str| (TermKind::KeyId, text.to_owned());
        let email = |text: &str| (TermKind::KeyEmail, text.to_owned());
        let ids = [id("B8C802511BB1B469315B611018E6B4A6429CC620"), id("f00a18d8041b30a6")];
        [artifact(), key(PGP), email("alice@example.test"), email("bob@example.test")].into_iter().chain(ids).collect()
    };
    let content = |text: &str| json!({ "content": STANDARD.encode(text) });
    let root = r#"{"signatures":[],"signed":{"_type":"root","keys":{"abcd":{}},"version":1}}"#;
    let metadata = r#"{"signatures":[],"signed":{"_type":"timestamp","version":7}}"#;
    let signature = json!({ "content": STANDARD.encode("PKCS7"), "publicKey": content(USUAL) });
    let jar = json!({ "archive": { "hash": hash }, "signature": signature });
    let cose = json!({ "data": { "envelopeHash": hash, "payloadHash": hash }, "publicKey": STANDARD.encode(USUAL) });
    let ssh = (TermKind::KeyId, "SHA256:hMVJBn2bFvaAfzf29uD3iMC60DOFQErL7Ysa6MNEwu4".to_owned());
    let minisign = (TermKind::KeyId, "E7620F1842B4E81F".to_owned());
    let imprint = Request::from_der(TIMESTAMPED).unwrap().imprint;
    let timestamp = vec![
        (TermKind::AttestationDigest, format!("sha256:{}", sha256_of(TIMESTAMP))),
        (TermKind::ArtifactDigest, format!("sha384:{}", hex::encode(imprint.digest))),
    ];
    let tuf = vec![
        key(root),
        key(metadata),
        (TermKind::KeyId, "abcd".to_owned()),
        (TermKind::TufMetadata, "timestamp".to_owned()),
        (TermKind::TufMetadata, "7".to_owned()),
    ];
    let package = |key: &str| json!({ "package": { "hash": hash }, "publicKey": content(key) });
    [
        ("rekord", signed("pgp", PGP), pgp()),
        ("rekord", signed("ssh", SSH), vec![artifact(), key(SSH), ssh]),
        ("rekord", signed("minisign", MINISIGN), vec![artifact(), key(MINISIGN), minisign]),
        ("rekord", signed("x509", USUAL), vec![artifact(), key(USUAL)]),
        ("rpm", package(PGP), pgp()),
        ("alpine", package(USUAL), vec![artifact(), key(USUAL)]),
        ("helm", json!({ "chart": { "hash": hash }, "publicKey": content(PGP) }), pgp()),
        ("jar", jar, vec![artifact(), key(USUAL), key("PKCS7")]),
        ("cose", cose, vec![attestation(), key(USUAL)]),
        ("tuf", json!({ "metadata": content(metadata), "root": content(root), "spec_version": "1.0" }), tuf),
        ("rfc3161", json!({ "tsr": { "content": STANDARD.encode(TIMESTAMP) } }), timestamp),
    ]
    .map(|(kind, spec, terms)| (body(kind, "0.0.1", &spec), terms))
    .into()
}

#[test]
fn entries_of_every_other_kind_are_found_by_digest_and_key() {
    for (body, expected) in others() {
        let terms = of_rekor(&body).unwrap();
        for (kind, text) in expected {
            has(&terms, kind, &text);
        }
        complete(&terms);
    }
    let summary = summary_of_rekor(&others()[0].0).unwrap();
    assert_eq!((summary.signers[0].format, summary.signers[0].key_emails.len()), (KeyFormat::Pgp, 2));
}

#[test]
fn of_a_repeated_name_the_last_counts() {
    let text = String::from_utf8(hashedrekord(USUAL.as_bytes())).unwrap();
    let twice = text.replacen("\"spec\":", "\"spec\":{},\"spec\":", 1);
    let terms = of_rekor(twice.as_bytes()).unwrap();
    has(&terms, TermKind::ArtifactDigest, &format!("sha256:{}", "ab".repeat(32)));
}

#[test]
fn what_is_no_entry_is_refused() {
    let cut = |rejection| Err::<Terms, _>(rejection);
    assert_eq!(of_rekor(&body("unknown", "0.0.1", &json!({}))), cut(Rejection::EntryKind));
    assert_eq!(of_rekor(&body("hashedrekord", "0.0.3", &json!({}))), cut(Rejection::EntryKind));
    assert_eq!(of_rekor(&body("hashedrekord", "0.0.1", &json!([]))), cut(Rejection::EntryMalformed { field: "spec" }));
    for text in ["", "[]x", "{"] {
        let malformed = Rejection::EntryMalformed { field: "canonicalizedBody" };
        assert_eq!(of_rekor(text.as_bytes()), cut(malformed), "{text}");
    }
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(of_rekor(&large), cut(Rejection::EntryTooLarge { limit: 1 << 20 }));
    // Nothing but its kind: there is something to find it by, and its reasons.
    let empty = of_rekor(&body("dsse", "0.0.1", &json!({}))).unwrap();
    assert_eq!((empty.len(), empty.omissions()), (3, &[Rejection::EntryHash, Rejection::EntryKey][..]));
}

/// Every value in a document, by its JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        pointers(value, &format!("{at}/{name}"), found);
    }
}

#[test]
fn signers_say_what_their_terms_say_and_come_with_their_certificates() {
    for body in bodies() {
        let (entry, certificates) = (Entry::of_rekor(&body).unwrap(), certificates_of_rekor(&body).unwrap());
        let terms = entry.terms();
        assert_eq!((entry.signers().count(), entry.leaf_hash()), (certificates.len(), &merkle::leaf_hash(&body)));
        assert!(entry.own_terms().iter().all(|term| terms.contains(term)));
        for (signer, chain) in entry.signers().zip(&certificates) {
            assert_eq!(signer.has_certificate(), !chain.is_empty());
            signer.names().for_each(|name| has(&terms, TermKind::Identity, name));
            signer.issuers().for_each(|issuer| has(&terms, TermKind::Issuer, issuer));
            signer.domains().for_each(|domain| has(&terms, TermKind::Domain, domain));
            if let Some(leaf) = chain.first() {
                assert!(signer.fingerprints().any(|fingerprint| *fingerprint == hash::sha256(leaf)));
                assert!(signer.names().count() > 0 && signer.issuers().count() > 0);
            }
        }
    }
}

#[test]
fn a_part_of_another_type_hides_no_other_part() {
    for body in bodies().into_iter().chain(others().into_iter().map(|(body, _)| body)) {
        let document: Value = serde_json::from_slice(&body).unwrap();
        let kind = document["kind"].as_str().unwrap();
        let mut places = Vec::new();
        pointers(&document["spec"], "/spec", &mut places);
        for place in &places {
            for value in [json!(null), json!(1), json!("x"), json!([{}])] {
                let mut changed = document.clone();
                *changed.pointer_mut(place).unwrap() = value;
                match Entry::of_rekor(changed.to_string().as_bytes()) {
                    Ok(entry) => {
                        has(&entry.terms(), TermKind::EntryKind, kind);
                        check(&entry.terms());
                        assert_eq!(entry.summary().kind, kind);
                    }
                    Err(rejection) => {
                        assert_eq!((rejection, place.as_str()), (Rejection::EntryMalformed { field: "spec" }, "/spec"));
                    }
                }
            }
        }
    }
}

/// What holds for the terms of all entries.
fn check(terms: &Terms) {
    assert!(terms.len() <= MAX_TERMS);
    assert!(terms.iter().is_sorted());
    for term in terms {
        assert!(term.value().len() <= MAX_VALUE_BYTES);
        assert_eq!(Term::from_bytes(term.as_bytes()).as_ref(), Some(term));
    }
}

/// A certificate with more names than are read.
fn many_names(number: usize) -> Vec<u8> {
    let name = |n: usize| rcgen::SanType::DnsName(format!("a.b.c{n}.d{number}.example").try_into().unwrap());
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = (0..70).map(name).collect();
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn names_crowd_out_no_digest_and_no_key() {
    let certificates: Vec<_> = (0..8).map(many_names).collect();
    let verifier = |der: &Vec<u8>| STANDARD.encode(pem::encode(pem::CERTIFICATE, der));
    let signature = |der| json!({ "signature": "AA==", "verifier": verifier(der) });
    let signatures: Vec<_> = certificates.iter().map(signature).collect();
    let hash = json!({ "algorithm": "sha256", "value": "ab".repeat(32) });
    let spec = json!({ "envelopeHash": hash, "payloadHash": hash, "signatures": signatures });
    let terms = of_rekor(&body("dsse", "0.0.1", &spec)).unwrap();
    has(&terms, TermKind::AttestationDigest, &format!("sha256:{}", "ab".repeat(32)));
    for certificate in &certificates {
        has(&terms, TermKind::CertificateFingerprint, &sha256_of(certificate));
    }
    let limit = |what, limit| Rejection::EntryTooMany { what, limit };
    let limits = [limit("names", 64), limit("terms", MAX_TERMS)];
    assert_eq!((terms.len(), terms.omissions()), (MAX_TERMS, &limits[..]));
}

#[test]
fn subjects_crowd_out_nothing_of_the_entry_itself() {
    let subjects: Vec<_> = (0..3000).map(|n| json!({ "digest": { "sha1": format!("{n:040x}") } })).collect();
    let statement = json!({ "predicateType": "x", "subject": subjects }).to_string();
    let entry = Entry::of_rekor(&hashedrekord(USUAL.as_bytes())).unwrap().attested(statement.as_bytes()).unwrap();
    let terms = entry.terms();
    assert_eq!(terms.len(), MAX_TERMS);
    has(&terms, TermKind::ArtifactDigest, &format!("sha256:{}", "ab".repeat(32)));
    has(&terms, TermKind::RekorKey, &sha256_of(USUAL.as_bytes()));
    assert!(entry.summary().incomplete && entry.summary().digests.len() == 32);
}

#[test]
fn a_payload_of_another_type_is_no_statement() {
    let (hash, statement) = (json!({ "algorithm": "sha256", "value": "ab".repeat(32) }), br#"{"subject":[]}"#);
    let attested = |payload_type: &str| {
        let envelope = json!({ "payloadType": payload_type, "signatures": [] });
        let spec = json!({ "content": { "envelope": envelope, "payloadHash": hash } });
        Entry::of_rekor(&body("intoto", "0.0.2", &spec)).unwrap().attested(statement).map(drop)
    };
    assert_eq!(attested("application/vnd.in-toto+json"), Ok(()));
    assert_eq!(attested("application/json"), Err(Rejection::DssePayloadType));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512), at in any::<prop::sample::Index>()) {
        let (leaf, extra) = bytes.split_at(at.index(bytes.len() + 1));
        let read = [of_rekor(&bytes), of_certificate_entry(leaf, extra), of_attestation(&bytes)];
        read.iter().flatten().for_each(check);
        let _ = summary_of_rekor(&bytes);
        let _ = Term::from_bytes(&bytes);
        let _ = index_key::terms(&index_key::of_hash(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn no_key_panics(
        format in prop::sample::select(vec!["pgp", "ssh", "minisign", "x509", "other"]),
        key in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let spec = json!({ "signature": { "format": format, "publicKey": { "content": STANDARD.encode(&key) } } });
        check(&of_rekor(&body("rekord", "0.0.1", &spec)).unwrap());
        let mut certificate = pem::decode(USUAL.as_bytes()).unwrap().der;
        let length = certificate.len();
        for (position, byte) in key.iter().enumerate() {
            certificate[(position * 7919) % length] ^= byte;
        }
        check(&of_rekor(&hashedrekord(pem::encode(pem::CERTIFICATE, &certificate).as_bytes())).unwrap());
    }
}
