//! `chancery policy`: what it says of a file, and how it explains a decision over real signatures.

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, with_signing_config},
    program::{Outcome, Program},
    registry::Registry,
    stack::chancery_binary,
};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

fn policy(person: &Person, line: &str) -> Program {
    person.program(chancery_binary()).arg("policy").args(line)
}

fn file(identity: &str, issuer: &str) -> String {
    format!("version = 1\n[require]\nname = \"release manager\"\nissuer = \"{issuer}\"\nidentity = \"{identity}\"\n")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_policy_is_checked_and_explained_over_real_signatures() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let signer = Signer::of(&alice);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "artifact.sigstore.json").run().succeeds();
    alice.write("good.toml", file(&signer.identity, &signer.issuer));
    alice.write("other.toml", file(MALLORY, &signer.issuer));
    let distrust =
        format!("[[distrust]]\nreason = \"lost laptop\"\nidentity = \"{}\"\n", signer.identity.to_uppercase());
    alice.write("distrust.toml", &(file(&signer.identity, &signer.issuer) + &distrust));
    alice.write("broken.toml", file(&signer.identity, &signer.issuer).replace("identity", "identitty"));
    alice.write("dots.toml", "version = 1\n[require]\nissuer = \"i\"\nidentity = { regex = \"a@b.example\" }\n");

    // What is checked needs no server and no signature.
    let checked = policy(&alice, "check distrust.toml").run().succeeds();
    assert!(checked.contains("1 rule and 1 distrust rule") && checked.contains("(lost laptop)"), "{checked}");
    let broken = policy(&alice, "check broken.toml").run();
    assert_eq!(broken.code(), 1);
    assert!(broken.written().contains("policy.malformed: line 5, column 1"), "{}", broken.report());
    assert!(broken.written().contains("unknown field `identitty`, expected one of `name`, `identity`"));
    let document = json(&policy(&alice, "check broken.toml --json").run().stdout);
    assert_eq!(
        (&document["valid"], &document["code"], &document["line"]),
        (&false.into(), &"policy.malformed".into(), &5.into())
    );
    let warned = policy(&alice, "check dots.toml").run();
    assert_eq!(warned.code(), 0);
    assert!(warned.written().contains("warning: `identity`: the dot"), "{}", warned.report());
    assert_eq!(policy(&alice, "check dots.toml --deny-warnings").run().code(), 1);
    let schema = json(&policy(&alice, "schema").run().succeeds());
    assert_eq!(schema["properties"]["require"]["anyOf"][0]["$ref"], "#/$defs/Requirement");

    let explain = |name: &str, rest: &str| {
        let line = format!("explain {name} artifact.sigstore.json {rest}");
        policy(&alice, &line).arg("--trusted-root").arg(alice.trust("trusted_root.json")).run()
    };
    let accepted = explain("good.toml", "--artifact artifact");
    assert_eq!(accepted.code(), 0, "{}", accepted.report());
    assert!(accepted.stdout.starts_with("accepted\n✓ policy\n  ✓ release manager\n"), "{}", accepted.stdout);
    assert!(accepted.stdout.contains(&format!("✓ identity: {}\n", signer.identity)), "{}", accepted.stdout);
    let refused = explain("other.toml", "--artifact artifact");
    assert_eq!(refused.code(), 1, "{}", refused.report());
    assert!(refused.stdout.starts_with("refused, policy.identity: "), "{}", refused.stdout);
    assert!(refused.stdout.contains(&format!("✗ identity: expected {MALLORY}, found {}\n", signer.identity)));
    assert!(refused.stdout.contains(&format!("✓ issuer: {}\n", signer.issuer)), "{}", refused.stdout);
    let distrusted = explain("distrust.toml", "--artifact artifact --json");
    assert_eq!(distrusted.code(), 1, "{}", distrusted.report());
    let result = &json(&distrusted.stdout)["results"][0];
    assert_eq!(result["code"], "policy.distrusted");
    assert_eq!(result["decision"]["distrusted"][0]["reason"], "lost laptop");
    // Something else was signed, or the policy is none.
    alice.write("changed", "hullo");
    let changed = explain("good.toml", "--artifact changed");
    assert_eq!(changed.code(), 1, "{}", changed.report());
    assert!(changed.stdout.contains("artifact.digest"), "{}", changed.stdout);
    let unbound = explain("good.toml", "");
    assert!(unbound.code() == 2 && unbound.written().contains("--artifact"), "{}", unbound.report());
    assert_eq!(explain("broken.toml", "--artifact artifact").code(), 2);
}

#[test]
fn a_policy_that_cannot_be_read_is_not_refused() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("bytes.toml"), b"version = 1\n# \xff\n").unwrap();
    for (line, code, said) in [
        ("absent.toml", 3, "cannot read the policy absent.toml: "),
        ("bytes.toml", 1, "cannot read the policy bytes.toml: "),
        ("--no-such-option", 2, "--no-such-option"),
    ] {
        let checked = Program::new(chancery_binary(), directory.path()).args("policy check").args(line).run();
        assert!(checked.code() == code && checked.written().contains(said), "{}", checked.report());
    }
}

