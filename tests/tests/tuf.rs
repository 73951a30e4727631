//! Clients that start from one root metadata file and learn everything else, and every change, from `/tuf/`.

use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{provenance, rekor_version},
    program::{Outcome, Program},
    stack::chancery_binary,
    trust_client::TrustClient,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

fn trust(stack: &Stack, verb: &str) -> Outcome {
    stack.chancery().arg("trust").args(verb).arg("--data").arg(stack.data()).run()
}

fn version(stack: &Stack, role: &str) -> u64 {
    let status: Value = serde_json::from_str(&trust(stack, "status --json").stdout).unwrap();
    let roles = status["roles"].as_array().unwrap();
    roles.iter().find(|row| row["role"] == role).unwrap()["version"].as_u64().unwrap()
}

/// Waits until the server serves this root.
fn wait_for_root(stack: &Stack, version: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while stack.get(&format!("/tuf/{version}.root.json")).status != 200 {
        assert!(Instant::now() < deadline, "root version {version} is not served");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every file of the repository.
fn repository(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for below in ["tuf", "tuf/targets", "tuf/pending"] {
        for entry in fs::read_dir(data.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(path.strip_prefix(data).unwrap().display().to_string(), fs::read(path).unwrap());
            }
        }
    }
    found
}

fn initialized(stack: &Stack) -> Person {
    let alice = stack.person(ALICE);
    for client in TrustClient::ALL {
        client.initialize(&alice, stack).succeeds();
    }
    alice
}

#[test]
fn signers_get_rekor_v1_where_it_is_the_default_or_v2_is_frozen() {
    let predicate = provenance().to_string();
    for options in [["--default-rekor", "v1"].as_slice(), &["--rekor-v2-frozen"]] {
        let stack = Stack::start_with(options);
        let alice = initialized(&stack);
        for client in TrustClient::ALL {
            client.signs_and_verifies(&alice, "v1");
            let rekor = if client == TrustClient::Cosign25 { None } else { Some(1) };
            assert_eq!(rekor_version(&alice, &format!("{client:?}-v1.json")), rekor, "{client:?}");
        }
        // It would send the whole envelope.
        alice.write("predicate.json", &predicate);
        let attest = TrustClient::Cosign2.program(&alice).args("attest-blob --yes --use-signing-config");
        let attest =
            attest.args("--new-bundle-format --predicate predicate.json --type slsaprovenance1 --bundle b.json");
        attest.arg("--identity-token").arg(alice.token()).arg("artifact").run().succeeds();
    }
}

#[test]
fn after_initialize_no_option_names_the_instance() {
    let stack = Stack::start();
    let alice = initialized(&stack);
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "first");
        let bundle = format!("{client:?}-first.json");
        // What cosign 2.5 writes is no such bundle.
        let rekor = if client == TrustClient::Cosign25 { None } else { Some(2) };
        assert_eq!(rekor_version(&alice, &bundle), rekor, "{client:?}");
        alice.write("artifact", "hullo");
        client.verify(&alice, &bundle).fails_with(&[]);
    }
    let mallory = stack.person(MALLORY);
    mallory.write("artifact", "hello");
    TrustClient::Cosign3.initialize(&mallory, &stack).succeeds();
    TrustClient::Cosign3.sign(&mallory, "bundle.json").succeeds();
    TrustClient::Cosign3.verify(&mallory, "bundle.json").fails_with(&["no matching CertificateIdentity found"]);
}

#[test]
fn clients_follow_the_rotation_of_every_key_while_the_server_runs() {
    let stack = Stack::start();
    let alice = initialized(&stack);
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "before");
    }
    for (number, role) in ["root", "timestamp", "snapshot", "targets", "root"].into_iter().enumerate() {
        trust(&stack, &format!("rotate --role {role}")).succeeds();
        wait_for_root(&stack, u64::try_from(number).unwrap() + 2);
        TrustClient::Cosign3.signs_and_verifies(&alice, role);
    }
    trust(&stack, "renew").succeeds();
    wait_for_root(&stack, 7);
    // Who was there from the start, and who starts today from the same file.
    let newcomer = initialized(&stack);
    for person in [&alice, &newcomer] {
        for client in TrustClient::ALL {
            client.signs_and_verifies(person, "after");
        }
    }
    for client in TrustClient::ALL {
        client.verify(&alice, &format!("{client:?}-before.json")).succeeds();
    }
}

