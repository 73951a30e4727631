//! Every implementation verifies what every implementation signed, in either Rekor, or says why it cannot; and refuses the same
//! things. The whole table is printed, also where the test succeeds.

use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{Signer, rekor_version, with_signer},
    implementation::{Content, Implementation, Rekor, Wrong, attest_with_sigstore_js},
    person::gitsign_path,
    tuf::TufRepository,
};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

/// Where the signatures of a part of the table are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    V1,
    V2,
    /// Rekor v2 that takes whole DSSE envelopes, as upstream's did for a while.
    V2Envelopes,
}

/// What an implementation cannot do, whatever the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limitation {
    NoSigningConfig,
    NoRekorV2,
    SendsEnvelopes,
    NoEnvelopeEntries,
    NoIntotoEntries,
    OldStatement,
    CommitsOnly,
}

impl Limitation {
    /// Why `signer` cannot sign this here.
    fn of_signer(signer: Implementation, content: Content, log: Log) -> Option<Self> {
        use Implementation::{Cosign25, Cosign26, Js};
        match (log, content, signer) {
            (Log::V2 | Log::V2Envelopes, _, Cosign25) => Some(Self::NoSigningConfig),
            (Log::V2, Content::Attestation, Cosign26 | Js) => Some(Self::SendsEnvelopes),
            _ => None,
        }
    }

    /// Why `verifier` cannot verify what `signer` has signed here.
    fn of_verifier(verifier: Implementation, signer: Implementation, content: Content, log: Log) -> Option<Self> {
        use Implementation::{Cosign3, Cosign25, Go, Python, Rust};
        match (log, content, signer, verifier) {
            (Log::V2 | Log::V2Envelopes, _, _, Cosign25) => Some(Self::NoRekorV2),
            (Log::V2Envelopes, _, _, Cosign3 | Python | Go | Rust) => Some(Self::NoEnvelopeEntries),
            (_, Content::Attestation, Cosign25, Python) => Some(Self::OldStatement),
            _ => None,
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::NoSigningConfig => "cosign 2.5 knows no signing configuration, and so no Rekor v2",
            Self::NoRekorV2 => "cosign 2.5 does not read entries of Rekor v2",
            Self::SendsEnvelopes => {
                "sends whole DSSE envelopes to Rekor v2, which takes their hashes: signing_config_rekor_v1.json is for it"
            }
            Self::NoEnvelopeEntries => "does not read DSSE entries of Rekor v2 (a log with --rekor-v2-dsse)",
            Self::NoIntotoEntries => "sigstore-python does not read entries of kind intoto",
            Self::OldStatement => "cosign 2.5 makes statements of version 0.1, which sigstore-python does not read",
            Self::CommitsOnly => "a CMS signature in a git commit, which is no bundle: gitsign verifies it",
        }
    }

    /// What `implementation` says of it, or the server through it.
    const fn says(self, implementation: Implementation) -> &'static str {
        match (self, implementation) {
            (Self::NoSigningConfig, _) => "unknown flag: --signing-config",
            (Self::NoRekorV2, _) => "nil value in transaction log entry",
            (Self::SendsEnvelopes, _) => "invalid type, must be hashedrekord",
            // It tries bundles of another format next, and speaks of those.
            (Self::NoEnvelopeEntries, Implementation::Cosign3) => {
                "--trusted-root only supported with --new-bundle-format"
            }
            (Self::NoEnvelopeEntries, Implementation::Go) => "dsse implementation for version '0.0.2' not found",
            (Self::NoEnvelopeEntries, _) => "dsse/0.0.2",
            (Self::NoIntotoEntries, _) => "dsse/hashedrekord 0.0.1 types",
            (Self::OldStatement, _) => "malformed in-toto statement",
            (Self::CommitsOnly, _) => "",
        }
    }
}

/// What is printed.
#[derive(Default)]
struct Table {
    text: String,
    notes: Vec<Limitation>,
}

impl Table {
    fn heading(&mut self, title: &str) {
        let names = Implementation::ALL.map(|verifier| verifier.name().to_owned());
        self.row(title, "Rekor", &names);
    }

    fn row(&mut self, name: &str, log: &str, cells: &[String]) {
        let mut line = format!("{name:<24}{log:<10}");
        for cell in cells {
            write!(line, "{cell:<12}").unwrap();
        }
        self.text.extend([line.trim_end(), "\n"]);
    }

    /// The number of the note that says so.
    fn note(&mut self, limitation: Limitation) -> String {
        if !self.notes.contains(&limitation) {
            self.notes.push(limitation);
        }
        let number = self.notes.iter().position(|note| *note == limitation).unwrap();
        format!("({})", number + 1)
    }

    /// Signs, verifies with everything, and writes the line about it.
    fn line(&mut self, person: &Person, signer: Implementation, content: Content, log: Log) {
        let rekor = if log == Log::V1 { Rekor::V1 } else { Rekor::V2 };
        let shown = ["v1", "v2", "v2 dsse"][log as usize];
        let bundle = format!("{content:?}-{log:?}-{signer:?}.json");
        let signing = signer.sign(person, content, rekor, "artifact", &bundle).run();
        if let Some(limitation) = Limitation::of_signer(signer, content, log) {
            signing.fails_with(&[limitation.says(signer)]);
            let cell = format!("does not sign {}", self.note(limitation));
            return self.row(signer.name(), shown, &[cell]);
        }
        signing.succeeds();
        assert_eq!(rekor_version(person, &bundle), Some(if rekor == Rekor::V1 { 1 } else { 2 }), "{bundle}");
        let by = Signer::of(person);
        let cells = Implementation::ALL.map(|verifier| {
            let verifying = verifier.verify(person, content, "artifact", &bundle, &by).run();
            if let Some(limitation) = Limitation::of_verifier(verifier, signer, content, log) {
                verifying.fails_with(&[limitation.says(verifier)]);
                return self.note(limitation);
            }
            verifying.succeeds();
            "ok".to_owned()
        });
        self.row(signer.name(), shown, &cells);
    }

