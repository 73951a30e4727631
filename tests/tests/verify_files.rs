//! `chancery verify` on files that real clients have signed.

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, with_signing_config, with_urls},
    key::{Key, sha256, unique},
    program::{Outcome, Program},
    stack::chancery_binary,
    tuf::TufRepository,
};
use serde_json::{Value, json};

fn verify(person: &Person, line: &str) -> Program {
    person.program(chancery_binary()).arg("verify").args(line)
}

fn trusting(person: &Person, program: Program) -> Program {
    program.arg("--trusted-root").arg(person.trust("trusted_root.json"))
}

fn expecting(program: Program, signer: &Signer) -> Program {
    program.arg("--certificate-identity").arg(&signer.identity).arg("--certificate-oidc-issuer").arg(&signer.issuer)
}

fn document(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()))
}

/// The code of the first result.
fn code(outcome: &Outcome) -> String {
    document(outcome)["results"][0]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn verifies_what_every_client_signs_and_says_by_whom() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let signer = Signer::of(&alice);
    for client in Client::ALL {
        client.sign(&alice, "artifact", "artifact.sigstore.json").run().succeeds();
        let blob = || trusting(&alice, verify(&alice, "blob artifact --json"));
        let verified = expecting(blob(), &signer).run();
        assert_eq!(verified.code(), 0, "{client:?}: {}", verified.report());
        let result = &document(&verified)["results"][0];
        assert_eq!(result["status"], "verified");
        assert_eq!(result["signatures"][0]["verified"]["signer"]["certificate"]["identity"], ALICE);
        let open = blob().run();
        assert_eq!(open.code(), 0);
        assert!(open.written().contains("note: no signer was required"), "{}", open.report());
        assert_eq!(document(&open)["signer_expected"], false);
        let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
        let refused = expecting(blob(), &mallory).run();
        assert_eq!((refused.code(), code(&refused)), (1, "policy.identity".to_owned()), "{client:?}");
        let reason = format!("not the expected signer: identity: expected {MALLORY}, found {ALICE}");
        assert_eq!(document(&refused)["results"][0]["reason"], reason, "{client:?}");
        let other = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
        let refused = expecting(blob(), &other).run();
        assert_eq!((refused.code(), code(&refused)), (1, "policy.issuer".to_owned()), "{client:?}");
        alice.write("changed", "hullo");
        let changed = trusting(&alice, verify(&alice, "blob changed --bundle artifact.sigstore.json --json")).run();
        assert_eq!((changed.code(), code(&changed)), (1, "artifact.digest".to_owned()), "{client:?}");
        let [found, stated] = [&b"hullo"[..], b"hello"].map(|content| hex::encode(sha256(content)));
        let reason =
            format!("the file is not the one that was signed: its SHA-256 is {found}, the bundle signs {stated}");
        assert_eq!(document(&changed)["results"][0]["reason"], reason, "{client:?}");
    }
}

#[test]
fn many_files_have_an_answer_each_and_the_worst_decides() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for name in ["a", "b", "c"] {
        alice.write(name, name);
    }
    for name in ["a", "b"] {
        Client::Cosign3.sign(&alice, name, &format!("{name}.sigstore.json")).run().succeeds();
    }
    let run = |files: &str| {
        let blob = trusting(&alice, verify(&alice, &format!("blob {files} --json")));
        let outcome = expecting(blob, &Signer::of(&alice)).run();
        let results = document(&outcome)["results"].as_array().unwrap().clone();
        let states: Vec<String> = results.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect();
        (outcome.code(), states.join(" "))
    };
    assert_eq!(run("a b"), (0, "verified verified".to_owned()));
    assert_eq!(run("a c b"), (1, "verified refused verified".to_owned()));
    let alone = trusting(&alice, verify(&alice, "blob c --json")).run();
    assert_eq!((alone.code(), code(&alone)), (1, "bundle.none".to_owned()), "{}", alone.report());
    let looked = "(looked for c.sigstore.json, c.sigstore.jsonl, c.sigstore)";
    assert!(alone.stdout.contains(looked), "{}", alone.report());
    let absent = trusting(&alice, verify(&alice, "blob e --json")).run();
    assert_eq!((absent.code(), code(&absent)), (3, "file.unreadable".to_owned()), "{}", absent.report());
    assert!(absent.stdout.contains("No such file"), "{}", absent.report());
    // A directory can be opened. It is no file that nobody has signed.
    let directory = trusting(&alice, verify(&alice, "blob . --json")).run();
    assert_eq!((directory.code(), code(&directory)), (3, "file.unreadable".to_owned()), "{}", directory.report());
    alice.write("d.sigstore.json", alice.read("a.sigstore.json"));
    assert_eq!(run("a d"), (3, "verified undecided".to_owned()), "d cannot be read");
    assert_eq!(run("c d"), (1, "refused undecided".to_owned()));
}

