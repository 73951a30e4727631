//! A log and its witnesses: what a quorum cosigns is published, what contradicts a witness is not signed, and
//! a witness that contradicts the log must prove it.

use crate::bench::{Bench, Place, Running, START, entry, verify};
use chancery_daemon::signer::{Signer, Use};
use chancery_log::quarantine::{Obstacle, Reason};
use chancery_log::witnessing::{Answer, Asking, Fail, Showing, Unreachable, WitnessClient, Witnesses};
use chancery_log::{Error, Outcome, Receipt, rekor_v2};
use chancery_verify::cosignature::{Policy, Witness, signed_bytes};
use chancery_verify::key::KeyKind;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{KeyName, Note};
use chancery_verify::verifier_key::{KeyType, VerifierKey};
use chancery_verify::witness::{AddCheckpoint, Refusal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a machine that compiles something else, short enough to be waited for.
const TIMEOUT: Duration = Duration::from_millis(400);

/// How a witness behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Good,
    Down,
    Silent,
    Slow(Duration),
    BadSignature,
    OtherName,
    Status(u16),
    Says(u64),
    Forgetful,
}

/// What a witness shows as the last checkpoint it has cosigned.
#[derive(Debug, Clone, PartialEq)]
enum Shows {
    Kept,
    Nothing,
    Fails,
    Note(String),
}

struct Fake {
    signer: Signer,
    witness: Witness,
    log: VerifierKey,
    known: Mutex<Option<TreeHead>>,
    /// The last checkpoint it has cosigned.
    kept: Mutex<Option<String>>,
    shows: Mutex<Shows>,
    mood: Mutex<Mood>,
    now: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
}

impl Fake {
    fn new(bench: &Bench, name: &str) -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let signer = Signer::open_or_create_for(Use::Checkpoints, &path, KeyKind::Ed25519).unwrap();
        let witness = Witness::new(KeyName::new(name).unwrap(), signer.public_key().clone()).unwrap();
        let origin = KeyName::new("log.example").unwrap();
        let log = VerifierKey::new(origin, KeyType::Ecdsa, bench.signer.public_key().clone()).unwrap();
        let (known, mood) = (Mutex::new(None), Mutex::new(Mood::Good));
        let (kept, shows) = (Mutex::new(None), Mutex::new(Shows::Kept));
        let (now, most, asked) = Default::default();
        Arc::new(Self { signer, witness, log, known, kept, shows, mood, now, most, asked })
    }

    fn shows(&self, what: Shows) {
        *self.shows.lock().unwrap() = what;
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn size(&self) -> u64 {
        self.known.lock().unwrap().map_or(0, |known| known.size)
    }

    async fn answer(&self, request: &str) -> Result<Answer, Unreachable> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Down => return Err(Unreachable { reason: "connection refused".to_owned() }),
            Mood::Silent => std::future::pending::<()>().await,
            Mood::Slow(time) => tokio::time::sleep(time).await,
            Mood::Status(422) => return Ok(Answer::Inconsistent),
            Mood::Status(status) => return Ok(Answer::Refused { status }),
            Mood::Says(size) => return Ok(Answer::Conflict(Some(size))),
            Mood::Forgetful => *self.known.lock().unwrap() = None,
            Mood::Good | Mood::BadSignature | Mood::OtherName => {}
        }
        let request = AddCheckpoint::parse(request).unwrap();
        let judged = {
            let mut known = self.known.lock().unwrap();
            request.judge(&self.log, known.as_ref()).inspect(|head| {
                *known = Some(*head);
                *self.kept.lock().unwrap() = Some(request.checkpoint.to_owned());
            })
        };
        let text = Note::parse(request.checkpoint).unwrap().text;
        match judged {
            Ok(_) => {
                let seconds = if mood == Mood::BadSignature { 7 } else { 1_800_000_000 };
                let signature = self.signer.sign(&signed_bytes(&text, 1_800_000_000)).await.unwrap();
                let mut line = self.witness.line(seconds, &signature);
                if mood == Mood::OtherName {
                    line.name = KeyName::new("someone.else").unwrap();
                }
                Ok(Answer::Cosigned(format!("{line}\n")))
            }
            Err(Refusal::Conflict { size }) => Ok(Answer::Conflict(Some(size))),
            Err(Refusal::Inconsistent) => Ok(Answer::Inconsistent),
            Err(refusal) => panic!("{refusal:?}: {request}"),
        }
    }
}

