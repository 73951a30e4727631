//! Evidence that an auditor takes home: packed from an honest server and from ones that lie, and checked where there is none.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::with_signing_config,
    key::{Key, sha256, unique},
    program::{Outcome, Program},
    rekor,
    rotation::Rotated,
    search::{Liar, SEARCH, ask, path, wait},
    stack::chancery_binary,
    waiting::eventually,
    witness::{Witness, log_key},
};
use chancery_verify::{
    checkpoint::Checkpoint,
    merkle::{self, TreeHead},
    note::Note,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::TempDir;

/// A machine of an auditor: a trust root and a case, and no server.
struct Home(TempDir);

impl Home {
    fn new(root: &[u8], case: &[u8]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("trusted_root.json"), root).unwrap();
        fs::write(home.path().join("case.tar"), case).unwrap();
        Self(home)
    }

    fn check(&self, options: &str) -> Outcome {
        let program = Program::new(chancery_binary(), self.0.path()).env("HOME", self.0.path());
        program.args("evidence check case.tar --trusted-root trusted_root.json").args(options).run()
    }

    /// What is proven.
    #[track_caller]
    fn proven(&self) -> Value {
        let outcome = self.check("--json");
        let found = report(&outcome);
        assert_eq!((outcome.code(), &found["status"]), (0, &"sound".into()), "{found}");
        found
    }
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()))
}

fn digest(artifact: &str) -> String {
    format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())))
}

/// `chancery evidence`, asking this URL and writing `case`.
fn pack(alice: &Person, url: &str, case: &str, question: &str) -> Outcome {
    let program = alice.program(chancery_binary()).arg("evidence").args(question).arg("--url").arg(url);
    program.arg("--trusted-root").arg(alice.trust("trusted_root.json")).arg("--out").arg(alice.path(case)).run()
}

/// Packs a case and takes it home.
#[track_caller]
fn packed(alice: &Person, stack: &Stack, case: &str, question: &str) -> Home {
    let said = pack(alice, &stack.url(), case, question).succeeds();
    assert!(said.starts_with("PACKED "), "{said}");
    Home::new(&fs::read(stack.trust("trusted_root.json")).unwrap(), &alice.read(case))
}

/// Alice, Mallory and a key sign the same artifact, into Rekor v1 and v2.
fn signed(stack: &Stack) -> (Person, String) {
    let artifact = unique("release");
    let people = [ALICE, MALLORY].map(|email| stack.person(email));
    for person in &people {
        person.write("artifact", &artifact);
        Client::Cosign2.sign(person, "artifact", "v1.json").run().succeeds();
        Client::Cosign3.sign(person, "artifact", "v2.json").run().succeeds();
    }
    let [alice, _] = people;
    alice.cosign3().args("generate-key-pair").run().succeeds();
    let by_key = |program: Program, bundle: &str| {
        let program = program.args("sign-blob --yes --key cosign.key --bundle").arg(bundle);
        if bundle.starts_with("v2") {
            with_signing_config(&alice, program)
        } else {
            program.arg("--rekor-url").arg(alice.url())
        }
    };
    by_key(alice.cosign2(), "v1.key.json").arg("artifact").run().succeeds();
    by_key(alice.cosign3(), "v2.key.json").arg("artifact").run().succeeds();
    wait(stack);
    (alice, artifact)
}

fn list<'a>(found: &'a Value, name: &str) -> &'a [Value] {
    found[name].as_array().unwrap_or_else(|| panic!("{name}: {found}"))
}

