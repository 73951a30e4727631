//! The files of the documentation's first example, `examples/hello`: they are what the tests' own Sigstore makes, and they verify.
//!
//! `UPDATE_HELLO=1 cargo test -p chancery-verify --test hello` makes them anew, with keys that are thrown away.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod made;

use chancery_verify::bundle::Bundle;
use chancery_verify::policy::Policy;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{Artifact, Options, Verifier};
use made::{ARTIFACT, IDENTITY, ISSUER, NOW, Spec, World};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello").join(name)
}

fn read(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn policy() -> String {
    format!("version = 1\n\n[require]\nidentity = \"{IDENTITY}\"\nissuer = \"{ISSUER}\"\n")
}

fn make() {
    let world = World::new(Spec::default());
    fs::write(path("artifact"), ARTIFACT).unwrap();
    fs::write(path("policy.toml"), policy()).unwrap();
    fs::write(path("trusted_root.json"), format!("{:#}\n", world.root())).unwrap();
    fs::write(path("artifact.sigstore.json"), format!("{:#}\n", world.bundle_v2())).unwrap();
}

#[test]
fn the_files_of_the_example_verify_and_are_what_is_made() {
    if env::var_os("UPDATE_HELLO").is_some() {
        make();
    }
    assert_eq!(read("artifact"), ARTIFACT);
    assert_eq!(read("policy.toml"), policy().into_bytes());
    let (root, bundle) = (read("trusted_root.json"), read("artifact.sigstore.json"));
    let verifier = Verifier::new(TrustRoot::parse(&root).unwrap(), Options::default());
    let policy = Policy::parse(str::from_utf8(&read("policy.toml")).unwrap()).unwrap();
    let bundle = Bundle::parse(&bundle).unwrap();
    let verified = verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &policy, NOW).unwrap();
    assert_eq!(verified.signer.to_string(), format!("{IDENTITY} (issuer {ISSUER})"));
    // A change of what is made is one of these files: they have the same members.
    let world = World::new(Spec::default());
    for (name, made) in [("trusted_root.json", world.root()), ("artifact.sigstore.json", world.bundle_v2())] {
        let committed: Value = serde_json::from_slice(&read(name)).unwrap();
        assert_eq!(shape(&committed), shape(&made), "{name}: make it anew with UPDATE_HELLO=1");
    }
}

/// A document without its values.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(list) => list.iter().map(shape).collect(),
        _ => Value::Null,
    }
}
