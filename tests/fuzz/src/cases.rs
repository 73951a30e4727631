//! The targets for cases of evidence, and a sound case to start from: two signatures in a log of three entries.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_search::evidence::{Answered, Case, CompleteTo, Consistency, Draft, Entry, Member, Place, archive, check};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::hash::sha256;
use chancery_verify::merkle::{TreeHead, leaf_hash, node_hash};
use chancery_verify::note::KeyName;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{Options, Verifier};
use chancery_verify::{PublicKey, Timestamp, pem};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::json;
use std::sync::LazyLock;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 2] = [("case", case), ("case_entry", case_entry)];

/// When cases are checked.
pub const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Where the server's name of the log is.
pub const LOG: &str = "rekor";
/// What was signed.
const ARTIFACTS: [&[u8]; 2] = [b"one", b"two"];

/// A sound case in its parts.
#[derive(Clone)]
pub struct Scene {
    /// Entries 1 and 2. The first leads to the tree of two entries, the second to that of three.
    pub entries: [Entry; 2],
    pub checkpoint: String,
    pub older: Consistency,
    pub answer: Answered,
}

impl Scene {
    /// The case of these parts.
    pub fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        draft.add(Member::Checkpoint(LOG), self.checkpoint.clone().into_bytes());
        draft.add_consistency(LOG, 2, &self.older).expect("JSON");
        for (index, entry) in (1..).zip(&self.entries) {
            draft.add_entry(LOG, index, entry).expect("JSON");
        }
        draft.add_answer(0, &self.answer).expect("JSON");
        draft
    }

    /// The same as a case of the question of its answer.
    pub fn case(&self) -> Case {
        Case::seal("https://log.test", self.answer.question.clone(), self.draft())
    }
}

/// Anybody's, so that runs and machines agree: that of the log, and that of who signed.
static KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| [7, 8].map(|byte| SigningKey::from_slice(&[byte; 32]).expect("a scalar below the order")));

/// A sound case.
pub static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let leaves = [b"the first entry of a log".to_vec(), body(ARTIFACTS[0]), body(ARTIFACTS[1])];
    let [first, second, third] = [leaf_hash(&leaves[0]), leaf_hash(&leaves[1]), leaf_hash(&leaves[2])];
    let two = node_hash(&first, &second);
    let entry = |leaf: &[u8], tree_size: u64, sibling: &[u8; 32]| Entry {
        time: Some("2026-11-21T07:00:00.000Z".to_owned()),
        tree_size,
        hashes: vec![hex::encode(sibling)],
        leaf: STANDARD.encode(leaf),
        extra: String::new(),
        promise: None,
        promise_withheld: true,
    };
    let question = ARTIFACTS.map(|artifact| ("digest".to_owned(), format!("sha256:{}", hex::encode(sha256(artifact)))));
    let place = |index| Place { log: LOG.to_owned(), index };
    Scene {
        entries: [entry(&leaves[1], 2, &first), entry(&leaves[2], 3, &two)],
        checkpoint: note(3, node_hash(&two, &third)),
        older: Consistency { checkpoint: note(2, two), hashes: vec![hex::encode(third)] },
        answer: Answered {
            question: question.to_vec(),
            entries: vec![place(1), place(2)],
            complete_to: vec![CompleteTo { log: LOG.to_owned(), size: 3 }],
        },
    }
});

/// Trusts the log of the scene.
pub static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let key = public_key(0);
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "baseUrl": "https://log.test",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(key.spki_der()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": { "start": "2020-01-01T00:00:00Z" },
            },
            "logId": { "keyId": STANDARD.encode(key.fingerprint()) },
        }],
    });
    let root = TrustRoot::parse(root.to_string().as_bytes()).expect("a trusted root");
    Verifier::new(root, Options::default())
});

fn public_key(number: usize) -> PublicKey {
    let spki = KEYS[number].verifying_key().to_public_key_der().expect("a key can be encoded");
    PublicKey::from_spki_der(spki.as_bytes()).expect("a key reads back")
}

/// A checkpoint of the log.
pub fn note(size: u64, root: [u8; 32]) -> String {
    note_of_tree(7, size, root)
}

/// A checkpoint of the tree with this number, which the key of the log has signed.
pub fn note_of_tree(tree_id: i64, size: u64, root: [u8; 32]) -> String {
    let scheme = Scheme::RekorV1 { host: KeyName::new("log.test").expect("a name"), tree_id };
    let head = TreeHead { size, root };
    let signature: DerSignature = KEYS[0].sign(&scheme.signed_bytes(&head, NOW));
    scheme.note(&head, NOW, &public_key(0), signature.as_bytes())
}

/// A canonical body about an artifact.
fn body(artifact: &[u8]) -> Vec<u8> {
    let signature: DerSignature = KEYS[1].sign(artifact);
    let key = pem::encode(pem::PUBLIC_KEY, public_key(1).spki_der());
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex::encode(sha256(artifact)) } },
            "signature": {
                "content": STANDARD.encode(signature.as_bytes()),
                "publicKey": { "content": STANDARD.encode(key) },
            },
        },
    });
    body.to_string().into_bytes()
}

/// Where a target starts.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let entry = Member::Entry(LOG, 2);
    let case = SCENE.case();
    if target == "case_entry" {
        return vec![case.member(entry).expect("it is there").to_vec()];
    }
    let empty = Answered { entries: Vec::new(), complete_to: Vec::new(), ..SCENE.answer.clone() };
    let mut draft = Draft::default();
    draft.add_answer(0, &empty).expect("JSON");
    let small = Case::seal("https://log.test", empty.question, draft);
    [case, small].iter().map(|case| case.to_archive().expect("it fits")).collect()
}

/// Nothing panics; an archive that is read has the one form that it may have, and names that lead nowhere else.
pub fn case(input: &[u8]) {
    if let Ok(members) = archive::unpack(input) {
        assert_eq!(archive::pack(&members).as_deref(), Ok(input), "another form");
        assert!(members.keys().all(|name| !name.starts_with('/') && !name.contains("..") && name.len() <= 100));
    }
    let Ok(case) = Case::open(input) else { return };
    assert_eq!(case.to_archive().as_deref(), Ok(input), "another form");
    let _ = check(&case, &VERIFIER, NOW);
}

/// The content of an entry is changed, and the case sealed again. Nothing panics; no entry is sound but the one that the log
/// has.
pub fn case_entry(input: &[u8]) {
    let mut draft = SCENE.draft();
    draft.add(Member::Entry(LOG, 2), input.to_vec());
    let Ok(report) = check(&Case::seal("", SCENE.answer.question.clone(), draft), &VERIFIER, NOW) else { return };
    let read: Entry = serde_json::from_slice(input).expect("it was read");
    assert_eq!(read.leaf, SCENE.entries[1].leaf, "another entry is sound");
    assert_eq!(report.signatures.len(), 2);
}
