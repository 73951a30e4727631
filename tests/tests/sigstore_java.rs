//! sigstore-java signs, in either Rekor, and verifies. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" sigstore-java
//! cargo test -p chancery-tests --features sigstore-java --test sigstore_java
//! ```
//!
//! It speaks gRPC to the certificate authority, and only over TLS. So the server has a certificate, which Java is told of.

use chancery_tests::{
    ALICE, Client, MALLORY, Person, TokenIssuer,
    client::{Signer, rekor_version, with_signing_config},
    person::client,
    program::{Outcome, Program, Running},
    stack::{chancery_binary, free_port},
};
use serde_json::json;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// An instance that speaks TLS, and an issuer that it believes.
struct Site {
    directory: TempDir,
    issuer: TokenIssuer,
    url: String,
    _server: Running,
}

impl Site {
    fn start() -> Self {
        let (directory, issuer, address) =
            (TempDir::new().unwrap(), TokenIssuer::start(), format!("127.0.0.1:{}", free_port()));
        let people = issuer.url("people");
        let issuers = format!("[[issuer]]\nurl = \"{people}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
        fs::write(directory.path().join("issuers.toml"), issuers).unwrap();
        let settings = format!(
            "url = \"https://{address}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"{address}\"\n\
             tls = {{ certificate = \"tls.crt\", key = \"tls.key\" }}\n[ca]\nissuers = \"issuers.toml\"\n"
        );
        fs::write(directory.path().join("chancery.toml"), settings).unwrap();
        let program = |path: &str| Program::new(path, directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
        program("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout tls.key -out tls.crt")
            .args("-addext subjectAltName=IP:127.0.0.1 -subj /CN=server")
            .run()
            .succeeds();
        program("keytool")
            .args("-importcert -noprompt -alias server -file tls.crt -keystore tls.p12 -storetype PKCS12")
            .args("-storepass changeit")
            .run()
            .succeeds();
        let chancery =
            |verb: &str| Program::new(chancery_binary(), directory.path()).args(verb).args("--config chancery.toml");
        chancery("init").run().succeeds();
        let mut server = chancery("serve").start();
        server.wait_for(" ready ");
        Self { directory, issuer, url: format!("https://{address}"), _server: server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn alice(&self) -> Person {
        Person::at(&self.url, self.path("data/trust"), ALICE)
    }

    fn signer(&self, identity: &str) -> Signer {
        Signer { identity: identity.to_owned(), issuer: self.issuer.url("people") }
    }

    /// Its subject is what sigstore-java proves the possession of its key with.
    fn token(&self) -> String {
        self.issuer.token("people", &json!({"sub": ALICE, "email": ALICE, "email_verified": true}))
    }

    fn java(&self, alice: &Person, verb: &str) -> Program {
        let store = self.path("tls.p12");
        let options =
            format!("-Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStorePassword=changeit", store.display());
        alice.program(client("bin/sigstore-java")).env("JAVA_TOOL_OPTIONS", options).arg(verb)
    }

    fn with_repository(&self, program: Program) -> Program {
        program.arg("--mirror").arg(format!("{}/tuf", self.url)).arg("--root").arg(self.path("data/tuf/1.root.json"))
    }

    fn sign(&self, alice: &Person, rekor: u32, program: Program) {
        let sign = program.arg("--token").arg(self.token()).arg("--rekor").arg(rekor.to_string());
        sign.args("--bundle bundle.json artifact").run().succeeds();
        assert_eq!(rekor_version(alice, "bundle.json"), Some(rekor));
    }
}

fn with_files(alice: &Person, program: Program) -> Program {
    let program = program.arg("--trusted-root").arg(alice.trust("trusted_root.json"));
    program.arg("--signing-config").arg(alice.trust("signing_config.json"))
}

fn verify(program: Program, signer: &Signer, artifact: &str) -> Outcome {
    let verify = program.arg("--identity").arg(&signer.identity).arg("--issuer").arg(&signer.issuer);
    verify.args("--bundle bundle.json").arg(artifact).run()
}

#[test]
fn signs_and_verifies_with_either_rekor() {
    let site = Site::start();
    let alice = site.alice();
    alice.write("other", "changed");
    let [signer, mallory] = [ALICE, MALLORY].map(|identity| site.signer(identity));
    for rekor in [1, 2] {
        alice.write("artifact", format!("signed in Rekor v{rekor}"));
        site.sign(&alice, rekor, with_files(&alice, site.java(&alice, "sign")));
        let verifying = || with_files(&alice, site.java(&alice, "verify"));
        verify(verifying(), &signer, "artifact").succeeds();
        verify(verifying(), &signer, "other").fails_with(&["Provided artifact digest does not match"]);
        verify(verifying(), &mallory, "artifact").fails_with(&["No provided certificate identities matched"]);
        Client::Cosign3.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }
}

#[test]
fn takes_what_it_trusts_from_the_tuf_repository() {
    let site = Site::start();
    let alice = site.alice();
    alice.write("artifact", "hello");
    for rekor in [1, 2] {
        site.sign(&alice, rekor, site.with_repository(site.java(&alice, "sign")));
        let verifying = site.with_repository(site.java(&alice, "verify"));
        verify(verifying, &site.signer(ALICE), "artifact").succeeds();
    }
}

#[test]
fn verifies_what_cosign_has_signed() {
    let site = Site::start();
    let alice = site.alice();
    alice.write("artifact", "hello");
    // cosign takes a token that is not RS256 for the name of a file.
    let sign = with_signing_config(&alice, alice.cosign3().args("sign-blob --yes --bundle bundle.json"));
    let sign = sign.env("SSL_CERT_FILE", site.path("tls.crt")).arg("--identity-token");
    sign.arg(alice.write("token", site.token())).arg("artifact").run().succeeds();
    verify(with_files(&alice, site.java(&alice, "verify")), &site.signer(ALICE), "artifact").succeeds();
}
