//! `chancery dev --demo` leaves signatures that a client verifies, once per data directory, and exists in `dev` alone.

use chancery_tests::{ALICE, Stack, person};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Longest the server may take for five signatures.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bundle, artifact and signer, as the manual shows them.
const SIGNED: [(&str, &str, &str); 4] = [
    ("release-1.0.txt.sigstore.json", "release-1.0.txt", "alice@example.test"),
    ("release-1.1.txt.sigstore.json", "release-1.1.txt", "alice@example.test"),
    ("release-1.1.txt.bob.sigstore.json", "release-1.1.txt", "bob@example.test"),
    ("report.txt.sigstore.json", "report.txt", "carol@example.test"),
];
const PROVENANCE: &str = "release-1.1.txt.provenance.sigstore.json";

/// The line that the demo prints when it is done.
fn line(stack: &Stack) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let said = stack.server().stdout();
        if let Some(line) = said.lines().find(|line| line.starts_with("Demo: ")) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "{said}{}", stack.server().stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn its_signatures_verify_and_a_restart_adds_none() {
    let mut stack = Stack::start_with(&["--demo"]);
    let directory = stack.data().join("demo");
    assert_eq!(
        line(&stack),
        format!("Demo: 5 signatures of 4 identities in {}/, 5 of them made now", directory.display())
    );
    let verifier = stack.person(ALICE);
    let (root, issuer) = (stack.trust("trusted_root.json"), stack.issuer());
    let verify = |verb: &str, bundle: &str, artifact: &str, signer: &str| {
        let cosign = verifier.program(person::client("bin/cosign3")).args(verb).arg("--trusted-root").arg(&root);
        let cosign = cosign.arg("--bundle").arg(directory.join(bundle)).arg("--certificate-identity").arg(signer);
        cosign.arg("--certificate-oidc-issuer").arg(&issuer).arg(directory.join(artifact)).run()
    };
    for (bundle, artifact, signer) in SIGNED {
        verify("verify-blob", bundle, artifact, signer).succeeds();
        verify("verify-blob", bundle, artifact, "mallory@example.test").fails_with(&[signer]);
    }
    let provenance = "verify-blob-attestation --type slsaprovenance1";
    verify(provenance, PROVENANCE, "release-1.1.txt", "ci@example.test").succeeds();

    let bundles = || SIGNED.map(|(bundle, ..)| fs::read(directory.join(bundle)).unwrap());
    let (before, trees) = (bundles(), trees(&stack));
    stack.terminate();
    stack.resume();
    assert!(line(&stack).ends_with(", 0 of them made now"));
    assert_eq!((bundles(), self::trees(&stack)), (before, trees.clone()));

    // As a crash between two signatures leaves it: only the missing one is made.
    stack.terminate();
    fs::remove_file(directory.join(SIGNED[3].0)).unwrap();
    stack.resume();
    assert!(line(&stack).ends_with(", 1 of them made now"));
    let (bundle, artifact, signer) = SIGNED[3];
    verify("verify-blob", bundle, artifact, signer).succeeds();
    let grown: Vec<_> = self::trees(&stack).into_iter().zip(trees).map(|(after, before)| after.0 - before.0).collect();
    assert_eq!(grown, [1, 0, 1], "certificate log, Rekor v1, Rekor v2");
}

/// Entries and root hash of every log.
fn trees(stack: &Stack) -> Vec<(u64, String)> {
    let checked = stack.log_check();
    let tree = |line: &str| {
        let (_, rest) = line.split_once(": ").unwrap();
        let (size, _) = rest.split_once(" entr").unwrap();
        let (_, root) = line.split_once("root hash ").unwrap();
        (size.parse().unwrap(), root.to_owned())
    };
    checked.lines().map(tree).collect()
}

#[test]
fn only_a_development_server_has_it() {
    let stack = Stack::start();
    for verb in ["serve --config x.toml --demo", "init --config x.toml --demo"] {
        stack.chancery().args(verb).run().fails_with(&["unexpected argument '--demo'"]);
    }
}