#[test]
fn the_trust_root_of_another_server_is_suspected_once() {
    let (stack, other) = (Stack::start(), Stack::start());
    let alice = stack.person(ALICE);
    for name in ["a", "b"] {
        alice.write(name, unique(name));
        Client::Cosign3.sign(&alice, name, &format!("{name}.sigstore.json")).run().succeeds();
    }
    let root = other.trust("trusted_root.json");
    let suspicion = "s it the trust root of another server?";
    let verified = verify(&alice, "blob a b --trusted-root").arg(&root).run();
    assert_eq!((verified.code(), verified.stderr.matches(suspicion).count()), (1, 1), "{}", verified.report());
    let artifact = stack.chancery().arg("artifact").arg(alice.path("a")).arg("--url").arg(stack.url());
    let found = artifact.arg("--trusted-root").arg(&root).run();
    assert_eq!((found.code(), found.stdout.matches(suspicion).count()), (1, 1), "{}", found.report());
    // Of a checkpoint its first line is shown.
    assert!(found.stdout.contains("log.unknown: ") && !found.stdout.contains("\\n"), "{}", found.report());
}

#[test]
fn wrong_arguments_policies_and_roots_are_2() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "artifact.sigstore.json").run().succeeds();
    alice.write("empty.toml", "version = 1\n");
    alice.write("typo.toml", "version = 1\n[require]\nidentiti = 'a'\n");
    alice.write("root.json", "{}");
    let root = alice.trust("trusted_root.json");
    for (arguments, reason) in [
        (String::new(), "no trust root is given"),
        ("--trusted-root root.json".to_owned(), "is not a trusted root"),
        ("--trusted-root nowhere.json".to_owned(), "cannot read"),
        ("--trust .".to_owned(), "no trusted_root.json"),
        (format!("--trusted-root {root} --policy empty.toml"), "asks for no signer"),
        (format!("--trusted-root {root} --policy typo.toml"), "identiti"),
        (format!("--trusted-root {root} --certificate-identity a"), "needs --certificate-oidc-issuer"),
        (format!("--trusted-root {root} --certificate-oidc-issuer a"), "needs --certificate-identity"),
        (format!("--trusted-root {root} --at-least 2"), "--at-least counts expected signers: name them"),
        (format!("--trusted-root {root} -a x=y"), "need a signer"),
        (format!("--trusted-root {root} --nonsense"), "--nonsense"),
        ("--tuf-url https://tuf.example.org".to_owned(), "--tuf-root"),
        ("--tuf-url http://tuf.example.org --tuf-root root.json".to_owned(), "must be https"),
    ] {
        let outcome = verify(&alice, &format!("blob artifact {arguments}")).run();
        assert_eq!(outcome.code(), 2, "{arguments}: {}", outcome.report());
        assert!(outcome.written().contains(reason), "{arguments}: {}", outcome.report());
    }
    // The right ones, in the same words.
    let outcome = verify(&alice, &format!("blob artifact --trusted-root {root}")).run();
    assert_eq!(outcome.code(), 0, "{}", outcome.report());
}

#[test]
fn older_bundles_are_taken_only_when_they_are_meant() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let sign = with_urls(&alice, alice.cosign2().args("sign-blob --yes --bundle legacy.json"));
    sign.arg("--identity-token").arg(alice.token()).arg("artifact").run().succeeds();
    let blob = |more: &str| {
        let line = format!("blob artifact --bundle legacy.json --json {more}");
        expecting(trusting(&alice, verify(&alice, &line)), &Signer::of(&alice)).run()
    };
    let refused = blob("");
    assert_eq!(refused.code(), 1);
    assert!(refused.stdout.contains("add --legacy"), "{}", refused.report());
    let verified = blob("--legacy");
    // It has the log's promise and no proof of inclusion, which the threshold of one log entry asks for.
    assert_eq!(verified.code(), 0, "{}", verified.report());
}

#[test]
fn keys_need_no_certificate() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.cosign3().args("generate-key-pair").run().succeeds();
    let sign = alice.cosign3().args("sign-blob --yes --key cosign.key --bundle artifact.sigstore.json");
    with_signing_config(&alice, sign).arg("artifact").run().succeeds();
    let blob = |more: &str| trusting(&alice, verify(&alice, &format!("blob artifact --json {more}"))).run();
    let verified = blob("--key cosign.pub");
    assert_eq!(verified.code(), 0, "{}", verified.report());
    // Nobody knows the key: it is no signer.
    assert_eq!(code(&blob("")), "policy.key");
    alice.write("other.pub", Key::generate().public_pem());
    let refused = blob("--key other.pub");
    assert_eq!(refused.code(), 1, "{}", refused.report());
}

