//! What `chancery trust export` prints works where it can be run here, and is well formed where it cannot.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::{Signer, provenance, statement},
    implementation::{Content, Implementation, Rekor},
    person::client,
    program::Running,
    stack::free_port,
};
use std::{fs, os::unix::fs::symlink, path::Path};

fn export(stack: &Stack, client: &str) -> String {
    stack.chancery().args("trust export --for").arg(client).arg("--data").arg(stack.data()).run().succeeds()
}

/// Commands as somebody would paste them, with the names filled in; tokens come from the environment of a pipeline.
fn paste(person: &Person, script: &str) {
    person.write("artifact", "hello");
    person.write("predicate.json", provenance().to_string());
    statement(person, "artifact");
    let script = script.replace("WHO", ALICE);
    let bash = person.program("bash").env("SIGSTORE_ID_TOKEN", person.token());
    bash.args("-e -u -o pipefail -c").arg(script).run().succeeds();
}

/// What is below the headline that starts with `title`, up to an empty line.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) = text.split_once(title).unwrap_or_else(|| panic!("no section {title}:\n{text}"));
    rest.split("\n\n").next().unwrap().split_once('\n').unwrap().1
}

#[test]
fn the_commands_for_every_cosign_work() {
    let stack = Stack::start();
    let text = export(&stack, "cosign");
    for (program, title) in [
        ("cosign3", "# cosign 3"),
        ("cosign2", "# cosign 2.6"),
        ("cosign2", "# Statements and images"),
        ("cosign25", "# cosign 2.4 and 2.5"),
    ] {
        let alice = stack.person(ALICE);
        symlink(client(&format!("bin/{program}")), alice.path("bin/cosign")).unwrap();
        paste(&alice, section(&text, "# Once per home directory"));
        paste(&alice, section(&text, title));
    }
}

#[test]
fn the_commands_for_sigstore_python_work() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    symlink(client("venv/bin/sigstore"), alice.path("bin/sigstore")).unwrap();
    let text = export(&stack, "python").replace(" sign artifact", " sign --identity-token $SIGSTORE_ID_TOKEN artifact");
    paste(&alice, &text);
}

#[test]
fn the_yaml_for_clusters_has_the_keys_clients_verify_with() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let python = |script: &str, text: &str| {
        alice.write("text.yaml", text);
        alice.program("python3").arg("-c").arg(script).run().succeeds()
    };
    // PEM blocks and JSON must survive the indentation: read back as YAML's block scalars are.
    let block = "import sys,re,textwrap
text = open('text.yaml').read()
found = re.findall(r'^( *)%s: \\|-?\\n((?:\\1 +.*\\n)+)', text, re.M)
assert found, text
sys.stdout.write(textwrap.dedent(found[0][1]))";
    let kyverno = export(&stack, "kyverno-cluster-policy");
    let file = |name: &str| fs::read_to_string(stack.trust(name)).unwrap();
    assert_eq!(python(&block.replace("%s", "roots"), &kyverno), file("fulcio-chain.pem"));
    assert_eq!(python(&block.replace("%s", "pubkey"), &kyverno), file("rekor.pub"));
    let flux = export(&stack, "flux");
    assert_eq!(python(&block.replace("%s", r"trusted_root\.json"), &flux), file("trusted_root.json"));
    let root = "import base64,re
sys = __import__('sys')
text = open('text.yaml').read()
sys.stdout.write(base64.b64decode(re.search(r'^    root: (\\S+)$', text, re.M).group(1)).decode())";
    let first_root = stack.get("/tuf/root.json").expect(200).text();
    let policy = export(&stack, "kyverno");
    assert_eq!(python(&root.replace("root: ", "data: ").replace("^    ", "^          "), &policy), first_root);
    let policy_controller = export(&stack, "policy-controller");
    assert_eq!(python(root, &policy_controller), first_root);
}

#[test]
fn the_commands_and_programs_for_sigstore_js_work() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    symlink(client("sigstore-js/node"), alice.path("bin/node")).unwrap();
    symlink(client("sigstore-js/node_modules"), alice.path("node_modules")).unwrap();
    let text = export(&stack, "js");
    paste(&alice, section(&text, "# Once per directory"));
    let run = |file: &str, title: &str| {
        alice.write(file, section(&text, title).replace("WHO", ALICE));
        paste(&alice, &format!("node {file}"));
    };
    run("sign.mjs", "// Library (sigstore 5)");
    paste(&alice, section(&text, "# Command line (@sigstore/cli)"));
    // Its five seconds are not enough for a machine that runs many tests at once.
    paste(&alice, &section(&text, "# Command line: statements").replace(" attest ", " attest --timeout 60 "));
    run("verify.mjs", "// Library: verify");
    alice.write("artifact", "hullo");
    alice.node().arg("verify.mjs").run().fails_with(&["signature verification failed"]);
}

