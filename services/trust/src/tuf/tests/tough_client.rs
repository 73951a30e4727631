//! Awslabs' tough, the strictest reader of the specification, follows what is written here.

use super::*;
use ::tough::{ExpirationEnforcement, RepositoryLoader, TargetName as ToughName};
use url::Url;

/// Returns what a client gets that starts from the first root and has `datastore` from earlier, or why it refuses.
/// Expiry is not checked: the test's clock is not the machine's.
async fn follow(setting: &Setting, first_root: &[u8], datastore: &Path) -> Result<Vec<String>, String> {
    let base = Url::from_directory_path(setting.directory.path()).unwrap();
    let targets = base.join("targets/").unwrap();
    let loader = RepositoryLoader::new(&first_root, base, targets).datastore(datastore);
    let loaded = loader.expiration_enforcement(ExpirationEnforcement::Unsafe).load().await;
    let repository = loaded.map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    for name in repository.targets().signed.targets.keys() {
        let fetched = fetch(&repository, name).await?;
        let ours = setting.read().target(name.raw()).unwrap().to_vec();
        assert_eq!(fetched, ours, "{}", name.raw());
        names.push(name.raw().to_owned());
    }
    Ok(names)
}

async fn fetch(repository: &::tough::Repository, name: &ToughName) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let saved = repository.save_target(name, directory.path(), ::tough::Prefix::None).await;
    saved.map_err(|error| error.to_string())?;
    Ok(fs::read(directory.path().join(name.resolved())).unwrap())
}

#[tokio::test]
async fn tough_follows_every_rotation_and_refuses_what_goes_back() {
    let setting = Setting::new().await;
    let first_root = fs::read(setting.directory.path().join("1.root.json")).unwrap();
    let old = files(setting.directory.path());
    let datastore = tempfile::tempdir().unwrap();
    for role in Role::ALL {
        let names = follow(&setting, &first_root, datastore.path()).await.unwrap();
        assert!(names.contains(&"trusted_root.json".to_owned()), "{names:?}");
        let keys = RoleKeys::new(&[setting.keys.add(role)], 1).unwrap();
        setting.publisher.replace_keys(role, keys, start().plus_seconds(DAY)).await.unwrap();
        setting.publisher.renew(&[Role::Timestamp], start().plus_seconds(DAY)).await.unwrap();
    }
    follow(&setting, &first_root, datastore.path()).await.unwrap();
    // A client that starts today also reaches the newest root.
    follow(&setting, &first_root, tempfile::tempdir().unwrap().path()).await.unwrap();

    let timestamp = setting.directory.path().join("timestamp.json");
    let new = fs::read(&timestamp).unwrap();
    fs::write(&timestamp, &old["timestamp.json"]).unwrap();
    follow(&setting, &first_root, datastore.path()).await.unwrap_err();
    fs::write(&timestamp, new).unwrap();
    follow(&setting, &first_root, datastore.path()).await.unwrap();
}
