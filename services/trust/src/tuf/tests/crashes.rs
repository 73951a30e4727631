//! A power cut between any two writes.

use super::*;
use crate::tuf::succession::{Change, Files, Signing, targets_metadata};

/// Writes the first `count` files into a copy of the directory.
fn cut_short(setting: &Setting, files_to_write: &Files, count: usize) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for below in ["targets", "pending"] {
        fs::create_dir(copy.path().join(below)).unwrap();
    }
    for (name, bytes) in files(setting.directory.path())
        .iter()
        .chain(files_to_write.iter().take(count).map(|(name, bytes)| (name, bytes)))
    {
        fs::write(copy.path().join(name), bytes).unwrap();
    }
    copy
}

/// After each write clients find a consistent repository, and the next start reaches the same state.
async fn assert_survives(setting: &Setting, change: Change, now: Timestamp) {
    let signing = Signing { keys: &*setting.keys, lifetimes: &Lifetimes::default(), now };
    let before = setting.read();
    let new = signing.succeed(&before, change).await.unwrap();
    for count in 0..=new.len() {
        let copy = cut_short(setting, &new, count);
        let names: Vec<&String> = new.iter().take(count).map(|(name, _)| name).collect();
        let found = read(copy.path()).unwrap_or_else(|error| panic!("after {names:?}: {error}"));
        assert_accepted(&found, now);
        for role in Role::ALL {
            assert!(found.metadata(role).version >= before.metadata(role).version, "after {names:?}: {role}");
        }
        let again = publisher(copy.path(), &setting.keys);
        let (repository, _) = again.publish(&other(7), now).await.unwrap();
        assert_accepted(&repository, now);
        again.renew(&Role::ALL, now).await.unwrap();
        assert_accepted(&read(copy.path()).unwrap(), now);
    }
}

#[tokio::test]
async fn publishing_is_cut_short_anywhere() {
    let setting = Setting::new().await;
    let now = start().plus_seconds(DAY);
    let signing = Signing { keys: &*setting.keys, lifetimes: &Lifetimes::default(), now };
    let publication = Publication::of(&example()).unwrap();
    let targets = targets_metadata(publication.document(), 2, &signing).unwrap();
    assert_survives(&setting, Change { targets: Some(targets), ..Change::default() }, now).await;
    assert_survives(&setting, Change { timestamp: true, ..Change::default() }, now).await;
}

#[tokio::test]
async fn replacing_any_keys_is_cut_short_anywhere() {
    let setting = Setting::new().await;
    let now = start().plus_seconds(DAY);
    let mut root = setting.read().root().clone();
    for role in [Role::Timestamp, Role::Snapshot, Role::Targets, Role::Root] {
        root = root.with(role, RoleKeys::new(&[setting.keys.add(role)], 1).unwrap());
        let next = root.to_metadata(2, Lifetimes::default().expiry(Role::Root, now)).unwrap();
        assert_survives(&setting, Change { root: Some(next), ..Change::default() }, now).await;
    }
}

#[tokio::test]
async fn replacing_a_lost_key_is_taken_up_again() {
    let setting = Setting::new().await;
    let now = start().plus_seconds(DAY);
    setting.keys.take_away(Role::Timestamp);
    let key = setting.keys.add(Role::Timestamp);
    let root = setting.read().root().clone().with(Role::Timestamp, RoleKeys::new(&[key], 1).unwrap());
    let next = root.to_metadata(2, Lifetimes::default().expiry(Role::Root, now)).unwrap();
    let signing = Signing { keys: &*setting.keys, lifetimes: &Lifetimes::default(), now };
    let new = signing.succeed(&setting.read(), Change { root: Some(next), ..Change::default() }).await.unwrap();
    let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["2.root.json", "timestamp.json"], "nothing verifies under the old root any more");
    let copy = cut_short(&setting, &new, 1);
    assert!(read(copy.path()).unwrap().is_unfinished());
    let (repository, renewed) = publisher(copy.path(), &setting.keys).renew(&[], now).await.unwrap();
    assert_eq!(renewed, [Role::Timestamp]);
    assert_accepted(&repository, now);
}

#[tokio::test]
async fn the_first_start_is_cut_short_anywhere() {
    let setting = Setting::new().await;
    let whole = files(setting.directory.path());
    for left_out in [
        &["1.root.json"][..],
        &["1.root.json", "timestamp.json"],
        &["1.root.json", "timestamp.json", "1.snapshot.json"],
    ] {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("targets")).unwrap();
        for (name, bytes) in whole.iter().filter(|(name, _)| !left_out.contains(&name.as_str()) && *name != "lock") {
            fs::write(copy.path().join(name), bytes).unwrap();
        }
        let again = publisher(copy.path(), &setting.keys);
        let made = again.create(&Publication::of(&example()).unwrap(), start()).await.unwrap();
        assert_accepted(&made, start());
    }
}