#[test]
fn a_file_that_is_not_there_is_no_image() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let signer = Signer::of(&alice);
    alice.write("good.toml", file(&signer.identity, &signer.issuer));
    for (line, reason) in [
        ("./absent.json", "error: there is no file ./absent.json"),
        ("absent.sigstore", "error: there is no file absent.sigstore"),
        ("absent --artifact artifact", "error: there is no file absent"),
        ("./absent", "./absent is neither a file nor an image"),
    ] {
        let absent = policy(&alice, &format!("explain good.toml {line}"));
        let absent = absent.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run();
        assert!(absent.code() == 2 && absent.written().contains(reason), "{}", absent.report());
    }
}

fn cosign3(person: &Person, line: &str, image: &str) {
    let program = with_signing_config(person, person.cosign3().args(line).arg("--yes"));
    program.arg("--identity-token").arg(person.token()).arg(image).run().succeeds();
}

#[test]
fn a_policy_decides_over_all_that_an_image_has_and_explains_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let signer = Signer::of(&alice);
    let registry = Registry::with_referrers(&alice);
    let image = registry.push(&alice, "app:1");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    let rule = format!("issuer = \"{}\"\nidentity = \"{}\"\n", signer.issuer, signer.identity);
    let custom = "https://cosign.sigstore.dev/attestation/v1";
    alice.write("signed.toml", format!("version = 1\n[require]\n{rule}"));
    alice.write("attested.toml", format!("version = 1\n[require]\n{rule}kind = \"attestation\"\n"));
    let both = format!(
        "version = 1\n[[require.all_of]]\n{rule}annotations = {{ env = \"prod\" }}\n\
         [[require.all_of]]\n{rule}predicate = {{ type = \"{custom}\" }}\n"
    );
    alice.write("both.toml", both);
    let trusting = |program: Program| program.arg("--trusted-root").arg(alice.trust("trusted_root.json"));
    let explain = |name: &str, more: &str| -> Outcome {
        trusting(policy(&alice, &format!("explain {name} {image} {more}"))).run()
    };
    let verify = |name: &str| {
        let program = alice.program(chancery_binary()).args(&format!("verify image {image} --policy {name} --json"));
        let outcome = trusting(program).run();
        let code = json(&outcome.stdout)["results"][0]["code"].as_str().unwrap_or_default().to_owned();
        (outcome.code(), code)
    };
    let unsigned = explain("signed.toml", "");
    assert_eq!(unsigned.code(), 1, "{}", unsigned.report());
    assert!(unsigned.stdout.starts_with("refused, image.none: "), "{}", unsigned.stdout);

    // An attestation by the right person is no signature.
    cosign3(&alice, "attest --type custom --predicate predicate.json", &image);
    let refused = explain("signed.toml", "");
    assert_eq!(refused.code(), 1, "{}", refused.report());
    assert!(refused.stdout.starts_with("refused, statement.predicate_type: "), "{}", refused.stdout);
    let line = format!("✗ kind: expected a signature of the artifact itself, found an attestation of type {custom}\n");
    assert!(refused.stdout.contains(&line), "{}", refused.stdout);
    let other = (1, "statement.predicate_type".to_owned());
    assert_eq!((verify("signed.toml"), verify("both.toml")), (other.clone(), other));
    assert_eq!(verify("attested.toml"), (0, String::new()));

    cosign3(&alice, "sign -a env=prod", &image);
    for name in ["signed.toml", "attested.toml", "both.toml"] {
        assert_eq!(verify(name), (0, String::new()), "{name}");
        assert_eq!(explain(name, "").code(), 0, "{name}");
    }
    let explained = explain("both.toml", "").stdout;
    for line in ["✓ kind: a signature of the artifact itself\n", "✓ annotation env: prod\n"] {
        assert!(explained.contains(line), "{explained}");
    }
    assert!(explained.contains(&format!("✓ predicate type: {custom}\n")), "{explained}");
    // The policy says where signatures are, and the option must not say something else.
    alice.write("legacy.toml", format!("version = 1\n[images]\nlayout = \"legacy\"\n[require]\n{rule}"));
    assert_eq!(verify("legacy.toml"), (1, "image.none".to_owned()));
    assert_eq!(explain("legacy.toml", "--layout legacy").code(), 1);
    let contradicts = explain("legacy.toml", "--layout bundle");
    assert!(contradicts.code() == 2 && contradicts.written().contains("[images]"), "{}", contradicts.report());
    // What is not looked at does not count, and rules stay what they are.
    let narrowed = explain("signed.toml", "--type custom");
    assert_eq!(narrowed.code(), 1, "{}", narrowed.report());
    assert!(narrowed.stdout.contains("passed over, "), "{}", narrowed.stdout);
    let open = trusting(policy(&alice, "explain signed.toml 127.0.0.1:9/app:1 --registry-timeout 2")).run();
    assert_eq!(open.code(), 3, "{}", open.report());
    assert!(open.stdout.starts_with("undecided, registry.unavailable: "), "{}", open.stdout);
}
