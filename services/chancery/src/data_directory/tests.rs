//! Directories that are new, old, cut short, in use, or of something else.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn all() -> BTreeSet<Role> {
    Role::ALL.into()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[test]
fn keys_and_time_survive_and_the_directory_is_private() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    let key = data.key("ca", KeyKind::P256).unwrap();
    assert_eq!(data.chain_of(Role::Ca).unwrap(), None);
    data.keep_chain_of(Role::Ca, "chain").unwrap();
    data.complete().unwrap();
    drop(data);
    let data = DataDirectory::open(&path, &all(), at(200)).unwrap();
    assert_eq!((data.created(), data.is_new()), (at(100), false));
    assert_eq!(data.key("ca", KeyKind::P256).unwrap().public_key(), key.public_key());
    assert_eq!(data.chain_of(Role::Ca).unwrap().as_deref(), Some("chain"));
    for (name, mode) in [("", 0o700), ("keys", 0o700), ("keys/ca.pem", 0o600), ("keys/ca-chain.pem", 0o600)] {
        assert_eq!(fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn nothing_that_should_be_there_is_made_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    data.key("ct", KeyKind::P256).unwrap();
    data.complete().unwrap();
    fs::remove_file(path.join("keys/ct.pem")).unwrap();
    for error in [data.key("ct", KeyKind::P256).unwrap_err(), data.database().unwrap_err()] {
        assert!(error.to_string().contains("is missing"), "{error:#}");
    }
}

#[test]
fn a_younger_role_is_added_once() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    data.complete().unwrap();
    drop(data);
    // As an earlier version has left it.
    let mut instance = read_instance(&path).unwrap();
    instance.added.clear();
    write_instance(&path, &instance).unwrap();
    let mut data = DataDirectory::open(&path, &all(), at(200)).unwrap();
    assert!(data.lacks(rekor_v2::NAME) && !data.lacks("ct"));
    assert!(data.key("ct", KeyKind::P256).unwrap_err().to_string().contains("is missing"));
    let key = data.key(rekor_v2::NAME, KeyKind::P256).unwrap();
    data.complete().unwrap();
    drop(data);
    let data = DataDirectory::open(&path, &all(), at(300)).unwrap();
    assert!(!data.lacks(rekor_v2::NAME));
    assert_eq!(data.key(rekor_v2::NAME, KeyKind::P256).unwrap().public_key(), key.public_key());
    fs::remove_file(path.join("keys/rekor2.pem")).unwrap();
    assert!(data.key(rekor_v2::NAME, KeyKind::P256).unwrap_err().to_string().contains("is missing"));
}

#[test]
fn a_first_start_that_was_cut_short_is_taken_up_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let key = DataDirectory::open(&path, &all(), at(100)).unwrap().key("ct", KeyKind::P256).unwrap();
    let data = DataDirectory::open(&path, &all(), at(200)).unwrap();
    assert_eq!((data.created(), data.is_new()), (at(100), true));
    assert_eq!(data.key("ct", KeyKind::P256).unwrap().public_key(), key.public_key());
    assert!(data.key("rekor", KeyKind::P256).is_ok());
}

#[test]
fn where_the_ca_s_key_is_cannot_change() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    assert_eq!(recorded_instance(&path).unwrap().ca_key, None);
    data.use_key("ca", "file:/a.pem").unwrap();
    drop(data);
    // A first start that was cut short has decided it, too.
    let mut data = DataDirectory::open(&path, &all(), at(200)).unwrap();
    data.use_key("ca", "file:/a.pem").unwrap();
    assert!(data.use_key("ca", "file:/b.pem").unwrap_err().to_string().contains("file:/a.pem"));
    assert_eq!(recorded_instance(&path).unwrap().ca_key.as_deref(), Some("file:/a.pem"));
    drop(data);

    let path = parent.path().join("own");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    data.key("ca", KeyKind::P256).unwrap();
    assert!(data.use_key("ca", "file:/a.pem").unwrap_err().to_string().contains("keys/ca.pem"));
}

