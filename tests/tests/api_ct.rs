//! The certificate log: RFC 6962 over HTTP, and an audit of every certificate that was issued.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Stack,
    fulcio::{Leaf, SIGNING_CERT_V2, chain, key_request},
    http::{Request, Response},
    key::{Key, PublicKey, sha256},
    tree::{self, Hash},
};
use serde_json::{Value, json};

const LOG: &str = "/ct/dev/ct/v1";

fn ct_key(stack: &Stack) -> PublicKey {
    PublicKey::from_pem(&std::fs::read_to_string(stack.trust("ctfe.pub")).unwrap())
}

fn get(stack: &Stack, call: &str) -> Response {
    stack.get(&format!("{LOG}/{call}"))
}

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("base64")).unwrap()
}

/// Issues a certificate; returns the chain in PEM.
fn issue(stack: &Stack) -> Vec<String> {
    let request =
        Request::post(&stack.at(SIGNING_CERT_V2)).header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
    chain(&request.json(&key_request(&Key::generate(), ALICE)).send().expect(200).json())
}

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).unwrap()
}

/// The signed tree head, checked.
fn tree_head(stack: &Stack) -> (u64, Hash) {
    let head = get(stack, "get-sth").expect(200).json();
    let (size, timestamp) = (head["tree_size"].as_u64().unwrap(), head["timestamp"].as_u64().unwrap());
    let root: Hash = decode(&head["sha256_root_hash"]).try_into().unwrap();
    let signed = [&[0, 1], &timestamp.to_be_bytes()[..], &size.to_be_bytes(), &root].concat();
    assert!(ct_key(stack).verifies(&signed, &ecdsa(&decode(&head["tree_head_signature"]))), "{head}");
    (size, root)
}

/// The signature in a `DigitallySigned` of ECDSA with SHA-256.
fn ecdsa(signed: &[u8]) -> Vec<u8> {
    assert_eq!(&signed[..2], [4, 3], "SHA-256, ECDSA");
    assert_eq!(usize::from(u16::from_be_bytes([signed[2], signed[3]])), signed.len() - 4);
    signed[4..].to_vec()
}

fn entries(stack: &Stack, start: u64, end: u64) -> Vec<Value> {
    let answer = get(stack, &format!("get-entries?start={start}&end={end}")).expect(200).json();
    answer["entries"].as_array().unwrap().clone()
}

#[test]
fn every_issued_certificate_is_logged_before_it_is_answered() {
    let stack = Stack::start();
    let (before, old_root) = tree_head(&stack);
    let certificates: Vec<Vec<String>> = (0..5).map(|_| issue(&stack)).collect();
    let (size, root) = tree_head(&stack);
    assert_eq!(size, before + 5);
    let entries = entries(&stack, 0, size - 1);
    let leaves: Vec<Hash> = entries.iter().map(|entry| tree::leaf_hash(&decode(&entry["leaf_input"]))).collect();
    assert_eq!(tree::root(&leaves), root, "the entries are the tree");

    for (offset, chain) in certificates.iter().enumerate() {
        let index = before + offset as u64;
        let leaf_input = decode(&entries[usize::try_from(index).unwrap()]["leaf_input"]);
        let (scts, _) = Leaf::from_pem(&chain[0]).extension("1.3.6.1.4.1.11129.2.4.2").unwrap();
        let sct = one_sct(&scts);
        assert_eq!(sct.log_id, ct_key(&stack).id());
        // MerkleTreeLeaf: version, leaf type, then what the SCT signs after its own two bytes.
        assert_eq!(leaf_input[..2], [0, 0]);
        assert_eq!(leaf_input[2..10], sct.timestamp);
        assert_eq!(leaf_input[10..12], [0, 1], "a precertificate");
        assert_eq!(leaf_input[12..44], sha256(&Leaf::from_pem(&chain[1]).spki()), "issuer key hash");
        let signed = [&[0, 0], &leaf_input[2..]].concat();
        assert!(ct_key(&stack).verifies(&signed, &ecdsa(&sct.signature)), "SCT of entry {index}");

        let hash = tree::leaf_hash(&leaf_input);
        let query: String = url::form_urlencoded::byte_serialize(STANDARD.encode(hash).as_bytes()).collect();
        // Line ends of base64 do not count.
        let proof = get(&stack, &format!("get-proof-by-hash?hash={query}%0D%0A&tree_size={size}")).expect(200).json();
        let path: Vec<Hash> =
            proof["audit_path"].as_array().unwrap().iter().map(|node| decode(node).try_into().unwrap()).collect();
        assert_eq!(proof["leaf_index"], index);
        assert_eq!(tree::root_from_inclusion(index, size, &hash, &path), Some(root));
    }
    if before > 0 {
        let proof = get(&stack, &format!("get-sth-consistency?first={before}&second={size}")).expect(200).json();
        let nodes: Vec<Hash> =
            proof["consistency"].as_array().unwrap().iter().map(|node| decode(node).try_into().unwrap()).collect();
        assert!(tree::is_consistent(before, &old_root, size, &root, &nodes));
    }
}

