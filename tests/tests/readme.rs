//! What the README shows works when pasted into the directory the server was started in.

use chancery_tests::{ALICE, Person, Stack, person, stack::chancery_binary};
use std::{fs, os::unix::fs::symlink, path::Path};

/// More lines are no page.
const MOST_LINES: usize = 120;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

/// The code blocks of the README's first part, in order.
fn blocks() -> Vec<String> {
    let text = readme();
    let (first_part, _) = text.split_once("\n## ").expect("headings");
    first_part.split("```\n").skip(1).step_by(2).map(str::to_owned).collect()
}

/// A directory as it is after the first command: the data directory, and the program where cargo puts it.
fn checkout(stack: &Stack) -> Person {
    let alice = stack.person(ALICE);
    symlink(stack.data(), alice.path("chancery-dev")).unwrap();
    fs::create_dir_all(alice.path("target/release")).unwrap();
    symlink(chancery_binary(), alice.path("target/release/chancery")).unwrap();
    symlink(person::client("bin/cosign3"), alice.path("bin/cosign")).unwrap();
    alice
}

/// Runs blocks, with the port of this server instead of the default one.
fn paste(stack: &Stack, alice: &Person, blocks: &str) -> String {
    let token = format!("token {ALICE} --url {}", stack.url());
    let script = blocks.replace(&format!("token {ALICE}"), &token).replace("http://127.0.0.1:8080", &stack.url());
    alice.program("bash").args("-e -u -o pipefail -c").arg(script).run().succeeds()
}

#[test]
fn it_is_one_page() {
    let lines = readme().lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines: move the rest into the manual");
}

#[test]
fn the_first_screen_leads_to_a_verified_signature_and_a_verified_log() {
    let mut stack = Stack::start();
    let alice = checkout(&stack);
    let blocks = blocks();
    let [start, sign, audit] = blocks.as_slice() else { panic!("three blocks, not {}", blocks.len()) };
    assert!(start.starts_with("cargo run --release -- dev "), "{start}");
    assert!(start.contains("\ntests/run "), "{start}");
    // Into one shell, as a reader does: the first block sets the PATH of the second.
    let said = paste(&stack, &alice, &[sign.as_str(), audit.as_str()].concat());
    assert!(said.contains(" entries re-derived, "), "{said}");
    stack.check();
}
