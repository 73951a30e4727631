//! `chancery verify image` on images that cosign 2 and 3 have signed, in a registry with the referrers API and in one without.

use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{Signer, with_signing_config, with_urls},
    program::{Outcome, Program},
    registry::Registry,
    stack::chancery_binary,
};
use serde_json::Value;

fn verify(person: &Person, image: &str, line: &str) -> Outcome {
    let program = person.program(chancery_binary()).args("verify image").arg(image).args(line);
    program.arg("--trusted-root").arg(person.trust("trusted_root.json")).arg("--json").run()
}

/// Demands ALICE.
fn by(signer: &Signer, line: &str) -> String {
    format!("--certificate-identity {} --certificate-oidc-issuer {} {line}", signer.identity, signer.issuer)
}

fn cosign3(person: &Person, verb: &str, image: &str) {
    let program = with_signing_config(person, person.cosign3().args(verb).arg("--yes"));
    program.arg("--identity-token").arg(person.token()).arg(image).run().succeeds();
}

fn cosign2(person: &Person, verb: &str, image: &str) {
    let program: Program = with_urls(person, person.cosign2().args(verb).arg("--yes"));
    program.arg("--identity-token").arg(person.token()).arg(image).run().succeeds();
}

fn result(outcome: &Outcome) -> Value {
    let document: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()));
    document["results"][0].clone()
}

#[track_caller]
fn is(outcome: &Outcome, exit: i32, code: &str) {
    assert_eq!(outcome.code(), exit, "{}", outcome.report());
    assert_eq!(result(outcome)["code"].as_str().unwrap_or_default(), code, "{}", outcome.report());
}

#[test]
fn verifies_bundles_of_cosign_3_in_both_kinds_of_registry() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let mallory = stack.person(MALLORY);
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    let signer = Signer::of(&alice);
    for registry in [Registry::start(&alice), Registry::with_referrers(&alice)] {
        let image = registry.push(&alice, "app:1");
        is(&verify(&alice, &image, &by(&signer, "")), 1, "image.none");
        // An attestation of the same person is no signature.
        cosign3(&alice, "attest --type custom --predicate predicate.json", &image);
        is(&verify(&alice, &image, &by(&signer, "")), 1, "statement.predicate_type");
        is(&verify(&alice, &image, &by(&signer, "--type custom")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "--type spdx")), 1, "statement.predicate_type");
        cosign3(&alice, "sign -a env=prod", &image);
        is(&verify(&alice, &image, &by(&signer, "")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "-a env=prod")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "-a env=test")), 1, "policy.annotation");
        // What another layout has is not looked for.
        is(&verify(&alice, &image, &by(&signer, "--layout legacy")), 1, "image.none");
        is(&verify(&alice, &image, &by(&signer, "--layout all")), 0, "");
        // Signed by two: both are shown, and each is enough for whoever expects them.
        cosign3(&mallory, "sign", &image);
        let open = verify(&alice, &image, "");
        is(&open, 0, "");
        assert_eq!(result(&open)["signatures"].as_array().unwrap().len(), 2, "{}", open.report());
        is(&verify(&alice, &image, &by(&Signer::of(&mallory), "")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "--at-least 2")), 1, "policy.quorum");
        let both = format!(
            "--certificate-identity-regexp {ALICE}|{MALLORY} --certificate-oidc-issuer {} --at-least 2",
            signer.issuer
        );
        is(&verify(&alice, &image, &both), 0, "");
        let nobody = Signer { identity: "nobody@example.org".into(), ..signer.clone() };
        is(&verify(&alice, &image, &by(&nobody, "")), 1, "policy.identity");
    }
}

#[test]
fn verifies_the_tags_of_cosign_2() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    let registry = Registry::start(&alice);
    let signer = Signer::of(&alice);
    let image = registry.push(&alice, "app:1");
    cosign2(&alice, "sign -a env=prod", &image);
    is(&verify(&alice, &image, &by(&signer, "--layout legacy")), 0, "");
    is(&verify(&alice, &image, &by(&signer, "--layout legacy -a env=prod")), 0, "");
    is(&verify(&alice, &image, &by(&signer, "--layout legacy -a env=test")), 1, "policy.annotation");
    is(&verify(&alice, &image, &by(&signer, "")), 1, "image.none");
    is(&verify(&alice, &image, &by(&signer, "--layout legacy --type custom")), 1, "statement.predicate_type");
    cosign2(&alice, "attest --type custom --predicate predicate.json", &image);
    is(&verify(&alice, &image, &by(&signer, "--layout legacy --type custom")), 0, "");
    // The same tag on another image: its payload names the first.
    let other = registry.push(&alice, "app:2");
    let tag = |image: &str, suffix: &str| {
        let (repository, digest) = image.split_once('@').unwrap();
        format!("{repository}:{}{suffix}", digest.replace(':', "-"))
    };
    alice.crane().arg("copy").arg(tag(&image, ".sig")).arg(tag(&other, ".sig")).run().succeeds();
    alice.crane().arg("copy").arg(tag(&image, ".att")).arg(tag(&other, ".att")).run().succeeds();
    is(&verify(&alice, &other, &by(&signer, "--layout legacy")), 1, "subject.mismatch");
    is(&verify(&alice, &other, &by(&signer, "--layout legacy --type custom")), 1, "subject.mismatch");
}