#[test]
fn a_case_about_a_digest_is_proven_without_a_server() {
    let mut stack = Stack::start();
    let (alice, artifact) = signed(&stack);
    let question = format!("--digest {}", digest(&artifact));
    let home = packed(&alice, &stack, "case.tar", &question);
    // Promises of Rekor v1 are signed anew.
    let without_promises = format!("{question} --log rekor2");
    for name in ["one.tar", "again.tar"] {
        pack(&alice, &stack.url(), name, &without_promises).succeeds();
    }
    assert!(alice.read("one.tar") == alice.read("again.tar"), "the same state gives the same bytes");
    pack(&alice, &stack.url(), "case.tar", &question).fails_with(&["exists already"]);
    stack.terminate();

    let found = home.proven();
    assert_eq!(found["sha256"], hex::encode(sha256(&alice.read("case.tar"))));
    assert_eq!(found["question"], json!([["digest", digest(&artifact)]]));
    let signatures = list(&found, "signatures");
    assert_eq!(signatures.len(), 6, "{found}");
    for signature in signatures {
        let is_keyless = signature["signer"]["certificate"].is_object();
        let verdict = if is_keyless && signature["log"] != "rekor" { "undated" } else { "verified" };
        assert_eq!((&signature["verdict"], &signature["is_answer"]), (&verdict.into(), &true.into()), "{signature}");
        assert_eq!(signature["certificate_logged_in"].as_array().map_or(0, Vec::len), usize::from(is_keyless));
        assert_eq!(signature["scts"].as_array().map_or(0, Vec::len), usize::from(is_keyless), "{signature}");
        assert_eq!(signature["time_is_proven"], signature["log"] == "rekor", "{signature}");
    }
    let certificates = list(&found, "certificates");
    assert_eq!(certificates.len(), 4, "{found}");
    for certificate in certificates {
        assert_eq!((&certificate["log"], &certificate["is_answer"]), (&"ct".into(), &false.into()), "{certificate}");
        assert_eq!(list(certificate, "used_in").len(), 1, "{certificate}");
        assert_eq!(certificate["subject"]["certificate"]["issuer"], stack.issuer(), "{certificate}");
    }
    let logs: Vec<&str> = list(&found, "logs").iter().map(|log| log["log"].as_str().unwrap()).collect();
    assert_eq!(logs, ["ct", "rekor", "rekor2"]);
    assert_eq!(found["trust"]["is_the_given"], true, "{found}");
    assert_eq!(found["trust_history"]["first_root"], 1, "{found}");
    assert!(!list(&found["trust_history"], "trusted_root_listed_in").is_empty(), "{found}");

    let said = home.check("").succeeds();
    for part in ["SOUND ", &format!("signed by {ALICE} (issuer"), "its certificate is in ct", "the server's word"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Another trust root knows none of these logs.
    let elsewhere = Stack::start();
    let stranger = Home::new(&fs::read(elsewhere.trust("trusted_root.json")).unwrap(), &alice.read("case.tar"));
    let refused = stranger.check("");
    assert_eq!(refused.code(), 1, "{}", refused.report());
    assert!(refused.stdout.starts_with("REFUSED ") && refused.stdout.contains("the log is not trusted"));
}

#[test]
fn a_case_about_an_identity_has_its_certificates_and_lines_of_the_audit_log() {
    let stack = Stack::start();
    let (alice, _) = signed(&stack);
    let audit = stack.data().join("audit.jsonl");
    let question = format!("--identity {ALICE} --from 2020-01-01 --to 2999-01-01 --audit {}", audit.display());
    let found = packed(&alice, &stack, "case.tar", &question).proven();
    let (signatures, certificates) = (list(&found, "signatures"), list(&found, "certificates"));
    assert_eq!((signatures.len(), certificates.len()), (2, 2), "{found}");
    for signature in signatures {
        assert_eq!(signature["signer"]["certificate"]["identity"], ALICE, "{signature}");
    }
    assert!(certificates.iter().all(|certificate| certificate["is_answer"] == true), "{found}");
    assert_eq!(found["audit_lines"], 2, "{found}");
    // Nobody is an answer, too, and a weak one.
    for question in [format!("--identity {ALICE} --to 2020-01-01"), "--identity nobody@example.test".to_owned()] {
        let home = packed(&alice, &stack, &unique("none.tar"), &question);
        assert!(list(&home.proven(), "signatures").is_empty());
        let said = home.check("").succeeds();
        assert!(said.contains("answers: none") && said.contains("the server's word"), "{said}");
    }
}

#[test]
fn a_case_spans_a_rotation_and_needs_a_trust_root_that_knows_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let artifact = unique("release");
    alice.write("artifact", &artifact);
    let before = fs::read(stack.trust("trusted_root.json")).unwrap();
    Client::Cosign2.sign(&alice, "artifact", "before.json").run().succeeds();
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    Client::Cosign2.sign(&alice, "artifact", "after.json").run().succeeds();
    let places = || -> Vec<String> {
        let entries = ask(&stack, &[("digest", &digest(&artifact))]).expect(200).json();
        list(&entries, "entries").iter().map(|entry| entry["log"].as_str().unwrap().to_owned()).collect()
    };
    eventually("both entries are found", || places().len() == 2);
    let certificates = || ask(&stack, &[("identity", ALICE), ("log", "ct")]).expect(200).json();
    eventually("both certificates are found", || list(&certificates(), "entries").len() == 2);
    let home = packed(&alice, &stack, "case.tar", &format!("--digest {}", digest(&artifact)));
    let found = home.proven();
    let mut logs: Vec<&str> =
        list(&found, "signatures").iter().map(|signature| signature["log"].as_str().unwrap()).collect();
    logs.sort_unstable();
    assert_eq!(logs, ["rekor", "rekor-2"], "{found}");
    assert!(!list(&found["trust"], "former").is_empty(), "{found}");
    let outdated = Home::new(&before, &alice.read("case.tar")).check("");
    assert_eq!(outdated.code(), 1, "{}", outdated.report());
    assert!(outdated.stdout.contains("logs/rekor-2/checkpoint: "), "{}", outdated.report());
}

