//! The logs of `chancery witness serve`: with another origin than their key's name, and added and removed while it runs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    http::{Request, Response},
    key::Key,
    program::Program,
    stack::chancery_binary,
    tree,
    witness::{Witness, all_have_signed, foreign},
};
use chancery_verify::{
    PublicKey,
    note::{KeyName, Note, NoteSignature},
    verifier_key::{KeyType, VerifierKey},
    witness::AddCheckpoint,
};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(30);
const WITNESS: &str = "witness.example/1";

/// A log of one entry.
struct Log {
    key: Key,
    vkey: VerifierKey,
    origin: String,
}

impl Log {
    fn new(name: &str, origin: &str) -> Self {
        let key = Key::generate();
        let public = PublicKey::from_spki_der(&key.public_der()).unwrap();
        let vkey = VerifierKey::new(KeyName::new(name).unwrap(), KeyType::Ecdsa, public).unwrap();
        Self { key, vkey, origin: origin.to_owned() }
    }

    /// As an option says it.
    fn option(&self) -> String {
        format!("{}={}", self.origin, self.vkey)
    }

    /// As a list says it.
    fn listed(&self) -> String {
        format!("\nvkey {}\norigin {}\nqpd 24\ncontact nobody\n", self.vkey, self.origin)
    }

    fn checkpoint(&self, entry: &str) -> String {
        let root = STANDARD.encode(tree::leaf_hash(entry.as_bytes()));
        let text = format!("{}\n1\n{root}\n", self.origin);
        let (name, bytes) = (self.vkey.name().clone(), self.key.sign(text.as_bytes()));
        let signatures = vec![NoteSignature { name, key_id: self.vkey.key_id(), bytes }];
        Note { text, signatures }.to_string()
    }
}

fn list(logs: &[&Log]) -> String {
    logs.iter().fold("# test\nlogs/v0\n".to_owned(), |list, log| list + &log.listed())
}

fn ask(witness: &Witness, old: u64, checkpoint: &str) -> Response {
    let request = AddCheckpoint { old, proof: Vec::new(), checkpoint }.to_string();
    Request::post(&format!("{}/add-checkpoint", witness.url())).body("text/plain", request).send()
}

/// Demands that `witness` cosigns this, and that the foreign tools see both signatures.
#[track_caller]
fn is_cosigned(witness: &Witness, log: &Log, old: u64, checkpoint: &str) {
    let line = ask(witness, old, checkpoint).expect(200).text();
    all_have_signed(&format!("{checkpoint}{line}"), &[&log.vkey.to_string(), &witness.key()]);
}

/// Tries until it is so.
#[track_caller]
fn eventually(what: &str, mut attempt: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !attempt() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_log_is_witnessed_under_its_origin() {
    let log = Log::new("log.example/key-7", "log.example: all releases");
    let mut witness = Witness::start(WITNESS, &[&log.option()]);
    let checkpoint = log.checkpoint("entry");
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("note"), &checkpoint).unwrap();
    let submit = |old: &str| foreign(home.path()).arg("submit").arg(witness.url()).arg("note").arg(old).run();
    let line = submit("0").succeeds();
    all_have_signed(&format!("{checkpoint}{line}"), &[&log.vkey.to_string(), &witness.key()]);
    let shown = witness.checkpoint(&log.origin).expect(200).text();
    all_have_signed(&shown, &[&log.vkey.to_string(), &witness.key()]);
    // Nothing is witnessed under the key's name, or with another key.
    witness.checkpoint(log.vkey.name().as_str()).expect(404);
    let named = Log { origin: log.vkey.name().to_string(), ..Log::new("x.example", "x") };
    ask(&witness, 0, &named.checkpoint("entry")).expect(404);
    ask(&witness, 1, &Log::new("log.example/key-7", &log.origin).checkpoint("entry")).expect(403);
    ask(&witness, 1, &log.checkpoint("another history")).expect(422);
    witness.kill();
    witness.resume();
    ask(&witness, 0, &checkpoint).expect(409);
    is_cosigned(&witness, &log, 1, &checkpoint);
}

