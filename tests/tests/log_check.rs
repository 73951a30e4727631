//! `chancery log check` finds what somebody with a shell has changed, and a server does not start with another key.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    key::{Key, unique},
    postgres,
    program::Outcome,
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
    tamper::{self, Change, Heads},
};
use serde_json::Value;
use std::{fs, path::Path};

/// A stopped instance with something in every log.
fn stopped() -> (Stack, Person) {
    stopped_with(&[], 3)
}

/// As [`stopped`], started with these options, and so many entries by hand in the Rekor v1 log.
fn stopped_with(options: &[&str], entries: usize) -> (Stack, Person) {
    let mut stack = Stack::start_with(options);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    for _ in 0..entries {
        stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
    }
    for _ in 0..2 {
        let request = rekor_v2::hashedrekord(&Key::generate(), unique("artifact").as_bytes());
        stack.post(rekor_v2::ENTRIES, &request).expect(201);
    }
    stack.check();
    (stack, alice)
}

/// A copy of the instance's data, in the person's home.
fn copy_data(stack: &Stack, person: &Person, name: &str) -> std::path::PathBuf {
    let to = person.path(name);
    copy(&stack.data(), &to);
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

fn check(stack: &Stack, data: &Path) -> Outcome {
    stack.chancery().args("log check --data").arg(data).run()
}

#[test]
fn says_what_it_has_checked() {
    let (stack, _alice) = stopped();
    let said = stack.chancery().args("log check --json --data").arg(stack.data()).run().succeeds();
    let reports: Value = serde_json::from_str(&said).unwrap();
    let size = |name: &str| {
        let found = reports.as_array().unwrap().iter().find(|report| report["log"] == name);
        found.unwrap_or_else(|| panic!("no log {name}: {reports}"))["tree_size"].as_u64().unwrap()
    };
    assert_eq!((size("ct"), size("rekor"), size("rekor2")), (1, 4, 4), "{reports}");
}

#[test]
fn finds_what_was_changed() {
    let (stack, alice) = stopped();
    let log = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor')";
    let rekor2 = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor2')";
    for (name, sql, finding) in [
        (
            "leaf",
            format!(
                "UPDATE bundle_parts SET contents = CAST(x'20' || substr(contents, 2) AS BLOB) WHERE first_index = 2 AND {log}"
            ),
            "entry 2: ",
        ),
        ("gap", format!("DELETE FROM bundle_parts WHERE first_index = 2 AND {log}"), "entry 2: the entry is missing"),
        (
            "hash",
            format!("UPDATE bundle_parts SET leaf_hashes = zeroblob(32) WHERE first_index = 2 AND {log}"),
            "entry 2: ",
        ),
        ("head", format!("UPDATE bundle_parts SET root_hash = zeroblob(32) WHERE first_index = 3 AND {log}"), "head: "),
        ("rollback", format!("DELETE FROM bundle_parts WHERE first_index = 3 AND {log}"), "head: "),
        (
            "note",
            format!("UPDATE checkpoints SET note = replace(note, '4', '5') WHERE tree_size = 4 AND {log}"),
            "checkpoint ",
        ),
        (
            "note2",
            format!("UPDATE checkpoints SET note = replace(note, '4', '5') WHERE tree_size = 4 AND {rekor2}"),
            "log rekor2",
        ),
        (
            "hash2",
            format!("UPDATE bundle_parts SET leaf_hashes = zeroblob(32) WHERE first_index = 2 AND {rekor2}"),
            "entry 2: ",
        ),
        ("fingerprint", "UPDATE logs SET key_fingerprint = zeroblob(32) WHERE name = 'rekor'".into(), "another key"),
    ] {
        let data = copy_data(&stack, &alice, name);
        check(&stack, &data).succeeds();
        stack.tamper(&data, &sql);
        check(&stack, &data).fails_with(&["log rekor", finding]);
    }
}

/// Changes that one run tries.
const CHANGES: usize = 250;
/// More than a full tile, and less than two.
const ENTRIES_FOR_TILES: usize = 300;

/// Applies changes in turn, with `apply`, which says whether the database took one, and checks with `check`.
fn finds_every_change(heads: Heads, seed: u64, apply: impl Fn(&Change) -> bool, check: impl Fn() -> Outcome) {
    let (mut taken, mut found) = (0, 0);
    let mut missed = Vec::new();
    for change in Change::several(CHANGES, seed, heads) {
        if !apply(&change) {
            continue;
        }
        taken += 1;
        let outcome = check();
        match outcome.code() {
            0 if change.excuse().is_none() => missed.push(change.to_string()),
            0 => {}
            1 => found += 1,
            _ => panic!("{change}: {}", outcome.report()),
        }
    }
    assert!(missed.is_empty(), "not found (seed {seed}): {missed:#?}");
    assert!(taken > CHANGES * 8 / 10 && found > taken * 8 / 10, "{taken} taken, {found} found");
}

#[test]
fn finds_every_changed_bit_in_sqlite() {
    let (stack, alice) = stopped_with(&[], ENTRIES_FOR_TILES);
    let data = copy_data(&stack, &alice, "tampered");
    let (source, target) = (stack.data().join("chancery.db"), data.join("chancery.db"));
    let apply = |change: &Change| {
        fs::copy(&source, &target).unwrap();
        let changed = tamper::sqlite(&target, &change.sql());
        assert!(matches!(changed, None | Some(1)), "{change}: {changed:?}");
        changed.is_some()
    };
    finds_every_change(Heads::WithEntries, 1, apply, || check(&stack, &data));
}

#[test]
fn finds_every_changed_bit_in_postgresql() {
    let name = postgres::name();
    let (stack, _alice) = stopped_with(&["--database", &postgres::url(&name)], ENTRIES_FOR_TILES);
    postgres::execute(Some(&name), tamper::FLIP_FUNCTIONS).unwrap();
    let copy = format!("{name}_copy");
    let apply = |change: &Change| {
        postgres::execute(None, &format!("DROP DATABASE IF EXISTS {copy}")).unwrap();
        postgres::execute(None, &format!("CREATE DATABASE {copy} TEMPLATE {name}")).unwrap();
        let sql = format!("SET session_replication_role = replica; {}", change.sql());
        let applied = postgres::execute(Some(&copy), &sql);
        let refused = |error: &String| {
            ["violates", "out of range", "can only be updated"].iter().any(|word| error.contains(word))
        };
        assert!(applied.as_ref().err().is_none_or(refused), "{change}: {applied:?}");
        applied.is_ok()
    };
    let check = || {
        let command = stack.chancery().args("log check --data").arg(stack.data());
        command.arg("--database").arg(postgres::url(&copy)).run()
    };
    finds_every_change(Heads::Apart, 2, apply, check);
}

#[test]
fn finds_nothing_where_there_is_nothing() {
    let (stack, alice) = stopped();
    fs::create_dir(alice.path("empty")).unwrap();
    for name in ["empty", "nowhere"] {
        let undecided = check(&stack, &alice.path(name));
        assert_eq!(undecided.code(), 3, "{}", undecided.report());
        undecided.fails_with(&["chancery.db"]);
    }
    assert!(!alice.path("nowhere").exists() && !alice.path("empty/chancery.db").exists(), "it only reads");
}

#[test]
fn a_server_does_not_start_with_another_key_or_without_one() {
    let (stack, alice) = stopped();
    let other = stack.data().join("keys/ct.pem");
    for role in ["ca", "rekor", "rekor2", "ct"] {
        let lost = copy_data(&stack, &alice, &format!("lost-{role}"));
        let key = lost.join(format!("keys/{role}.pem"));
        fs::remove_file(&key).unwrap();
        let dev = |data: &Path| stack.chancery().args("dev --listen 127.0.0.1:0 --data").arg(data).run();
        dev(&lost).fails_with(&[&format!("{role}.pem")]);
        assert!(!key.exists(), "no new key in place of the old one");
        if role != "ct" {
            let replaced = copy_data(&stack, &alice, &format!("replaced-{role}"));
            fs::copy(&other, replaced.join(format!("keys/{role}.pem"))).unwrap();
            dev(&replaced).fails_with(&["key"]);
        }
    }
}
