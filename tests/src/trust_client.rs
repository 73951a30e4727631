//! Clients that were told once where an instance's TUF repository is, and nothing else.

use crate::{
    ALICE, Stack,
    client::{Signer, with_signer, with_timestamps},
    implementation::go_sign,
    person::{Person, client},
    program::{Outcome, Program},
};

/// A program that takes its trust from TUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustClient {
    /// go-tuf 2; also takes its signing configuration from there.
    Cosign3,
    /// The same, asked for it.
    Cosign2,
    /// cosign 2.5.0: go-tuf 0.7, and keys as targets of their own. It signs by URL.
    Cosign25,
    /// python-tuf; also takes its signing configuration from there.
    SigstorePython,
    /// go-tuf 2 in a program of a few lines; what it finds there is for sigstore-go's examples.
    SigstoreGo,
    /// sigstore-tuf, of the sigstore-rust crates; also takes its signing configuration from there.
    SigstoreRust,
}

impl TrustClient {
    pub const ALL: [Self; 6] =
        [Self::Cosign3, Self::Cosign2, Self::Cosign25, Self::SigstorePython, Self::SigstoreGo, Self::SigstoreRust];

    /// The program, which knows the repository.
    pub fn program(self, person: &Person) -> Program {
        let name = match self {
            Self::Cosign3 => "bin/cosign3",
            Self::Cosign2 => "bin/cosign2",
            Self::Cosign25 => "bin/cosign25",
            Self::SigstorePython => "venv/bin/sigstore",
            Self::SigstoreGo => "bin/sigstore-go-verification",
            Self::SigstoreRust => "bin/sigstore-rust",
        };
        let program = person.program(client(name)).env("TUF_ROOT", person.path(&format!("tuf-{self:?}")));
        match self {
            Self::SigstorePython => program.arg("--instance").arg(format!("{}/tuf", person.url())),
            _ => program,
        }
    }

    /// What is done once.
    pub fn initialize(self, person: &Person, stack: &Stack) -> Outcome {
        let root = person.write("root.json", stack.get("/tuf/root.json").expect(200).body);
        let program = self.program(person);
        match self {
            Self::SigstorePython => program.arg("trust-instance").arg(root).run(),
            Self::SigstoreGo => fetch(person),
            // It keeps nothing but what it fetches when it is used.
            Self::SigstoreRust => program.arg("--version").run(),
            _ => program.args("initialize --mirror").arg(stack.at("/tuf")).arg("--root").arg(root).run(),
        }
    }

    /// Signs the file `artifact`; no option names the instance where the client can do without.
    pub fn sign(self, person: &Person, bundle: &str) -> Outcome {
        let url = person.url();
        let program = self.program(person);
        let program = match self {
            Self::Cosign3 => program.args("sign-blob --yes"),
            Self::Cosign2 => program.args("sign-blob --yes --use-signing-config --new-bundle-format"),
            Self::Cosign25 => program
                .args("sign-blob --yes --fulcio-url")
                .arg(url)
                .arg("--rekor-url")
                .arg(url)
                .arg("--oidc-issuer")
                .arg(person.issuer()),
            Self::SigstorePython => program.args("sign --overwrite"),
            Self::SigstoreGo => {
                fetch(person).succeeds();
                return go_sign(person, bundle, "signing_config.json", "trusted_root.json").arg("artifact").run();
            }
            Self::SigstoreRust => {
                let program = from_repository(program.arg("sign"), person).arg("--token").arg(person.token());
                return program.arg("--bundle").arg(bundle).arg("artifact").run();
            }
        };
        program.arg("--identity-token").arg(person.token()).arg("--bundle").arg(bundle).arg("artifact").run()
    }

    /// Verifies it.
    pub fn verify(self, person: &Person, bundle: &str) -> Outcome {
        let signer = Signer { identity: ALICE.to_owned(), issuer: person.issuer() };
        let program = self.program(person);
        let program = match self {
            Self::Cosign3 => with_signer(program.arg("verify-blob"), &signer),
            Self::Cosign2 => {
                let program = with_signer(program.args("verify-blob --new-bundle-format"), &signer);
                with_timestamps(person, bundle, program)
            }
            Self::Cosign25 => with_signer(program.args("verify-blob --rekor-url").arg(person.url()), &signer),
            Self::SigstorePython => program
                .args("verify identity --cert-identity")
                .arg(&signer.identity)
                .arg("--cert-oidc-issuer")
                .arg(&signer.issuer),
            Self::SigstoreGo => {
                let program = program.arg("-tufRootURL").arg(format!("{}/tuf", person.url()));
                let program = program.args("-tufTrustedRoot root.json -artifact artifact -expectedSAN").arg(ALICE);
                return program.arg("-expectedIssuer").arg(&signer.issuer).arg(bundle).run();
            }
            Self::SigstoreRust => {
                let program = from_repository(program.arg("verify"), person).arg("--identity").arg(ALICE);
                program.arg("--issuer").arg(&signer.issuer)
            }
        };
        program.arg("--bundle").arg(bundle).arg("artifact").run()
    }

    /// Signs and verifies, and verifies what was signed before, if anything.
    pub fn signs_and_verifies(self, person: &Person, when: &str) {
        person.write("artifact", "hello");
        let bundle = format!("{self:?}-{when}.json");
        self.sign(person, &bundle).succeeds();
        self.verify(person, &bundle).succeeds();
    }
}

/// Writes what is in the repository now into files: sigstore-go's example signs with those.
fn fetch(person: &Person) -> Outcome {
    let program = person.program(client("bin/sigstore-go-trust"));
    program.arg(format!("{}/tuf", person.url())).arg("root.json").run()
}

/// How sigstore-rust is told of the repository.
fn from_repository(program: Program, person: &Person) -> Program {
    program.arg("--mirror").arg(format!("{}/tuf", person.url())).args("--root root.json")
}
