//! Keys in the transit engine of a real HashiCorp Vault. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" vault
//! cargo test -p chancery-tests --features vault --test vault
//! ```

use chancery_tests::{
    ALICE, Client, Person, TokenIssuer,
    client::Signer,
    fulcio,
    http::{Request, Response},
    key::Key,
    program::{Outcome, Program, Running},
    stack::{chancery_binary, free_port},
    vault::Vault,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

fn chancery(directory: &TempDir) -> Program {
    Program::new(chancery_binary(), directory.path())
}

#[test]
fn keys_of_every_type_are_tried() {
    let (vault, directory) = (Vault::start(), TempDir::new().unwrap());
    let token = vault.token_file("token", &vault.token());
    let test = |uri: &str| -> (Value, Outcome) {
        let outcome = chancery(&directory).args("keys test --json").arg(uri).run();
        (serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.report())), outcome)
    };
    let refused = |uri: &str, reasons: &[&str]| {
        let (report, outcome) = test(uri);
        let refusal = report["refusal"].as_str().unwrap().to_owned();
        assert!(reasons.iter().all(|reason| refusal.contains(reason)), "{uri}: {refusal}");
        outcome.fails_with(&[]);
    };
    for (kind, ours) in [
        ("ecdsa-p256", "P-256"),
        ("ecdsa-p384", "P-384"),
        ("rsa-2048", "RSA 2048"),
        ("rsa-3072", "RSA 3072"),
        ("rsa-4096", "RSA 4096"),
    ] {
        vault.create(kind, kind);
        let (report, outcome) = test(&vault.uri(kind, &token));
        assert_eq!((&report["usable"], &report["key"]["kind"]), (&true.into(), &ours.into()), "{}", outcome.report());
        outcome.succeeds();
    }
    for kind in ["ecdsa-p521", "ed25519", "aes256-gcm96", "hmac"] {
        let asked = if kind == "hmac" { json!({"type": kind, "key_size": 32}) } else { json!({"type": kind}) };
        vault.create_with(kind, &asked);
        refused(&vault.uri(kind, &token), &[&format!("of type {kind};")]);
    }
    let uri = vault.uri("ecdsa-p256", &token);
    refused(&vault.uri("nobody", &token), &["no key nobody in transit"]);
    refused(&format!("{uri}&mount=other"), &["permission denied", &token]);
    let wrong = vault.token_file("wrong", "hvs.wrong");
    refused(&vault.uri("ecdsa-p256", &wrong), &["permission denied", &wrong]);

    // A version that is there, one that is not, and one that may not sign any more.
    vault.rotate("ecdsa-p256");
    let fingerprint = |uri: &str| test(uri).0["key"]["fingerprint"].clone();
    assert_eq!(fingerprint(&uri), fingerprint(&format!("{uri}&version=2")));
    assert_ne!(fingerprint(&uri), fingerprint(&format!("{uri}&version=1")));
    refused(&format!("{uri}&version=3"), &["no version 3"]);
    vault.configure("ecdsa-p256", &json!({"min_encryption_version": 2}));
    refused(&format!("{uri}&version=1"), &["min_encryption_version"]);
    vault.configure("ecdsa-p256", &json!({"min_encryption_version": 0, "min_decryption_version": 2}));
    refused(&format!("{uri}&version=1"), &["no version 1"]);
    test(&uri).1.succeeds();
}

/// The roles whose keys can be elsewhere: key in the configuration's table, and the table.
const KEYS: [(&str, &str, &str); 5] = [
    ("ca", "[ca]", "key"),
    ("rekor", "[log]", "rekor_key"),
    ("rekor2", "[log]", "rekor2_key"),
    ("ct", "[log]", "ct_key"),
    ("tsa", "[tsa]", "key"),
];

/// An instance whose keys are all in Vault.
struct Site {
    directory: TempDir,
    issuer: TokenIssuer,
    vault: Vault,
    address: String,
    token: String,
}

