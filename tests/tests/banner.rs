//! What the server prints to be pasted works when pasted.

use chancery_tests::{ALICE, Person, Stack, person, registry::Registry};
use std::os::unix::fs::symlink;

/// A headline of the banner and the commands below it.
struct Section {
    title: String,
    script: String,
}

/// Commands are indented by two columns, their continuations by more; headlines are not.
fn sections(banner: &str) -> Vec<Section> {
    let (_, commands) = banner.split_once("\nPaste ").expect("commands to paste");
    let mut sections: Vec<Section> = Vec::new();
    for line in commands.lines().skip(1) {
        if line.starts_with("  ") {
            let section = sections.last_mut().expect("a headline above the first command");
            section.script.push_str(line);
            section.script.push('\n');
        } else if !line.trim().is_empty() {
            sections.push(Section { title: line.trim().to_owned(), script: String::new() });
        }
    }
    sections.retain(|section| !section.script.is_empty());
    sections
}

/// The commands of all sections whose headline starts with `title`, in one shell, as one would paste them.
fn script(banner: &str, title: &str) -> String {
    let sections = sections(banner);
    let found: Vec<&str> =
        sections.iter().filter(|section| section.title.starts_with(title)).map(|section| &*section.script).collect();
    let titles: Vec<&str> = sections.iter().map(|section| &*section.title).collect();
    assert!(!found.is_empty(), "no section {title:?} among {titles:?}");
    found.concat()
}

fn paste(person: &Person, script: &str) -> String {
    person.program("bash").args("-e -u -o pipefail -c").arg(script).run().succeeds()
}

/// A person whose `cosign` and `sigstore` are these.
fn person_with(stack: &Stack, cosign: &str) -> Person {
    let person = stack.person(ALICE);
    symlink(person::client(&format!("bin/{cosign}")), person.path("bin/cosign")).unwrap();
    symlink(person::client("venv/bin/sigstore"), person.path("bin/sigstore")).unwrap();
    person
}

/// The one thing that cannot be taken literally: the reader's own registry.
fn with_registry(person: &Person, script: &str) -> (Registry, String) {
    let registry = Registry::start(person);
    registry.push(person, "app:latest");
    assert!(script.contains("localhost:5000/app:latest"), "{script}");
    let script = script.replace("localhost:5000", registry.address());
    (registry, script)
}

#[test]
fn the_token_command_prints_a_token() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    let token = paste(&alice, &script(&stack.banner(), "A token"));
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}

#[test]
fn the_commands_for_cosign_3_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign3");
    let (_registry, script) = with_registry(&alice, &script(&stack.banner(), "cosign 3"));
    paste(&alice, &script);
}

#[test]
fn the_commands_for_cosign_2_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign2");
    let (_registry, script) = with_registry(&alice, &script(&stack.banner(), "cosign 2"));
    paste(&alice, &script);
}

#[test]
fn the_commands_for_sigstore_python_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign3");
    paste(&alice, &script(&stack.banner(), "sigstore-python"));
}

#[test]
fn the_command_that_recomputes_the_logs_works_while_the_server_runs() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    paste(&alice, &script(&stack.banner(), "Recompute"));
}

#[test]
fn every_command_is_covered_above() {
    let mut stack = Stack::start();
    for section in sections(&stack.banner()) {
        let covered = ["A token", "cosign 3", "cosign 2", "sigstore-python", "Recompute"];
        assert!(
            covered.iter().any(|title| section.title.starts_with(title)),
            "{} is not pasted by any test",
            section.title
        );
    }
    assert!(stack.banner().contains(stack.trust("").to_str().unwrap()), "says where the trust files are");
}
