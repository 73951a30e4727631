//! A backup is made beside a server that writes, proves itself without one, and is restored elsewhere: what was acknowledged
//! before it is there, and no log goes on that may have signed more.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::Signer,
    http::Request,
    key::{Key, unique},
    postgres,
    program::{Outcome, Program},
    rekor::{ENTRIES, Entry, hashedrekord},
    waiting::eventually,
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Entries before the load: more than a bundle.
const BEFORE: usize = 260;
/// Entries of the load that are acknowledged before the backup begins.
const LOADED: usize = 10;
const LOGS: [&str; 3] = ["ct", "rekor", "rekor2"];
/// Everything in a tar begins at a multiple of this.
const BLOCK: usize = 512;

/// An instance, and where its logs are.
struct Site {
    stack: Stack,
    alice: Person,
    /// Name of its PostgreSQL database.
    database: Option<String>,
}

impl Site {
    fn start(on_postgres: bool) -> Self {
        let database = on_postgres.then(postgres::name);
        let url = database.as_deref().map(postgres::url);
        let options: Vec<&str> = url.iter().flat_map(|url| ["--database", url.as_str()]).collect();
        let stack = Stack::start_with(&options);
        let alice = stack.person(ALICE);
        alice.write("artifact", "hello");
        alice.write("passphrase", "a passphrase that is long enough\n");
        Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
        Self { stack, alice, database }
    }

    /// A verb for this instance, or for what was restored from it: in this directory and database.
    fn verb(&self, verb: &str, data: &Path, database: Option<&str>) -> Program {
        let program = self.stack.chancery().args(verb).arg("--data").arg(data);
        match database {
            Some(name) => program.arg("--database").arg(postgres::url(name)),
            None => program,
        }
    }

    fn back_up(&self, name: &str) -> Program {
        let program = self.verb("backup", &self.stack.data(), self.database.as_deref());
        program.arg("--out").arg(self.alice.path(name))
    }

    fn verify(&self, name: &str) -> Outcome {
        self.stack.chancery().args("backup verify").arg(self.alice.path(name)).run()
    }

    /// A new database where the instance has one.
    fn other_database(&self) -> Option<String> {
        self.database.as_ref().map(|_| postgres::name())
    }

    fn restore(&self, name: &str, data: &str, database: Option<&str>) -> Program {
        let program = self.verb("restore", &self.alice.path(data), database).arg(self.alice.path(name));
        program.arg("--passphrase-file").arg(self.alice.path("passphrase"))
    }

    fn log_check(&self, data: &str, database: Option<&str>) -> Outcome {
        self.verb("log check", &self.alice.path(data), database).run()
    }

    /// Starts a server over what was restored.
    fn serve(&self, data: &str, database: Option<&str>) -> Stack {
        let url = database.map(postgres::url);
        let options: Vec<&str> = url.iter().flat_map(|url| ["--database", url.as_str()]).collect();
        Stack::over_with(&self.alice.path(data), &options)
    }

    /// The checkpoint of each log that is newest now, in files.
    fn save_checkpoints(&self) {
        for log in LOGS {
            let command = self.stack.chancery().args("log checkpoint --url").arg(self.stack.url());
            let command = command.arg("--trust").arg(self.stack.data().join("trust")).arg("--log").arg(log);
            command.arg("--out").arg(self.alice.path(&format!("{log}.checkpoint"))).run().succeeds();
        }
    }
}

fn log_entry(url: &str) -> Entry {
    let proposal = hashedrekord(&Key::generate(), unique("artifact").as_bytes());
    Entry::parse(&Request::post(&format!("{url}{ENTRIES}")).json(&proposal).send().expect(201).json())
}

/// Ends the load also where a test fails in the middle.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes a backup while entries are logged. Returns those that were acknowledged before it began; more are after it.
fn back_up_under_load(site: &Site, name: &str) -> Vec<Entry> {
    let url = site.stack.url();
    let mut before: Vec<Entry> = (0..BEFORE).map(|_| log_entry(&url)).collect();
    let (done, load) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let acknowledged = || load.lock().unwrap().len();
    let begun = thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let entry = log_entry(&url);
                load.lock().unwrap().push(entry);
            }
        });
        eventually("entries are logged", || acknowledged() >= LOADED);
        let begun = acknowledged();
        let keys = site.back_up(name).arg("--keys").arg("--passphrase-file").arg(site.alice.path("passphrase"));
        keys.run().succeeds();
        let ended = acknowledged();
        eventually("entries are logged after it", || acknowledged() > ended);
        begun
    });
    before.extend(load.into_inner().unwrap().into_iter().take(begun));
    before
}