impl WitnessClient for Fake {
    fn add_checkpoint(&self, request: String) -> Asking<'_> {
        Box::pin(async move {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer(&request).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }

    fn evidence(&self, origin: &str) -> String {
        format!("https://{}/{origin}", self.witness.name())
    }

    fn checkpoint(&self, _origin: &str) -> Showing<'_> {
        let shown = match &*self.shows.lock().unwrap() {
            Shows::Kept => Ok(self.kept.lock().unwrap().clone()),
            Shows::Nothing => Ok(None),
            Shows::Fails => Err(Unreachable { reason: "status 500".to_owned() }),
            Shows::Note(note) => Ok(Some(note.clone())),
        };
        Box::pin(std::future::ready(shown))
    }
}

/// A checkpoint of this tree that the log's own key has signed.
async fn signed(bench: &Bench, tree: TreeHead) -> String {
    let scheme = rekor_v2::scheme("log.example", 1).unwrap();
    let signature = bench.signer.sign(&scheme.signed_bytes(&tree, START)).await.unwrap();
    scheme.note(&tree, START, bench.signer.public_key(), &signature)
}

/// A bench whose log needs `quorum` of the witnesses that are returned with it.
fn witnessed<const N: usize>(mut bench: Bench, quorum: usize, fail: Fail) -> (Bench, [Arc<Fake>; N]) {
    let fakes = std::array::from_fn(|number| Fake::new(&bench, &format!("witness.example/{number}")));
    bench.witnesses = Some(policy(&fakes, quorum, fail));
    (bench, fakes)
}

fn policy(fakes: &[Arc<Fake>], quorum: usize, fail: Fail) -> Witnesses {
    let member = |fake: &Arc<Fake>| (fake.witness.clone(), Arc::clone(fake) as Arc<dyn WitnessClient>);
    Witnesses::new(fakes.iter().map(member).collect(), quorum, fail, TIMEOUT).unwrap()
}

async fn append(running: &Running, text: &str) -> Result<Receipt, Error> {
    match running.log.append(entry(text)).await? {
        Outcome::Logged(receipt) => Ok(receipt),
        Outcome::AlreadyLogged { index } => Ok(running.log.entry(index).await?.expect("what is logged can be read")),
    }
}

/// A stopped log of `size` leaves, all of them witnessed.
async fn make(bench: &Bench, size: u64) {
    let running = bench.start().await;
    for number in 0..size {
        append(&running, &format!("entry {number}")).await.unwrap();
    }
    running.stop().await;
}

/// How many of these have cosigned a checkpoint.
fn cosigned(note: &str, fakes: &[Arc<Fake>]) -> usize {
    let note = Note::parse(note).unwrap();
    let has = |fake: &&Arc<Fake>| fake.witness.find(&note.text, &note.signatures).is_ok();
    fakes.iter().filter(has).count()
}