#[test]
fn a_witness_is_demanded_of_every_checkpoint() {
    let mut stack = Stack::start();
    let witness = Witness::start("witness.example", &[&log_key(&stack, "rekor2")]);
    stack.terminate();
    stack.options(&["--witness", &witness.option()]);
    stack.resume();
    let alice = stack.person(ALICE);
    let artifact = unique("release");
    alice.write("artifact", &artifact);
    Client::Cosign3.sign(&alice, "artifact", "v2.json").run().succeeds();
    wait(&stack);
    let question = format!("--digest {}", digest(&artifact));
    let witnessed = format!("{question} --log rekor2 --witness {}", witness.key());
    let home = packed(&alice, &stack, "case.tar", &witnessed);
    let outcome = home.check(&format!("--json --witness {}", witness.key()));
    assert_eq!(report(&outcome)["logs"][0]["head"]["cosigners"][0]["name"], "witness.example", "{}", outcome.report());
    // The other logs have no witness.
    let all = pack(&alice, &stack.url(), "all.tar", &format!("{question} --witness {}", witness.key()));
    assert_eq!(all.code(), 1, "{}", all.report());
}

/// Whether a request is for entries.
fn is_for_entries(target: &str) -> bool {
    target.starts_with("/api/search?")
}

/// Demands that a server is found that answers with entries like this, and that nothing is written.
#[track_caller]
fn found_out(alice: &Person, liar: &Liar, question: &str, expected: &str) {
    let name = unique("lie.tar");
    let outcome = pack(alice, liar.url(), &name, question);
    assert_eq!(outcome.code(), 1, "{expected}: {}", outcome.report());
    assert!(outcome.stdout.contains(expected), "{expected}: {}", outcome.report());
    assert!(!alice.path(&name).exists(), "{expected}");
}

