//! What `chancery trust export --for kyverno` and `--for kyverno-cluster-policy` print, judged by Kyverno's own engine in
//! its command line. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" kyverno
//! cargo test -p chancery-tests --features kyverno --test kyverno
//! ```

use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{with_signing_config, with_urls},
    person::client,
    program::{Outcome, Program},
    registry::Registry,
};

/// Writes what is exported as two policies, for two people who may sign.
fn policies(stack: &Stack, alice: &Person, registry: &Registry, export: &str) {
    let export = stack.chancery().args("trust export --for").arg(export).arg("--data").arg(stack.data());
    let policy = export.run().succeeds().replace("REGISTRY", registry.address());
    alice.write("alice.yaml", policy.replace("WHO", ALICE));
    alice.write("mallory.yaml", policy.replace("WHO", MALLORY));
}

/// Whether the policy admits a pod with a container of `image`, after one of `initial`.
fn judge(alice: &Person, policy: &str, image: &str, initial: &str) -> Outcome {
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: app\nspec:\n  initContainers:\n  - name: init\n    image: {initial}\n  \
         containers:\n  - name: app\n    image: {image}\n"
    );
    let program = alice.program(client("bin/kyverno")).arg("apply").arg(policy).arg("--resource");
    program.arg(alice.write("pod.yaml", pod)).arg("--registry").run()
}

fn admits(outcome: Outcome) {
    let printed = outcome.succeeds();
    assert!(printed.contains("fail: 0, warn: 0, error: 0") && !printed.contains("pass: 0"), "{printed}");
}

fn refuses(outcome: Outcome, reason: &str) {
    outcome.fails_with(&[reason, "error: 0"]);
}

fn sign_by_url(alice: &Person, program: Program, image: &str) {
    with_urls(alice, program).arg("--identity-token").arg(alice.token()).arg(image).run().succeeds();
}

fn sign_as_configured(alice: &Person, image: &str) {
    let sign = with_signing_config(alice, alice.cosign3().args("sign --yes"));
    sign.arg("--identity-token").arg(alice.token()).arg(image).run().succeeds();
}

#[test]
fn the_policy_admits_signatures_of_any_format_and_follows_rotations() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    let (registry, elsewhere) = (Registry::start(&alice), Registry::start(&alice));
    policies(&stack, &alice, &registry, "kyverno");
    let [by_url, bundle, unsigned] = ["app:1", "team/app:2", "team/app:3"].map(|name| registry.push(&alice, name));
    sign_by_url(&alice, alice.cosign2().args("sign --yes"), &by_url);
    sign_as_configured(&alice, &bundle);
    let other = elsewhere.push(&alice, "other:1");
    let refusal = "not signed by one of our people";
    for image in [&by_url, &bundle] {
        admits(judge(&alice, "alice.yaml", image, &by_url));
        admits(judge(&alice, "alice.yaml", image, &other));
        refuses(judge(&alice, "mallory.yaml", image, image), refusal);
        refuses(judge(&alice, "alice.yaml", image, &unsigned), refusal);
    }
    refuses(judge(&alice, "alice.yaml", &unsigned, &by_url), refusal);

    // Another authority, another certificate log and another timestamp authority: the same policy knows them.
    for role in ["ca", "ct", "tsa"] {
        for step in ["stage", "activate --overlap 0s"] {
            let rotate = stack.chancery().args("keys rotate").arg(role).arg("--data").arg(stack.data());
            rotate.args(step).run().succeeds();
        }
    }
    // At the latest after a restart the new keys sign.
    stack.terminate();
    stack.resume();
    let later = registry.push(&alice, "app:4");
    sign_as_configured(&alice, &later);
    for image in [&later, &bundle, &by_url] {
        admits(judge(&alice, "alice.yaml", image, image));
    }
    refuses(judge(&alice, "mallory.yaml", &later, &later), refusal);
}

#[test]
fn the_older_policy_admits_what_its_comment_says() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    policies(&stack, &alice, &registry, "kyverno-cluster-policy");
    let [cosign2, cosign3, bundle] = ["app:1", "app:2", "team/app:3"].map(|name| registry.push(&alice, name));
    sign_by_url(&alice, alice.cosign2().args("sign --yes"), &cosign2);
    let by_url = alice.cosign3().args("sign --yes --new-bundle-format=false --use-signing-config=false");
    sign_by_url(&alice, by_url, &cosign3);
    for image in [&cosign2, &cosign3] {
        admits(judge(&alice, "alice.yaml", image, image));
        refuses(judge(&alice, "mallory.yaml", image, image), "subject mismatch");
        refuses(judge(&alice, "alice.yaml", image, &bundle), "no signatures found");
    }
    sign_as_configured(&alice, &bundle);
    refuses(judge(&alice, "alice.yaml", &bundle, &cosign2), "no signatures found");
}