struct Sct {
    log_id: Hash,
    timestamp: [u8; 8],
    signature: Vec<u8>,
}

/// The one SCT in the extension: an OCTET STRING around a TLS list.
fn one_sct(extension: &[u8]) -> Sct {
    let list = der::Decode::from_der(extension).map(|octets: &der::asn1::OctetStringRef| octets.as_bytes()).unwrap();
    let length = |at: usize| usize::from(u16::from_be_bytes([list[at], list[at + 1]]));
    assert_eq!(length(0), list.len() - 2);
    assert_eq!(length(2), list.len() - 4, "exactly one SCT: sigstore-python accepts no more");
    let sct = &list[4..];
    assert_eq!(sct[0], 0, "version 1");
    let extensions = length(4 + 41);
    Sct {
        log_id: sct[1..33].try_into().unwrap(),
        timestamp: sct[33..41].try_into().unwrap(),
        signature: sct[43 + extensions..].to_vec(),
    }
}

#[test]
fn the_roots_are_ours() {
    let stack = Stack::start();
    let chain = issue(&stack);
    let roots = get(&stack, "get-roots").expect(200).json();
    assert_eq!(roots["certificates"], json!([STANDARD.encode(der(&chain[2]))]));
}

#[test]
fn certificates_can_be_submitted() {
    let stack = Stack::start();
    let chain: Vec<String> = issue(&stack).iter().map(|pem| STANDARD.encode(der(pem))).collect();
    let size = tree_head(&stack).0;
    let answer = stack.post(&format!("{LOG}/add-chain"), &json!({"chain": chain})).expect(200).json();
    assert_eq!(answer["sct_version"], 0);
    assert_eq!(decode(&answer["id"]), ct_key(&stack).id());
    assert_eq!(tree_head(&stack).0, size + 1);
    let again = stack.post(&format!("{LOG}/add-chain"), &json!({"chain": chain})).expect(200).json();
    assert_eq!(again["timestamp"], answer["timestamp"], "logged once: the same promise again");
    assert_eq!(tree_head(&stack).0, size + 1);

    let precertificate = &entries(&stack, size - 1, size - 1)[0];
    let submitted = precertificate_chain(&decode(&precertificate["extra_data"]));
    stack.post(&format!("{LOG}/add-pre-chain"), &json!({"chain": submitted})).expect(200);
    assert_eq!(tree_head(&stack).0, size + 1, "that is in the log already");
    // Each kind goes its own way.
    stack.post(&format!("{LOG}/add-chain"), &json!({"chain": submitted})).expect(400);
    stack.post(&format!("{LOG}/add-pre-chain"), &json!({"chain": chain})).expect(400);
}

/// `PrecertChainEntry`: the precertificate and its chain, each with a three-byte length.
fn precertificate_chain(extra: &[u8]) -> Vec<String> {
    let take = |bytes: &[u8]| {
        let length = usize::try_from(u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])).unwrap();
        (bytes[3..3 + length].to_vec(), bytes[3 + length..].to_vec())
    };
    let (precertificate, rest) = take(extra);
    let (mut list, rest) = take(&rest);
    assert!(rest.is_empty());
    let mut chain = vec![STANDARD.encode(precertificate)];
    while !list.is_empty() {
        let (certificate, rest) = take(&list);
        chain.push(STANDARD.encode(certificate));
        list = rest;
    }
    chain
}

#[test]
fn certificates_of_others_are_refused() {
    let (stack, other) = (Stack::start(), Stack::start());
    let size = tree_head(&stack).0;
    let chain: Vec<String> = issue(&other).iter().map(|pem| STANDARD.encode(der(pem))).collect();
    for body in [json!({"chain": chain}), json!({"chain": []}), json!({"chain": ["AAAA"]}), json!({})] {
        stack.post(&format!("{LOG}/add-chain"), &body).expect(400);
        stack.post(&format!("{LOG}/add-pre-chain"), &body).expect(400);
    }
    assert_eq!(tree_head(&stack).0, size);
}

#[test]
fn questions_without_an_answer() {
    let stack = Stack::start();
    issue(&stack);
    let size = tree_head(&stack).0;
    for call in [
        "get-entries".to_owned(),
        "get-entries?start=1&end=0".to_owned(),
        "get-entries?start=-1&end=0".to_owned(),
        format!("get-entries?start={size}&end={size}"),
        "get-sth-consistency?first=2&second=1".to_owned(),
        format!("get-sth-consistency?first=1&second={}", size + 1),
        "get-proof-by-hash?hash=AAAA&tree_size=1".to_owned(),
    ] {
        let answer = get(&stack, &call);
        assert_eq!(answer.status, 400, "{call}: {}", answer.text());
    }
    let unknown: String = url::form_urlencoded::byte_serialize(STANDARD.encode([7; 32]).as_bytes()).collect();
    let answer = get(&stack, &format!("get-proof-by-hash?hash={unknown}&tree_size={size}"));
    assert!((400..=404).contains(&answer.status), "{}", answer.text());
    // More than there is: what there is.
    assert_eq!(entries(&stack, 0, size + 100).len() as u64, size);
}
