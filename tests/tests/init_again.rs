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
    chancery(&directory, "init --if-needed").run().succeeds();
    let trusted_root = || fs::read(directory.path().join("data/trust/trusted_root.json")).unwrap();
    let before = trusted_root();

    let mut server = chancery(&directory, "serve").start();
    server.wait_for(" ready ");
    chancery(&directory, "init --if-needed").run().succeeds();
    chancery(&directory, "init").run().fails_with(&["the instance in ", " exists; run: chancery serve"]);
    assert!(server.is_running());
    server.terminate();
    server.finish().succeeds();
    assert_eq!(trusted_root(), before);
}
