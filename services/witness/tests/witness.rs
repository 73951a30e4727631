//! A witness on a real directory: it cosigns one history, even with concurrent requests and damaged files.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use chancery_daemon::clock::{ClockFault, ClockGuard, FixedClock, FixedUptime};
use chancery_daemon::signer::Signer;
use chancery_verify::Timestamp;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::cosignature::Witness as Cosigner;
use chancery_verify::key::KeyKind;
use chancery_verify::merkle::{TreeHead, consistency_proof, leaf_hash};
use chancery_verify::note::{KeyName, Note};
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::verifier_key::VerifierKey;
use chancery_verify::witness::{AddCheckpoint, Log as WitnessedLog, MAX_BYTES, Refusal, parse_lines};
use chancery_witness::{Error, NotCosigned, Settings, Witness, http};
use http_body_util::BodyExt as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const NAME: &str = "witness.example/1";
const LARGEST: u64 = 60;

/// A log with every tree of up to some size, under a key that may have another such log.
struct Log {
    signer: Arc<Signer>,
    scheme: Scheme,
    tiles: Tiles,
    heads: Vec<TreeHead>,
}

impl Log {
    fn new(origin: &str) -> Self {
        let signer = Arc::new(Signer::generate(KeyKind::P256).unwrap().0);
        Self::of(signer, origin, "")
    }

    /// Another history from this many leaves on.
    fn forked(&self, at: u64) -> Self {
        Self::of(Arc::clone(&self.signer), &self.scheme.origin(), &format!("fork {at}"))
    }

    fn of(signer: Arc<Signer>, origin: &str, fork: &str) -> Self {
        let at = fork.strip_prefix("fork ").map_or(u64::MAX, |at| at.parse().unwrap());
        let (mut tiles, mut edge) = (Tiles::default(), Edge::default());
        let mut heads = vec![TreeHead { size: 0, root: edge.root() }];
        for index in 0..LARGEST {
            let content = if index < at { index.to_string() } else { format!("{fork} {index}") };
            edge.append(leaf_hash(content.as_bytes()), &mut tiles);
            heads.push(TreeHead { size: index + 1, root: edge.root() });
        }
        Self { signer, scheme: Scheme::RekorV2 { origin: KeyName::new(origin).unwrap() }, tiles, heads }
    }

    fn key(&self) -> VerifierKey {
        self.scheme.verifier_key(self.signer.public_key()).unwrap()
    }

    fn witnessed(&self) -> WitnessedLog {
        WitnessedLog::new(self.key(), None).unwrap()
    }

    async fn checkpoint(&self, size: u64) -> String {
        let head = &self.heads[usize::try_from(size).unwrap()];
        let signature = self.signer.sign(&self.scheme.signed_bytes(head, NOW)).await.unwrap();
        self.scheme.note(head, NOW, self.signer.public_key(), &signature)
    }

    async fn request(&self, old: u64, new: u64) -> String {
        let proof = if old == 0 { Vec::new() } else { consistency_proof(old, new, &mut &self.tiles).unwrap() };
        AddCheckpoint { old, proof, checkpoint: &self.checkpoint(new).await }.to_string()
    }
}

fn open(data: &Path, logs: &[&Log]) -> Result<Witness, Error> {
    let logs = logs.iter().map(|log| log.witnessed()).collect();
    Witness::open(Settings { data, name: NAME, logs }, Arc::new(FixedClock::new(NOW)).guard(), None)
}

/// Demands that `lines` is the witness's cosignature of the log's tree of `size` leaves.
async fn is_cosigned(witness: &Witness, log: &Log, size: u64, lines: &str) {
    let cosigner = Cosigner::parse(&witness.verifier_key()).unwrap();
    let text = Note::parse(&log.checkpoint(size).await).unwrap().text;
    let lines = parse_lines(lines).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(cosigner.find(&text, &lines).unwrap().1, NOW);
}

