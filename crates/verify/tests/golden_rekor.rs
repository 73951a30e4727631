//! Entries of the public Rekor: inclusion proof, checkpoint, inclusion promise and canonical body verify.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod golden;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{leaf_hash, verify_inclusion};
use chancery_verify::note::KeyName;
use chancery_verify::rekor::{EntryKind, Promise, ProposedEntry};
use chancery_verify::{Hash, PublicKey, Rejection, pem};
use serde_json::{Value, json};

const HASHEDREKORD: &str = "extra/a.txt.sigstore";
const DSSE: &str = "extra/oci-attestation.sigstore.json";

/// The log entry of a bundle, with the keys to verify it.
struct Logged {
    bundle: Value,
    entry: Value,
    key: PublicKey,
    body: Vec<u8>,
}

fn load(name: &str) -> Logged {
    let bundle = golden::json(name);
    let entry = bundle.pointer("/verificationMaterial/tlogEntries/0").unwrap().clone();
    let root = golden::json("examples/trusted-root-public-good.json");
    let log = root["tlogs"].as_array().unwrap().iter().find(|log| log["logId"] == entry["logId"]).unwrap();
    let key = PublicKey::from_spki_der(&golden::bytes(log, "/publicKey/rawBytes")).unwrap();
    let body = golden::bytes(&entry, "/canonicalizedBody");
    Logged { bundle, entry, key, body }
}

fn hash(document: &Value, pointer: &str) -> Hash {
    golden::bytes(document, pointer).try_into().unwrap()
}

#[test]
fn inclusion_proofs_lead_to_signed_checkpoints() {
    for (name, tree_id, leaf_index) in
        [(HASHEDREKORD, 2_605_736_670_972_794_746, 62_631_287), (DSSE, 1_193_050_959_916_656_506, 53_604_734)]
    {
        let Logged { entry, key, body, .. } = load(name);
        let scheme = Scheme::RekorV1 { host: KeyName::new("rekor.sigstore.dev").unwrap(), tree_id };
        let note = golden::text(&entry, "/inclusionProof/checkpoint/envelope");
        let head = scheme.open(note, &key).unwrap();
        assert_eq!(head.root, hash(&entry, "/inclusionProof/rootHash"));
        let index = golden::number(&entry, "/inclusionProof/logIndex");
        assert_eq!((index, head.size), (leaf_index, leaf_index + 1));
        let hashes = entry["inclusionProof"]["hashes"].as_array().unwrap();
        let proof: Vec<Hash> =
            (0..hashes.len()).map(|i| hash(&entry, &format!("/inclusionProof/hashes/{i}"))).collect();
        assert_eq!(verify_inclusion(index, head.size, &leaf_hash(&body), &proof, &head.root), Ok(()));
        assert!(verify_inclusion(index - 1, head.size, &leaf_hash(&body), &proof, &head.root).is_err());

        let other = Scheme::RekorV1 { host: KeyName::new("rekor.sigstore.dev").unwrap(), tree_id: tree_id + 1 };
        assert_eq!(other.open(note, &key), Err(Rejection::CheckpointOrigin));
        assert_eq!(scheme.open(&note.replace("\n6", "\n7").replace("\n5", "\n7"), &key), Err(Rejection::NoteSignature));
    }
}

#[test]
fn inclusion_promises_verify_and_cover_every_field() {
    for name in [HASHEDREKORD, DSSE] {
        let Logged { entry, key, body, .. } = load(name);
        let signature = golden::bytes(&entry, "/inclusionPromise/signedEntryTimestamp");
        let log_id = key.fingerprint();
        let promise = Promise {
            body: &body,
            integrated_time: golden::number(&entry, "/integratedTime"),
            log_id: &log_id,
            log_index: golden::number(&entry, "/logIndex"),
        };
        assert_eq!(promise.verify(&key, &signature), Ok(()));
        for changed in [
            Promise { body: &body[1..], ..promise },
            Promise { integrated_time: promise.integrated_time + 1, ..promise },
            Promise { log_id: &[0; 32], ..promise },
            Promise { log_index: promise.log_index + 1, ..promise },
        ] {
            assert_eq!(changed.verify(&key, &signature), Err(Rejection::PromiseSignature));
        }
    }
}

/// A client's proposal for the bundle's signature.
fn propose(kind: &str, spec: &Value) -> Vec<u8> {
    serde_json::to_vec(&json!({ "kind": kind, "apiVersion": "0.0.1", "spec": spec })).unwrap()
}

