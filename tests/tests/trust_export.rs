//! What `chancery trust export` prints works where it can be run here, and is well formed where it cannot.

use chancery_tests::{
    ALICE, Client, Person, Stack, client::Signer, person::client, program::Running, stack::free_port,
};
use std::{fs, os::unix::fs::symlink};

fn export(stack: &Stack, client: &str) -> String {
    stack.chancery().args("trust export --for").arg(client).arg("--data").arg(stack.data()).run().succeeds()
}

/// Commands as somebody would paste them, with the names filled in; tokens come from the environment of a pipeline.
fn paste(person: &Person, script: &str) {
    person.write("artifact", "hello");
    let script = script.replace("WHO", ALICE);
    let bash = person.program("bash").env("SIGSTORE_ID_TOKEN", person.token());
    bash.args("-e -u -o pipefail -c").arg(script).run().succeeds();
}

/// The commands below the headline that starts with `title`.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("# {title}")).unwrap_or_else(|| panic!("no section {title}:\n{text}"));
    rest.split("\n\n").next().unwrap().split_once('\n').unwrap().1
}

#[test]
fn the_commands_for_every_cosign_work() {
    let stack = Stack::start();
    let text = export(&stack, "cosign");
    for (program, title) in [("cosign3", "cosign 3"), ("cosign2", "cosign 2.6"), ("cosign25", "cosign 2.4 and 2.5")] {
        let alice = stack.person(ALICE);
        symlink(client(&format!("bin/{program}")), alice.path("bin/cosign")).unwrap();
        paste(&alice, section(&text, "Once per home directory"));
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
    let kyverno = export(&stack, "kyverno");
    let file = |name: &str| fs::read_to_string(stack.trust(name)).unwrap();
    assert_eq!(python(&block.replace("%s", "roots"), &kyverno), file("fulcio-chain.pem"));
    assert_eq!(python(&block.replace("%s", "pubkey"), &kyverno), file("rekor.pub"));
    let flux = export(&stack, "flux");
    assert_eq!(python(&block.replace("%s", r"trusted_root\.json"), &flux), file("trusted_root.json"));
    let root = "import base64,re
sys = __import__('sys')
text = open('text.yaml').read()
sys.stdout.write(base64.b64decode(re.search(r'^    root: (\\S+)$', text, re.M).group(1)).decode())";
    let policy_controller = export(&stack, "policy-controller");
    assert_eq!(python(root, &policy_controller), stack.get("/tuf/root.json").expect(200).text());
    for client in ["js", "go", "rust", "gitsign"] {
        let text = export(&stack, client);
        assert!(text.contains(&stack.at("/tuf")), "{text}");
    }
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