#[test]
fn a_directory_in_use_or_of_something_else_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let _first = DataDirectory::open(&path, &all(), at(100)).unwrap();
    let second = DataDirectory::open(&path, &all(), at(100)).unwrap_err();
    assert!(second.to_string().contains("another chancery is using"), "{second:#}");
    fs::write(parent.path().join("thesis.tex"), "").unwrap();
    let foreign = DataDirectory::open(parent.path(), &all(), at(100)).unwrap_err();
    assert!(format!("{foreign:#}").contains("not empty"), "{foreign:#}");
}

#[tokio::test]
async fn a_root_s_key_is_nowhere_or_where_its_uri_says() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    let random = chancery_daemon::random::SystemRandom;
    let first = data.root_key(Role::Ca, KeyKind::P256, &random).await.unwrap();
    let second = data.root_key(Role::Ca, KeyKind::P256, &random).await.unwrap();
    assert_ne!(first.public_key(), second.public_key(), "nothing is kept");
    assert_eq!(fs::read_dir(path.join("keys")).unwrap().count(), 0);
    let file = parent.path().join("root.pem");
    let uri = format!("file:{}", file.display());
    data.use_key("tsa-root", &uri).unwrap();
    let kept = data.root_key(Role::Tsa, KeyKind::P256, &random).await.unwrap();
    assert!(file.exists());
    let again = data.root_key(Role::Tsa, KeyKind::P256, &random).await.unwrap();
    assert_eq!(kept.public_key(), again.public_key());
    let instance = recorded_instance(&path).unwrap();
    assert_eq!((instance.root_uri("ca"), instance.root_uri("tsa")), (None, Some(uri.as_str())));
    // Once there are certificates, their root is what it is.
    data.keep_chain_of(Role::Ca, "chain").unwrap();
    data.keep_chain_of(Role::Tsa, "chain").unwrap();
    let refused = data.use_key("ca-root", &uri).unwrap_err().to_string();
    assert!(refused.contains("chancery keys rotate ca stage --root-key"), "{refused}");
    assert!(data.use_key("tsa-root", "file:/other.pem").unwrap_err().to_string().contains(&uri));
}

#[test]
fn where_a_root_s_key_is_follows_the_settings_until_the_root_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    // Attempts that failed before the root was made: with a path that does not exist, then with another, then with none.
    data.use_keys([("ca-root", "file:/nowhere/root.pem")]).unwrap();
    data.use_keys([("ca-root", "file:/root.pem")]).unwrap();
    assert_eq!(recorded_instance(&path).unwrap().root_uri("ca"), Some("file:/root.pem"));
    data.use_keys([]).unwrap();
    assert_eq!(recorded_instance(&path).unwrap().root_uri("ca"), None);
    data.use_keys([("ca-root", "file:/root.pem")]).unwrap();
    data.keep_chain_of(Role::Ca, "chain").unwrap();
    data.use_keys([]).unwrap();
    assert_eq!(recorded_instance(&path).unwrap().root_uri("ca"), Some("file:/root.pem"), "it has signed");
    assert!(data.use_keys([("ca-root", "file:/other.pem")]).is_err());
}

#[test]
fn whether_certificates_were_imported_is_decided_with_them() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut data = DataDirectory::open(&path, &all(), at(100)).unwrap();
    data.use_chain(Role::Ca, true).unwrap();
    assert!(recorded_instance(&path).unwrap().has_imported("ca"));
    data.use_chain(Role::Ca, false).unwrap();
    assert!(!recorded_instance(&path).unwrap().has_imported("ca"));
    data.use_chain(Role::Ca, true).unwrap();
    data.keep_chain_of(Role::Ca, "chain").unwrap();
    data.use_chain(Role::Ca, false).unwrap();
    assert!(recorded_instance(&path).unwrap().has_imported("ca"));
}
