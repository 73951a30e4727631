//! Rekor v1: entries to propose, and an independent check of what the log says about them.

use crate::{
    key::{Key, PublicKey, sha256},
    tree::{self, Hash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Where entries go.
pub const ENTRIES: &str = "/api/v1/log/entries";

/// A `hashedrekord` over `artifact`, signed with `key`.
pub fn hashedrekord(key: &Key, artifact: &[u8]) -> Value {
    json!({
        "kind": "hashedrekord",
        "apiVersion": "0.0.1",
        "spec": {
            "signature": {
                "content": key.sign_base64(artifact),
                "publicKey": {"content": STANDARD.encode(key.public_pem())}
            },
            "data": {"hash": {"algorithm": "sha256", "value": hex::encode(sha256(artifact))}}
        }
    })
}

/// A DSSE envelope around `payload`, signed with `key`.
pub fn envelope(key: &Key, payload_type: &str, payload: &[u8]) -> Value {
    let mut signed = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    signed.extend_from_slice(payload);
    json!({
        "payload": STANDARD.encode(payload),
        "payloadType": payload_type,
        "signatures": [{"sig": key.sign_base64(&signed)}]
    })
}

/// A `dsse` entry of this envelope.
pub fn dsse(key: &Key, envelope: &str) -> Value {
    json!({
        "kind": "dsse",
        "apiVersion": "0.0.1",
        "spec": {"proposedContent": {"envelope": envelope, "verifiers": [STANDARD.encode(key.public_pem())]}}
    })
}

/// An `intoto` 0.0.1 entry of this envelope.
pub fn intoto_v001(key: &Key, envelope: &str) -> Value {
    json!({
        "kind": "intoto",
        "apiVersion": "0.0.1",
        "spec": {"content": {"envelope": envelope}, "publicKey": STANDARD.encode(key.public_pem())}
    })
}

/// An `intoto` 0.0.2 entry of an envelope with one signature, as sigstore-js makes it: what is base64 already is base64 again.
pub fn intoto_v002(key: &Key, envelope: &Value) -> Value {
    let twice = |pointer: &str| STANDARD.encode(envelope.pointer(pointer).unwrap().as_str().unwrap());
    json!({
        "kind": "intoto",
        "apiVersion": "0.0.2",
        "spec": {"content": {
            "envelope": {
                "payload": twice("/payload"),
                "payloadType": envelope["payloadType"],
                "signatures": [{"sig": twice("/signatures/0/sig"), "publicKey": STANDARD.encode(key.public_pem())}]
            },
            "hash": {"algorithm": "sha256", "value": hex::encode(sha256(envelope.to_string().as_bytes()))}
        }}
    })
}

/// An entry as the log answers it: one entry id and what is below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// 80 hexadecimal digits: tree id and leaf hash.
    pub id: String,
    value: Value,
}

impl Entry {
    /// The only member of a map.
    #[track_caller]
    pub fn parse(map: &Value) -> Self {
        let map = map.as_object().expect("an object");
        assert_eq!(map.len(), 1, "an entry has one member: {map:?}");
        let (id, value) = map.iter().next().unwrap();
        assert_eq!(id.len(), 80, "an entry id has 80 digits");
        Self { id: id.clone(), value: value.clone() }
    }

    /// The bytes that were logged.
    pub fn body(&self) -> Vec<u8> {
        STANDARD.decode(self.text("/body")).unwrap()
    }

    pub fn log_index(&self) -> u64 {
        self.value["logIndex"].as_u64().unwrap()
    }

    /// The tree size the proof is for.
    pub fn tree_size(&self) -> u64 {
        self.value["verification"]["inclusionProof"]["treeSize"].as_u64().unwrap()
    }

    /// The note of the checkpoint that the proof is for.
    pub fn checkpoint(&self) -> String {
        self.text("/verification/inclusionProof/checkpoint")
    }

    pub fn integrated_time(&self) -> u64 {
        self.value["integratedTime"].as_u64().unwrap()
    }

    /// Checks everything an entry says: id, inclusion proof, signed checkpoint and inclusion promise under `rekor`.
    #[track_caller]
    pub fn verify(&self, rekor: &PublicKey) {
        let proof = &self.value["verification"]["inclusionProof"];
        let leaf = tree::leaf_hash(&self.body());
        assert_eq!(self.id[16..], hex::encode(leaf), "the id ends with the leaf hash");
        assert_eq!(self.text("/logID"), hex::encode(rekor.id()));
        let hashes: Vec<Hash> = proof["hashes"].as_array().expect("hashes is a list").iter().map(hash).collect();
        let index = proof["logIndex"].as_u64().unwrap();
        let root = tree::root_from_inclusion(index, self.tree_size(), &leaf, &hashes);
        assert_eq!(root, Some(hash(&proof["rootHash"])), "inclusion proof of {}", self.id);
        let checkpoint = Checkpoint::open(&self.checkpoint(), rekor);
        assert_eq!((checkpoint.size, Some(checkpoint.root)), (self.tree_size(), root));
        let tree_id = i64::from_str_radix(&self.id[..16], 16).unwrap();
        assert!(checkpoint.origin.ends_with(&format!(" - {tree_id}")), "{}", checkpoint.origin);
        self.verify_promise(rekor);
    }

    /// The inclusion promise signs four members in RFC 8785's order.
    #[track_caller]
    fn verify_promise(&self, rekor: &PublicKey) {
        let signed = format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            self.text("/body"),
            self.integrated_time(),
            self.text("/logID"),
            self.log_index()
        );
        let promise = STANDARD.decode(self.text("/verification/signedEntryTimestamp")).unwrap();
        assert!(rekor.verifies(signed.as_bytes(), &promise), "inclusion promise over {signed}");
    }

    fn text(&self, pointer: &str) -> String {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer}: {}", self.value))
            .to_owned()
    }
}

