//! A TUF repository that distributes an instance's trusted root, as an operator would set one up.
//!
//! gitsign takes its trusted root from nowhere else. One key signs every role; that is all a test needs.

use crate::{
    key::{Key, sha256},
    person::Person,
    program::Running,
    stack::free_port,
};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A repository on a web server of its own; it ends with the test.
pub struct TufRepository {
    /// Its address.
    pub mirror: String,
    /// The root metadata a client starts with.
    pub root: PathBuf,
    _server: Running,
}

impl TufRepository {
    /// Publishes the trusted root of this person's instance.
    pub fn start(person: &Person) -> Self {
        let directory = person.path("tuf-repository");
        fs::create_dir_all(directory.join("targets")).unwrap();
        write(&directory, &fs::read(person.trust("trusted_root.json")).unwrap());
        let port = free_port();
        let serve = person.program("python3").env("PYTHONUNBUFFERED", "1").args("-m http.server --bind 127.0.0.1");
        let mut server = serve.arg(port.to_string()).arg("--directory").arg(&directory).start();
        server.wait_for("Serving HTTP");
        Self { mirror: format!("http://127.0.0.1:{port}"), root: directory.join("1.root.json"), _server: server }
    }
}

/// Writes all metadata and the one target.
fn write(directory: &Path, trusted_root: &[u8]) {
    let key = Key::generate();
    let public = json!({"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": key.public_pem()}});
    let key_id = hex::encode(sha256(canonical(&public).as_bytes()));
    let sign = |name: &str, kind: &str, parts: Value| {
        let mut signed =
            json!({"_type": kind, "spec_version": "1.0.31", "version": 1, "expires": "2099-01-01T00:00:00Z"});
        signed.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        let signature = hex::encode(key.sign(canonical(&signed).as_bytes()));
        let metadata = json!({"signatures": [{"keyid": key_id, "sig": signature}], "signed": signed});
        fs::write(directory.join(name), metadata.to_string()).unwrap();
    };
    let role = json!({"keyids": [key_id], "threshold": 1});
    let roles: Map<String, Value> =
        ["root", "timestamp", "snapshot", "targets"].map(|name| (name.to_owned(), role.clone())).into_iter().collect();
    let keys = json!({key_id.as_str(): public});
    sign("1.root.json", "root", json!({"consistent_snapshot": true, "keys": keys, "roles": roles}));
    let hash = hex::encode(sha256(trusted_root));
    let target = json!({"length": trusted_root.len(), "hashes": {"sha256": hash}});
    sign("1.targets.json", "targets", json!({"targets": {"trusted_root.json": target}}));
    sign("1.snapshot.json", "snapshot", json!({"meta": {"targets.json": {"version": 1}}}));
    sign("timestamp.json", "timestamp", json!({"meta": {"snapshot.json": {"version": 1}}}));
    fs::write(directory.join(format!("targets/{hash}.trusted_root.json")), trusted_root).unwrap();
}

/// OLPC's canonical JSON, which TUF signs: members sorted, no white space, and in strings only `"` and `\` escaped.
fn canonical(value: &Value) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match value {
        Value::String(text) => quote(text),
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{}:{}", quote(name), canonical(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}