#[test]
fn a_case_has_the_statements_that_make_its_entries_answers() {
    let mut stack = Stack::start_with(&["--rekor-v1-attestations"]);
    let (alice, key, artifact) = (stack.person(ALICE), Key::generate(), unique("release"));
    let predicate_type = "https://slsa.dev/provenance/v1";
    let subject = json!([{ "name": "release", "digest": { "sha256": &digest(&artifact)["sha256:".len()..] } }]);
    let statement =
        json!({ "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate_type });
    let statement = statement.to_string();
    let envelope = rekor::envelope(&key, "application/vnd.in-toto+json", statement.as_bytes());
    stack.post(rekor::ENTRIES, &rekor::dsse(&key, &envelope.to_string())).expect(201);
    wait(&stack);
    let question = format!("--digest {}", digest(&artifact));
    let other = statement.replace("release", "another");
    for (payload, expected) in [
        ("", "is no answer to its question"),
        ("{}", "no entry of the case has the hash of this statement"),
        (other.as_str(), "no entry of the case has the hash of this statement"),
    ] {
        let payload = STANDARD.encode(payload);
        let liar = beside(&stack, move |entry| entry["attestation"]["data"] = payload.clone().into());
        found_out(&alice, &liar, &question, expected);
    }
    let home = packed(&alice, &stack, "case.tar", &question);
    let about_payload = packed(&alice, &stack, "payload.tar", &format!("--digest {}", digest(&statement)));
    stack.terminate();
    let member = format!("attestations/{}.json", hex::encode(sha256(statement.as_bytes())));
    let has_it = |case: &str| String::from_utf8_lossy(&alice.read(case)).contains(&member);
    assert_eq!((has_it("case.tar"), has_it("payload.tar")), (true, false), "it is taken where it is needed");
    for (home, verdict) in [(home, "verified"), (about_payload, "logged")] {
        let found = home.proven();
        let [signature] = list(&found, "signatures") else { panic!("one signature: {found}") };
        assert_eq!(signature["verdict"], verdict, "{signature}");
        let is_read = signature["summary"]["predicate_type"] == predicate_type;
        assert_eq!(is_read, verdict == "verified", "{signature}");
        assert_eq!(signature["signer"]["key_sha256"], hex::encode(sha256(&key.public_der())), "{signature}");
    }
}

#[test]
fn a_promise_that_cannot_be_fetched_ends_the_packing_and_one_that_is_not_given_is_noted() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    stack.post(rekor::ENTRIES, &rekor::hashedrekord(&Key::generate(), b"artifact")).expect(201);
    wait(&stack);
    let question = format!("--digest {}", digest("artifact"));
    let broken = beside(&stack, |entry| entry["verification"]["signedEntryTimestamp"] = 7.into());
    let outcome = pack(&alice, broken.url(), "broken.tar", &question);
    assert_eq!(outcome.code(), 3, "{}", outcome.report());
    assert!(!alice.path("broken.tar").exists(), "a case without a promise that the log gives is not packed");
    let silent = beside(&stack, |entry| {
        entry["verification"].as_object_mut().unwrap().remove("signedEntryTimestamp");
    });
    pack(&alice, silent.url(), "silent.tar", &question).succeeds();
    let root = fs::read(stack.trust("trusted_root.json")).unwrap();
    let found = Home::new(&root, &alice.read("silent.tar")).proven();
    let [signature] = list(&found, "signatures") else { panic!("one signature: {found}") };
    assert_eq!((&signature["verdict"], &signature["time_is_proven"]), (&"verified".into(), &false.into()), "{found}");
    assert!(signature["warnings"][0].as_str().unwrap().contains("gave none"), "{signature}");
}

/// Proposals of the kinds for packages and the formats of other tools, by Rekor's own code.
const KINDS: &str = include_str!("../../crates/verify/tests/golden/rekor1-kinds.json");

#[test]
fn entries_of_other_kinds_are_proven_as_far_as_they_can_be() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let vectors: Vec<Value> = serde_json::from_str(KINDS).unwrap();
    for (name, kind, verdict) in [
        ("tuf timestamp", "tuf", "verified"),
        ("rfc3161 ec-sha512-certificates", "rfc3161", "verified"),
        ("rekord x509 rsa", "rekord", "verified"),
        ("helm", "helm", "unread"),
        ("cose PS256", "cose", "unread"),
    ] {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        stack.post(rekor::ENTRIES, &vector["proposal"]).expect(201);
        wait(&stack);
        let found = packed(&alice, &stack, &format!("{kind}.tar"), &format!("--where kind={kind}")).proven();
        let [signature] = list(&found, "signatures") else { panic!("{name}: {found}") };
        assert_eq!(
            (&signature["verdict"], &signature["is_answer"]),
            (&verdict.into(), &true.into()),
            "{name}: {signature}"
        );
        assert_eq!(signature["time_is_proven"], true, "{name}: {signature}");
        assert_eq!(signature["refusal"]["code"] == "entry.unverifiable", verdict == "unread", "{signature}");
    }
}

