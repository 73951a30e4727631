//! What people see before they sign: sentences about keys, windows and URLs, and no file that is not what they sign.

use super::*;
use serde_json::{Value, json};

fn expiry(role: Role) -> Timestamp {
    Lifetimes::default().expiry(role, start())
}

/// As it arrives in a file.
fn exchanged(review: &Review, change: impl FnOnce(&mut Value)) -> Review {
    let mut document = serde_json::to_value(review).unwrap();
    change(&mut document);
    serde_json::from_value(document).unwrap()
}

#[tokio::test]
async fn a_new_root_says_which_keys_come_and_go() {
    let setting = Setting::new().await;
    let current = setting.read();
    let people = [new_key(), new_key(), new_key()];
    let keys: Vec<PublicKey> = people.iter().map(|key| key.public_key().clone()).collect();
    let root = current.root().clone().with(Role::Root, RoleKeys::new(&keys, 2).unwrap());
    let root = root.to_metadata(2, expiry(Role::Root)).unwrap();
    let review = exchanged(&setting.publisher.review(&current, &root).unwrap(), |_| {});
    let (old_id, old_key) = current.root().root.keys.first_key_value().unwrap();
    let added = keys.iter().map(|key| format!("root: key {} is added", key::id(key).unwrap()));
    let mut expected: Vec<String> = added.collect();
    expected.extend([
        format!("root: key {old_id} is removed"),
        "root: 2 of 3 keys must sign instead of 1 of 1 key".to_owned(),
    ]);
    let mut changes = review.changes(&root).unwrap();
    changes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(changes, expected);
    assert!(review.is_vouched_for(old_key) && !review.is_vouched_for(&keys[0]));

    let same = current.root().to_metadata(2, expiry(Role::Root)).unwrap();
    assert_eq!(review.changes(&same), Ok(Vec::new()));
    let later = current.root().to_metadata(3, expiry(Role::Root)).unwrap();
    assert_eq!(review.changes(&later), Err(InvalidMetadata::Version { role: Role::Root, expected: 2, found: 3 }));
    // A version before that its own keys have not signed.
    let unsigned = exchanged(&review, |review| review["root"]["signatures"] = json!([]));
    assert!(matches!(unsigned.changes(&root), Err(InvalidMetadata::TooFewSignatures { signed: 0, .. })));
    assert!(!unsigned.is_vouched_for(old_key));
}

#[tokio::test]
async fn new_targets_say_what_changes_for_clients() {
    let setting = Setting::new().await;
    setting.keys.take_away(Role::Targets);
    let (current, state) = setting.publisher.publish(&other(1), start()).await.unwrap();
    assert_eq!(state, Published::WaitsForSignatures);
    let draft = setting.publisher.draft(&current, Role::Targets, start()).unwrap();
    let review = exchanged(&setting.publisher.review(&current, &draft).unwrap(), |_| {});
    let changes = review.changes(&draft).unwrap();
    assert!(changes[0].starts_with("trusted_root.json: signature log http://127.0.0.1:8080 (key "), "{changes:?}");
    assert!(changes[0].ends_with("its URL changes from http://127.0.0.1:8080 to https://1.example"), "{changes:?}");
    assert_eq!(
        changes[1..],
        [
            "signing_config.v0.2.json: it is written in another way, and says the same",
            "files for older clients follow from that: rekor.pub",
        ]
    );
    // Contents that are not those whose hash is signed.
    for files in ["before", "after"] {
        let other = exchanged(&review, |review| review[files]["trusted_root.json"] = "{}".into());
        let named =
            matches!(other.changes(&draft), Err(InvalidMetadata::Differs { name, .. }) if name == "trusted_root.json");
        assert!(named, "{files}");
    }
    // A file for older clients that does not follow from the others, and a member that nobody knows.
    let mut targets = draft.member("targets").unwrap().clone();
    targets["ctfe.pub"]["hashes"]["sha256"] = hex::encode(chancery_verify::hash::sha256(b"another")).into();
    targets["ctfe.pub"]["length"] = 7.into();
    let parts = [("targets".to_owned(), targets), ("delegations".to_owned(), json!({"keys": {}}))];
    let forged = Metadata::new(Role::Targets, 2, expiry(Role::Targets), parts.into_iter().collect()).unwrap();
    let review = exchanged(&review, |review| review["after"]["ctfe.pub"] = "another".into());
    let changes = review.changes(&forged).unwrap();
    let told = [
        "ctfe.pub changes, and does not follow from the others: read it before you sign",
        "member delegations of the metadata changes",
    ];
    assert!(told.iter().all(|told| changes.iter().any(|change| change == told)), "{changes:?}");
}
