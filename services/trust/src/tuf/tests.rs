//! The repository's life: created, published to, renewed over years, interrupted at any moment, attacked.

mod attacks;
mod crashes;
mod offline;
mod review;
mod serving;
mod tough_client;

use super::{publication::tests::variation, publisher::Published, *};
use crate::files::{TrustFiles, tests::example};
use chancery_daemon::{clock::FixedClock, signer::Signer};
use chancery_verify::{PublicKey, Timestamp, key::KeyKind};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

pub(crate) const DAY: u64 = 24 * 3600;

pub(crate) fn start() -> Timestamp {
    Timestamp::from_seconds(1_795_244_400)
}

/// Keys that are available, or temporarily are not.
#[derive(Default)]
pub(crate) struct Keys {
    held: Mutex<BTreeMap<Role, Vec<Arc<Signer>>>>,
    away: AtomicBool,
}

impl KeySource for Keys {
    fn held(&self, role: Role) -> HeldKeys<'_> {
        Box::pin(async move {
            if self.away.load(Ordering::SeqCst) {
                let failures = vec![SignerError::Unavailable { reason: "it is away".to_owned() }];
                return KeysHeld { signers: Vec::new(), failures };
            }
            let signers = self.held.lock().unwrap().get(&role).cloned().unwrap_or_default();
            KeysHeld { signers, failures: Vec::new() }
        })
    }
}

pub(crate) fn new_key() -> Arc<Signer> {
    Arc::new(Signer::generate(KeyKind::P256).unwrap().0)
}

impl Keys {
    pub(crate) fn add(&self, role: Role) -> PublicKey {
        let key = new_key();
        self.held.lock().unwrap().entry(role).or_default().push(Arc::clone(&key));
        key.public_key().clone()
    }

    pub(crate) fn take_away(&self, role: Role) -> Vec<Arc<Signer>> {
        self.held.lock().unwrap().remove(&role).unwrap_or_default()
    }
}

/// A repository in a directory of its own.
pub(crate) struct Setting {
    pub(crate) directory: TempDir,
    pub(crate) keys: Arc<Keys>,
    pub(crate) publisher: Publisher,
    /// Where the mark of what was served is.
    marks: TempDir,
}

impl Setting {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::default());
        for role in Role::ALL {
            keys.add(role);
        }
        let publisher = publisher(directory.path(), &keys);
        publisher.create(&Publication::of(&example()).unwrap(), start()).await.unwrap();
        Self { directory, keys, publisher, marks: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn read(&self) -> Repository {
        read(self.directory.path()).unwrap()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark::new(self.marks.path().join("tuf.json"))
    }

    pub(crate) fn versions(&self) -> [u64; 4] {
        let repository = self.read();
        Role::ALL.map(|role| repository.metadata(role).version)
    }
}

pub(crate) fn publisher(directory: &Path, keys: &Arc<Keys>) -> Publisher {
    let keys: Arc<dyn KeySource> = Arc::clone(keys) as _;
    Publisher::new(Directory::new(directory.to_owned()), keys, Lifetimes::default())
}

pub(crate) fn read(directory: &Path) -> Result<Repository, TufError> {
    Repository::read(&Directory::new(directory.to_owned())).map(|repository| repository.expect("a repository"))
}