fn has_all(stack: &Stack, entries: &[Entry]) {
    for entry in entries {
        let found = stack.get(&format!("{ENTRIES}?logIndex={}", entry.log_index())).expect(200).json();
        assert_eq!(Entry::parse(&found).id, entry.id);
    }
}

/// What was signed at the instance before verifies at the one that was restored.
fn verifies_what_was_signed(site: &Site, restored: &Stack) {
    let auditor = restored.person(ALICE);
    auditor.write("artifact", "hello");
    auditor.write("bundle.json", site.alice.read("bundle.json"));
    let signer = Signer { identity: ALICE.to_owned(), issuer: site.stack.issuer() };
    Client::Cosign3.verify(&auditor, "artifact", "bundle.json", &signer).run().succeeds();
}

fn is_restored_and_guarded(on_postgres: bool) {
    let mut site = Site::start(on_postgres);
    let acknowledged = back_up_under_load(&site, "online.backup");
    let said = site.verify("online.backup").succeeds();
    assert!(said.contains("re-derived") && said.contains("the TUF repository verifies"), "{said}");
    site.save_checkpoints();
    site.stack.check();

    // Nothing says what was published since: every log that took entries is quarantined.
    let database = site.other_database();
    let said = site.restore("online.backup", "unknown", database.as_deref()).run().succeeds();
    assert_eq!(said.matches("QUARANTINED: the log may have signed more").count(), LOGS.len(), "{said}");
    site.log_check("unknown", database.as_deref()).fails_with(&["quarantine.restored", "ChanceryLogQuarantined"]);
    let mut restored = site.serve("unknown", database.as_deref());
    let ready = restored.get("/readyz").expect(503).text();
    for log in LOGS {
        assert!(ready.contains(&format!("the {log} log is QUARANTINED (quarantine.recorded)")), "{ready}");
    }
    restored.post(ENTRIES, &hashedrekord(&Key::generate(), b"refused")).expect(503);
    has_all(&restored, &acknowledged);
    verifies_what_was_signed(&site, &restored);
    restored.check_in_doubt(&["quarantine.restored"]);

    // The newest checkpoints say how much is missing.
    let database = site.other_database();
    let newest = LOGS.iter().fold(site.restore("online.backup", "behind", database.as_deref()), |command, log| {
        command.arg("--from").arg(site.alice.path(&format!("{log}.checkpoint")))
    });
    let said = newest.run().succeeds();
    assert!(said.contains("that were acknowledged are missing") && said.contains("chancery log end"), "{said}");
    site.log_check("behind", database.as_deref()).fails_with(&["the rekor log is QUARANTINED (quarantine.mark_newer)"]);

    // The last state of a server that was stopped goes on, by its marks.
    let keys = site.back_up("last.backup").arg("--keys").arg("--passphrase-file").arg(site.alice.path("passphrase"));
    keys.run().succeeds();
    let database = site.other_database();
    let marks = site.stack.data().join("marks");
    let said = site.restore("last.backup", "last", database.as_deref()).arg("--marks").arg(marks).run().succeeds();
    assert_eq!(said.matches("goes on at the next start").count(), LOGS.len(), "{said}");
    site.log_check("last", database.as_deref()).succeeds();
    let mut restored = site.serve("last", database.as_deref());
    eventually("every role does its work", || restored.get("/readyz").status == 200);
    has_all(&restored, &acknowledged);
    verifies_what_was_signed(&site, &restored);
    // Numbers of rows go on, too: a log is made, and what is indexed is found.
    let next = log_entry(&restored.url());
    assert!(next.log_index() > acknowledged.last().unwrap().log_index());
    restored.check();
}

#[test]
fn a_backup_of_sqlite_under_load_is_restored_and_guarded() {
    is_restored_and_guarded(false);
}

#[test]
fn a_backup_of_postgresql_under_load_is_restored_and_guarded() {
    is_restored_and_guarded(true);
}

/// The manifest in a backup.
fn manifest(backup: &[u8]) -> Value {
    let (start, end) = contents(backup, 0);
    serde_json::from_slice(&backup[start..end]).unwrap()
}

/// Where the contents of the member with its header at `at` begin and end.
fn contents(backup: &[u8], at: usize) -> (usize, usize) {
    let size = str::from_utf8(&backup[at + 124..at + 135]).unwrap();
    let start = at + BLOCK;
    (start, start + usize::from_str_radix(size.trim_end_matches('\0').trim(), 8).unwrap())
}

