//! Heads that extend the one before, and heads that do not.

use super::*;
use chancery_daemon::{
    database::{Sqlite, open_sqlite},
    signer::Signer,
};
use chancery_log_client::{Fetcher, Limits, LogIdentity, Protocol};
use chancery_search::store::{Append, SqliteStore};
use chancery_verify::{
    Timestamp,
    checkpoint::Scheme,
    key::KeyKind,
    merkle::{CompactRange, leaf_hash},
    note::KeyName,
};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

const ORIGIN: &str = "log.example";

/// Files by their paths, and how often any was asked for.
#[derive(Default)]
struct Files {
    contents: BTreeMap<String, Vec<u8>>,
    asked: usize,
}

/// A Rekor v2 log of at most 256 entries, as files over HTTP.
struct Log {
    files: Arc<Mutex<Files>>,
    signer: Signer,
    url: String,
}

impl Log {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files: Arc<Mutex<Files>> = Arc::default();
        let served = Arc::clone(&files);
        // It ends with the process.
        thread::spawn(move || listener.incoming().for_each(|stream| answer(&stream.unwrap(), &served)));
        Self { files, signer: Signer::generate(KeyKind::P256).unwrap().0, url }
    }

    /// Shows a tree of these leaves, signed. Tiles of earlier trees stay.
    async fn show(&self, leaves: &[&str]) {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf.as_bytes())).collect();
        let mut range = CompactRange::default();
        for hash in &hashes {
            range.push(*hash);
        }
        let scheme = Scheme::RekorV2 { origin: KeyName::new(ORIGIN).unwrap() };
        let (head, now) = (range.head(), Timestamp::from_seconds(1));
        let signature = self.signer.sign(&scheme.signed_bytes(&head, now)).await.unwrap();
        let note = scheme.note(&head, now, self.signer.public_key(), &signature);
        self.put("/checkpoint", note.into_bytes());
        self.put(&format!("/tile/0/000.p/{}", leaves.len()), hashes.concat());
    }

    fn put(&self, path: &str, contents: Vec<u8>) {
        self.files.lock().unwrap().contents.insert(path.to_owned(), contents);
    }

    fn asked(&self) -> usize {
        self.files.lock().unwrap().asked
    }

    fn remote(&self) -> RemoteLog {
        let limits = Limits { attempts: 1, ..Limits::default() };
        let identity = LogIdentity {
            protocol: Protocol::RekorV2,
            url: self.url.parse().unwrap(),
            key: self.signer.public_key().clone(),
            origin: Some(ORIGIN.to_owned()),
        };
        RemoteLog::new(identity, Fetcher::new(limits).unwrap()).unwrap()
    }

    fn followed(&self, database: &Sqlite, interval: Duration) -> Followed {
        let store = Arc::new(SqliteStore::new(database.clone()));
        Followed::new(self.remote(), ORIGIN, None, store, interval)
    }
}

fn answer(stream: &TcpStream, files: &Mutex<Files>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let mut files = files.lock().unwrap();
    files.asked += 1;
    let (status, body) = match files.contents.get(&path) {
        Some(body) if body == b"busy" => ("429 Busy", body.as_slice()),
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", &b""[..]),
    };
    let mut stream = stream;
    // A client that goes away is its own business.
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(body);
}

async fn database() -> (tempfile::TempDir, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let database = open_sqlite(&directory.path().join("log.db")).await.unwrap();
    (directory, database)
}

#[tokio::test]
async fn a_head_is_accepted_if_it_extends_the_one_before() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    let followed = log.followed(&database, Duration::ZERO);
    assert!(followed.accepted().await.is_err(), "none was accepted");
    for leaves in [&["a"][..], &["a", "b"], &["a", "b"], &["a", "b", "c", "d", "e"]] {
        log.show(leaves).await;
        assert_eq!(followed.head().await.unwrap().size, leaves.len() as u64);
        assert_eq!(followed.accepted().await.unwrap().size, followed.size());
        assert_eq!(followed.fault(), None);
    }
}

#[tokio::test]
async fn two_trees_of_one_size_are_a_fork() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    let followed = log.followed(&database, Duration::ZERO);
    log.show(&["a", "b", "c"]).await;
    followed.head().await.unwrap();
    log.show(&["a", "b", "x"]).await;
    let error = followed.head().await.unwrap_err();
    assert!(error.reason.contains("is forked"), "{error}");
    let Fault { is_forked, reason, checkpoints: [accepted, other] } = followed.fault().unwrap();
    assert_eq!((is_forked, reason), (true, error.reason));
    // Both are evidence: the key has signed them.
    let roots = [&accepted, &other].map(|note| followed.log.open_checkpoint(note).unwrap().root);
    assert_ne!(roots[0], roots[1]);
    assert_eq!(followed.accepted().await.unwrap().root, roots[0]);
    assert_eq!(followed.checkpoints().await, [accepted]);
    assert_eq!(followed.size(), 3);
    // The log cannot take it back before somebody has looked.
    log.show(&["a", "b", "c"]).await;
    assert!(followed.head().await.is_err() && followed.fault().is_some_and(|fault| fault.is_forked));
}

