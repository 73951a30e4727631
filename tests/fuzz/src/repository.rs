//! The target for TUF metadata that was signed elsewhere and is handed in.

use chancery_trust::tuf::{InvalidMetadata, Metadata, Role, RoleKeys, Root, canonical, key, metadata};
use chancery_verify::{PublicKey, Timestamp};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 1] = [("tuf_metadata", tuf_metadata)];

/// Anybody's, so that runs and machines agree.
static KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| [5, 6].map(|byte| SigningKey::from_slice(&[byte; 32]).expect("a scalar below the order")));

static ROOT: LazyLock<Root> = LazyLock::new(|| {
    let keys = [public_key(0), public_key(1)];
    let role = |threshold| RoleKeys::new(&keys, threshold).expect("a possible threshold");
    Root { root: role(2), targets: role(2), snapshot: role(1), timestamp: role(1) }
});

static SEEDS: LazyLock<[Metadata; 3]> = LazyLock::new(|| {
    let expires = Timestamp::from_seconds(1_800_000_000);
    let facts = json!({"length": 1, "hashes": {"sha256": "0".repeat(64)}, "version": 7, "custom": {"sigstore": {}}});
    let with = |role, member: &str, file: &str| {
        let listed = Value::Object(Map::from_iter([(file.to_owned(), facts.clone())]));
        let parts = Map::from_iter([(member.to_owned(), listed)]);
        Metadata::new(role, 3, expires, parts).expect("well formed")
    };
    let targets = with(Role::Targets, "targets", "trusted_root.json");
    let snapshot = with(Role::Snapshot, "meta", "targets.json");
    let mut seeds = [ROOT.to_metadata(2, expires).expect("well formed"), targets, snapshot];
    for seed in &mut seeds {
        for (number, signing) in KEYS.iter().enumerate() {
            let signature: DerSignature = signing.sign(seed.message());
            seed.add_signature(key::id(&public_key(number)).expect("a name"), signature.as_bytes().to_vec());
        }
    }
    seeds
});

fn public_key(number: usize) -> PublicKey {
    let spki = KEYS[number].verifying_key().to_public_key_der().expect("a key can be encoded");
    PublicKey::from_spki_der(spki.as_bytes()).expect("a key reads back")
}

/// Where the target starts.
pub fn seeds(_target: &str) -> Vec<Vec<u8>> {
    SEEDS.iter().map(Metadata::to_bytes).collect()
}

/// Nothing panics; what parses has one canonical form; nothing verifies but what the two have signed; no root has a
/// threshold that nobody or anybody meets; no target leads out of a directory.
pub fn tuf_metadata(input: &[u8]) {
    let Ok(document) = Metadata::parse(input) else { return };
    let written = document.to_bytes();
    let again = Metadata::parse(&written).expect("what is written is read");
    assert_eq!(again, document);
    let value: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(canonical::encode(&value["signed"]).as_deref(), Ok(document.message()));
    if ROOT.verify(&document).is_ok() {
        assert!(SEEDS.iter().any(|seed| seed.message() == document.message()), "another document verifies");
    }
    if let Ok(root) = Root::parse(&document) {
        for role in Role::ALL {
            let keys = root.role(role);
            assert!((1..=keys.keys.len()).contains(&keys.threshold));
            assert!(keys.count(&document) <= keys.keys.len());
        }
        let next = root.to_metadata(document.version, document.expires).expect("a root can be written");
        let read = Root::parse(&next).expect("and read");
        assert!(Role::ALL.iter().all(|role| read.role(*role).threshold == root.role(*role).threshold));
        assert!(matches!(read.verify(&next), Err(InvalidMetadata::TooFewSignatures { .. })), "nobody has signed it");
    }
    if let Ok(listed) = metadata::listed_targets(&document) {
        for (name, facts) in listed {
            let path = name.path(&facts);
            let name = path.strip_prefix("targets/").expect("below targets");
            assert!(!name.contains(['/', '\\', '\0']) && name.len() > 65 && !name.starts_with('.'), "{path}");
        }
    }
    for name in ["targets.json", "snapshot.json"] {
        let _ = metadata::listed_metadata(&document, name);
    }
}