/// Waits until what is published has this many cosignatures.
async fn becomes(running: &Running, fakes: &[Arc<Fake>], count: usize) {
    let begun = Instant::now();
    while cosigned(&running.log.published().unwrap().note, fakes) != count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", running.log.published().unwrap().note);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn answers_and_files_bear_the_cosignatures_of_a_quorum(bench: Bench) {
    let (bench, fakes) = witnessed::<3>(bench, 2, Fail::Open);
    make(&bench, 3).await;
    let running = bench.start().await;
    for number in 3..20 {
        let receipt = append(&running, &format!("entry {number}")).await.unwrap();
        assert_eq!(receipt.index, number);
        verify(&receipt, &running, &bench.signer);
        assert!(cosigned(&receipt.published.note, &fakes) >= 2, "{}", receipt.published.note);
        let witnesses = fakes.iter().map(|fake| fake.witness.clone()).collect();
        let note = Note::parse(&receipt.published.note).unwrap();
        assert_eq!(Policy::new(witnesses, 2).unwrap().verify(&note), Ok(()));
        assert_eq!(note.signatures[0].name.as_str(), "log.example", "the log's own signature comes first");
    }
    // The third is not waited for, and not forgotten.
    becomes(&running, &fakes, 3).await;
    let status = running.log.witnesses();
    assert_eq!(status.len(), 3);
    assert!(status.iter().all(|witness| witness.size == 20 && witness.outcomes[0].1 > 0), "{status:?}");
    assert_eq!(bench.check(&running).await.unwrap(), 20);
    running.stop().await;
    let asked: Vec<_> = fakes.iter().map(|fake| fake.size()).collect();
    assert_eq!(asked, [20, 20, 20]);
    // The next start begins with their cosignatures.
    let running = bench.start().await;
    becomes(&running, &fakes, 3).await;
    running.stop().await;
}

/// down.
pub(crate) async fn without_witnesses_an_open_log_goes_on_and_a_closed_one_does_not(bench: Bench) {
    let (mut bench, fakes) = witnessed::<2>(bench, 2, Fail::Open);
    make(&bench, 1).await;
    for mood in [Mood::Down, Mood::Silent, Mood::Status(503)] {
        fakes[1].is(mood);
        let running = bench.start().await;
        for number in 0..3 {
            let begun = Instant::now();
            append(&running, &format!("{mood:?} {number}")).await.unwrap();
            let took = begun.elapsed();
            assert!(took < TIMEOUT * 2, "{mood:?} {number} took {took:?}");
        }
        assert_eq!(running.log.obstacle(), None);
        fakes[1].is(Mood::Good);
        running.stop().await;
    }

    bench.witnesses = Some(policy(&fakes, 2, Fail::Closed));
    fakes[1].is(Mood::Down);
    let running = bench.start().await;
    let before = running.log.published().unwrap().tree.size;
    let refused = append(&running, "before they are heard").await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert_eq!(running.database.store().head(1).await.unwrap().tree.size, before, "it is not in the log");
    assert!(matches!(running.log.obstacle(), Some(Obstacle::Unwitnessed { .. })));
    assert!(running.log.entry(0).await.unwrap().is_some(), "reads go on");
    fakes[1].is(Mood::Good);
    becomes(&running, &fakes, 2).await;
    assert_eq!(running.log.obstacle(), None);
    append(&running, "they are heard").await.unwrap();

    fakes[0].is(Mood::Down);
    let begun = Instant::now();
    let refused = append(&running, "one is gone").await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    assert!(begun.elapsed() < TIMEOUT * 2, "{:?}", begun.elapsed());
    let shown = running.log.published().unwrap();
    assert_eq!((shown.tree.size, cosigned(&shown.note, &fakes)), (before + 1, 2), "only what is witnessed is shown");
    assert!(running.log.entry(before + 1).await.unwrap().is_none());
    assert!(
        matches!(append(&running, "one is gone").await, Err(Error::Unavailable { .. })),
        "a retry is told the same"
    );
    fakes[0].is(Mood::Good);
    becomes(&running, &fakes, 2).await;
    let begun = Instant::now();
    let receipt = loop {
        match append(&running, "one is gone").await {
            Ok(receipt) => break receipt,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
    };
    assert_eq!((receipt.index, cosigned(&receipt.published.note, &fakes)), (before + 1, 2), "a retry finds it");
    running.stop().await;
}

/// bad signature, and answers that are none.
pub(crate) async fn an_answer_that_is_no_cosignature_is_ignored(bench: Bench) {
    let (bench, fakes) = witnessed::<2>(bench, 1, Fail::Open);
    make(&bench, 1).await;
    for mood in [Mood::BadSignature, Mood::OtherName, Mood::Status(403), Mood::Status(404)] {
        fakes[0].is(mood);
        let running = bench.start().await;
        let receipt = append(&running, &format!("{mood:?}")).await.unwrap();
        assert_eq!(cosigned(&receipt.published.note, &fakes[..1]), 0, "{mood:?}");
        assert_eq!(cosigned(&receipt.published.note, &fakes[1..]), 1, "{mood:?}");
        assert_eq!(
            Note::parse(&receipt.published.note).unwrap().signatures.len(),
            2,
            "{mood:?}: nothing else is added"
        );
        assert_eq!(running.log.obstacle(), None, "{mood:?}");
        running.stop().await;
    }
    // One that has lost its memory is a new one.
    fakes[0].is(Mood::Forgetful);
    let running = bench.start().await;
    append(&running, "forgetful").await.unwrap();
    becomes(&running, &fakes, 2).await;
    running.stop().await;
}

/// slow.
pub(crate) async fn a_slow_witness_costs_one_timeout_and_its_cosignature_comes_late(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Open);
    make(&bench, 1).await;
    let running = bench.start().await;
    becomes(&running, &fakes, 1).await;
    fakes[0].is(Mood::Slow(TIMEOUT * 4));
    let begun = Instant::now();
    let receipt = append(&running, "slow").await.unwrap();
    let first = begun.elapsed();
    assert!(first >= TIMEOUT && first < TIMEOUT * 2, "{first:?}");
    assert_eq!(cosigned(&receipt.published.note, &fakes), 0);
    // While it is busy nobody waits for it.
    let begun = Instant::now();
    for number in 0..5 {
        append(&running, &format!("quick {number}")).await.unwrap();
    }
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
    becomes(&running, &fakes, 1).await;
    assert_eq!(running.log.published().unwrap().tree.size, 7);
    running.stop().await;
}

