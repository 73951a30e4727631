//! A container's `init` runs each time the container starts, also while the servers answer.

use chancery_tests::{
    program::Program,
    stack::{chancery_binary, free_port},
};
use std::fs;
use tempfile::TempDir;

fn chancery(directory: &TempDir, verb: &str) -> Program {
    Program::new(chancery_binary(), directory.path()).args(verb).args("--config chancery.toml")
}

#[test]
fn init_if_needed_succeeds_beside_the_server_and_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let configuration = format!(
        "url = \"http://sign.example.test\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\n\
         address = \"127.0.0.1:{}\"\n[ca]\nissuers = \"issuers.toml\"\n",
        free_port()
    );
    fs::write(directory.path().join("chancery.toml"), configuration).unwrap();
    fs::write(directory.path().join("issuers.toml"), "[[issuer]]\npreset = \"google\"\n").unwrap();
    let said = chancery(&directory, "init --if-needed").run().succeeds();
    for line in [
        "The instance of http://sign.example.test is made.",
        "  Logs         rekor, rekor2, ct in ",
        "  2. chancery serve --config chancery.toml",
        "More: docs/src/operate/day-1.md",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let root = fs::read(directory.path().join("data/tuf/1.root.json")).unwrap();
    assert!(said.contains(&hex::encode(chancery_tests::key::sha256(&root))), "{said}");
    let trusted_root = || fs::read(directory.path().join("data/trust/trusted_root.json")).unwrap();
    let before = trusted_root();

    let mut server = chancery(&directory, "serve").start();
    server.wait_for(" ready ");
    assert_eq!(chancery(&directory, "init --if-needed").run().succeeds(), "", "there is nothing to say");
    chancery(&directory, "init").run().fails_with(&["the instance in ", " exists; run: chancery serve"]);
    assert!(server.is_running());
    server.terminate();
    server.finish().succeeds();
    assert_eq!(trusted_root(), before);
}