/// A server that changes what Rekor v1 says about an entry.
fn beside(stack: &Stack, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Liar {
    Liar::before(stack, move |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            answer.as_object_mut().unwrap().values_mut().for_each(&change);
        }
        answer
    })
}

/// Puts another signature beside the leaf, at the end of the precertificate: it would look like a stranger's.
fn sign_otherwise(entry: &mut Value) {
    if entry["log"] == "ct" {
        let mut extra = STANDARD.decode(entry["proof"]["extra"].as_str().unwrap()).unwrap();
        let length = u32::from_be_bytes([0, extra[0], extra[1], extra[2]]);
        extra[length as usize + 2] ^= 1;
        entry["proof"]["extra"] = STANDARD.encode(extra).into();
    }
}

#[test]
fn a_server_that_lies_is_found_while_packing() {
    let stack = Stack::start();
    let (alice, artifact) = signed(&stack);
    stack.post(rekor::ENTRIES, &rekor::hashedrekord(&Key::generate(), b"other")).expect(201);
    wait(&stack);
    let question = format!("--digest {}", digest(&artifact));
    let other = ask(&stack, &[("digest", &digest("other")), ("proof", "1")]).expect(200).json()["entries"][0].clone();
    let forged = STANDARD.encode(json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {} }).to_string());
    let each = |change: fn(&mut Value)| {
        Liar::before(&stack, move |target, mut answer| {
            if is_for_entries(target) {
                answer["entries"].as_array_mut().unwrap().iter_mut().for_each(change);
            }
            answer
        })
    };
    for (liar, expected) in [
        (each(|entry| entry["index"] = (entry["index"].as_u64().unwrap() ^ 1).into()), "it is not in its log"),
        (each(|entry| entry["proof"]["hashes"] = json!([])), "it is not in its log"),
        (each(sign_otherwise), "logs/ct/entries/"),
        (each(|entry| entry["time"] = "2026-01-01T00:00:00Z".into()), "its time is not the one that the log signed"),
    ] {
        found_out(&alice, &liar, &question, expected);
    }
    let more = Liar::before(&stack, move |target, mut answer| {
        if is_for_entries(target) && target.contains("digest") {
            answer["entries"].as_array_mut().unwrap().push(other.clone());
        }
        answer
    });
    found_out(&alice, &more, &question, "is no answer to its question");
    let invented = Liar::before(&stack, move |target, mut answer| {
        if is_for_entries(target) {
            answer["entries"][0]["proof"]["leaf"] = forged.clone().into();
        }
        answer
    });
    found_out(&alice, &invented, &question, "it is not in its log");
    let unsigned = Liar::about_checkpoints(&stack, is_for_entries);
    found_out(&alice, &unsigned, &question, "the log is not trusted");
    let boasting = Liar::before(&stack, |target, mut answer| {
        if is_for_entries(target) {
            answer["complete_to"][0]["size"] = 1_000_000.into();
        }
        answer
    });
    found_out(&alice, &boasting, &question, "were searched, which has");
    let nonsense = Liar::before(&stack, |_, _| json!({ "entries": 7 }));
    assert_eq!(pack(&alice, nonsense.url(), "nonsense.tar", &question).code(), 3);
    assert_eq!(pack(&alice, "http://127.0.0.1:1", "nowhere.tar", &question).code(), 3);
}

#[test]
fn a_promise_that_does_not_verify_is_found_while_packing() {
    let stack = Stack::start();
    let (alice, artifact) = signed(&stack);
    wait(&stack);
    let question = format!("--digest {}", digest(&artifact));
    let unpromised = Liar::before(&stack, |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            let entry = answer.as_object_mut().unwrap().values_mut().next().unwrap();
            entry["logIndex"] = (entry["logIndex"].as_u64().unwrap() + 1).into();
        }
        answer
    });
    found_out(&alice, &unpromised, &question, "signedEntryTimestamp");
}