fn certificate_pem(bundle: &Value) -> String {
    let pointers = [
        "/verificationMaterial/certificate/rawBytes",
        "/verificationMaterial/x509CertificateChain/certificates/0/rawBytes",
    ];
    let pointer = pointers.into_iter().find(|pointer| bundle.pointer(pointer).is_some()).unwrap();
    pem::encode(pem::CERTIFICATE, &golden::bytes(bundle, pointer))
}

#[test]
fn a_hashedrekord_rebuilds_the_logged_body_byte_by_byte() {
    let Logged { bundle, body, .. } = load(HASHEDREKORD);
    let digest = hex::encode(golden::bytes(&bundle, "/messageSignature/messageDigest/digest"));
    let spec = |digest: &str, pem: &str| {
        json!({
            "signature": {
                "content": golden::text(&bundle, "/messageSignature/signature"),
                "publicKey": { "content": STANDARD.encode(pem) },
            },
            "data": { "hash": { "algorithm": "sha256", "value": digest } },
        })
    };
    let admit =
        |spec: &Value| EntryKind::HashedRekord.admit(&ProposedEntry::parse(&propose("hashedrekord", spec)).unwrap());
    let pem = certificate_pem(&bundle);
    assert_eq!(admit(&spec(&digest, &pem)).unwrap().as_bytes(), body);
    // Clients that send CRLF get the same body.
    assert_eq!(admit(&spec(&digest, &pem.replace('\n', "\r\n"))).unwrap().as_bytes(), body);
    // So do clients that send base64 as `base64` writes it, because Go's decoder leaves line ends out.
    let mut wrapped = spec(&digest, &pem);
    for pointer in ["/signature/content", "/signature/publicKey/content"] {
        let field = wrapped.pointer_mut(pointer).unwrap();
        let (first, rest) = field.as_str().unwrap().split_at(76);
        *field = json!(format!("{first}\r\n{rest}\n"));
    }
    assert_eq!(admit(&wrapped).unwrap().as_bytes(), body);
    let other = digest.replacen(|_| true, if digest.starts_with('0') { "1" } else { "0" }, 1);
    assert_eq!(admit(&spec(&other, &pem)), Err(Rejection::EntrySignature));
    assert_eq!(admit(&spec(&digest[2..], &pem)), Err(Rejection::EntryHash));
    assert_eq!(admit(&spec(&digest, "no pem")), Err(Rejection::EntryKey));
    let required = |path| Err(Rejection::EntryRequired { path });
    assert_eq!(admit(&json!({})), required("data"));
    let without = |parent: &str, name: &str| {
        let mut spec = spec(&digest, &pem);
        spec.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        admit(&spec)
    };
    assert_eq!(without("", "signature"), required("signature"));
    assert_eq!(without("/data", "hash"), required("data"));
    assert_eq!(without("/data/hash", "algorithm"), required("data.data.hash.data.hash.algorithm"));
    assert_eq!(without("/data/hash", "value"), required("data.data.hash.data.hash.value"));
    assert_eq!(without("/signature", "publicKey"), Err(Rejection::EntryMissing { field: "public key" }));
    let mut other = spec(&digest, &pem);
    other["data"]["hash"]["algorithm"] = json!("sha1");
    let refused = admit(&other).unwrap_err().to_string();
    assert_eq!(refused, "data.data.hash.data.hash.algorithm in body should be one of [sha256 sha384 sha512]");
}

#[test]
fn a_dsse_envelope_gives_the_logged_payload_hash_and_signature() {
    let Logged { bundle, body, .. } = load(DSSE);
    let envelope = json!({
        "payload": golden::text(&bundle, "/dsseEnvelope/payload"),
        "payloadType": golden::text(&bundle, "/dsseEnvelope/payloadType"),
        "signatures": [{ "sig": golden::text(&bundle, "/dsseEnvelope/signatures/0/sig") }],
    });
    let spec = |envelope: &Value| json!({ "proposedContent": { "envelope": envelope.to_string(), "verifiers": [STANDARD.encode(certificate_pem(&bundle))] } });
    let admit = |spec: &Value| EntryKind::Dsse.admit(&ProposedEntry::parse(&propose("dsse", spec)).unwrap());
    let rebuilt: Value = serde_json::from_slice(admit(&spec(&envelope)).unwrap().as_bytes()).unwrap();
    let logged: Value = serde_json::from_slice(&body).unwrap();
    // The envelope hash is over the signer's spelling of the envelope, which a bundle does not have.
    for pointer in ["/spec/payloadHash", "/spec/signatures", "/kind", "/apiVersion"] {
        assert_eq!(rebuilt.pointer(pointer), logged.pointer(pointer), "{pointer}");
    }
    let canonical = serde_json_canonicalizer::to_vec(&rebuilt).unwrap();
    assert_eq!(admit(&spec(&envelope)).unwrap().as_bytes(), canonical, "the body is RFC 8785");

    let mut forged = envelope.clone();
    forged["payload"] = json!(STANDARD.encode("another payload"));
    assert_eq!(admit(&spec(&forged)), Err(Rejection::DsseSignature));
    forged = envelope;
    forged["signatures"] = json!([]);
    assert_eq!(admit(&spec(&forged)), Err(Rejection::DsseUnsigned));
}