/// Where the header of a member is.
fn member(backup: &[u8], name: &str) -> usize {
    let is_it = |at: &usize| backup[*at..].starts_with(format!("{name}\0").as_bytes());
    (0..backup.len()).step_by(BLOCK).find(is_it).unwrap_or_else(|| panic!("no member {name}"))
}

fn what_was_changed_is_refused(on_postgres: bool) {
    let mut site = Site::start(on_postgres);
    log_entry(&site.stack.url());
    site.stack.check();
    site.back_up("whole.backup").run().succeeds();
    site.verify("whole.backup").succeeds();
    let whole = site.alice.read("whole.backup");
    // A private key is there if it is asked for, and then encrypted.
    assert!(!contains(&whole, b"PRIVATE KEY-----"));
    let left_out = manifest(&whole)["keys_left_out"].to_string();
    assert!(left_out.contains("keys/rekor.pem") && left_out.contains("keys/ca.pem"), "{left_out}");
    let keys = site.back_up("keys.backup").arg("--keys").arg("--passphrase-file").arg(site.alice.path("passphrase"));
    keys.run().succeeds();
    let with_keys = site.alice.read("keys.backup");
    assert!(contains(&with_keys, b"BEGIN ENCRYPTED PRIVATE KEY") && !contains(&with_keys, b"BEGIN PRIVATE KEY"));
    site.verify("keys.backup").succeeds();

    let refused = |changed: &[u8], reasons: &[&str]| {
        site.alice.write("changed.backup", changed);
        site.verify("changed.backup").fails_with(reasons);
        let target = site.alice.path("none");
        let database = site.database.as_deref();
        let restored = site.verb("restore", &target, database).arg(site.alice.path("changed.backup")).run();
        restored.fails_with(&["changed.backup"]);
        assert!(!target.exists());
    };
    let rows = if on_postgres { "database/bundle_parts.copy" } else { "database/chancery.db" };
    for (name, place) in [("manifest.json", 40), ("data/instance.json", 3), (rows, 600), ("manifest.sha256", 5)] {
        let at = member(&whole, name);
        for at in [at + 1, at + 130, at + BLOCK + place] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            refused(&changed, &["changed.backup"]);
        }
    }
    for length in [0, 100, BLOCK, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], &["changed.backup"]);
    }
    for name in ["data/instance.json", "data/keys/rekor.pub", rows] {
        let at = member(&whole, name);
        let end = contents(&whole, at).1.next_multiple_of(BLOCK);
        refused(&[&whole[..at], &whole[end..]].concat(), &[&format!("{name} is missing")]);
    }
    refused(&[&whole[..], b"more"].concat(), &["something follows"]);
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_backup_of_sqlite_that_was_changed_is_refused() {
    what_was_changed_is_refused(false);
}

#[test]
fn a_backup_of_postgresql_that_was_changed_is_refused() {
    what_was_changed_is_refused(true);
}

/// A backup of a damaged log is whole, and its logs are not.
#[test]
fn a_backup_of_a_log_that_does_not_derive_is_refused() {
    let mut site = Site::start(false);
    log_entry(&site.stack.url());
    site.stack.check();
    let data = site.alice.path("tampered");
    let copied = Program::new("/bin/cp", site.alice.home()).arg("-a").arg(site.stack.data()).arg(&data).run();
    copied.succeeds();
    let log = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor')";
    let sql = format!(
        "UPDATE bundle_parts SET contents = CAST(x'20' || substr(contents, 2) AS BLOB) WHERE first_index = 1 AND {log}"
    );
    site.stack.tamper(&data, &sql);
    site.verb("backup", &data, None).arg("--out").arg(site.alice.path("tampered.backup")).run().succeeds();
    site.verify("tampered.backup").fails_with(&["log rekor", "entry 1: "]);

    let site = Site::start(true);
    log_entry(&site.stack.url());
    // What no trigger sees.
    let sql = "SET session_replication_role = replica; UPDATE tiles SET hashes = decode(repeat('00', octet_length(hashes)), 'hex');
        UPDATE bundle_parts SET contents = set_byte(contents, 0, 32) WHERE first_index = 1";
    let name = site.database.clone().unwrap();
    let copy = format!("{name}_copy");
    let Site { mut stack, alice, .. } = site;
    stack.check();
    let copied = || postgres::execute(None, &format!("CREATE DATABASE {copy} TEMPLATE {name}"));
    eventually("the database is copied", || copied().is_ok());
    postgres::execute(Some(&copy), sql).unwrap();
    let backup = stack.chancery().args("backup --data").arg(stack.data()).arg("--database").arg(postgres::url(&copy));
    backup.arg("--out").arg(alice.path("tampered.backup")).run().succeeds();
    let verify = stack.chancery().args("backup verify").arg(alice.path("tampered.backup"));
    verify.run().fails_with(&["tampered.backup", "log "]);
}