/// What a database was before, and a way back to it: an older log of the same key with the same first entries.
async fn put_back(bench: &Bench, size: u64) -> Bench {
    let mut older = match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    };
    older.signer = bench.signer.clone();
    older.witnesses.clone_from(&bench.witnesses);
    let fakes = [Fake::new(&older, "nobody.example")];
    fakes[0].is(Mood::Down);
    let real = older.witnesses.replace(policy(&fakes, 1, Fail::Open));
    let running = older.start().await;
    for number in 0..size {
        append(&running, &format!("entry {number}")).await.unwrap();
    }
    running.stop().await;
    older.witnesses = real;
    older
}

///
pub(crate) async fn a_database_that_was_put_back_is_quarantined_before_anything_is_signed(bench: Bench) {
    for fail in [Fail::Open, Fail::Closed] {
        let fresh = match &bench.place {
            Place::Sqlite(_) => Bench::sqlite(),
            Place::Postgres { .. } => Bench::postgres(),
        };
        let (bench, fakes) = witnessed::<2>(fresh, 2, Fail::Open);
        make(&bench, 12).await;
        let mut older = put_back(&bench, 9).await;
        // One of them is enough, whatever the other says.
        fakes[1].is(Mood::Down);
        older.witnesses = Some(policy(&fakes, 2, fail));
        let database = older.open().await.unwrap();
        let before = database.store().checkpoints(1, None, 100).await.unwrap();
        database.close().await;
        let running = older.start().await;
        let reason = running.log.quarantine().expect("the log is quarantined").clone();
        assert_eq!(reason.code(), "quarantine.witness_ahead", "{reason}");
        assert_eq!(reason.evidence(), Some("https://witness.example/0/log.example"));
        assert!(reason.to_string().contains("9 leaves") && reason.to_string().contains("cosigned 12"), "{reason}");
        assert!(matches!(append(&running, "new").await, Err(Error::Quarantined(_))));
        assert_eq!(running.log.latest().await.unwrap().tree.size, 9, "reads go on");
        assert!(running.log.entry(8).await.unwrap().is_some());
        let store = running.database.store();
        assert_eq!(store.checkpoints(1, None, 100).await.unwrap(), before, "nothing is signed");
        running.stop().await;
        assert_eq!(fakes[0].size(), 12);
        // And where nothing at all is left.
        let mut empty = put_back(&bench, 0).await;
        empty.witnesses = Some(policy(&fakes, 2, fail));
        let running = empty.start().await;
        assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.witness_ahead"));
        running.stop().await;
    }
}