/// Every file and its bytes.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for below in ["", "targets", "pending"] {
        for entry in fs::read_dir(directory.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Reads the repository as a client does at `now`.
pub(crate) fn assert_accepted(repository: &Repository, now: Timestamp) {
    assert!(!repository.is_unfinished(), "signed for an old root");
    for role in Role::ALL {
        assert!(now < repository.metadata(role).expires, "the {role} metadata has expired");
    }
}

/// Other trust files.
pub(crate) fn other(number: u64) -> Publication {
    variation(|root, _| root["tlogs"][0]["baseUrl"] = format!("https://{number}.example").into())
}

#[tokio::test]
async fn what_is_published_again_changes_nothing() {
    let setting = Setting::new().await;
    let before = files(setting.directory.path());
    let same = Publication::of(&example()).unwrap();
    let (_, state) = setting.publisher.publish(&same, start().plus_seconds(DAY)).await.unwrap();
    assert_eq!(state, Published::Served);
    setting.publisher.create(&other(1), start()).await.unwrap();
    assert_eq!(files(setting.directory.path()), before, "a restart changes nothing");

    setting.publisher.publish(&other(1), start().plus_seconds(DAY)).await.unwrap();
    assert_eq!(setting.versions(), [1, 2, 2, 2]);
    let served = setting.read();
    assert!(String::from_utf8_lossy(served.target("trusted_root.json").unwrap()).contains("https://1.example"));
}

#[tokio::test]
async fn nothing_expires_in_two_years_of_a_running_server() {
    const DAYS: u64 = 2 * 365;
    let setting = Setting::new().await;
    let first_root = fs::read(setting.directory.path().join("1.root.json")).unwrap();
    let mut versions = setting.versions();
    for day in 0..DAYS {
        let now = start().plus_seconds(day * DAY);
        let repository = setting.read();
        assert_accepted(&repository, now);
        let worst = repository.status(setting.publisher.lifetimes(), now).into_iter().map(|s| s.urgency).max();
        assert_eq!(worst, Some(Urgency::None), "day {day}");
        let due = setting.publisher.is_due(&repository, now).await;
        let (_, renewed) = setting.publisher.renew(&[], now).await.unwrap();
        assert_eq!(due, !renewed.is_empty(), "day {day}");
        let new = setting.versions();
        assert!(new.iter().zip(versions).all(|(new, old)| (old..=old + 1).contains(new)), "{new:?} after {versions:?}");
        versions = new;
    }
    let [root, targets, snapshot, timestamp] = versions;
    assert!((3..=4).contains(&root) && (3..=4).contains(&targets), "{versions:?}");
    assert!((DAYS / 8..DAYS).contains(&timestamp) && (DAYS / 22..timestamp).contains(&snapshot), "{versions:?}");
    let left = files(setting.directory.path());
    assert_eq!(left["1.root.json"], first_root);
    assert!(left.len() < 80, "{} files", left.len());
}

#[tokio::test]
async fn a_server_that_was_off_for_ten_years_goes_on_where_it_was() {
    let setting = Setting::new().await;
    let now = start().plus_seconds(10 * 365 * DAY);
    let clock = Arc::new(FixedClock::new(now));
    let service = service(&setting, &example(), &clock).await;
    assert_accepted(&service.repository(), now);
    assert_eq!(setting.versions(), [2, 2, 2, 2]);
    assert_eq!(service.obstacle(), None);
}

/// A server over the same directory.
pub(crate) async fn service(setting: &Setting, files: &TrustFiles, clock: &Arc<FixedClock>) -> Arc<Service> {
    let publisher = publisher(setting.directory.path(), &setting.keys);
    Service::start(publisher, setting.mark(), files, clock.guard()).await.unwrap()
}

#[tokio::test]
async fn keys_that_are_away_are_waited_for() {
    let setting = Setting::new().await;
    let clock = Arc::new(FixedClock::new(start()));
    setting.keys.away.store(true, Ordering::SeqCst);
    let service = service(&setting, &example(), &clock).await;
    assert_accepted(&service.repository(), start());
    assert_eq!(service.obstacle(), None, "no key is needed yet");

    clock.set(start().plus_seconds(DAY * 13 / 2));
    let Err(error) = service.publish(&example()).await else { panic!("nothing can be signed") };
    assert!(matches!(error, TufError::KeysMissing { .. }) && error.to_string().contains("it is away"), "{error}");
    let warning = service.warning().unwrap();
    assert!(warning.contains("timestamp metadata expires"), "{warning}");
    assert_eq!(service.obstacle(), None, "clients still accept it");
    clock.set(start().plus_seconds(DAY * 8));
    assert!(service.obstacle().unwrap().contains("has expired"));
    assert_eq!(service.warning(), None);

    setting.keys.away.store(false, Ordering::SeqCst);
    service.publish(&example()).await.unwrap();
    assert_accepted(&service.repository(), start().plus_seconds(DAY * 8));
    assert_eq!((service.obstacle(), service.warning()), (None, None));
}

#[tokio::test]
async fn every_role_s_key_can_be_replaced() {
    let setting = Setting::new().await;
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let before = setting.read();
        let key = setting.keys.add(role);
        let keys = RoleKeys::new(&[key], 1).unwrap();
        let now = start().plus_seconds(DAY);
        let repository = setting.publisher.replace_keys(role, keys.clone(), now).await.unwrap();
        assert_accepted(&repository, now);
        assert_eq!(repository.root().role(role), &keys);
        assert_eq!(repository.metadata(Role::Root).version, u64::try_from(number).unwrap() + 2);
        // The role's metadata is signed by both, so that it verifies before the new root is written.
        if role != Role::Root {
            assert!(before.root().verify(repository.metadata(role)).is_ok(), "{role}");
            assert!(repository.root().verify(before.metadata(role)).is_err(), "{role}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_lost_can_be_replaced() {
    let setting = Setting::new().await;
    setting.keys.take_away(Role::Timestamp);
    let now = start().plus_seconds(DAY);
    let error = setting.publisher.renew(&[Role::Timestamp], now).await.unwrap_err();
    assert!(matches!(error, TufError::KeysMissing { role: Role::Timestamp, .. }), "{error}");
    let keys = RoleKeys::new(&[setting.keys.add(Role::Timestamp)], 1).unwrap();
    let repository = setting.publisher.replace_keys(Role::Timestamp, keys, now).await.unwrap();
    assert_accepted(&repository, now);
}
