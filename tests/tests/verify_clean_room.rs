//! A stranger's project: a fresh crate outside the workspace, with the program that the documentation shows, verifies bundles.

use chancery_tests::person::client;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The program may have so many lines within `main` and its imports.
const LINES: usize = 15;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The first program of the page: between the fences, without what only doctests read.
fn documented() -> String {
    let page = fs::read_to_string(root().join("crates/verify/README.md")).unwrap();
    let start = page.find("```rust,no_run\n").expect("the page shows a program") + "```rust,no_run\n".len();
    let length = page[start..].find("```").expect("the program ends");
    page[start..start + length].to_owned()
}

#[test]
fn the_manual_shows_the_same_lines() {
    let page = fs::read_to_string(root().join("docs/src/verify/library.md")).unwrap();
    assert!(page.contains(&documented()), "docs/src/verify/library.md differs from crates/verify/README.md");
}

/// Writes and builds the project; the program.
fn build(directory: &Path) -> PathBuf {
    let verify = root().join("crates/verify");
    let manifest = format!(
        "[package]\nname = \"stranger\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         chancery-verify = {{ path = {:?} }}\n\n[workspace]\n",
        verify.to_str().unwrap()
    );
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.join("src/main.rs"), documented()).unwrap();
    // The versions the workspace has, which are on this machine; cargo takes out of the file what is not used.
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    // Beside the workspace's own, so that a second run builds only what changed.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verify-clean-room");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Command::new(cargo)
        .args(["build", "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(directory)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    target.join("debug/stranger")
}

#[test]
fn the_documented_lines_verify_a_bundle() {
    let lines = documented().lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= LINES, "{lines} lines");
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path());
    let run = |files: [&Path; 4]| -> Output { Command::new(&program).args(files).output().unwrap() };
    let verified = |output: Output, signer: &str| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{signer}\n"));
    };

    // Of the public instance.
    let extra = client("golden/extra");
    let signer = ("a@tny.town", "https://github.com/login/oauth");
    let policy = directory.path().join("policy.toml");
    let write = |identity: &str| {
        let issuer = signer.1;
        fs::write(&policy, format!("version = 1\n[require]\nidentity = \"{identity}\"\nissuer = \"{issuer}\"\n"))
            .unwrap();
    };
    write(signer.0);
    let (trust, bundle, artifact) =
        (extra.join("trusted_root.json"), extra.join("a.txt.sigstore"), extra.join("a.txt"));
    verified(run([&trust, &policy, &bundle, &artifact]), "a@tny.town (issuer https://github.com/login/oauth)");

    // Another signer, another artifact, another signature: refused.
    write("mallory@example.com");
    assert!(!run([&trust, &policy, &bundle, &artifact]).status.success());
    write(signer.0);
    let changed = directory.path().join("changed.txt");
    fs::write(&changed, "changed").unwrap();
    let refused = run([&trust, &policy, &bundle, &changed]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("ArtifactDigest"), "the refusal says why");
    let mut document: Value = serde_json::from_slice(&fs::read(&bundle).unwrap()).unwrap();
    document["messageSignature"]["signature"] = "MAYCAQECAQE=".into();
    let forged = directory.path().join("forged.json");
    fs::write(&forged, document.to_string()).unwrap();
    assert!(!run([&trust, &policy, &forged, &artifact]).status.success());

    // The files of the page's first try, with Rekor v2.
    let hello = root().join("crates/verify/examples/hello");
    let hello = |name: &str| hello.join(name);
    verified(
        run([&hello("trusted_root.json"), &hello("policy.toml"), &hello("artifact.sigstore.json"), &hello("artifact")]),
        "https://ci.example.test/acme/app (issuer https://issuer.example.test)",
    );
}