#[tokio::test]
async fn it_remembers_what_it_has_cosigned() {
    let data = tempfile::tempdir().unwrap();
    let (log, other) = (Log::new("log.example"), Log::new("other.example"));
    let mut key = None;
    for (old, new) in [(0, 3), (3, 3), (3, 40), (40, 60)] {
        let witness = open(data.path(), &[&log, &other]).unwrap();
        assert_eq!(*key.get_or_insert_with(|| witness.verifier_key()), witness.verifier_key());
        if old != 3 || new != 3 {
            let refused = witness.add_checkpoint(log.request(1, new).await).await;
            assert!(
                matches!(refused, Err(NotCosigned::Refused(Refusal::Conflict { size })) if size == old),
                "{refused:?}"
            );
        }
        let lines = witness.add_checkpoint(log.request(old, new).await).await.unwrap();
        is_cosigned(&witness, &log, new, &lines).await;
        let status = witness.logs().await;
        assert_eq!(status.iter().map(|log| log.head.map_or(0, |head| head.size)).collect::<Vec<_>>(), [new, 0]);
    }
    let unknown = Log::new("unknown.example");
    let witness = open(data.path(), &[&log]).unwrap();
    let refused = witness.add_checkpoint(unknown.request(0, 5).await).await;
    assert!(matches!(refused, Err(NotCosigned::UnknownLog)), "{refused:?}");
    assert_eq!(fs::metadata(data.path().join("key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Many who ask at the same time, half of them about another history: one of the two is cosigned, and it grows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_never_cosigns_two_histories() {
    let data = tempfile::tempdir().unwrap();
    let ours = Log::new("log.example");
    let fork = ours.forked(10);
    let witness = open(data.path(), &[&ours]).unwrap();
    witness.add_checkpoint(ours.request(0, 8).await).await.unwrap();
    let logs = Arc::new([ours, fork]);
    let mut tasks = JoinSet::new();
    for size in 9..=LARGEST {
        for which in [0, 1] {
            let (witness, logs) = (witness.clone(), Arc::clone(&logs));
            tasks.spawn(async move {
                let mut old = 8;
                loop {
                    if old > size {
                        return None;
                    }
                    match witness.add_checkpoint(logs[which].request(old, size).await).await {
                        Ok(lines) => return Some((which, size, lines)),
                        Err(NotCosigned::Refused(Refusal::Conflict { size })) => old = size,
                        Err(NotCosigned::Refused(Refusal::Inconsistent)) => return None,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            });
        }
    }
    let cosigned: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    // Up to 10 leaves they are one.
    let beyond: Vec<usize> = cosigned.iter().filter(|(_, size, _)| *size > 10).map(|(which, ..)| *which).collect();
    assert!(!beyond.is_empty() && beyond.iter().all(|which| *which == beyond[0]), "{beyond:?}");
    for (which, size, lines) in &cosigned {
        is_cosigned(&witness, &logs[*which], *size, lines).await;
    }
    drop(witness);
    let again = open(data.path(), &[&logs[0]]).unwrap();
    let largest = cosigned.iter().map(|(_, size, _)| *size).max();
    assert_eq!(again.logs().await[0].head.map(|head| head.size), largest);
}

/// A client that disconnects during a request leaves a witness with the new state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_nobody_waits_for_is_ended() {
    let data = tempfile::tempdir().unwrap();
    let log = Log::new("log.example");
    let witness = open(data.path(), &[&log]).unwrap();
    for size in 1..=LARGEST {
        let request = log.request(size - 1, size).await;
        let asked = tokio::spawn({
            let witness = witness.clone();
            async move { witness.add_checkpoint(request).await }
        });
        if size % 3 == 0 {
            tokio::task::yield_now().await;
        }
        asked.abort();
        let _ = asked.await;
        // It was begun, or it was not; then it is now.
        let size_now = witness.logs().await[0].head.map_or(0, |head| head.size);
        if size_now < size {
            let refused = witness.add_checkpoint(log.request(size - 1, size).await).await;
            let fine = matches!(refused, Ok(_) | Err(NotCosigned::Refused(Refusal::Conflict { .. })));
            assert!(fine, "{refused:?}");
        }
    }
    drop(witness);
    let kept = loop {
        match open(data.path(), &[&log]) {
            Ok(witness) => break witness,
            Err(Error::InUse(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(kept.logs().await[0].head.map(|head| head.size), Some(LARGEST));
}

#[tokio::test]
async fn what_it_cannot_write_down_it_does_not_sign() {
    let data = tempfile::tempdir().unwrap();
    let log = Log::new("log.example");
    let witness = open(data.path(), &[&log]).unwrap();
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    let logs = data.path().join("logs");
    let away = data.path().join("away");
    fs::rename(&logs, &away).unwrap();
    let refused = witness.add_checkpoint(log.request(5, 6).await).await;
    assert!(matches!(refused, Err(NotCosigned::Broken(Error::File { .. }))), "{refused:?}");
    fs::rename(&away, &logs).unwrap();
    // As if nothing had been asked: another tree of the same log is as good.
    let lines = witness.add_checkpoint(log.request(5, 9).await).await.unwrap();
    is_cosigned(&witness, &log, 9, &lines).await;
}

#[tokio::test]
async fn nothing_is_cosigned_by_a_clock_that_jumps() {
    const MONTH: u64 = 30 * 86_400;
    let (data, log) = (tempfile::tempdir().unwrap(), Log::new("log.example"));
    let clock = Arc::new(FixedClock::new(NOW));
    let guard = Arc::new(ClockGuard::new(clock.clone(), Arc::new(FixedUptime::default()), NOW));
    let settings = Settings { data: data.path(), name: NAME, logs: vec![log.witnessed()] };
    let witness = Witness::open(settings, guard, None).unwrap();
    is_cosigned(&witness, &log, 3, &witness.add_checkpoint(log.request(0, 3).await).await.unwrap()).await;
    for (now, fault) in [
        (NOW.plus_seconds(MONTH), ClockFault::Ahead { seconds: MONTH }),
        (NOW.minus_seconds(60), ClockFault::Behind { seconds: 60 }),
    ] {
        clock.set(now);
        let refused = witness.add_checkpoint(log.request(3, 9).await).await;
        assert!(matches!(refused, Err(NotCosigned::Clock(found)) if found == fault), "{refused:?}");
        let request = Request::post("/add-checkpoint").body(Body::from(log.request(3, 9).await)).unwrap();
        let answer = http::router(witness.clone()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    clock.set(NOW);
    // Nothing was kept of it either.
    is_cosigned(&witness, &log, 9, &witness.add_checkpoint(log.request(3, 9).await).await.unwrap()).await;
}

#[tokio::test]
async fn a_directory_that_is_not_its_own_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let log = Log::new("log.example");
    let witness = open(data.path(), &[&log]).unwrap();
    assert!(matches!(open(data.path(), &[&log]), Err(Error::InUse(_))));
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    drop(witness);
    let clock = Arc::new(FixedClock::new(NOW)).guard();
    let renamed = Settings { data: data.path(), name: "witness.example/2", logs: vec![log.witnessed()] };
    assert!(matches!(Witness::open(renamed, clock.clone(), None), Err(Error::OtherIdentity { .. })));
    let key = data.path().join("key.pem");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(matches!(open(data.path(), &[&log]), Err(Error::KeyMissing(_))));
    let elsewhere = tempfile::tempdir().unwrap();
    drop(open(elsewhere.path(), &[&log]).unwrap());
    fs::copy(elsewhere.path().join("key.pem"), &key).unwrap();
    assert!(matches!(open(data.path(), &[&log]), Err(Error::OtherIdentity { .. })));
    fs::write(&key, kept).unwrap();

    // A stored state never counts as missing: not if it is damaged, of another log, or of another witness.
    let path = fs::read_dir(data.path().join("logs")).unwrap().next().unwrap().unwrap().path();
    let note = fs::read_to_string(&path).unwrap();
    let bare = log.checkpoint(5).await;
    for bad in ["", "nothing", &bare, &note.replace("\n5\n", "\n4\n"), &note[..note.len() - 20]] {
        fs::write(&path, bad).unwrap();
        assert!(matches!(open(data.path(), &[&log]), Err(Error::Damaged { .. })), "{bad}");
    }
    fs::write(&path, &note).unwrap();
    let other_key = Log::new("log.example");
    assert!(matches!(open(data.path(), &[&other_key]), Err(Error::Damaged { .. })), "a log keeps its key");
    drop(open(data.path(), &[&log]).unwrap());
}

async fn post(witness: &Witness, body: impl Into<Body>) -> Response<Body> {
    let request = Request::post("/add-checkpoint").body(body.into()).unwrap();
    http::router(witness.clone()).oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The statuses of C2SP tlog-witness.
#[tokio::test]
async fn every_answer_has_its_status() {
    let data = tempfile::tempdir().unwrap();
    let log = Log::new("log.example");
    let fork = log.forked(2);
    let witness = open(data.path(), &[&log]).unwrap();
    let answer = post(&witness, log.request(0, 5).await).await;
    assert_eq!(answer.status(), StatusCode::OK);
    is_cosigned(&witness, &log, 5, &text(answer).await).await;
    let mut unsigned = log.request(5, 9).await;
    unsigned = unsigned.replace("\n9\n", "\n8\n");
    let stranger = Log::new("log.example");
    for (request, status) in [
        (log.request(5, 5).await, 200),
        ("what?".to_owned(), 400),
        (log.request(0, 4).await.replacen("old 0", "old 7", 1), 400),
        (unsigned, 403),
        (stranger.request(5, 9).await, 403),
        (Log::new("unknown.example").request(0, 5).await, 404),
        (log.request(3, 9).await, 409),
        (fork.request(5, 9).await, 422),
        (fork.request(5, 5).await, 422),
        (log.request(5, 9).await.replacen("old 5\n", "old 5\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n", 1), 422),
        ("x".repeat(MAX_BYTES + 1), 413),
    ] {
        let answer = post(&witness, request.clone()).await;
        assert_eq!(answer.status().as_u16(), status, "{request}");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind == "text/x.tlog.size", status == 409, "{kind}");
        if status == 409 {
            assert_eq!(text(answer).await, "5\n");
        }
    }
    let answer = post(&witness, vec![0xff, 0xfe]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "not UTF-8");
    let get = async |path: &str| {
        let answer =
            http::router(witness.clone()).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        (answer.status().as_u16(), text(answer).await)
    };
    let hash = hex::encode(chancery_verify::hash::sha256(b"log.example"));
    let (status, note) = get(&format!("/{hash}/checkpoint")).await;
    assert_eq!((status, log.scheme.open(&note, log.signer.public_key()).unwrap().size), (200, 5));
    assert_eq!(get(&format!("/{}/checkpoint", hash.to_uppercase())).await.0, 404);
    let (status, page) = get("/").await;
    assert_eq!((status, page), (200, format!("{}\nlog.example: 5 leaves\n", witness.verifier_key())));
}

/// The list of logs changes while the witness runs.
#[tokio::test]
async fn logs_come_and_go_and_go_on_where_they_were() {
    let data = tempfile::tempdir().unwrap();
    let (log, other, rekeyed) = (Log::new("log.example"), Log::new("other.example"), Log::new("log.example"));
    let witness = open(data.path(), &[&log]).unwrap();
    let replace = async |logs: &[&Log]| witness.replace_logs(logs.iter().map(|log| log.witnessed()).collect()).await;
    let sizes = async || -> Vec<(String, u64)> {
        let status = witness.logs().await.into_iter();
        status.map(|log| (log.origin, log.head.map_or(0, |head| head.size))).collect()
    };
    let listed = |logs: &[(&str, u64)]| -> Vec<(String, u64)> {
        logs.iter().map(|(origin, size)| ((*origin).to_owned(), *size)).collect()
    };
    witness.add_checkpoint(log.request(0, 5).await).await.unwrap();
    replace(&[&log, &other, &log]).await.unwrap();
    is_cosigned(&witness, &other, 7, &witness.add_checkpoint(other.request(0, 7).await).await.unwrap()).await;
    assert_eq!(sizes().await, listed(&[("log.example", 5), ("other.example", 7)]));

    replace(&[&other]).await.unwrap();
    let refused = witness.add_checkpoint(log.request(5, 6).await).await;
    assert!(matches!(refused, Err(NotCosigned::UnknownLog)), "{refused:?}");
    assert_eq!(sizes().await, listed(&[("other.example", 7)]));
    replace(&[&log]).await.unwrap();
    let refused = witness.add_checkpoint(log.request(0, 6).await).await;
    assert!(matches!(refused, Err(NotCosigned::Refused(Refusal::Conflict { size: 5 }))), "{refused:?}");
    is_cosigned(&witness, &log, 6, &witness.add_checkpoint(log.request(5, 6).await).await.unwrap()).await;

    // A log keeps its key: what cannot be used changes nothing, not even for the others of the list.
    assert!(matches!(replace(&[&other, &rekeyed]).await, Err(Error::Damaged { .. })));
    assert!(matches!(replace(&[&log, &rekeyed]).await, Err(Error::TwoKeys(origin)) if origin == "log.example"));
    assert_eq!(sizes().await, listed(&[("log.example", 6)]));
    is_cosigned(&witness, &log, 9, &witness.add_checkpoint(log.request(6, 9).await).await.unwrap()).await;
    drop(witness);
    assert_eq!(open(data.path(), &[&log]).unwrap().logs().await[0].head.map(|head| head.size), Some(9));
}

/// Requests and changes of the list at the same time: one history, and every answer is one of these.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_that_goes_while_it_asks_has_one_history() {
    let data = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::new("log.example"));
    let fork = Arc::new(log.forked(1));
    let witness = open(data.path(), &[&log]).unwrap();
    witness.add_checkpoint(log.request(0, 1).await).await.unwrap();
    let mut tasks = JoinSet::new();
    for log in [Arc::clone(&log), fork] {
        let witness = witness.clone();
        tasks.spawn(async move {
            let mut cosigned = 0;
            for new in 2..=LARGEST {
                for old in (1..new).rev() {
                    match witness.add_checkpoint(log.request(old, new).await).await {
                        Ok(_) => cosigned += 1,
                        Err(NotCosigned::UnknownLog | NotCosigned::Refused(_)) => continue,
                        Err(other) => panic!("{other:?}"),
                    }
                    break;
                }
            }
            cosigned
        });
    }
    for _ in 0..50 {
        witness.replace_logs(Vec::new()).await.unwrap();
        witness.replace_logs(vec![log.witnessed()]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let cosigned = tasks.join_all().await;
    assert!(cosigned.iter().filter(|count| **count > 0).count() <= 1, "two histories: {cosigned:?}");
}
