//! HashiCorp Vault with a transit engine, operated over its API as any Vault is.

use crate::{
    http::{Request, Response},
    person::client,
    program::{Program, Running},
    stack::free_port,
};
use serde_json::{Value, json};
use std::{
    fs, thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const START_DEADLINE: Duration = Duration::from_secs(30);
/// What somebody may do who signs with the keys of the engine.
const SIGNER: &str = "path \"transit/keys/*\" { capabilities = [\"read\"] }
path \"transit/sign/*\" { capabilities = [\"update\"] }";

/// A server, its storage and its address. It ends with the test.
pub struct Vault {
    directory: TempDir,
    port: u16,
    unseal_key: String,
    root_token: String,
    server: Option<Running>,
}

impl Vault {
    /// A new one that is unsealed, with an engine at `transit/` and a policy for those who sign.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-vault-").tempdir().unwrap();
        let (unseal_key, root_token) = Default::default();
        let mut vault = Self { directory, port: free_port(), unseal_key, root_token, server: None };
        vault.resume();
        let made = vault.post("sys/init", &json!({"secret_shares": 1, "secret_threshold": 1})).expect(200).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (vault.unseal_key, vault.root_token) = (text(&made["keys"][0]), text(&made["root_token"]));
        vault.unseal();
        vault.post("sys/mounts/transit", &json!({"type": "transit"})).expect(204);
        vault.post("sys/policies/acl/signer", &json!({"policy": SIGNER})).expect(204);
        vault
    }

    /// Stops it as a power cut does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill();
        server.finish();
    }

    /// Starts it again, at the same address and sealed.
    pub fn resume(&mut self) {
        let storage = self.directory.path().join("storage");
        let program = Program::new(client("bin/vault"), self.directory.path()).arg(self.address()).arg(storage);
        let mut server = program.start();
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("http://{}/v1/sys/seal-status", self.address())).try_send().is_err() {
            assert!(server.is_running(), "Vault ended:\n{}{}", server.stdout(), server.stderr());
            assert!(Instant::now() < deadline, "Vault is not ready in time:\n{}", server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
        self.server = Some(server);
    }

    /// Gives it the key to its storage, and waits until it works with it.
    pub fn unseal(&self) {
        self.post("sys/unseal", &json!({"key": self.unseal_key})).expect(200);
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("http://{}/v1/sys/health", self.address())).send().status != 200 {
            assert!(Instant::now() < deadline, "Vault is not active in time");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a key of one of Vault's types.
    pub fn create(&self, name: &str, kind: &str) {
        self.create_with(name, &json!({"type": kind}));
    }

    /// Makes a key as `asked`.
    pub fn create_with(&self, name: &str, asked: &Value) {
        self.post(&format!("transit/keys/{name}"), asked).expect(200);
    }

    /// Makes a new version of a key.
    pub fn rotate(&self, name: &str) {
        self.post(&format!("transit/keys/{name}/rotate"), &json!({})).expect(200);
    }

    /// Settings of a key, such as the oldest version that signs.
    pub fn configure(&self, name: &str, settings: &Value) {
        self.post(&format!("transit/keys/{name}/config"), settings).expect(200);
    }

    /// Deletes a key for ever.
    pub fn delete(&self, name: &str) {
        self.configure(name, &json!({"deletion_allowed": true}));
        self.request("DELETE", &format!("transit/keys/{name}")).send().expect(204);
    }

    /// A token of somebody who may sign and nothing else.
    pub fn token(&self) -> String {
        let asked = json!({"policies": ["signer"], "no_default_policy": true, "ttl": "1h"});
        let answer = self.post("auth/token/create", &asked).expect(200).json();
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Takes a token back.
    pub fn revoke(&self, token: &str) {
        self.post("auth/token/revoke", &json!({"token": token})).expect(204);
    }

    /// The URI of a key, with the token in a file.
    pub fn uri(&self, name: &str, token_file: &str) -> String {
        format!("hashivault://{name}?address=http://{}&token-file={token_file}", self.address())
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(method, &format!("http://{}", self.address()), &format!("/v1/{path}"));
        request.header("X-Vault-Token", &self.root_token)
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path).json(body).send()
    }

    /// A file with `token` in it, beside the storage; returns its path.
    pub fn token_file(&self, name: &str, token: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, format!("{token}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