#[test]
fn a_tag_is_pinned_and_a_copy_needs_its_signatures_repository() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let signer = Signer::of(&alice);
    let image = registry.push(&alice, "app:1");
    cosign3(&alice, "sign", &image);
    let tag = format!("{}/app:1", registry.address());
    let pin = alice.program(chancery_binary()).args("verify image --pin").arg(&tag).args(&by(&signer, ""));
    let pinned = pin.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run().succeeds();
    assert_eq!(pinned.trim(), image);
    is(&verify(&alice, &image, &by(&signer, "--require-digest")), 0, "");
    let tagged = verify(&alice, &tag, &by(&signer, "--require-digest"));
    assert_eq!(tagged.code(), 2, "{}", tagged.report());
    // crane copies the image and not what refers to it.
    let mirror = format!("{}/mirror/app:1", registry.address());
    alice.crane().arg("copy").arg(&image).arg(&mirror).run().succeeds();
    let copied = verify(&alice, &mirror, &by(&signer, ""));
    is(&copied, 1, "image.none");
    assert!(copied.stdout.contains("--signature-repository"), "{}", copied.report());
    let from = format!("--signature-repository {}/app", registry.address());
    is(&verify(&alice, &mirror, &by(&signer, &from)), 0, "");
    let nowhere = format!("--signature-repository {}/nowhere", registry.address());
    is(&verify(&alice, &mirror, &by(&signer, &nowhere)), 3, "registry.not_found");
}

#[test]
fn what_cannot_be_asked_is_undecided() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    is(&verify(&alice, &format!("{}/app:2", registry.address()), ""), 3, "registry.not_found");
    let closed = verify(&alice, "127.0.0.1:9/app:1", "--registry-timeout 2");
    is(&closed, 3, "registry.unavailable");
    assert!(closed.stdout.contains("Connection refused"), "{}", closed.report());
    for bad in ["UPPER", "a b", "app:1@sha256:12"] {
        let outcome = verify(&alice, bad, "");
        assert_eq!(outcome.code(), 2, "{}", outcome.report());
    }
    // One that is refused and one that cannot be asked: refused.
    let both = alice.program(chancery_binary()).args("verify image").arg(&image).args("127.0.0.1:9/app:1");
    let both = both.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run();
    assert_eq!(both.code(), 1, "{}", both.report());
}

#[test]
fn an_index_and_its_manifests_are_signed_apart() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let signer = Signer::of(&alice);
    let push = |platform: &str, tag: &str| {
        let image = registry.push(&alice, &format!("app:{tag}"));
        let mutate = alice.crane().arg("mutate").arg(image).arg("--set-platform").arg(platform);
        mutate.arg("-t").arg(format!("{}/app:{tag}", registry.address())).run().succeeds().trim().to_owned()
    };
    let amd = push("linux/amd64", "amd");
    let arm = push("linux/arm64", "arm");
    let index = format!("{}/app:index", registry.address());
    let append = alice.crane().args("index append -m").arg(&amd).arg("-m").arg(&arm).arg("-t").arg(&index);
    append.run().succeeds();
    let digest = alice.crane().arg("digest").arg(&index).run().succeeds();
    let pinned = format!("{}/app@{}", registry.address(), digest.trim());
    cosign3(&alice, "sign", &pinned);
    is(&verify(&alice, &index, &by(&signer, "")), 0, "");
    // The index is signed; its manifests are not.
    is(&verify(&alice, &index, &by(&signer, "--platform each")), 1, "image.none");
    cosign3(&alice, "sign", &amd);
    is(&verify(&alice, &index, &by(&signer, "--platform linux/amd64")), 0, "");
    is(&verify(&alice, &index, &by(&signer, "--platform each")), 1, "image.none");
    cosign3(&alice, "sign", &arm);
    is(&verify(&alice, &index, &by(&signer, "--platform each")), 0, "");
    is(&verify(&alice, &index, &by(&signer, "--platform plan9/mips")), 1, "image.platform");
    is(&verify(&alice, &amd, &by(&signer, "--platform linux/amd64")), 1, "image.platform");
}

