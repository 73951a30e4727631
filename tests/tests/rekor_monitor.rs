//! Sigstore's monitor follows Rekor v1, Rekor v2 and the certificate log, and finds whom it was told to look for. Not run
//! unless asked for. Go cannot fetch its repository everywhere, so it is built from a clone:
//!
//! ```text
//! REKOR_MONITOR=… tests/clients/install "$CHANCERY_CLIENTS" rekor-monitor
//! cargo test -p chancery-tests --features rekor-monitor --test rekor_monitor
//! ```
//!
//! It takes the whole address of a Rekor v2 log, port and all, for the log's name. So the server is at port 80.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Person, TokenIssuer,
    person::client,
    program::{Program, Running},
    stack::chancery_binary,
};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

/// An instance whose Rekor v2 log has a host of its own.
const URL: &str = "http://127.0.0.1";
const REKOR2: &str = "http://localhost";

struct Site {
    directory: TempDir,
    issuer: TokenIssuer,
    _server: Running,
}

impl Site {
    fn start() -> Self {
        let (directory, issuer) = (TempDir::new().unwrap(), TokenIssuer::start());
        let people = issuer.url("people");
        let issuers = format!("[[issuer]]\nurl = \"{people}\"\ntype = \"email\"\ndevelopment_loopback_http = true\n");
        fs::write(directory.path().join("issuers.toml"), issuers).unwrap();
        let settings = format!(
            "url = \"{URL}\"\norganization = \"Example\"\ndata = \"data\"\n[listen]\naddress = \"127.0.0.1:80\"\n\
             [ca]\nissuers = \"issuers.toml\"\n[log]\nrekor2_url = \"{REKOR2}\"\n"
        );
        fs::write(directory.path().join("chancery.toml"), settings).unwrap();
        let chancery =
            |verb: &str| Program::new(chancery_binary(), directory.path()).args(verb).args("--config chancery.toml");
        chancery("init").run().succeeds();
        let mut server = chancery("serve").start();
        server.wait_for(" ready ");
        Self { directory, issuer, _server: server }
    }

    fn alice(&self) -> Person {
        Person::at(URL, self.directory.path().join("data/trust"), ALICE)
    }

    /// Signs into the Rekor of this version.
    fn sign(&self, alice: &Person, rekor: u32) {
        let token = self.issuer.token("people", &json!({"sub": "1", "email": ALICE, "email_verified": true}));
        alice.write("artifact", format!("signed in Rekor v{rekor}"));
        let config = alice.trust(&format!("signing_config_rekor_v{rekor}.json"));
        let sign = alice.cosign3().args("sign-blob --yes --bundle bundle.json --signing-config").arg(config);
        let sign = sign.arg("--trusted-root").arg(alice.trust("trusted_root.json"));
        // cosign takes a token that is not RS256 for the name of a file.
        sign.arg("--identity-token").arg(alice.write("token", token)).arg("artifact").run().succeeds();
    }

    /// Runs a monitor once; returns what it says. It ends well, too, where it has found something.
    fn monitor(&self, alice: &Person, program: &str, url: &str, state: &str) -> String {
        let config = alice.write(
            "monitor.yaml",
            format!("monitoredValues:\n  certIdentities:\n    - certSubject: ^{}$\n", ALICE.replace('.', "\\.")),
        );
        let monitor = alice.program(client(&format!("bin/{program}"))).arg("--once").arg("--url").arg(url);
        let monitor = monitor.arg("--file").arg(state).arg("--config-file").arg(config);
        let monitor = monitor.arg("--tuf-repository").arg(format!("{URL}/tuf"));
        let root = self.directory.path().join("data/tuf/1.root.json");
        monitor.arg("--tuf-root-path").arg(root).run().written()
    }
}

#[test]
fn it_follows_every_log_and_finds_an_identity() {
    let site = Site::start();
    let alice = site.alice();
    let certificates = format!("{URL}/ct/main");
    let logs = [
        ("rekor_monitor", URL, "v1", "Root hash consistency verified"),
        ("rekor_monitor", REKOR2, "v2", "Root hash consistency verified"),
        // It says nothing of what it has verified.
        ("ct_monitor", certificates.as_str(), "ct", ""),
    ];
    for (program, url, state, _) in logs {
        let said = site.monitor(&alice, program, url, state);
        assert!(said.contains("just saving checkpoint") && !said.contains("error"), "{state}: {said}");
    }
    // Its state stays in files, and what is in a log by then is not reported again.
    for _ in 0..2 {
        site.sign(&alice, 1);
        site.sign(&alice, 2);
        for (program, url, state, consistent) in logs {
            let said = site.monitor(&alice, program, url, state);
            assert!(
                said.contains(consistent) && !said.contains("error") && !said.contains("failed"),
                "{state}: {said}"
            );
            let found = said.lines().filter(|line| line.contains(&format!("Found {ALICE} "))).count();
            // Each signature has a certificate. The monitor of certificates begins with the last one that it has seen.
            let expected = if state == "ct" { 2..=3 } else { 1..=1 };
            assert!(expected.contains(&found), "{state}: {said}");
        }
    }
    // What it has seen last is not what the log has signed.
    let seen = String::from_utf8(alice.read("v1")).unwrap();
    let root = seen.lines().last().unwrap().split("\\n").nth(2).unwrap();
    alice.write("v1", seen.replace(root, &STANDARD.encode([0; 32])));
    let said = site.monitor(&alice, "rekor_monitor", URL, "v1");
    assert!(said.contains("error running consistency check"), "{said}");
}