/// a clone of the machine.
pub(crate) async fn a_second_log_under_the_same_key_is_stopped_and_the_first_goes_on(bench: Bench) {
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Open);
    make(&bench, 9).await;
    let first = bench.start().await;
    let clone = put_back(&bench, 9).await;
    let second = clone.start().await;
    assert_eq!(second.log.quarantine(), None, "they are the same so far");
    append(&first, "first").await.unwrap();
    // As large a tree, with something else in it: the witness has another root.
    let refused = append(&second, "second").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Quarantined(reason) if reason.code() == "quarantine.witness_forked"),
        "{refused}"
    );
    assert!(second.log.obstacle().unwrap().to_string().contains("witness.example/0"));
    assert_eq!(second.log.published().unwrap().tree.size, 9, "what the witness refuses is not published");
    for number in 0..3 {
        let receipt = append(&first, &format!("more {number}")).await.unwrap();
        assert_eq!(cosigned(&receipt.published.note, &fakes), 1);
    }
    assert_eq!(first.log.obstacle(), None);
    first.stop().await;
    second.stop().await;
}

/// An empty bench on a database of the same kind.
fn place(bench: &Bench) -> Bench {
    match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    }
}

/// Waits until the log is quarantined; returns the code.
async fn is_quarantined(running: &Running) -> &'static str {
    let begun = Instant::now();
    while running.log.quarantine().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.log.quarantine().unwrap().code()
}