#[test]
fn sigstore_js_verifies_and_follows() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    TrustClient::Cosign3.initialize(&alice, &stack).succeeds();
    alice.write("artifact", "hello");
    TrustClient::Cosign3.sign(&alice, "bundle.json").succeeds();
    let verify = || {
        let js = alice.sigstore_js().args("verify bundle.json --blob-file artifact");
        let js = js.arg("--tuf-mirror-url").arg(stack.at("/tuf")).args("--tuf-root-path root.json --tuf-cache-path");
        let js = js.arg(alice.path("tuf-js")).arg("--certificate-identity-email").arg(ALICE);
        js.arg("--certificate-issuer").arg(stack.issuer()).run()
    };
    verify().succeeds();
    for (number, role) in ["timestamp", "root", "targets", "snapshot"].into_iter().enumerate() {
        trust(&stack, &format!("rotate --role {role}")).succeeds();
        wait_for_root(&stack, u64::try_from(number).unwrap() + 2);
        verify().succeeds();
    }
    alice.write("artifact", "hullo");
    verify().fails_with(&[]);
}

#[test]
fn clients_go_on_when_all_they_were_given_has_expired() {
    let lifetimes = "--tuf-lifetime root=30s targets=30s snapshot=20s timestamp=12s";
    let options: Vec<&str> = lifetimes.split(' ').collect();
    let mut stack = Stack::start_with(&options);
    let alice = initialized(&stack);
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "before");
    }
    let given = Instant::now();
    thread::sleep(Duration::from_secs(32).saturating_sub(given.elapsed()));
    assert!(version(&stack, "root") > 1 && version(&stack, "timestamp") > 3);
    trust(&stack, "status").succeeds();
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "after");
        client.verify(&alice, &format!("{client:?}-before.json")).succeeds();
    }
    // A server that was off while everything expired renews before it answers.
    stack.terminate();
    thread::sleep(Duration::from_secs(31));
    let status = trust(&stack, "status");
    assert!(!status.status.success(), "{}", status.report());
    assert!(status.stdout.contains("EXPIRED"), "{}", status.report());
    stack.resume();
    stack.get("/readyz").expect(200);
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "resumed");
    }
}

#[test]
fn a_restart_changes_nothing_and_a_lost_repository_is_not_made_anew() {
    let mut stack = Stack::start();
    let before = repository(&stack.data());
    stack.terminate();
    stack.resume();
    stack.kill();
    stack.resume();
    assert_eq!(repository(&stack.data()), before);
    stack.terminate();
    let (tuf, aside) = (stack.data().join("tuf"), stack.data().join("aside"));
    fs::rename(&tuf, &aside).unwrap();
    stack.dev_command().run().fails_with(&["is missing", "put it back"]);
    fs::rename(&aside, &tuf).unwrap();
    let (key, aside) = (stack.data().join("keys/tuf-timestamp.pem"), stack.data().join("aside"));
    fs::rename(&key, &aside).unwrap();
    stack.dev_command().run().fails_with(&["timestamp key"]);
    fs::rename(&aside, &key).unwrap();
    stack.resume();
    assert_eq!(repository(&stack.data()), before);
}

#[test]
fn an_older_copy_of_the_repository_is_noticed_at_the_start() {
    let mut stack = Stack::start();
    let (tuf, aside) = (stack.data().join("tuf"), stack.data().join("aside"));
    let copy = |from: &Path, to: &Path| {
        Program::new("/bin/cp", from).arg("-a").arg("-T").arg(from).arg(to).run().succeeds();
    };
    copy(&tuf, &aside);
    trust(&stack, "renew").succeeds();
    wait_for_root(&stack, 2);
    stack.terminate();
    fs::remove_dir_all(&tuf).unwrap();
    copy(&aside, &tuf);
    let before = repository(&stack.data());
    let refused = ["/tuf has version 1 of the root metadata", "marks/tuf.json says that version 2 was served"];
    stack.dev_command().run().fails_with(&refused);
    assert_eq!(repository(&stack.data()), before, "nothing was signed");
    // As the error says.
    trust(&stack, "renew").succeeds();
    stack.resume();
    wait_for_root(&stack, 2);
}