    /// sigstore-js's command, whose entries are of another kind than its library's, and which verifies them itself.
    fn line_of_sigstore_js(&mut self, person: &Person) {
        let by = Signer::of(person);
        attest_with_sigstore_js(person, "artifact", "command.json").run().succeeds();
        assert_eq!(rekor_version(person, "command.json"), Some(1));
        let (mirror, root) = (format!("{}/tuf", person.url()), person.trust("../tuf/1.root.json"));
        let verifying = person.sigstore_js().args("verify command.json --tuf-cache-path").arg(person.path("js-tuf"));
        let verifying = verifying.arg("--tuf-mirror-url").arg(mirror).arg("--tuf-root-path").arg(root);
        let verifying = verifying.arg("--certificate-identity-email").arg(&by.identity);
        verifying.arg("--certificate-issuer").arg(&by.issuer).run().succeeds();
        let cells = Implementation::ALL.map(|verifier| {
            let verifying = verifier.verify(person, Content::Attestation, "artifact", "command.json", &by).run();
            if verifier == Implementation::Python {
                verifying.fails_with(&[Limitation::NoIntotoEntries.says(verifier)]);
                return self.note(Limitation::NoIntotoEntries);
            }
            verifying.succeeds();
            "ok".to_owned()
        });
        self.row("sigstore-js attest (ok)", "v1", &cells);
    }

    /// gitsign signs a commit and verifies it; to nobody else this means anything.
    fn line_of_gitsign(&mut self, person: &Person) {
        let git = |line: &str| person.git().env("GITSIGN_REKOR_MODE", "offline").args(line).run().succeeds();
        let tuf = TufRepository::start(person);
        git("init --quiet");
        for setting in ["user.name alice", "user.email alice@example.test", "gpg.format x509", "commit.gpgsign true"] {
            git(&format!("config {setting}"));
        }
        person.git().args("config gpg.x509.program").arg(gitsign_path()).run().succeeds();
        git("commit --quiet --allow-empty -m signed");
        let by = Signer::of(person);
        let gitsign = person.gitsign().env("TUF_MIRROR", &tuf.mirror).env("TUF_ROOT_JSON", &tuf.root);
        with_signer(gitsign.arg("verify"), &by).arg("HEAD").run().succeeds();
        person.write("commit", git("cat-file commit HEAD"));
        let cells = Implementation::ALL.map(|verifier| {
            let verifying = verifier.verify(person, Content::Blob, "artifact", "commit", &by).run();
            verifying.fails_with(&[Limitation::CommitsOnly.says(verifier)]);
            self.note(Limitation::CommitsOnly)
        });
        self.row("gitsign (gitsign: ok)", "v1", &cells);
    }

    /// Past libtest, which shows what a test prints only where it fails.
    fn print(&self) {
        let mut text = format!("\n{}\n", self.text);
        for (index, note) in self.notes.iter().enumerate() {
            writeln!(text, "({}) {}", index + 1, note.why()).unwrap();
        }
        io::stderr().write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn everybody_verifies_what_anybody_signed() {
    let mut table = Table::default();
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    for (title, content) in [("a file, signed by", Content::Blob), ("a statement, by", Content::Attestation)] {
        table.heading(title);
        for signer in Implementation::ALL {
            for log in [Log::V1, Log::V2] {
                table.line(&alice, signer, content, log);
            }
        }
    }
    table.line_of_sigstore_js(&alice);
    let taking_envelopes = Stack::start_with(&["--rekor-v2-dsse"]);
    let bob = taking_envelopes.person(ALICE);
    bob.write("artifact", "hello");
    for signer in [Implementation::Cosign26, Implementation::Js] {
        table.line(&bob, signer, Content::Attestation, Log::V2Envelopes);
    }
    table.heading("a git commit, by");
    table.line_of_gitsign(&alice);
    table.print();
}

#[test]
fn everybody_refuses_other_bytes_another_identity_and_another_issuer() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    let signer = Signer::of(&alice);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
    for (content, changed) in [(Content::Blob, Wrong::Blob), (Content::Attestation, Wrong::Subject)] {
        for rekor in [Rekor::V1, Rekor::V2] {
            Implementation::Cosign3.sign(&alice, content, rekor, "artifact", "bundle.json").run().succeeds();
            for verifier in Implementation::ALL {
                if rekor == Rekor::V2 && verifier == Implementation::Cosign25 {
                    continue;
                }
                let verify = |artifact: &str, signer: &Signer, wrong: Wrong| {
                    let outcome = verifier.verify(&alice, content, artifact, "bundle.json", signer).run();
                    outcome.fails_with(&[verifier.says_of(wrong)]);
                };
                verify("changed", &signer, changed);
                verify("artifact", &mallory, Wrong::Identity);
                verify("artifact", &other_issuer, Wrong::Issuer);
            }
        }
    }
}
