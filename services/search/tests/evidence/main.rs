//! Cases of evidence that are sound, and cases that lie and are sealed all the same: the check finds them.
//!
//! The scene and the fuzz targets are those of `tests/fuzz`, on seeds and on random mutations of them.

#![expect(clippy::expect_used, reason = "a panic is what this looks for")]
#![expect(unreachable_pub, reason = "the same files are public modules of the library in tests/fuzz")]

#[path = "../../../../tests/fuzz/src/cases.rs"]
mod cases;
#[path = "../../../../tests/fuzz/src/mutations.rs"]
mod mutations;

use cases::{LOG, NOW, SCENE, Scene, VERIFIER};
use chancery_search::evidence::{
    Answered, Case, CompleteTo, Draft, Fault, Member, Place, Promise, Report, Verdict, check,
};
use chancery_verify::hash::sha256;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{Options, Verifier};
use mutations::{Numbers, mutate};
use std::panic;

/// Mutated inputs per target.
const MUTATIONS: usize = 4000;

/// Packs a case, reads it again and checks it.
fn checked(case: &Case) -> Result<Report, Fault> {
    let read = Case::open(&case.to_archive().expect("it fits")).expect("it is sealed");
    assert_eq!(&read, case);
    check(&read, &VERIFIER, NOW)
}

#[track_caller]
fn refused(case: &Case, expected: &str) {
    let told = checked(case).expect_err(expected).to_string();
    assert!(told.contains(expected), "{expected}: {told}");
}

/// The scene with a change.
fn changed(change: impl FnOnce(&mut Scene)) -> Case {
    let mut scene = SCENE.clone();
    change(&mut scene);
    scene.case()
}

/// The scene with one more member.
fn with(member: Member<'_>, contents: &[u8]) -> Case {
    let mut draft = SCENE.draft();
    draft.add(member, contents.to_vec());
    Case::seal("", SCENE.answer.question.clone(), draft)
}

#[test]
fn a_sound_case_says_what_is_proven() {
    let report = checked(&SCENE.case()).expect("it is sound");
    let [log] = &report.logs[..] else { panic!("one log") };
    assert_eq!((log.log.as_str(), log.head.tree_size, log.complete_to), (LOG, 3, Some(3)));
    assert_eq!((log.head.origin.as_str(), &log.extends[..]), ("log.test - 7", &[2][..]));
    assert_eq!(report.signatures.len(), 2);
    for (signature, index) in report.signatures.iter().zip(1..) {
        assert_eq!(signature.place, Place { log: LOG.to_owned(), index });
        assert_eq!((signature.verdict, signature.is_answer), (Verdict::Verified, true), "{signature:?}");
        assert!(signature.signer.is_some() && !signature.time_is_proven, "{signature:?}");
    }
    assert_eq!((report.certificates.len(), report.audit_lines, report.trust.is_the_given), (0, 0, None));
}

#[test]
fn an_entry_that_the_log_does_not_have_is_found() {
    let other = SCENE.entries[1].clone();
    for (case, expected) in [
        (changed(|scene| scene.entries[0].leaf = other.leaf.clone()), "entries/1.json: it is not in its log"),
        (changed(|scene| scene.entries[0].hashes.clone_from(&other.hashes)), "it is not in its log"),
        (changed(|scene| scene.entries[0].hashes.clear()), "it is not in its log"),
        (changed(|scene| scene.entries.swap(0, 1)), "it is not in its log"),
        (changed(|scene| scene.entries[0].tree_size = 3), "it is not in its log"),
        (changed(|scene| scene.entries[0].tree_size = 9), "no checkpoint of 9 leaves"),
        (changed(|scene| scene.entries[0].hashes[0] = "ab".to_owned()), "not a list of hashes"),
        (changed(|scene| scene.entries[0].hashes = vec!["00".repeat(32); 129]), "not a list of hashes"),
        (changed(|scene| scene.entries[0].leaf = "!".to_owned()), "not base64"),
        (changed(|scene| scene.entries[0].time = Some("today".to_owned())), "its time is not one"),
        (changed(|scene| scene.entries[0].time = Some("2999-01-01T00:00:00Z".to_owned())), "in the future"),
        (with(Member::Entry(LOG, 2), b"{}"), "entries/2.json: it cannot be read"),
        (with(Member::Entry(LOG, 0), &serde_json::to_vec(&other).unwrap()), "it is not in its log"),
        (with(Member::Entry("other", 0), &serde_json::to_vec(&other).unwrap()), "its log has no checkpoint"),
    ] {
        refused(&case, expected);
    }
}

