//! What `chancery trust export --for policy-controller` prints, judged by policy-controller's own evaluator, for signatures
//! in the one format that this can judge with a trust root of ours. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" policy-controller
//! cargo test -p chancery-tests --test policy_controller -- --ignored
//! ```

use chancery_tests::{
    ALICE, MALLORY, Stack,
    client::with_urls,
    person::client,
    program::{Outcome, Program},
    registry::Registry,
};

#[test]
#[ignore = "its evaluator takes minutes and gigabytes to build: tests/clients/install DIR policy-controller"]
fn the_policy_admits_what_was_signed_and_nothing_else() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let export = stack.chancery().args("trust export --for policy-controller --data").arg(stack.data());
    let text = export.run().succeeds().replace("REGISTRY", registry.address());
    let (trust_root, policy) = text.split_once("---\n").unwrap();
    alice.write("trust-root.yaml", trust_root);
    alice.write("alice.yaml", policy.replace("WHO", ALICE));
    alice.write("mallory.yaml", policy.replace("WHO", MALLORY));
    let judge = |policy: &str, image: &str| -> Outcome {
        let tester = alice.program(client("bin/policy-controller")).args("-log-level error -trustroot trust-root.yaml");
        tester.arg("-policy").arg(policy).arg("-image").arg(image).run()
    };
    let sign = |program: Program, image: &str| {
        with_urls(&alice, program).arg("--identity-token").arg(alice.token()).arg(image).run().succeeds();
    };
    let [cosign2, cosign3, unsigned] = ["app:1", "app:2", "app:3"].map(|name| registry.push(&alice, name));
    sign(alice.cosign2().args("sign --yes"), &cosign2);
    sign(alice.cosign3().args("sign --yes --new-bundle-format=false --use-signing-config=false"), &cosign3);
    for image in [&cosign2, &cosign3] {
        judge("alice.yaml", image).succeeds();
        judge("mallory.yaml", image).fails_with(&["none of the expected identities matched"]);
    }
    judge("alice.yaml", &unsigned).fails_with(&["no signatures found"]);
}