#[test]
fn the_logs_of_an_option_are_checked() {
    let log = Log::new("log.example/key-7", "log.example");
    let other = Log::new("log.example/key-8", "log.example");
    let home = tempfile::tempdir().unwrap();
    let serve = |options: &[&str]| {
        let serve = "witness serve --name w.example --data w --listen 127.0.0.1:0";
        let chancery = Program::new(chancery_binary(), home.path());
        options.iter().fold(chancery.args(serve), Program::arg).run()
    };
    serve(&[]).fails_with(&["--log"]);
    serve(&["--log", &log.option(), "--log", &other.option()]).fails_with(&["two keys for the origin \"log.example\""]);
    serve(&["--log", &format!(" x={}", log.vkey)]).fails_with(&["ORIGIN=VKEY"]);
    serve(&["--log-list", "missing"]).fails_with(&["cannot use missing"]);
    fs::write(home.path().join("list"), "logs/v0\n").unwrap();
    serve(&["--log-list", "list"]).fails_with(&["the witness has no log"]);
    fs::write(home.path().join("list"), format!("logs/v0\nvkey {}\norigin\n", log.vkey)).unwrap();
    serve(&["--log-list", "list"]).fails_with(&["cannot use list", "line 3"]);
}

/// A log that is added is witnessed without a restart, one that is removed is not, and a broken list changes nothing.
#[test]
fn the_list_is_followed_while_the_witness_runs() {
    let one = Log::new("one.example", "one.example");
    let two = Log::new("two.example/key", "the second log");
    let mut witness = Witness::start_with_list(WITNESS, &list(&[&one]));
    let [of_one, of_two] = [&one, &two].map(|log| log.checkpoint("entry"));
    is_cosigned(&witness, &one, 0, &of_one);
    ask(&witness, 0, &of_two).expect(404);

    // The file changes, and nobody says so.
    witness.write_list(&list(&[&one, &two]));
    eventually("the second log is known", || ask(&witness, 0, &of_two).status == 200);
    is_cosigned(&witness, &two, 1, &of_two);
    is_cosigned(&witness, &one, 1, &of_one);

    // A list that cannot be used: the log of the process says why, and the witness goes on.
    let rekeyed = Log::new("two.example/key", "the second log");
    for (broken, reason) in [
        ("logs/v0\nvkey nobody\n".to_owned(), "line 2"),
        (list(&[]), "the witness has no log"),
        (list(&[&two, &rekeyed]), "two keys for the origin"),
        (list(&[&one, &rekeyed]), "is damaged"),
    ] {
        witness.write_list(&broken);
        eventually(reason, || {
            witness.logged().lines().any(|line| line.contains("earlier list stays") && line.contains(reason))
        });
        is_cosigned(&witness, &two, 1, &of_two);
        is_cosigned(&witness, &one, 1, &of_one);
    }

    witness.write_list(&list(&[&two]));
    witness.hang_up();
    eventually("the first log is removed", || ask(&witness, 1, &of_one).status == 404);
    is_cosigned(&witness, &two, 1, &of_two);
    witness.checkpoint(&one.origin).expect(404);

    // It comes back, and has not been forgotten; nor is it with the next start.
    witness.write_list(&list(&[&two, &one]));
    eventually("the first log is back", || ask(&witness, 1, &of_one).status == 200);
    ask(&witness, 0, &of_one).expect(409);
    ask(&witness, 1, &one.checkpoint("another history")).expect(422);
    witness.kill();
    witness.resume();
    is_cosigned(&witness, &one, 1, &of_one);
    is_cosigned(&witness, &two, 1, &of_two);
}

/// Of the configuration file, the logs are read again, and nothing else.
#[test]
fn the_logs_of_the_configuration_file_are_followed() {
    let one = Log::new("one.example", "one.example");
    let two = Log::new("two.example/key", "the second log");
    let [of_one, of_two] = [&one, &two].map(|log| log.checkpoint("entry"));
    let mut witness = Witness::start_configured(WITNESS, &[&one.vkey.to_string()]);
    is_cosigned(&witness, &one, 0, &of_one);
    ask(&witness, 0, &of_two).expect(404);
    witness.write_configuration(&[&two.option()]);
    witness.hang_up();
    eventually("the second log is known", || ask(&witness, 0, &of_two).status == 200);
    is_cosigned(&witness, &two, 1, &of_two);
    ask(&witness, 1, &of_one).expect(404);
    witness.kill();
    witness.resume();
    is_cosigned(&witness, &two, 1, &of_two);
}