#[test]
fn attestations_are_not_signatures_and_have_a_type() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.attest(&alice, "artifact", "artifact.sigstore.json").run().succeeds();
    let run = |line: &str| {
        let program = expecting(trusting(&alice, verify(&alice, line)), &Signer::of(&alice));
        program.run()
    };
    let blob = run("blob artifact --json");
    assert_eq!((blob.code(), code(&blob)), (1, "statement.predicate_type".to_owned()), "{}", blob.report());
    let attested = run("attestation artifact --type slsaprovenance1 --json");
    assert_eq!(attested.code(), 0, "{}", attested.report());
    let other = run("attestation artifact --type spdx --json");
    assert_eq!((other.code(), code(&other)), (1, "statement.predicate_type".to_owned()));
    let printed = run("attestation artifact --type slsaprovenance1 --print-predicate");
    assert!(printed.stdout.starts_with("{\"buildDefinition\""), "{}", printed.report());
    let field = run("attestation artifact --type slsaprovenance1 --json --predicate /buildDefinition/buildType=wrong");
    assert_eq!((field.code(), code(&field)), (1, "policy.predicate".to_owned()), "{}", field.report());
    // Beside a signature, the attestation is told of where it may be missed, and to programs.
    Client::Cosign3.sign(&alice, "artifact", "signed.sigstore.json").run().succeeds();
    let both =
        ["signed.sigstore.json", "artifact.sigstore.json"].map(|name| String::from_utf8(alice.read(name)).unwrap());
    alice.write("both.jsonl", both.map(|bundle| bundle.trim().to_owned()).join("\n"));
    let verified = run("blob artifact --bundle both.jsonl");
    assert!(verified.code() == 0 && !verified.stdout.contains("passed over"), "{}", verified.report());
    let listed = run("blob artifact --bundle both.jsonl --json");
    assert_eq!(document(&listed)["results"][0]["passed_over"].as_array().unwrap().len(), 1, "{}", listed.report());
    let refused = run("blob artifact");
    // A reason is told once.
    assert_eq!(
        (refused.code(), refused.stdout.matches("it is an attestation").count()),
        (1, 1),
        "{}",
        refused.report()
    );
    let bundle = run("bundle artifact.sigstore.json --artifact artifact --json");
    assert_eq!(bundle.code(), 0, "{}", bundle.report());
}

#[test]
fn trust_comes_from_tuf_once() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "artifact.sigstore.json").run().succeeds();
    let repository = TufRepository::start(&alice);
    let root = repository.root.to_str().unwrap().to_owned();
    let blob = |root: &str, more: &str| {
        let line = format!("blob artifact --tuf-url {} --tuf-root {root} {more}", repository.mirror);
        expecting(verify(&alice, &line), &Signer::of(&alice)).run()
    };
    let offline = blob(&root, "--offline");
    assert_eq!(offline.code(), 2);
    assert!(offline.written().contains("run once without --offline"), "{}", offline.report());
    let wrong = blob(&format!("sha256:{}", "0".repeat(64)), "");
    assert_eq!(wrong.code(), 2, "{}", wrong.report());
    let verified = blob(&root, "");
    assert_eq!(verified.code(), 0, "{}", verified.report());
    // A repository that cannot be asked is no typing error.
    let line = format!("blob artifact --tuf-url http://127.0.0.1:1/tuf --tuf-root {root}");
    let unreached = expecting(verify(&alice, &line), &Signer::of(&alice)).run();
    assert_eq!(unreached.code(), 3, "{}", unreached.report());
    assert!(unreached.written().contains("it cannot be asked now"), "{}", unreached.report());
    // From now on the copy serves.
    std::fs::remove_dir_all(repository.directory.join("targets")).unwrap();
    assert_eq!(blob(&root, "").code(), 0);
    assert_eq!(blob(&root, "--offline").code(), 0);
}

#[test]
fn speaks_the_conformance_protocol() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let run = |identity: &str, artifact: &str| {
        let program = alice.program(chancery_binary()).args("conformance verify-bundle --bundle bundle.json");
        let program = program.arg("--certificate-identity").arg(identity).arg("--certificate-oidc-issuer");
        trusting(&alice, program.arg(alice.issuer())).arg(artifact).run()
    };
    run(ALICE, "artifact").succeeds();
    let digest = hex::encode(sha256(b"hello"));
    run(ALICE, &format!("sha256:{digest}")).succeeds();
    run(ALICE, "changed").fails_with(&["artifact.digest"]);
    run(MALLORY, "artifact").fails_with(&["policy.identity"]);
}

#[test]
fn signs_what_cosign_verifies() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "artifact", "digest": { "sha256": hex::encode(sha256(b"hello")) } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    });
    alice.write("statement", statement.to_string());
    let signer = Signer::of(&alice);
    for config in ["signing_config_rekor_v1.json", "signing_config_rekor_v2.json"] {
        let sign = |line: &str, file: &str| {
            let program = alice.program(chancery_binary()).args("conformance sign-bundle").args(line);
            let program = program.arg("--identity-token").arg(alice.token()).args("--bundle bundle.json");
            trusting(&alice, program).arg("--signing-config").arg(alice.trust(config)).arg(file).run()
        };
        sign("", "artifact").succeeds();
        Client::Cosign3.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
        Client::SigstorePython.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
        sign("--in-toto", "statement").succeeds();
        let verify = alice.cosign3().args("verify-blob-attestation --type slsaprovenance1 --bundle bundle.json");
        let verify =
            verify.arg("--certificate-identity").arg(ALICE).arg("--certificate-oidc-issuer").arg(alice.issuer());
        trusting(&alice, verify).arg("artifact").run().succeeds();
    }
}
