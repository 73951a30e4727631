//! Targets for what logs elsewhere answer in JSON: Rekor v1, and the API of RFC 6962.

use chancery_log_client::json::rfc6962::SignedTreeHead;
use chancery_log_client::json::{rekor_v1, rfc6962};
use chancery_verify::PublicKey;
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::note::{KeyName, Note};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 2] = [("log_rekor_v1", log_rekor_v1), ("log_rfc6962", log_rfc6962)];

const URL: &str = "https://log.example";
const TREE_ID: i64 = 6;
/// Entries that were asked for.
const MOST: u64 = 2;
/// 32 bytes in each encoding.
const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKKO5Pe/NYi/J1sk0DaJNIycISSR6
+oLYUxwRe4TVYXgJ35o6gTU6lNtpPda3o2bWAve+zIaA4/vIQbz8+UXXcg==
-----END PUBLIC KEY-----
";

/// Where a target starts.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts = if target == "log_rekor_v1" { of_rekor_v1() } else { of_rfc6962() };
    texts.into_iter().map(String::into_bytes).collect()
}

fn of_rekor_v1() -> Vec<String> {
    let tree = |number: i64, size: u64| {
        format!(
            r#""rootHash":"{HEX}","signedTreeHead":"log.example - {number}\n{size}\n{BASE64}\n","treeID":"{number}","treeSize":{size}"#
        )
    };
    let proof = format!(
        r#"{{"inclusionProof":{{"checkpoint":"","hashes":["{HEX}","{HEX}"],"logIndex":1,"rootHash":"{HEX}","treeSize":3}},"signedEntryTimestamp":"AA=="}}"#
    );
    let entry = format!(
        r#"{{"{TREE_ID:016x}{HEX}":{{"body":"e30=","integratedTime":1700000000,"logID":"{HEX}","logIndex":8,"verification":{proof}}}}}"#
    );
    vec![
        format!(r#"{{"inactiveShards":[{{{}}}],{}}}"#, tree(5, 7), tree(TREE_ID, 3)),
        format!(r#"{{"inactiveShards":null,{}}}"#, tree(TREE_ID, 3)),
        format!("[{entry},{entry}]"),
        entry,
        format!(r#"{{"hashes":["{HEX}"],"rootHash":"{HEX}"}}"#),
        r#"{"hashes":null,"rootHash":""}"#.to_owned(),
    ]
}

fn of_rfc6962() -> Vec<String> {
    let entry = r#"{"leaf_input":"AAAAAAGLz+VoAAAAAAAAAQAAAA==","extra_data":"AAAA"}"#;
    vec![
        format!(
            r#"{{"tree_size":3,"timestamp":1700000000123,"sha256_root_hash":"{BASE64}","tree_head_signature":"BAMARjBEAiA="}}"#
        ),
        format!(
            r#"{{"tree_size":0,"timestamp":0,"sha256_root_hash":"{BASE64}","tree_head_signature":"BAMARjBEAiA="}}"#
        ),
        format!(r#"{{"entries":[{entry},{entry}]}}"#),
        format!(r#"{{"leaf_input":"","extra_data":"","audit_path":["{BASE64}","{BASE64}"]}}"#),
        format!(r#"{{"leaf_index":1,"audit_path":["{BASE64}"]}}"#),
        format!(r#"{{"consistency":["{BASE64}"]}}"#),
        r#"{"consistency":null}"#.to_owned(),
    ]
}

/// Every answer of Rekor v1: trees follow each other without a gap, and nothing is larger than what was sent.
pub fn log_rekor_v1(input: &[u8]) {
    if let Ok(shards) = rekor_v1::shards(URL, input) {
        let mut next = 0;
        for shard in &shards {
            assert_eq!(shard.first_index, next);
            next += shard.size;
        }
        assert_eq!(shards.iter().filter(|shard| shard.is_active).count(), 1);
        assert!(shards.last().is_some_and(|shard| shard.is_active));
    }
    if let Ok(entries) = rekor_v1::entries(URL, input, TREE_ID) {
        assert!(entries.values().map(|entry| entry.leaf.len()).sum::<usize>() <= input.len());
        let index = rekor_v1::index(URL, input, TREE_ID).expect("the same entries");
        assert_eq!(index.is_some(), !entries.is_empty());
        assert!(index.is_none_or(|index| entries.contains_key(&index)));
    }
    if let Ok((hashes, _)) = rekor_v1::inclusion(URL, input, TREE_ID) {
        assert!(hashes.len() * 64 <= input.len());
    }
    if let Ok(hashes) = rekor_v1::consistency(URL, input) {
        assert!(hashes.len() * 64 <= input.len());
    }
}

/// Every answer of a certificate log: a tree head is the same as a note, and no more entries are read than were asked for.
pub fn log_rfc6962(input: &[u8]) {
    if let Ok(sth) = SignedTreeHead::read(URL, input) {
        let key = PublicKey::from_pem(KEY.as_bytes()).expect("a key");
        let note = sth.to_note(&KeyName::new("log.example/2026").expect("a name"), &key);
        if let Ok(note) = Note::parse(&note) {
            let checkpoint = Checkpoint::parse(&note.text);
            assert!(checkpoint.is_ok_and(|checkpoint| checkpoint.head == sth.head) || sth.head.size == 0);
        }
    }
    if let Ok(entries) = rfc6962::entries(URL, input, MOST) {
        assert!((1..=2).contains(&entries.len()));
        for entry in entries {
            assert!(entry.leaf.len() + entry.extra.len() <= input.len());
            assert!(entry.timestamp_ms.is_none_or(|time| time >= 0));
        }
    }
    for read in [rfc6962::inclusion, rfc6962::consistency] {
        if let Ok(hashes) = read(URL, input) {
            assert!(hashes.len() * 44 <= input.len());
        }
    }
    // Whatever index it names: it is compared with a proof.
    let _ = rfc6962::index(URL, input);
}
