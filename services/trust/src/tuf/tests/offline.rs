//! Offline keys for root and targets: m of n people sign copies of an export.

use super::*;
use crate::tuf::{directory::PENDING_TARGETS, offline};

async fn signed(document: &Metadata, keys: &[&Arc<Signer>]) -> Metadata {
    let mut copies = vec![Metadata::parse(&document.to_bytes()).unwrap()];
    for key in keys {
        let mut copy = Metadata::parse(&document.to_bytes()).unwrap();
        offline::sign(&mut copy, key).await.unwrap();
        // Through a file, as people exchange it.
        copies.push(Metadata::parse(&copy.to_bytes()).unwrap());
    }
    let mut merged = offline::merge(copies);
    assert_eq!(merged.len(), 1);
    merged.remove(0)
}

/// Two of three people for root and targets, whose keys the server does not have.
async fn two_of_three(setting: &Setting, people: &[Arc<Signer>; 3], now: Timestamp) {
    let keys: Vec<PublicKey> = people.iter().map(|key| key.public_key().clone()).collect();
    let root = setting.read().root().clone();
    let root =
        root.with(Role::Root, RoleKeys::new(&keys, 2).unwrap()).with(Role::Targets, RoleKeys::new(&keys, 2).unwrap());
    let root = root.to_metadata(2, Lifetimes::default().expiry(Role::Root, now)).unwrap();
    let targets = setting.publisher.draft(&setting.read(), Role::Targets, now).unwrap();
    let one = signed(&root, &[&people[0]]).await;
    let both = signed(&targets, &[&people[0], &people[2]]).await;
    let error = setting.publisher.import(vec![one, both.clone()], now).await.unwrap_err();
    assert!(matches!(error, TufError::KeysMissing { role: Role::Root, signed: 1, threshold: 2, .. }), "{error}");
    assert_eq!(setting.versions(), [1, 1, 1, 1], "nothing has changed");
    let two = signed(&root, &[&people[0], &people[1]]).await;
    // The server's previous key also signs.
    setting.publisher.import(vec![two, both], now).await.unwrap();
    assert_eq!(setting.versions(), [2, 2, 2, 2]);
    assert_accepted(&setting.read(), now);
    setting.keys.take_away(Role::Root);
    setting.keys.take_away(Role::Targets);
}

#[tokio::test]
async fn keys_go_offline_and_the_server_renews_the_rest() {
    let setting = Setting::new().await;
    let people = [new_key(), new_key(), new_key()];
    two_of_three(&setting, &people, start()).await;
    for day in 0..300 {
        setting.publisher.renew(&[], start().plus_seconds(day * DAY)).await.unwrap();
    }
    let now = start().plus_seconds(300 * DAY);
    assert_accepted(&setting.read(), now);
    assert_eq!(setting.versions()[..2], [2, 2]);

    // New trust files wait for the people.
    let (_, state) = setting.publisher.publish(&other(1), now).await.unwrap();
    assert_eq!(state, Published::WaitsForSignatures);
    let waiting = fs::read(setting.directory.path().join(PENDING_TARGETS)).unwrap();
    setting.publisher.publish(&other(1), now.plus_seconds(DAY)).await.unwrap();
    assert_eq!(fs::read(setting.directory.path().join(PENDING_TARGETS)).unwrap(), waiting, "an operator is signing it");
    // Renewal meanwhile takes nothing away that they need.
    setting.publisher.renew(&[Role::Snapshot], now).await.unwrap();
    let draft = setting.publisher.draft(&setting.read(), Role::Targets, now).unwrap();
    assert_eq!(draft.to_bytes(), waiting);
    setting.publisher.import(vec![signed(&draft, &[&people[1], &people[2]]).await], now).await.unwrap();
    let served = setting.read();
    assert!(String::from_utf8_lossy(served.target("trusted_root.json").unwrap()).contains("https://1.example"));
    assert!(!setting.directory.path().join(PENDING_TARGETS).exists());
    let (_, state) = setting.publisher.publish(&other(1), now).await.unwrap();
    assert_eq!(state, Published::Served);
}

#[tokio::test]
async fn what_has_waited_for_too_long_can_still_be_signed() {
    let setting = Setting::new().await;
    let people = [new_key(), new_key(), new_key()];
    two_of_three(&setting, &people, start()).await;
    setting.publisher.publish(&other(1), start()).await.unwrap();
    let late = start().plus_seconds(360 * DAY);
    let draft = setting.publisher.draft(&setting.read(), Role::Targets, late).unwrap();
    assert_eq!(draft.expires, Lifetimes::default().expiry(Role::Targets, late));
    setting.publisher.import(vec![signed(&draft, &[&people[0], &people[1]]).await], late).await.unwrap();
    let served = setting.read();
    assert!(String::from_utf8_lossy(served.target("trusted_root.json").unwrap()).contains("https://1.example"));
}

#[tokio::test]
async fn what_is_not_signed_by_enough_people_is_refused() {
    let setting = Setting::new().await;
    let people = [new_key(), new_key(), new_key()];
    two_of_three(&setting, &people, start()).await;
    let before = files(setting.directory.path());
    let refused = async |document: Metadata, said: &str| {
        let error = setting.publisher.import(vec![document], start()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(files(setting.directory.path()), before, "nothing has changed: {said}");
    };
    let root = setting.publisher.draft(&setting.read(), Role::Root, start()).unwrap();

    // One person twice, and under another person's id.
    let mut twice = signed(&root, &[&people[0], &people[0]]).await;
    let signature = twice.signatures().next().unwrap().1.to_vec();
    twice.add_signature(key::id(people[1].public_key()).unwrap(), signature);
    refused(twice, "could be made here: 1 of 2").await;
    // Strangers.
    refused(signed(&root, &[&people[0], &new_key()]).await, "could be made here: 1 of 2").await;
    // The right people, but signatures of another document.
    let targets = setting.publisher.draft(&setting.read(), Role::Targets, start()).unwrap();
    let mut moved = targets.clone();
    for (id, signature) in signed(&root, &[&people[0], &people[1]]).await.signatures() {
        moved.add_signature(id.clone(), signature.to_vec());
    }
    refused(moved, "could be made here: 0 of 2").await;
    // Enough for itself, but not for the previous root.
    let strangers = [new_key(), new_key()];
    let keys: Vec<PublicKey> = strangers.iter().map(|key| key.public_key().clone()).collect();
    let usurped = setting.read().root().clone().with(Role::Root, RoleKeys::new(&keys, 2).unwrap());
    let usurped = usurped.to_metadata(3, start().plus_seconds(300 * DAY)).unwrap();
    refused(
        signed(&usurped, &[&strangers[0], &strangers[1], &people[0]]).await,
        "too few keys of the root role have signed it: 1 of 2",
    )
    .await;
    // Not the next version, or past its end.
    for version in [1, 2, 4] {
        let other = setting.read().root().to_metadata(version, start().plus_seconds(DAY)).unwrap();
        refused(signed(&other, &[&people[0], &people[1]]).await, "the next is 3").await;
    }
    let expired = setting.read().root().to_metadata(3, start()).unwrap();
    refused(signed(&expired, &[&people[0], &people[1]]).await, "it expired on").await;
    // Made for one second, or for a week.
    for seconds in [1, 7 * DAY] {
        let short = setting.read().root().to_metadata(3, start().plus_seconds(seconds)).unwrap();
        refused(signed(&short, &[&people[0], &people[1]]).await, "which is too soon; export it again").await;
    }
}
