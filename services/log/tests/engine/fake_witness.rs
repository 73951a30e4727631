//! A witness in the test's own process that behaves as a test wants it to, and logs that have such witnesses.

use crate::bench::{Bench, Running, START, entry};
use chancery_daemon::signer::{Signer, Use};
use chancery_log::witnessing::{Answer, Asking, Fail, Showing, Unreachable, WitnessClient, Witnesses};
use chancery_log::{Error, Outcome, Receipt, rekor_v2};
use chancery_verify::cosignature::{Witness, signed_bytes};
use chancery_verify::key::KeyKind;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{KeyName, Note};
use chancery_verify::verifier_key::{KeyType, VerifierKey};
use chancery_verify::witness::{AddCheckpoint, Log, Refusal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a machine that compiles something else, short enough to be waited for.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);

/// How a witness behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mood {
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
pub(crate) enum Shows {
    Kept,
    Nothing,
    Fails,
    Note(String),
}

pub(crate) struct Fake {
    signer: Signer,
    pub(crate) witness: Witness,
    log: Log,
    pub(crate) known: Mutex<Option<TreeHead>>,
    /// The last checkpoint it has cosigned.
    pub(crate) kept: Mutex<Option<String>>,
    shows: Mutex<Shows>,
    mood: Mutex<Mood>,
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) asked: AtomicUsize,
}

impl Fake {
    pub(crate) fn new(bench: &Bench, name: &str) -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let signer = Signer::open_or_create_for(Use::Checkpoints, &path, KeyKind::Ed25519).unwrap();
        let witness = Witness::new(KeyName::new(name).unwrap(), signer.public_key().clone()).unwrap();
        let origin = KeyName::new("log.example").unwrap();
        let key = VerifierKey::new(origin, KeyType::Ecdsa, bench.signer.public_key().clone()).unwrap();
        let log = Log::new(key, None).unwrap();
        let (known, mood) = (Mutex::new(None), Mutex::new(Mood::Good));
        let (kept, shows) = (Mutex::new(None), Mutex::new(Shows::Kept));
        let (now, most, asked) = Default::default();
        Arc::new(Self { signer, witness, log, known, kept, shows, mood, now, most, asked })
    }

    pub(crate) fn shows(&self, what: Shows) {
        *self.shows.lock().unwrap() = what;
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn size(&self) -> u64 {
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
pub(crate) async fn signed(bench: &Bench, tree: TreeHead) -> String {
    let scheme = rekor_v2::scheme("log.example", 1).unwrap();
    let signature = bench.signer.sign(&scheme.signed_bytes(&tree, START)).await.unwrap();
    scheme.note(&tree, START, bench.signer.public_key(), &signature)
}

/// A bench whose log needs `quorum` of the witnesses that are returned with it.
pub(crate) fn witnessed<const N: usize>(mut bench: Bench, quorum: usize, fail: Fail) -> (Bench, [Arc<Fake>; N]) {
    let fakes = std::array::from_fn(|number| Fake::new(&bench, &format!("witness.example/{number}")));
    bench.witnesses = Some(policy(&fakes, quorum, fail));
    (bench, fakes)
}

pub(crate) fn policy(fakes: &[Arc<Fake>], quorum: usize, fail: Fail) -> Witnesses {
    let member = |fake: &Arc<Fake>| (fake.witness.clone(), Arc::clone(fake) as Arc<dyn WitnessClient>);
    Witnesses::new(fakes.iter().map(member).collect(), quorum, fail, TIMEOUT).unwrap()
}

pub(crate) async fn append(running: &Running, text: &str) -> Result<Receipt, Error> {
    match running.log.append(entry(text)).await? {
        Outcome::Logged(receipt) => Ok(receipt),
        Outcome::AlreadyLogged { index } => Ok(running.log.entry(index).await?.expect("what is logged can be read")),
    }
}

/// A stopped log of `size` leaves, all of them witnessed.
pub(crate) async fn make(bench: &Bench, size: u64) {
    let running = bench.start().await;
    for number in 0..size {
        append(&running, &format!("entry {number}")).await.unwrap();
    }
    running.stop().await;
}

/// How many of these have cosigned a checkpoint.
pub(crate) fn cosigned(note: &str, fakes: &[Arc<Fake>]) -> usize {
    let note = Note::parse(note).unwrap();
    let has = |fake: &&Arc<Fake>| fake.witness.find(&note.text, &note.signatures).is_ok();
    fakes.iter().filter(has).count()
}

/// Waits until what is published has this many cosignatures.
pub(crate) async fn becomes(running: &Running, fakes: &[Arc<Fake>], count: usize) {
    let begun = Instant::now();
    while cosigned(&running.log.published().unwrap().note, fakes) != count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", running.log.published().unwrap().note);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