#[test]
fn one_image_is_named_two_hundred_times() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let signer = Signer::of(&alice);
    let good = registry.push(&alice, "app:1");
    cosign3(&alice, "sign", &good);
    let unsigned = registry.push(&alice, "app:2");
    let mut program = alice.program(chancery_binary()).args("verify image --json").args(&by(&signer, ""));
    for number in 0..200 {
        program = program.arg(if number == 150 { &unsigned } else { &good });
    }
    let outcome = program.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run();
    assert_eq!(outcome.code(), 1, "{}", outcome.report());
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let results = document["results"].as_array().unwrap();
    assert_eq!(results.len(), 200);
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result["status"], if number == 150 { "refused" } else { "verified" }, "{number}");
    }
}

/// A credential helper that knows one registry, and writes down what it is asked.
const HELPER: &str = r#"#!/bin/sh
read -r server || true
echo "$1 $server" >> "$HOME/asked"
if [ "$server" = "$(cat "$HOME/known")" ]; then
    echo "{\"ServerURL\":\"$server\",\"Username\":\"robot\",\"Secret\":\"$(cat "$HOME/secret")\"}"
else
    echo "credentials not found in native keychain"
    exit 1
fi
"#;

#[test]
fn credentials_come_from_a_helper_on_the_path() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::with_password(&alice, "robot", "hunter2");
    let signer = Signer::of(&alice);
    let helpers = |name: &str| serde_json::json!({ "credHelpers": { registry.address(): name } }).to_string();
    std::fs::create_dir(alice.path(".docker")).unwrap();
    alice.write(".docker/config.json", helpers("keychain"));
    alice.write("known", registry.address());
    alice.write("secret", "hunter2");
    alice.install("docker-credential-keychain", HELPER);
    // The same helper serves crane and cosign.
    let image = registry.push(&alice, "app:1");
    cosign3(&alice, "sign", &image);
    std::fs::remove_file(alice.path("asked")).unwrap();
    is(&verify(&alice, &image, &by(&signer, "")), 0, "");
    let asked = String::from_utf8(alice.read("asked")).unwrap();
    assert_eq!(asked, format!("get {}\n", registry.address()), "it is asked once, for this registry");
    // One that knows another password, one that knows nothing, one that talks nonsense, and one that is not there.
    alice.write("secret", "hunter3");
    let wrong = verify(&alice, &image, &by(&signer, ""));
    is(&wrong, 3, "registry.unauthorized");
    assert!(!wrong.written().contains("hunter3"), "{}", wrong.report());
    alice.write("known", "elsewhere.example");
    is(&verify(&alice, &image, &by(&signer, "")), 3, "registry.unauthorized");
    alice.install("docker-credential-keychain", "#!/bin/sh\necho hunter2\n");
    let nonsense = verify(&alice, &image, &by(&signer, ""));
    is(&nonsense, 3, "registry.credentials");
    assert!(!nonsense.written().contains("hunter2"), "{}", nonsense.report());
    alice.write(".docker/config.json", helpers("absent"));
    let absent = verify(&alice, &image, &by(&signer, ""));
    is(&absent, 3, "registry.credentials");
    assert!(absent.stdout.contains("docker-credential-absent"), "{}", absent.report());
}

#[test]
fn verifies_what_cosign_2_attached_as_referrers() {
    let stack = Stack::start();
    let (alice, mallory) = (stack.person(ALICE), stack.person(MALLORY));
    let signer = Signer::of(&alice);
    let sign = |person: &Person, image: &str| {
        let program = person.cosign2().env("COSIGN_EXPERIMENTAL", "1");
        let program = program.args("sign --yes --registry-referrers-mode oci-1-1 -a env=prod");
        with_urls(person, program).arg("--identity-token").arg(person.token()).arg(image).run().succeeds();
    };
    for registry in [Registry::start(&alice), Registry::with_referrers(&alice)] {
        let image = registry.push(&alice, "app:1");
        is(&verify(&alice, &image, &by(&signer, "--layout oci11")), 1, "image.none");
        sign(&alice, &image);
        is(&verify(&alice, &image, &by(&signer, "--layout oci11")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "--layout oci11 -a env=prod")), 0, "");
        is(&verify(&alice, &image, &by(&signer, "--layout oci11 -a env=test")), 1, "policy.annotation");
        // The other layouts do not have it, whatever they have.
        is(&verify(&alice, &image, &by(&signer, "")), 1, "image.none");
        is(&verify(&alice, &image, &by(&signer, "--layout legacy")), 1, "image.none");
        is(&verify(&alice, &image, &by(&signer, "--layout all")), 0, "");
        // cosign looks at the last one alone.
        sign(&mallory, &image);
        let open = verify(&alice, &image, "--layout oci11");
        is(&open, 0, "");
        assert_eq!(result(&open)["signatures"].as_array().unwrap().len(), 2, "{}", open.report());
        is(&verify(&alice, &image, &by(&signer, "--layout oci11")), 0, "");
    }
}

