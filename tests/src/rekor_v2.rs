//! Rekor v2: requests to log something, and an independent check of what the log says about it.

use crate::{
    key::{Key, PublicKey, sha256},
    rekor::Checkpoint,
    stack::Stack,
    tree::{self, Hash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Where entries go.
pub const ENTRIES: &str = "/api/v2/log/entries";
/// The name of a request that is not deprecated.
pub const HASHEDREKORD: &str = "hashedRekordRequestV002";
/// The other.
pub const DSSE: &str = "dsseRequestV002";

/// A verifier with a P-256 key.
fn verifier(key: &Key) -> Value {
    json!({"publicKey": {"rawBytes": STANDARD.encode(key.public_der())}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"})
}

/// A request to log `artifact`, signed with `key`.
pub fn hashedrekord(key: &Key, artifact: &[u8]) -> Value {
    let signature = json!({"content": key.sign_base64(artifact), "verifier": verifier(key)});
    json!({HASHEDREKORD: {"digest": STANDARD.encode(sha256(artifact)), "signature": signature}})
}

/// A request to log a signed envelope.
pub fn dsse(key: &Key, envelope: &Value) -> Value {
    json!({DSSE: {"envelope": envelope, "verifiers": [verifier(key)]}})
}

/// The leaf that [`hashedrekord`] becomes, as a client rebuilds it.
pub fn leaf(request: &Value) -> String {
    let request = &request[HASHEDREKORD];
    // serde_json writes names in lexical order, and nothing here needs more of RFC 8785.
    json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": request["digest"]}, "signature": request["signature"]
    }}})
    .to_string()
}

/// The key of the instance's log, from the trusted root: the one that names its checkpoints' key.
pub fn key(stack: &Stack) -> PublicKey {
    let root: Value = serde_json::from_slice(&std::fs::read(stack.trust("trusted_root.json")).unwrap()).unwrap();
    let logs = root["tlogs"].as_array().unwrap();
    let [log] = logs.iter().filter(|log| log.get("checkpointKeyId").is_some()).collect::<Vec<_>>()[..] else {
        panic!("one Rekor v2 log: {root}")
    };
    assert_eq!(log["logId"], log["checkpointKeyId"]);
    PublicKey::from_der(&STANDARD.decode(log["publicKey"]["rawBytes"].as_str().unwrap()).unwrap())
}

/// An entry as the log answers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry(pub Value);

impl Entry {
    /// The bytes that were logged.
    pub fn body(&self) -> Vec<u8> {
        self.bytes("/canonicalizedBody")
    }

    pub fn log_index(&self) -> u64 {
        self.number("/logIndex")
    }

    /// The tree size the proof is for.
    pub fn tree_size(&self) -> u64 {
        self.number("/inclusionProof/treeSize")
    }

    /// The note of the checkpoint that the proof is for.
    pub fn checkpoint(&self) -> String {
        self.0["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap().to_owned()
    }

    /// Checks everything an entry says: which fields there are, inclusion proof and signed checkpoint under `key`.
    #[track_caller]
    pub fn verify(&self, key: &PublicKey) {
        let names: Vec<&String> = self.0.as_object().unwrap().keys().collect();
        let all = [
            "canonicalizedBody",
            "inclusionPromise",
            "inclusionProof",
            "integratedTime",
            "kindVersion",
            "logId",
            "logIndex",
        ];
        assert_eq!(names, all, "every field, also those that say nothing");
        assert_eq!((&self.0["integratedTime"], &self.0["inclusionPromise"]), (&json!("0"), &Value::Null));
        assert_eq!(self.bytes("/logId/keyId"), key.id());
        assert_eq!(self.0["kindVersion"]["version"], "0.0.2");
        assert_eq!(self.0["inclusionProof"]["logIndex"], self.0["logIndex"]);
        let hashes = self.0["inclusionProof"]["hashes"].as_array().expect("hashes is a list");
        let hashes: Vec<Hash> = hashes.iter().map(|hash| decode(hash).try_into().unwrap()).collect();
        let leaf = tree::leaf_hash(&self.body());
        let root = tree::root_from_inclusion(self.log_index(), self.tree_size(), &leaf, &hashes);
        assert_eq!(root.map(Vec::from), Some(self.bytes("/inclusionProof/rootHash")), "inclusion proof");
        let checkpoint = Checkpoint::open(&self.checkpoint(), key);
        assert_eq!(checkpoint.origin, "127.0.0.1", "the bare host");
        assert_eq!((checkpoint.size, Some(checkpoint.root)), (self.tree_size(), root));
    }

    fn number(&self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_str).expect("a number as a string").parse().unwrap()
    }

    fn bytes(&self, pointer: &str) -> Vec<u8> {
        decode(self.0.pointer(pointer).unwrap())
    }
}

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("a string")).unwrap()
}