/// The leaves of a log of `size` leaves, read from its entry bundles (C2SP tlog-tiles: each with its length in two bytes).
pub fn leaves(size: u64, bundle: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    for index in 0..size.div_ceil(256) {
        let partial = if size / 256 == index { format!(".p/{}", size % 256) } else { String::new() };
        assert!(index < 1000, "a longer path");
        let bundle = bundle(&format!("tile/entries/{index:03}{partial}"));
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (leaf, after) = after.split_at(u16::from_be_bytes(*length).into());
            leaves.push(leaf.to_vec());
            rest = after;
        }
    }
    assert_eq!(leaves.len() as u64, size, "bundles are full");
    leaves
}

/// A signed tree head as Rekor v1 writes it.
#[derive(Debug)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// Parses a note and demands that its one signature is `key`'s.
    #[track_caller]
    pub fn open(note: &str, key: &PublicKey) -> Self {
        let (text, signatures) = note.split_once("\n\n").expect("a blank line");
        let mut lines = text.lines();
        let origin = lines.next().unwrap().to_owned();
        let size = lines.next().unwrap().parse().unwrap();
        let root = STANDARD.decode(lines.next().unwrap()).unwrap().try_into().unwrap();
        assert_eq!(lines.next(), None, "no more than three lines: {note}");
        let signature = signatures.strip_suffix('\n').expect("a newline at the end");
        let (name, signature) = signature.strip_prefix("— ").expect("a signature line").split_once(' ').unwrap();
        assert_eq!(Some(name), origin.split(" - ").next(), "signed under the host name");
        let signature = STANDARD.decode(signature).unwrap();
        let (key_id, signature) = signature.split_at(4);
        assert_eq!(key_id, &key.id()[..4], "Rekor v1 names the key by the hash of its SPKI");
        assert!(key.verifies(format!("{text}\n").as_bytes(), signature), "checkpoint signature: {note}");
        Self { origin, size, root }
    }
}

/// 64 hexadecimal digits.
#[track_caller]
pub fn hash(value: &Value) -> Hash {
    hex::decode(value.as_str().expect("a string")).unwrap().try_into().unwrap()
}