/// What a proposal lacks, and what it must not have, in upstream's words.
#[test]
fn a_dsse_is_a_proposal_or_its_logged_form() {
    let Logged { bundle, body, .. } = load(DSSE);
    let envelope = json!({
        "payload": golden::text(&bundle, "/dsseEnvelope/payload"),
        "payloadType": golden::text(&bundle, "/dsseEnvelope/payloadType"),
        "signatures": [{ "sig": golden::text(&bundle, "/dsseEnvelope/signatures/0/sig") }],
    })
    .to_string();
    let verifier = STANDARD.encode(certificate_pem(&bundle));
    let logged: Value = serde_json::from_slice(&body).unwrap();
    let both = |spec: &Value| {
        let text = propose("dsse", spec);
        let proposal = ProposedEntry::parse(&text).unwrap();
        [EntryKind::Dsse.admit(&proposal), EntryKind::Dsse.canonicalize(&proposal)]
    };
    let refused =
        |spec: &Value, rejection: Rejection| assert_eq!(both(spec), [Err(rejection), Err(rejection)], "{spec}");
    let proposed = |content: Value| json!({ "proposedContent": content });
    refused(&json!({}), Rejection::DsseContent);
    for name in ["envelopeHash", "payloadHash", "signatures"] {
        let mut incomplete = logged["spec"].clone();
        incomplete.as_object_mut().unwrap().remove(name).unwrap();
        refused(&incomplete, Rejection::DsseContent);
        let mut mixed = proposed(json!({ "envelope": envelope, "verifiers": [verifier] }));
        mixed[name] = logged["spec"][name].clone();
        refused(&mixed, Rejection::DsseBoth);
    }
    let mut whole = logged["spec"].clone();
    whole["proposedContent"] = json!({ "envelope": envelope, "verifiers": [verifier] });
    refused(&whole, Rejection::DsseBoth);
    let (missing, none) = ("proposedContent.proposedContent.envelope", "proposedContent.proposedContent.verifiers");
    refused(&proposed(json!({ "verifiers": [verifier] })), Rejection::EntryRequired { path: missing });
    refused(&proposed(json!({ "envelope": envelope })), Rejection::EntryRequired { path: none });
    refused(&proposed(json!({ "envelope": envelope, "verifiers": [] })), Rejection::EntryEmpty { path: none });
    refused(&proposed(json!({ "envelope": envelope, "verifiers": [null] })), Rejection::DsseNullVerifier);
    refused(&proposed(json!({ "envelope": envelope, "verifiers": ["bm8ga2V5"] })), Rejection::DsseKey);
}

#[test]
fn bodies_are_looked_up_in_their_logged_form_too() {
    let Logged { body, .. } = load(DSSE);
    let logged: Value = serde_json::from_slice(&body).unwrap();
    let text = logged.to_string();
    let proposal = ProposedEntry::parse(text.as_bytes()).unwrap();
    assert_eq!(EntryKind::Dsse.canonicalize(&proposal).unwrap().as_bytes(), body);
    let refused = EntryKind::Dsse.admit(&proposal).unwrap_err().to_string();
    assert_eq!(refused, "entry not insertable into log: missing proposed content");
}

#[test]
fn a_list_of_the_members_is_no_proposal() {
    let Logged { body, .. } = load(DSSE);
    let logged: Value = serde_json::from_slice(&body).unwrap();
    let list = json!([logged["kind"], logged["apiVersion"], logged["spec"]]).to_string();
    assert!(ProposedEntry::parse(list.as_bytes()).is_err());
    let members = ["proposedContent", "envelopeHash", "payloadHash", "signatures"].map(|name| &logged["spec"][name]);
    let text = json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": members }).to_string();
    let refused = EntryKind::Dsse.canonicalize(&ProposedEntry::parse(text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(refused, Rejection::EntryMalformed { field: "spec" });
}