/// A table or a column that a migration adds is in the backup.
#[test]
fn every_table_of_postgresql_is_in_a_backup() {
    let mut site = Site::start(true);
    site.stack.check();
    site.back_up("whole.backup").run().succeeds();
    let manifest = manifest(&site.alice.read("whole.backup"));
    let mut columns = Vec::new();
    for member in manifest["members"].as_array().unwrap() {
        let name = member["name"].as_str().unwrap();
        let Some(table) = name.strip_prefix("database/").and_then(|name| name.strip_suffix(".copy")) else { continue };
        let of_table = member["columns"].as_array().unwrap().iter();
        columns.extend(of_table.map(|column| format!("{table}.{}", column.as_str().unwrap())));
    }
    columns.sort_unstable();
    let listed = "SELECT string_agg(table_name || '.' || column_name, ',' ORDER BY (table_name || '.' || column_name) COLLATE \"C\")
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
    let asserted = format!("DO $$ BEGIN ASSERT ({listed}) = '{}', ({listed}); END $$", columns.join(","));
    postgres::execute(site.database.as_deref(), &asserted).unwrap();
}

#[test]
fn nothing_is_overwritten_and_no_secret_is_guessed() {
    let mut site = Site::start(false);
    site.stack.check();
    site.back_up("one.backup").run().succeeds();
    site.back_up("one.backup").run().fails_with(&["exists already"]);
    site.alice.write("short", "short");
    let short = site.back_up("two.backup").arg("--keys").arg("--passphrase-file").arg(site.alice.path("short"));
    short.run().fails_with(&["too short"]);
    assert!(!site.alice.path("two.backup").exists());
    let keys = site.back_up("keys.backup").arg("--keys").arg("--passphrase-file").arg(site.alice.path("passphrase"));
    keys.run().succeeds();
    let restore =
        |name: &str, data: &str| site.verb("restore", &site.alice.path(data), None).arg(site.alice.path(name));
    restore("keys.backup", "restored").run().fails_with(&["--passphrase-file"]);
    site.alice.write("wrong", "a passphrase that is another one");
    let wrong = restore("keys.backup", "restored").arg("--passphrase-file").arg(site.alice.path("wrong"));
    wrong.run().fails_with(&["the passphrase is not the one"]);
    let database = restore("one.backup", "restored").arg("--database").arg("postgres:///log?host=/nowhere");
    database.run().fails_with(&["leave out --database"]);
    site.alice.write("stranger.checkpoint", "no checkpoint");
    let stranger = restore("one.backup", "restored").arg("--from").arg(site.alice.path("stranger.checkpoint"));
    stranger.run().fails_with(&["is not a checkpoint of any log in the backup"]);
    assert!(!site.alice.path("restored").exists(), "nothing is left of what failed");
    let said = restore("one.backup", "restored").run().succeeds();
    assert!(said.contains("Private keys are not in the backup") && said.contains("keys/rekor.pem"), "{said}");
    assert!(!site.alice.path("restored/keys/rekor.pem").exists());
    restore("one.backup", "restored").run().fails_with(&["is not empty"]);
    // A trust root from elsewhere is another one.
    let other = Stack::start();
    let verify = site.stack.chancery().args("backup verify").arg(site.alice.path("one.backup"));
    verify.arg("--trust").arg(other.trust("trusted_root.json")).run().fails_with(&["log "]);
    let verify = site.stack.chancery().args("backup verify").arg(site.alice.path("one.backup"));
    verify.arg("--trust").arg(site.stack.trust("trusted_root.json")).run().succeeds();

    let mut site = Site::start(true);
    site.stack.check();
    site.back_up("one.backup").run().succeeds();
    let name = site.database.clone();
    let restore = |data: &str, database: Option<&str>| {
        site.verb("restore", &site.alice.path(data), database).arg(site.alice.path("one.backup")).run()
    };
    restore("restored", name.as_deref()).fails_with(&["the database is not empty: it has logs"]);
    restore("restored", None).fails_with(&["name an empty one with --database"]);
    let foreign = postgres::name();
    postgres::execute(Some(&foreign), "CREATE TABLE mine (id int)").unwrap();
    restore("restored", Some(&foreign)).fails_with(&["the database is not empty: it has tables"]);
    assert!(!site.alice.path("restored").exists());
    assert!(
        fs::read_dir(site.alice.home())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(".restore-") })
    );
}