#[test]
fn a_promise_is_verified_and_so_is_its_time() {
    let promise = |integrated_time| Promise { log_index: 1, integrated_time, signature: "AAAA".to_owned() };
    let with = |promise: Option<Promise>| {
        changed(|scene| {
            scene.entries[0].promise_withheld = false;
            scene.entries[0].promise = promise;
        })
    };
    let promised = |integrated_time| with(Some(promise(integrated_time)));
    // One that was taken out of the case.
    refused(&with(None), "entries/1.json: its log promises each entry, and the promise is not there");
    refused(&promised(7), "its time is not the one that the log signed");
    // The time of the entry in seconds.
    let time = chancery_verify::Timestamp::parse_rfc3339("2026-11-21T07:00:00Z").unwrap();
    refused(&promised(time.seconds()), "signedEntryTimestamp");
    let withheld = |promise: Option<Promise>| {
        changed(|scene| {
            scene.entries[0].promise_withheld = true;
            scene.entries[0].promise = promise;
        })
    };
    refused(&withheld(Some(promise(time.seconds()))), "says that there is none");
    let report = checked(&withheld(None)).expect("it is sound");
    let noted: Vec<usize> = report.signatures.iter().map(|signature| signature.warnings.len()).collect();
    assert_eq!(noted, [1, 1], "{:?}", report.signatures);
}

#[test]
fn checkpoints_are_signed_and_of_one_log() {
    let fork = cases::note(2, [9; 32]);
    for (case, expected) in [
        (changed(|scene| scene.checkpoint = scene.checkpoint.replacen('\n', "\n1", 1)), "the log is not trusted"),
        (changed(|scene| scene.checkpoint = "no note".to_owned()), "checkpoint"),
        (changed(|scene| scene.checkpoint = scene.older.checkpoint.clone()), "does not extend it"),
        (changed(|scene| scene.older.checkpoint = fork.clone()), "does not extend it"),
        (changed(|scene| scene.older.checkpoint = scene.checkpoint.clone()), "of another size"),
        (changed(|scene| scene.older.hashes.clear()), "does not extend it"),
        (changed(|scene| scene.older.hashes[0] = "00".repeat(32)), "does not extend it"),
        (with(Member::Consistency("other", 2), b"{}"), "its log has no checkpoint"),
        (with(Member::Checkpoint("other"), SCENE.checkpoint.as_bytes()), "under another name"),
        (with(Member::Checkpoint(LOG), b"\xff"), "it is not text"),
    ] {
        refused(&case, expected);
    }
    let stranger = Verifier::new(TrustRoot::default(), Options::default());
    let told = check(&SCENE.case(), &stranger, NOW).expect_err("a stranger").to_string();
    assert!(told.contains("the log is not trusted"), "{told}");
}

#[test]
fn answers_are_about_what_is_there() {
    let place = |index| Place { log: LOG.to_owned(), index };
    let searched = |size| vec![CompleteTo { log: LOG.to_owned(), size }];
    for (case, expected) in [
        (changed(|scene| drop(scene.answer.entries.pop())), "entries/2.json: no answer names it"),
        (changed(|scene| scene.answer.entries.insert(0, place(0))), "it names entry 0 of rekor, which is not there"),
        (changed(|scene| scene.answer.entries.insert(0, place(1))), "twice, or not in order"),
        (changed(|scene| scene.answer.entries.reverse()), "twice, or not in order"),
        (changed(|scene| scene.answer.complete_to = searched(4)), "4 entries of rekor were searched"),
        (changed(|scene| scene.answer.complete_to = searched(2)), "entry 2 of rekor is no answer"),
        (changed(|scene| scene.answer.complete_to.clear()), "entry 1 of rekor is no answer"),
        (changed(|scene| scene.answer.complete_to = [searched(3), searched(3)].concat()), "twice, or not in order"),
        (changed(|scene| drop(scene.answer.question.pop())), "entry 2 of rekor is no answer"),
        (changed(|scene| scene.answer.question[0].0 = "colour".to_owned()), "its question cannot be read: colour"),
    ] {
        refused(&case, expected);
    }
    for (name, value) in [("from", "2026-11-22"), ("to", "2026-11-20"), ("log", "ct"), ("first-index", "2")] {
        let asked = (name.to_owned(), value.to_owned());
        refused(&changed(|scene| scene.answer.question.push(asked)), "entry 1 of rekor is no answer");
    }
    refused(&Case::seal("", Vec::new(), SCENE.draft()), "it answers another question than the manifest names");
    let mut draft = Draft::default();
    draft.add(Member::Checkpoint(LOG), SCENE.checkpoint.clone().into_bytes());
    refused(&Case::seal("", Vec::new(), draft), "answers/0.json: there is no answer");
}