#[tokio::test]
async fn the_head_is_asked_for_once_by_all_who_want_it_at_once() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    log.show(&["a"]).await;
    let followed = log.followed(&database, Duration::from_mins(1));
    let (one, other) = tokio::join!(followed.head(), followed.head());
    assert_eq!((one.unwrap().size, other.unwrap().size, log.asked()), (1, 1, 1));
}

#[tokio::test]
async fn an_older_tree_and_one_that_does_not_follow_are_unproven() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    let followed = log.followed(&database, Duration::ZERO);
    log.show(&["a", "b", "c"]).await;
    followed.head().await.unwrap();
    log.show(&["a", "b"]).await;
    let older = followed.head().await.unwrap_err().reason;
    assert!(older.contains("lags, or was put back"), "{older}");
    assert!(followed.fault().is_some_and(|fault| !fault.is_forked && fault.reason == older));
    log.show(&["a", "x", "c", "d", "e"]).await;
    let other = followed.head().await.unwrap_err().reason;
    assert!(other.contains("does not prove"), "{other}");
    // The truth again.
    log.show(&["a", "b", "c", "d", "e"]).await;
    assert_eq!(followed.head().await.unwrap().size, 5);
    assert_eq!(followed.fault(), None);
}

#[tokio::test]
async fn an_older_tree_is_told_without_a_proof_unless_the_log_is_busy() {
    for (tile, is_told) in [(None, true), (Some("short"), true), (Some("busy"), false)] {
        let (log, (_directory, database)) = (Log::start(), database().await);
        let followed = log.followed(&database, Duration::ZERO);
        log.show(&["a", "b", "c"]).await;
        followed.head().await.unwrap();
        log.show(&["a", "b"]).await;
        match tile {
            Some(tile) => log.put("/tile/0/000.p/3", tile.into()),
            None => assert!(log.files.lock().unwrap().contents.remove("/tile/0/000.p/3").is_some()),
        }
        let error = followed.head().await.unwrap_err();
        assert_eq!(followed.fault().is_some(), is_told, "{tile:?}: {error}");
        assert_eq!(followed.accepted().await.unwrap().size, 3);
        if let Some(Fault { is_forked, reason, checkpoints }) = followed.fault() {
            assert!(!is_forked && reason == error.reason && reason.contains("lags, or was put back"), "{reason}");
            let sizes = checkpoints.map(|note| followed.log.open_checkpoint(&note).unwrap().size);
            assert_eq!(sizes, [3, 2], "both are evidence");
        }
    }
}

#[tokio::test]
async fn the_checkpoint_in_the_database_is_the_one_before_after_a_restart() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    let before = log.followed(&database, Duration::ZERO);
    log.show(&["a", "b", "c"]).await;
    let head = before.head().await.unwrap();
    let store = SqliteStore::new(database.clone());
    store.begin(before.log_id(), before.name()).await.unwrap();
    let step = Append {
        log_id: before.log_id(),
        version: store.progress(before.log_id()).await.unwrap().unwrap().version,
        size: 3,
        subtrees: &[0; 64],
        checkpoint: &head.checkpoint,
        from: 0,
        runs: &[],
        problems: &[],
    };
    assert!(store.append(&step).await.unwrap());
    log.show(&["a", "b", "x"]).await;
    let after = log.followed(&database, Duration::ZERO);
    assert_eq!(after.accepted().await.unwrap().root, head.root);
    assert!(after.head().await.unwrap_err().reason.contains("is forked"));
}

#[tokio::test]
async fn a_log_is_asked_once_in_an_interval_and_left_alone_while_it_fails() {
    let (log, (_directory, database)) = (Log::start(), database().await);
    log.show(&["a"]).await;
    let followed = log.followed(&database, Duration::from_mins(1));
    for _ in 0..3 {
        followed.head().await.unwrap();
    }
    assert_eq!(log.asked(), 1);
    log.put("/checkpoint", b"busy".to_vec());
    let followed = log.followed(&database, Duration::ZERO);
    let first = followed.head().await.unwrap_err();
    let asked = log.asked();
    assert_eq!(followed.head().await, Err(first));
    assert_eq!(log.asked(), asked, "nothing is asked during the pause");
}

#[test]
fn a_log_has_a_number_of_its_own() {
    let (one, other) = (Log::start(), Log::start());
    let number = |log: &Log, origin: &str| log_id(origin, &log.remote());
    assert_eq!(number(&one, ORIGIN), number(&one, ORIGIN));
    assert_ne!(number(&one, ORIGIN), number(&one, "other.example"));
    assert_ne!(number(&one, ORIGIN), number(&other, ORIGIN));
    assert!(number(&one, ORIGIN) >= 0);
}
