//! rekor-cli asks the log, and checks every answer itself.

use chancery_tests::{
    ALICE, Stack,
    key::{Key, sha256, unique},
    rekor::{ENTRIES, Entry, envelope, hashedrekord},
};
use serde_json::{Value, json};

fn new_entry(stack: &Stack) -> Entry {
    let proposal = hashedrekord(&Key::generate(), unique("artifact").as_bytes());
    Entry::parse(&stack.post(ENTRIES, &proposal).expect(201).json())
}

#[test]
fn gets_and_verifies_entries() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let entry = new_entry(&stack);
    new_entry(&stack);
    let index = entry.log_index();
    for which in [format!("--uuid {}", entry.id), format!("--log-index {index}")] {
        let shown = alice.rekor_cli().args("get --format json").args(&which).run().succeeds();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["UUID"], &shown["LogIndex"]), (&entry.id.clone().into(), &index.into()), "{shown}");
        let said = alice.rekor_cli().arg("verify").args(&which).run().succeeds();
        assert!(said.contains(&format!("Entry Hash: {}", &entry.id[16..])), "{said}");
    }
    alice.rekor_cli().args("get --log-index 99").run().fails_with(&["404"]);
}

#[test]
fn watches_the_log_grow() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    // It keeps what it has seen in its home and demands consistency the next time.
    for _ in 0..3 {
        new_entry(&stack);
        let said = alice.rekor_cli().arg("loginfo").run();
        assert!(said.written().contains("Verification Successful!"), "{}", said.report());
        said.succeeds();
    }
    let size = stack.get("/api/v1/log").expect(200).json()["treeSize"].clone();
    alice.rekor_cli().args(&format!("logproof --first-size 1 --last-size {size}")).run().succeeds();
}

#[test]
fn uploads_a_signature_and_finds_it_again() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let key = Key::generate();
    alice.write("artifact", "hello");
    alice.write("signature", key.sign(b"hello"));
    alice.write("key.pub", key.public_pem());
    let what = "--artifact artifact --signature signature --public-key key.pub --type hashedrekord";
    let said = alice.rekor_cli().arg("upload").args(what).run().succeeds();
    assert!(said.contains("Created entry at index"), "{said}");
    let said = alice.rekor_cli().arg("upload").args(what).run();
    assert!(said.written().contains("Entry already exists"), "{}", said.report());
    alice.rekor_cli().arg("verify").args(what).run().succeeds();
    alice.write("artifact", "hullo");
    alice.rekor_cli().arg("upload").args(what).run().fails_with(&["signature"]);
}

#[test]
fn uploads_an_envelope_as_an_entry_of_each_kind() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let key = Key::generate();
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
    let signed = envelope(&key, "application/vnd.in-toto+json", payload);
    alice.write("envelope", signed.to_string());
    alice.write("key.pub", key.public_pem());
    for (kind, member) in [
        ("dsse:0.0.1", "/DSSEObj/payloadHash"),
        ("intoto:0.0.1", "/IntotoObj/content/payloadHash"),
        ("intoto:0.0.2", "/IntotoObj/content/payloadHash"),
    ] {
        let what = format!("--artifact envelope --public-key key.pub --type {kind}");
        let said = alice.rekor_cli().arg("upload").args(&what).run().succeeds();
        assert!(said.contains("Created entry at index"), "{kind}: {said}");
        let said = alice.rekor_cli().arg("upload").args(&what).run();
        assert!(said.written().contains("Entry already exists"), "{kind}: {}", said.report());
        let verified = alice.rekor_cli().arg("verify").args(&what).run().succeeds();
        let (_, hash) = verified.split_once("Entry Hash: ").unwrap_or_else(|| panic!("{kind}: {verified}"));
        let uuid = hash.lines().next().unwrap();
        let shown = alice.rekor_cli().args("get --format json --uuid").arg(uuid).run().succeeds();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let hash = json!({"algorithm": "sha256", "value": hex::encode(sha256(payload))});
        assert_eq!(shown["Body"].pointer(member), Some(&hash), "{kind}: {shown}");
        // What was signed is kept and shown here only where the operator says so.
        assert_eq!(shown["Attestation"], json!(""), "{kind}: {shown}");
    }
    let mut forged = signed;
    forged["payload"] = json!("e30=");
    alice.write("envelope", forged.to_string());
    for kind in ["intoto:0.0.1", "intoto:0.0.2"] {
        let what = format!("--artifact envelope --public-key key.pub --type {kind}");
        alice.rekor_cli().arg("upload").args(&what).run().fails_with(&["accepted signatures do not match threshold"]);
    }
}