/// Waits until a witness is at fault; returns how its conversation has ended and the reason.
async fn fails(running: &Running, witness: usize) -> (&'static str, String) {
    let begun = Instant::now();
    loop {
        if let Some(fault) = running.log.witnesses()[witness].fault.clone() {
            return (fault.outcome, fault.reason);
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// B5: what is proven by the log's own signature stops it, while it runs and at a start.
pub(crate) async fn a_witness_that_proves_another_history_stops_the_log(bench: Bench) {
    let other = TreeHead { size: 3, root: [7; 32] };
    for (known, mood, code) in [
        // More than there is.
        (TreeHead { size: 1000, root: [7; 32] }, Mood::Says(1000), "quarantine.witness_ahead"),
        // Another tree: 422 to a proof from the size it has just named.
        (other, Mood::Good, "quarantine.witness_forked"),
        // It need not be the tree that it names.
        (other, Mood::Says(1000), "quarantine.witness_forked"),
    ] {
        let (bench, fakes) = witnessed::<2>(place(&bench), 1, Fail::Open);
        make(&bench, 5).await;
        let running = bench.start().await;
        becomes(&running, &fakes, 2).await;
        *fakes[1].known.lock().unwrap() = Some(known);
        fakes[1].shows(Shows::Note(signed(&bench, known).await));
        fakes[1].is(mood);
        let _ = append(&running, "new").await;
        assert_eq!(is_quarantined(&running).await, code);
        running.stop().await;
        let running = bench.start().await;
        assert_eq!(running.log.quarantine().map(Reason::code), Some(code), "at the start");
        running.stop().await;
    }
}

/// B5: a 409 or 422 has no signature. A witness that is broken or hostile stops nothing: it is named, and the log goes on as its
/// quorum allows.
pub(crate) async fn a_witness_that_proves_nothing_is_at_fault_and_stops_nothing(bench: Bench) {
    let (bench, fakes) = witnessed::<2>(place(&bench), 1, Fail::Closed);
    make(&bench, 5).await;
    let stranger = Bench::sqlite();
    let another_key = signed(&stranger, TreeHead { size: 1000, root: [7; 32] }).await;
    let harmless = fakes[0].kept.lock().unwrap().clone().unwrap();
    let before = fakes[1].known.lock().unwrap().to_owned();
    let mut logged = 5;
    for mood in [Mood::Says(1000), Mood::Says(u64::MAX), Mood::Says(4), Mood::Status(422), Mood::Good] {
        for (shows, why) in [
            (Shows::Nothing, "it shows no checkpoint of this log"),
            (Shows::Fails, "cannot be fetched: status 500"),
            (Shows::Note(String::new()), "not signed by this log's key"),
            (Shows::Note(another_key.clone()), "not signed by this log's key"),
            (Shows::Note(harmless.clone()), "is one that the log extends"),
        ] {
            // It cosigned another history, if it is to be believed.
            *fakes[1].known.lock().unwrap() = Some(TreeHead { size: 3, root: [7; 32] });
            fakes[1].is(mood);
            fakes[1].shows(shows.clone());
            let running = bench.start().await;
            assert_eq!(running.log.quarantine(), None, "{mood:?}, {shows:?} at the start");
            let receipt = append(&running, &format!("{mood:?} {shows:?}")).await.unwrap();
            assert_eq!((receipt.index, cosigned(&receipt.published.note, &fakes)), (logged, 1), "{mood:?}, {shows:?}");
            logged += 1;
            let (outcome, reason) = fails(&running, 1).await;
            if outcome == "unproven" {
                assert!(reason.contains(why), "{mood:?}, {shows:?}: {reason}");
                let (name, count) = running.log.witnesses()[1].outcomes[5];
                assert!(name == "unproven" && count > 0);
            } else {
                // It names the same size again, or none: that is not even a claim.
                assert_eq!(outcome, "refused", "{mood:?}, {shows:?}: {reason}");
                assert!(matches!(mood, Mood::Says(4) | Mood::Status(422)), "{mood:?}, {shows:?}: {reason}");
            }
            let warnings = running.log.warnings();
            assert!(
                matches!(&warnings[..], [warning] if warning.contains("witness.example/1") && warning.contains(&reason)),
                "{warnings:?}"
            );
            assert_eq!((running.log.obstacle(), running.log.quarantine()), (None, None), "{mood:?}, {shows:?}");
            running.stop().await;
        }
    }
    // Right again, it is well again.
    *fakes[1].known.lock().unwrap() = before;
    fakes[1].is(Mood::Good);
    let running = bench.start().await;
    becomes(&running, &fakes, 2).await;
    assert!(running.log.warnings().is_empty());
    assert_eq!(bench.check(&running).await.unwrap(), logged);
    running.stop().await;
}

/// B5: while nobody cosigns, entries that nobody is told of do not pile up: beyond a bound none is committed.
pub(crate) async fn a_closed_log_without_witnesses_stops_taking_entries_before_they_are_in_it(bench: Bench) {
    const BOUND: u64 = 4096;
    let (bench, fakes) = witnessed::<1>(bench, 1, Fail::Closed);
    make(&bench, 1).await;
    let running = Arc::new(bench.start().await);
    becomes(&running, &fakes, 1).await;
    fakes[0].is(Mood::Down);
    let mut number = 0;
    let size = async || running.database.store().head(1).await.unwrap().tree.size;
    while size().await <= BOUND {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1024 {
            let running = Arc::clone(&running);
            number += 1;
            tasks.spawn(async move { append(&running, &format!("untold {number}")).await });
        }
        while let Some(told) = tasks.join_next().await {
            assert!(matches!(told.unwrap(), Err(Error::Unavailable { .. } | Error::Busy { .. })));
        }
    }
    let full = size().await;
    assert!(full <= 1 + 2 * BOUND, "{full}");
    for late in 0..20 {
        let begun = Instant::now();
        let refused = append(&running, &format!("late {late}")).await.unwrap_err();
        assert!(refused.to_string().contains("too many entries wait for witnesses"), "{refused}");
        assert!(begun.elapsed() < TIMEOUT / 2, "at once: {:?}", begun.elapsed());
    }
    assert_eq!(size().await, full, "nothing was committed");
    let obstacle = running.log.obstacle().unwrap().to_string();
    assert!(obstacle.contains("too few witnesses cosign") && obstacle.contains("witness.example/0"), "{obstacle}");
    fakes[0].is(Mood::Good);
    let begun = Instant::now();
    while running.log.published().unwrap().tree.size < full {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let receipt = append(&running, "told").await.unwrap();
    assert_eq!(receipt.index, full);
    assert_eq!(bench.check(&running).await.unwrap(), full + 1);
    Arc::into_inner(running).unwrap().stop().await;
}

pub(crate) async fn under_load_one_request_at_a_time_is_on_its_way_to_a_witness(bench: Bench) {
    const ENTRIES: u64 = 400;
    let (bench, fakes) = witnessed::<2>(bench, 2, Fail::Closed);
    // There is nothing to be heard about a log that is empty.
    make(&bench, 1).await;
    let running = Arc::new(bench.start().await);
    fakes[0].is(Mood::Slow(Duration::from_millis(20)));
    let asked = fakes[0].asked.load(Ordering::SeqCst);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..ENTRIES {
        let running = Arc::clone(&running);
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_micros(number * 500)).await;
            append(&running, &format!("load {number}")).await
        });
    }
    while let Some(receipt) = tasks.join_next().await {
        let receipt = receipt.unwrap().unwrap();
        verify(&receipt, &running, &bench.signer);
        assert_eq!(cosigned(&receipt.published.note, &fakes), 2);
    }
    for fake in &fakes {
        assert_eq!(fake.most.load(Ordering::SeqCst), 1, "one request at a time");
    }
    let rounds = fakes[0].asked.load(Ordering::SeqCst) - asked;
    assert!(rounds < 100, "{rounds} rounds for {ENTRIES} entries: they share them");
    assert_eq!(bench.check(&running).await.unwrap(), ENTRIES + 1);
    Arc::into_inner(running).unwrap().stop().await;
}

/// Replicas share the witness's state as they share the log: one that finds it ahead looks what the other has committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_over_one_database_share_their_witnesses() {
    let (bench, fakes) = witnessed::<2>(Bench::postgres(), 2, Fail::Open);
    make(&bench, 1).await;
    let mut twin = bench.twin();
    for fail in [Fail::Open, Fail::Closed] {
        twin.witnesses = Some(policy(&fakes, 2, fail));
        let both = [Arc::new(bench.start().await), Arc::new(twin.start().await)];
        let mut tasks = tokio::task::JoinSet::new();
        for (number, running) in both.iter().enumerate() {
            for worker in 0..4 {
                let running = Arc::clone(running);
                tasks.spawn(async move {
                    for round in 0..25 {
                        let receipt = append(&running, &format!("{fail:?} {number} {worker} {round}")).await.unwrap();
                        assert!(
                            running.log.entry(receipt.index).await.unwrap().is_some(),
                            "what is answered is readable"
                        );
                    }
                });
            }
        }
        tasks.join_all().await;
        let size = bench.check(&both[0]).await.unwrap();
        for running in both {
            assert_eq!(running.log.obstacle(), None);
            // What one has written the other shows, witnessed.
            assert_eq!(running.log.latest().await.unwrap().tree.size, size);
            becomes(&running, &fakes, 2).await;
            Arc::into_inner(running).unwrap().stop().await;
        }
    }
}