impl Site {
    fn new() -> Self {
        let (directory, vault) = (TempDir::new().unwrap(), Vault::start());
        let token = vault.token();
        let token_file = vault.token_file("token", &token);
        let site = Self {
            directory,
            issuer: TokenIssuer::start(),
            vault,
            address: format!("127.0.0.1:{}", free_port()),
            token,
        };
        let issuer = site.issuer.url("people");
        let issuers = format!("[[issuer]]\nurl = \"{issuer}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
        fs::write(site.path("issuers.toml"), issuers).unwrap();
        let mut text = format!(
            "url = \"http://{0}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{0}\"\n",
            site.address
        );
        let mut table = "";
        for (name, of, key) in KEYS {
            site.vault.create(name, if name == "ca" { "ecdsa-p384" } else { "ecdsa-p256" });
            if table != of {
                text = format!("{text}{of}\n{}", if of == "[ca]" { "issuers = \"issuers.toml\"\n" } else { "" });
            }
            table = of;
            text = format!("{text}{key} = \"{}\"\n", site.vault.uri(name, &token_file));
        }
        fs::write(site.path("chancery.toml"), text).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn serve(&self) -> Running {
        let mut server = chancery(&self.directory).args("serve --config chancery.toml").start();
        server.wait_for(" ready ");
        server
    }

    fn alice(&self) -> Person {
        Person::at(&format!("http://{}", self.address), self.path("data/trust"), ALICE)
    }

    fn identity_token(&self) -> String {
        self.issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}))
    }

    /// cosign 3 signs, and everybody verifies that and what was signed before.
    fn sign(&self, alice: &Person, bundles: &mut Vec<&'static str>, bundle: &'static str) {
        alice.write("artifact", "hello");
        let token = alice.write("identity", self.identity_token()).to_str().unwrap().to_owned();
        Client::Cosign3.sign_with_token(alice, &token, "artifact", bundle).run().succeeds();
        bundles.push(bundle);
        let signer = Signer { identity: ALICE.to_owned(), issuer: self.issuer.url("people") };
        for (client, bundle) in Client::ALL.iter().flat_map(|client| bundles.iter().map(move |bundle| (client, bundle)))
        {
            client.verify(alice, "artifact", bundle, &signer).run().succeeds();
        }
    }

    fn request_certificate(&self) -> Response {
        let key = Key::generate();
        let request = fulcio::key_request_with_token(&key, ALICE, &self.identity_token());
        Request::post(&format!("http://{}{}", self.address, fulcio::SIGNING_CERT_V2)).json(&request).send()
    }
}

#[test]
fn an_instance_whose_keys_are_in_vault() {
    let mut site = Site::new();
    chancery(&site.directory).args("init --config chancery.toml").run().succeeds();
    assert!(!site.path("data/keys/ca.pem").exists() && !site.path("data/keys/rekor2.pem").exists());
    let server = site.serve();
    let (alice, mut bundles) = (site.alice(), Vec::new());
    site.sign(&alice, &mut bundles, "first.json");

    // A new version of every key is not our affair, neither now nor after a restart.
    for (name, ..) in KEYS {
        site.vault.rotate(name);
    }
    site.sign(&alice, &mut bundles, "rotated.json");
    server.terminate();
    server.finish().succeeds();
    let server = site.serve();
    site.sign(&alice, &mut bundles, "restarted.json");

    // Gone, there but sealed, and there.
    site.vault.kill();
    site.request_certificate().expect(503);
    site.vault.resume();
    site.request_certificate().expect(503);
    site.vault.unseal();
    site.sign(&alice, &mut bundles, "unsealed.json");

    // The token is taken back, and replaced as an agent does that.
    site.vault.revoke(&site.token);
    site.request_certificate().expect(500);
    assert!(server.stderr().contains("permission denied: the token in the file"), "{}", server.stderr());
    site.vault.token_file("token", &site.vault.token());
    site.sign(&alice, &mut bundles, "renewed.json");

    // The new version is another key, which is named and staged as such.
    let rotate = |line: &str| chancery(&site.directory).args("keys rotate ca --data data").args(line);
    let uri = site.vault.uri("ca", &site.vault.token_file("token", &site.vault.token()));
    rotate("stage --key").arg(&uri).run().succeeds();
    rotate("activate --overlap 0s").run().succeeds();
    site.sign(&alice, &mut bundles, "second-generation.json");
    server.terminate();
    server.finish().succeeds();
    let server = site.serve();
    site.sign(&alice, &mut bundles, "second-generation-restarted.json");

    // No key can be made in place of one that is gone.
    site.vault.delete("ca");
    site.request_certificate().expect(500);
    server.terminate();
    server.finish().succeeds();
    let start = || chancery(&site.directory).args("serve --config chancery.toml").run();
    start().fails_with(&["no key ca in transit"]);
    site.vault.create("ca", "ecdsa-p384");
    start().fails_with(&["no version of the key is the one that has signed before"]);
    chancery(&site.directory).args("log check --data data").run().succeeds();
}