#[test]
fn an_answer_beside_the_first_is_about_certificates_of_its_entries() {
    for (filter, value, expected) in [
        // An entry that nobody asked about, with a question that it meets.
        ("digest", SCENE.answer.question[1].1.as_str(), "answers/1.json: its question is not about certificates"),
        ("log", LOG, "answers/1.json: its question is not about certificates"),
        ("serial", "ab", "entry 2 of rekor is no answer to its question"),
    ] {
        let mut scene = SCENE.clone();
        scene.answer.question.truncate(1);
        let (question, entries) = (vec![(filter.to_owned(), value.to_owned())], scene.answer.entries.split_off(1));
        let beside = Answered { question, entries, complete_to: scene.answer.complete_to.clone() };
        let mut draft = scene.draft();
        draft.add_answer(1, &beside).expect("JSON");
        refused(&Case::seal("", scene.answer.question.clone(), draft), expected);
    }
    let none = Answered {
        question: vec![("serial".to_owned(), "ab".to_owned())],
        entries: Vec::new(),
        complete_to: Vec::new(),
    };
    refused(&with(Member::Answer(1), &serde_json::to_vec(&none).unwrap()), "its question is not about certificates");
}

#[test]
fn trees_of_one_key_are_logs_of_their_own() {
    let next = cases::note_of_tree(8, 1, [9; 32]);
    let report = checked(&with(Member::Checkpoint("rekor-2"), next.as_bytes())).expect("it is sound");
    let origins: Vec<&str> = report.logs.iter().map(|log| log.head.origin.as_str()).collect();
    assert_eq!(origins, ["log.test - 7", "log.test - 8"]);
    // The older checkpoint is of the other tree, though a proof could lead from one to the other.
    let other = cases::note_of_tree(8, 2, [9; 32]);
    refused(&changed(|scene| scene.older.checkpoint.clone_from(&other)), "is of another log");
}

#[test]
fn what_a_case_says_stays_on_its_line() {
    let forged = "\u{1b}[2J\nSOUND      case.tar";
    let searched = CompleteTo { log: forged.to_owned(), size: 1 };
    for case in [
        with(Member::Entry(LOG, 2), serde_json::json!({ forged: 1 }).to_string().as_bytes()),
        changed(|scene| scene.answer.complete_to.insert(0, searched.clone())),
        changed(|scene| scene.answer.entries.insert(0, Place { log: forged.to_owned(), index: 1 })),
        changed(|scene| scene.answer.question.push((forged.to_owned(), "1".to_owned()))),
    ] {
        let told = checked(&case).expect_err("it is forged").to_string();
        assert!(!told.contains(char::is_control) && told.len() < 2000, "{told:?}");
    }
}

#[test]
fn what_is_beside_the_entries_is_about_them() {
    let (hash, of_braces) = ("ab".repeat(32), hex::encode(sha256(b"{}")));
    for (case, expected) in [
        (with(Member::Certificate(&hash), b""), "no entry of the case has this certificate"),
        (with(Member::Attestation(&hash), b"{}"), "attestations/ab"),
        (with(Member::Attestation(&hash), b"{}"), "it does not have the hash in its name"),
        (with(Member::Attestation(&of_braces), b"{}"), "no entry of the case has the hash of this statement"),
        (with(Member::TrustedRoot, b"{}"), "trust/trusted_root.json: "),
        (with(Member::FormerRoot(&hash), b"{}"), "trust/roots/"),
        (with(Member::Audit, b"{\"event\":\"issued\",\"fingerprint\":\"ab\"}\n"), "line 1 is about no certificate"),
        (with(Member::Audit, b"no JSON\n"), "audit.jsonl: it cannot be read"),
    ] {
        refused(&case, expected);
    }
}

#[test]
fn no_case_panics_and_none_is_sound_that_the_log_does_not_prove() {
    for (name, target) in cases::ALL {
        let seeds = cases::seeds(name);
        let run = |input: &[u8]| {
            let outcome = panic::catch_unwind(|| target(input));
            assert!(outcome.is_ok(), "{name}, on {:?}", String::from_utf8_lossy(input));
        };
        for seed in &seeds {
            run(seed);
        }
        let mut numbers = Numbers(0x6576_6964_656e_6365);
        for _ in 0..MUTATIONS {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            let other = &seeds[numbers.below(seeds.len())];
            mutate(&mut input, other, &mut numbers);
            run(&input);
        }
    }
}