#[test]
fn what_is_wrong_with_a_file_or_a_command_is_said() {
    let stack = Stack::start();
    let (alice, artifact) = signed(&stack);
    let home = packed(&alice, &stack, "case.tar", &format!("--digest {}", digest(&artifact)));
    let (root, case) = (fs::read(stack.trust("trusted_root.json")).unwrap(), alice.read("case.tar"));
    let middle = case.len() / 2;
    let flipped = [&case[..middle], &[case[middle] ^ 1], &case[middle + 1..]].concat();
    for changed in [flipped, case[..middle].to_vec(), [&case[..], b"more"].concat(), Vec::new(), b"no tar".to_vec()] {
        let outcome = Home::new(&root, &changed).check("");
        assert_eq!(outcome.code(), 1, "{}", outcome.report());
        assert!(outcome.stdout.starts_with("REFUSED "), "{}", outcome.report());
    }
    // What other programs make of the same members is not a case.
    let unpacked = home.0.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let tar = |arguments: &str, directory: &Path| {
        let program = Program::new("/bin/tar", directory).env("PATH", "/usr/bin:/bin").args(arguments);
        program.run().succeeds()
    };
    tar("--extract --file ../case.tar", &unpacked);
    assert!(unpacked.join("manifest.json").is_file() && unpacked.join("logs/rekor/checkpoint").is_file());
    tar("--create --file ../case.tar answers certificates logs manifest.json trust", &unpacked);
    let outcome = home.check("");
    assert_eq!(outcome.code(), 1, "{}", outcome.report());

    let evidence = |arguments: &str| alice.program(chancery_binary()).arg("evidence").args(arguments).run();
    let trusted = format!("--trusted-root {}", alice.trust("trusted_root.json"));
    for (arguments, code, text) in [
        (format!("check missing.tar {trusted}"), 3, "missing.tar"),
        ("check case.tar".to_owned(), 2, "no trust root is given"),
        (format!("--out new.tar {trusted} --url {}", stack.url()), 2, "say what the case is about"),
        (format!("--identity a --url {}", stack.url()), 2, "--out"),
        (format!("--digest abc --out new.tar {trusted} --url {}", stack.url()), 2, "digest: write a digest"),
    ] {
        let outcome = evidence(&arguments);
        assert_eq!(outcome.code(), code, "{}", outcome.report());
        assert!(outcome.written().contains(text), "{text}: {}", outcome.report());
    }
}

#[test]
fn a_tree_of_an_answer_is_proven_to_extend_that_of_another() {
    let stack = Stack::start();
    let write = || stack.post(rekor::ENTRIES, &rekor::hashedrekord(&Key::generate(), b"artifact")).expect(201);
    let head = || {
        wait(&stack);
        let answer = ask(&stack, &[("log", "rekor"), ("limit", "1")]).expect(200).json();
        let note = Note::parse(answer["complete_to"][0]["checkpoint"]["note"].as_str().unwrap()).unwrap();
        Checkpoint::parse(&note.text).unwrap().head
    };
    let prove = |first: u64, second: u64, status: u16| {
        let (first, second) = (first.to_string(), second.to_string());
        let parameters = [("log", "rekor"), ("first", &*first), ("second", &*second)];
        stack.get(&path(&format!("{SEARCH}/consistency"), &parameters)).expect(status).json()
    };
    let verify = |old: &TreeHead, new: &TreeHead| {
        let answer = prove(old.size, new.size, 200);
        let hash = |text: &Value| -> [u8; 32] { hex::decode(text.as_str().unwrap()).unwrap().try_into().unwrap() };
        let hashes: Vec<[u8; 32]> = list(&answer, "hashes").iter().map(hash).collect();
        merkle::verify_consistency(old, new, &hashes).unwrap();
    };
    let mut heads = vec![head()];
    for _ in 0..5 {
        write();
        heads.push(head());
    }
    for (number, old) in heads.iter().enumerate() {
        heads.iter().skip(number).for_each(|new| verify(old, new));
    }
    let last = heads.last().unwrap().size;
    for (first, second) in [(last, 1), (1, last + 1)] {
        assert!(prove(first, second, 400)["message"].is_string());
    }
}