#[test]
fn root_and_targets_keys_go_offline_and_new_files_wait_for_them() {
    let mut stack = Stack::start();
    let alice = initialized(&stack);
    let run = |line: &str| alice.program(chancery_binary()).args(line).run();
    for name in ["a", "b", "c"] {
        run(&format!("keys generate --unencrypted --out {name}.pem --public-key {name}.pub")).succeeds();
    }
    let data = stack.data();
    let data = data.display();
    let keys = |role: &str| format!("--{role}-key a.pub --{role}-key b.pub --{role}-key c.pub --{role}-threshold 2");
    let (roots, targets) = (keys("root"), keys("targets"));
    run(&format!("trust metadata export --data {data} --role root {roots} {targets} --out root.json.new")).succeeds();
    run(&format!("trust metadata export --data {data} --role targets --out targets.json.new")).succeeds();
    let sign = |file: &str, name: &str| {
        let key = format!("file:{}", alice.path(&format!("{name}.pem")).display());
        let copy = format!("{name}-{file}");
        alice.write(&copy, alice.read(file));
        run(&format!("trust metadata sign {copy} --key {key}")).fails_with(&["nobody can say what", "--review"]);
        let review = Path::new(file).with_extension("review.json");
        let signed = run(&format!("trust metadata sign {copy} --review {} --key {key}", review.display())).succeeds();
        (copy, signed)
    };
    let ((a, said), (b, _)) = (sign("root.json.new", "a"), sign("root.json.new", "b"));
    for part in
        ["changes since version 1, which expires", "root: 2 of 3 keys must sign instead of 1 of 1 key", "is removed"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let ((ta, said), (tc, _)) = (sign("targets.json.new", "a"), sign("targets.json.new", "c"));
    assert!(said.contains("  nothing but version and expiry\nsigned by "), "{said}");
    run(&format!("trust metadata import --data {data} {a} {ta} {tc}")).fails_with(&["could be made here: 1 of 2"]);
    run(&format!("trust metadata import --data {data} {a} {a} {ta} {tc}")).fails_with(&["could be made here: 1 of 2"]);
    run(&format!("trust metadata import --data {data} {a} {b} {ta} {tc}")).succeeds();
    for name in ["tuf-root.pem", "tuf-targets.pem"] {
        fs::remove_file(stack.data().join("keys").join(name)).unwrap();
    }
    wait_for_root(&stack, 2);
    for client in TrustClient::ALL {
        client.signs_and_verifies(&alice, "offline");
    }
    run(&format!("trust renew --data {data} --role root")).fails_with(&["elsewhere"]);
    run(&format!("trust renew --data {data}")).succeeds();

    // Another port is other trust files.
    stack.terminate();
    stack.move_to_another_port();
    stack.resume();
    people_sign_new_files(&stack, &alice);
}

/// The keys of the targets role, of which two must sign, are Alice's files `b.pem` and `c.pem`.
fn people_sign_new_files(stack: &Stack, alice: &Person) {
    let served = stack.get("/tuf/timestamp.json").expect(200);
    assert!(!served.body.is_empty());
    let status = trust(stack, "status").succeeds();
    assert!(status.contains("version 3 of the targets metadata waits"), "{status}");
    let run = |line: &str| alice.program(chancery_binary()).args(line).run();
    let data = stack.data();
    let data = data.display();
    run(&format!("trust metadata export --data {data} --role targets --out 3.json")).succeeds();
    let key = |name: &str| format!("file:{}", alice.path(&format!("{name}.pem")).display());
    let shown = run("trust metadata show 3.json").succeeds();
    assert!(
        shown.contains("trusted_root.json: signature log") && shown.contains("its URL changes from http://"),
        "{shown}"
    );
    run(&format!("trust metadata sign 3.json --key {}", key("b"))).succeeds();
    run(&format!("trust metadata sign 3.json --key {}", key("c"))).succeeds();
    run(&format!("trust metadata import --data {data} 3.json")).succeeds();
    assert_eq!(version(stack, "targets"), 3);
    let deadline = Instant::now() + Duration::from_secs(10);
    while stack.get("/tuf/3.targets.json").status != 200 {
        assert!(Instant::now() < deadline, "what was imported is not served");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn keys_rotate_does_what_trust_rotate_does() {
    let stack = Stack::start();
    for (number, role) in (2..).zip(["root", "targets", "snapshot", "timestamp"]) {
        let rotate = stack.chancery().args(&format!("keys rotate tuf-{role} --data")).arg(stack.data()).run();
        let said = rotate.succeeds();
        assert!(said.contains(&format!("root version {number}: the {role} key is")), "{said}");
        wait_for_root(&stack, number);
    }
    let status = trust(&stack, "status").succeeds();
    assert!(status.contains("root") && !status.contains("expired"), "{status}");
}