#[test]
fn verifies_images_that_cosign_saved() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let signer = Signer::of(&alice);
    let registry = Registry::with_referrers(&alice);
    let image = registry.push(&alice, "app:1");
    cosign3(&alice, "sign -a env=prod", &image);
    cosign2(&alice, "sign", &image);
    alice.cosign3().args("save --dir saved3").arg(&image).run().succeeds();
    alice.cosign2().args("save --dir saved2").arg(&image).run().succeeds();
    let unsigned = registry.push(&alice, "app:2");
    alice.cosign3().args("save --dir unsigned").arg(&unsigned).run().succeeds();
    // No registry is asked.
    drop(registry);
    let saved = |directory: &str, line: &str| verify(&alice, directory, &by(&signer, &format!("--local-image {line}")));
    is(&saved("saved3", ""), 0, "");
    is(&saved("saved3", "-a env=prod"), 0, "");
    is(&saved("saved3", "--layout legacy"), 0, "");
    // cosign 2 saves its own signatures alone.
    is(&saved("saved2", "--layout legacy"), 0, "");
    is(&saved("saved2", ""), 1, "image.none");
    is(&saved("unsigned", "--layout all"), 1, "image.none");
    is(&saved("nowhere", ""), 3, "file.unreadable");
    let verified = saved("saved3", "");
    let digest = image.split_once('@').unwrap().1;
    assert_eq!(result(&verified)["pinned"], format!("saved3@{digest}"), "{}", verified.report());
    let both = saved("saved3", "--pin");
    assert_eq!(both.code(), 2, "{}", both.report());
    // Another image with these signatures beside it, as the directory says: they name the first.
    let index = String::from_utf8(alice.read("saved3/index.json")).unwrap();
    let other: Value = serde_json::from_slice(&alice.read("unsigned/index.json")).unwrap();
    let other = &other["manifests"][0];
    let mut index: Value = serde_json::from_str(&index).unwrap();
    let blob = format!("blobs/sha256/{}", other["digest"].as_str().unwrap().trim_start_matches("sha256:"));
    alice.write(&format!("saved3/{blob}"), alice.read(&format!("unsigned/{blob}")));
    for manifest in index["manifests"].as_array_mut().unwrap() {
        if manifest["annotations"]["kind"] == "dev.cosignproject.cosign/image" {
            (manifest["digest"], manifest["size"]) = (other["digest"].clone(), other["size"].clone());
        }
    }
    alice.write("saved3/index.json", index.to_string());
    is(&saved("saved3", "--layout legacy"), 1, "subject.mismatch");
    is(&saved("saved3", ""), 1, "image.none");
}

#[test]
fn a_copy_by_oras_has_its_signatures_where_it_is_told_to() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let signer = Signer::of(&alice);
    for registry in [Registry::start(&alice), Registry::with_referrers(&alice)] {
        let image = registry.push(&alice, "app:1");
        cosign3(&alice, "sign", &image);
        let copy = |flags: &str, repository: &str| {
            let target = format!("{}/{repository}:1", registry.address());
            let oras = alice.oras().args("cp --from-plain-http --to-plain-http").args(flags);
            oras.arg(&image).arg(&target).run().succeeds();
            target
        };
        is(&verify(&alice, &copy("", "mirror/alone"), &by(&signer, "")), 1, "image.none");
        let whole = copy("--recursive", "mirror/whole");
        is(&verify(&alice, &whole, &by(&signer, "")), 0, "");
        let nobody = Signer { identity: "nobody@example.org".into(), ..signer.clone() };
        is(&verify(&alice, &whole, &by(&nobody, "")), 1, "policy.identity");
    }
}

#[test]
fn a_moved_tag_and_a_copy_are_what_they_are_now() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let signer = Signer::of(&alice);
    let registry = Registry::with_referrers(&alice);
    let image = registry.push(&alice, "app:1");
    cosign3(&alice, "sign", &image);
    cosign2(&alice, "sign", &image);
    let tag = format!("{}/app:1", registry.address());
    is(&verify(&alice, &tag, &by(&signer, "")), 0, "");
    // cosign copies the tags of its older signatures along.
    let copy = format!("{}/copy/app:1", registry.address());
    alice.cosign3().arg("copy").arg(&image).arg(&copy).run().succeeds();
    is(&verify(&alice, &copy, &by(&signer, "--layout legacy")), 0, "");
    let from = format!("--signature-repository {}/app", registry.address());
    is(&verify(&alice, &copy, &by(&signer, &from)), 0, "");
    // The tag is moved: what was signed is signed, and what the tag is now is not.
    let other = registry.push(&alice, "app:2");
    alice.crane().arg("tag").arg(&other).arg("1").run().succeeds();
    is(&verify(&alice, &tag, &by(&signer, "--layout all")), 1, "image.none");
    is(&verify(&alice, &image, &by(&signer, "")), 0, "");
}