/// What the tests' client is made of: this is the code that they run.
fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(path)).unwrap()
}

#[test]
fn the_commands_and_the_code_for_sigstore_go_work() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for program in ["sigstore-go-signing", "sigstore-go-verification"] {
        symlink(client(&format!("bin/{program}")), alice.path("bin").join(program)).unwrap();
    }
    let text = export(&stack, "go");
    paste(&alice, section(&text, "# Once per directory"));
    paste(&alice, section(&text, "# Command line"));
    let (_, code) = text.split_once("\nimport (").unwrap();
    let source = source("sigstore-go/trust.go");
    assert!(source.ends_with(&format!("package main\n\nimport ({code}")), "{code}");
    alice.program(client("bin/sigstore-go-trust")).arg(stack.at("/tuf")).arg("root.json").run().succeeds();
    assert!(text.contains(&format!("trust(\"{}\", tufRoot)", stack.at("/tuf"))), "{text}");
    // What it gave us is what the examples sign and verify with.
    let home = alice.home().to_owned();
    let alice = alice.trusting(home);
    let by = Signer::of(&alice);
    let go = Implementation::Go;
    go.sign(&alice, Content::Blob, Rekor::V2, "artifact", "bundle.json").run().succeeds();
    go.verify(&alice, Content::Blob, "artifact", "bundle.json", &by).run().succeeds();
}

#[test]
fn the_code_for_sigstore_rust_works() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let text = export(&stack, "rust");
    paste(&alice, section(&text, "# Beside the source"));
    let (_, code) = text.split_once("\nuse sigstore_trust_root").unwrap();
    let source = source("sigstore-rust/src/trust.rs");
    assert!(source.ends_with(&format!("\n\nuse sigstore_trust_root{code}")), "{code}");
    assert!(text.contains(&format!("trust(\"{}\", include_bytes!", stack.at("/tuf"))), "{text}");
    let rust = |verb: &str| {
        let rust = alice.program(client("bin/sigstore-rust")).arg(verb).args("--root root.json --mirror");
        rust.arg(stack.at("/tuf")).args("--bundle bundle.json")
    };
    rust("sign").arg("--token").arg(alice.token()).arg("artifact").run().succeeds();
    rust("verify").arg("--identity").arg(ALICE).arg("--issuer").arg(stack.issuer()).arg("artifact").run().succeeds();
}

#[test]
fn the_commands_for_gitsign_work() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    symlink(client("bin/gitsign"), alice.path("bin/gitsign")).unwrap();
    let text = export(&stack, "gitsign");
    let (setup, verify) = text.split_once("\ngitsign verify").unwrap();
    let commit = "git init -q\ngit -c user.name=Alice -c user.email=WHO commit -q --allow-empty -m signed";
    paste(&alice, &format!("{setup}\n{commit}\ngitsign verify{verify}"));
}

#[test]
fn the_offline_bundle_is_enough_without_the_server() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let out = alice.path("trust.tar.gz");
    let bundle = |out| {
        stack.chancery().args("trust export --data").arg(stack.data()).arg("--offline-bundle").arg(out).run().succeeds()
    };
    bundle(&out);
    let again = alice.path("again.tar.gz");
    bundle(&again);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&again).unwrap(), "the same repository gives the same bytes");
    stack.terminate();
    alice.program("tar").args("-xzf trust.tar.gz").run().succeeds();
    let signer = Signer::of(&alice);
    let trust = alice.path("chancery-trust");
    // The one that cosign 2 is told of has another name in the repository.
    fs::copy(trust.join("fulcio_v1.crt.pem"), trust.join("fulcio-chain.pem")).unwrap();
    let alice = alice.trusting(trust);
    for client in Client::ALL {
        client.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }
    // And as a mirror inside.
    let port = free_port();
    let serve = alice.program("python3").env("PYTHONUNBUFFERED", "1").args("-m http.server --bind 127.0.0.1");
    let mut server: Running = serve.arg(port.to_string()).args("--directory chancery-trust/tuf").start();
    server.wait_for("Serving HTTP");
    let cosign = || alice.program(client("bin/cosign3"));
    let mirror = format!("http://127.0.0.1:{port}");
    cosign().args("initialize --root chancery-trust/root.json --mirror").arg(mirror).run().succeeds();
    let verify = cosign().args("verify-blob --bundle bundle.json --certificate-identity").arg(ALICE);
    verify.arg("--certificate-oidc-issuer").arg(&signer.issuer).arg("artifact").run().succeeds();
}
