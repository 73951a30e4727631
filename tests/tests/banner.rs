//! What the server prints to be pasted works when pasted: the commands of the banner, and those of `chancery dev --commands`.

use chancery_tests::{ALICE, Person, Stack, person, registry::Registry};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

/// Rows and columns of the smallest terminal in use.
const SCREEN: (usize, usize) = (24, 100);

/// A headline of `chancery dev --commands` and the commands below it.
struct Section {
    title: String,
    script: String,
}

/// Commands are indented by two columns, their continuations by more; headlines are not.
fn sections(text: &str) -> Vec<Section> {
    let (_, commands) = text.split_once("\nPaste ").expect("commands to paste");
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
fn script(text: &str, title: &str) -> String {
    let sections = sections(text);
    let found: Vec<&str> =
        sections.iter().filter(|section| section.title.starts_with(title)).map(|section| &*section.script).collect();
    let titles: Vec<&str> = sections.iter().map(|section| &*section.title).collect();
    assert!(!found.is_empty(), "no section {title:?} among {titles:?}");
    found.concat()
}

/// Every command for this server, as the command that the banner prints for it shows them.
fn commands(stack: &mut Stack) -> String {
    let banner = stack.banner();
    let command = indented_after(&banner, "\nAll commands");
    assert!(command.contains(" dev --commands "), "{banner}");
    let person = stack.person(ALICE);
    paste(&person, &command)
}

/// The indented lines below the headline that begins with this text.
fn indented_after(text: &str, headline: &str) -> String {
    let (_, after) = text.split_once(headline).unwrap_or_else(|| panic!("no {headline:?} in\n{text}"));
    let lines = after.lines().skip(1).skip_while(|line| line.is_empty()).take_while(|line| line.starts_with("  "));
    lines.flat_map(|line| [line, "\n"]).collect()
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
fn the_banner_fits_one_screen_and_its_commands_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign3");
    let banner = stack.banner();
    let (rows, columns) = SCREEN;
    assert!(banner.lines().count() <= rows, "{} lines:\n{banner}", banner.lines().count());
    // The commands name files of this test, whose paths no line break can shorten.
    let own_words = |line: &&str| !line.starts_with("  ") || !line.contains('/');
    for line in banner.lines().filter(own_words) {
        assert!(line.chars().count() <= columns, "{line}");
    }
    let first_url = banner.split_whitespace().find(|word| word.starts_with("http"));
    assert_eq!(first_url, Some(&*stack.at("/")), "the console comes first");
    assert!(banner.contains("docs/src/start/"), "{banner}");
    let script = indented_after(&banner, "\nPaste ");
    assert_eq!(script.matches("cosign ").count(), 2, "{script}");
    let said = paste(&alice, &script);
    assert!(said.contains(" entries re-derived, "), "{said}");
}

#[test]
fn commands_need_a_server_that_was_started() {
    let stack = Stack::start();
    let outcome = stack.chancery().args("dev --commands --data nowhere").run();
    outcome.fails_with(&["nowhere has no trust files", "chancery dev --data DIR"]);
}

#[test]
fn the_token_command_prints_a_token() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    let token = paste(&alice, &script(&commands(&mut stack), "A token"));
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}

/// cosign sends every byte of a token file, and a line break is not allowed in a header.
#[test]
fn a_token_file_is_the_token_and_for_its_owner_only() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let file = alice.write("alice.token", "an older one, which others may read\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let printed = stack.token_command(ALICE).arg("--out").arg(&file).run().succeeds();
    assert_eq!(printed, "");
    let token = String::from_utf8(alice.read("alice.token")).unwrap();
    let is_token = token.split('.').count() == 3 && token.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_token, "{token:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    alice.write("hello.txt", "hello");
    let sign = alice.cosign3().args("sign-blob --yes --bundle hello.json --signing-config");
    let sign = sign.arg(alice.trust("signing_config.json")).arg("--trusted-root").arg(alice.trust("trusted_root.json"));
    sign.arg("--identity-token").arg(&file).arg("hello.txt").run().succeeds();
    let elsewhere = stack.token_command(ALICE).args("--out missing/token").run();
    elsewhere.fails_with(&["cannot write missing/token"]);
}

#[test]
fn the_commands_for_cosign_3_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign3");
    let (_registry, script) = with_registry(&alice, &script(&commands(&mut stack), "cosign 3"));
    paste(&alice, &script);
}

#[test]
fn the_commands_for_cosign_2_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign2");
    let (_registry, script) = with_registry(&alice, &script(&commands(&mut stack), "cosign 2"));
    paste(&alice, &script);
}

#[test]
fn the_commands_for_sigstore_python_work() {
    let mut stack = Stack::start();
    let alice = person_with(&stack, "cosign3");
    paste(&alice, &script(&commands(&mut stack), "sigstore-python"));
}

#[test]
fn the_command_that_recomputes_the_logs_works_while_the_server_runs() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    paste(&alice, &script(&commands(&mut stack), "Recompute"));
}

#[test]
fn every_command_is_covered_above() {
    let mut stack = Stack::start();
    for section in sections(&commands(&mut stack)) {
        let covered = ["A token", "cosign 3", "cosign 2", "sigstore-python", "Recompute"];
        assert!(
            covered.iter().any(|title| section.title.starts_with(title)),
            "{} is not pasted by any test",
            section.title
        );
    }
    assert!(stack.banner().contains(stack.trust("").to_str().unwrap()), "says where the trust files are");
}
