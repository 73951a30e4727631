//! Every implementation of a Sigstore client that makes and verifies bundles: sign this into that Rekor, verify that. What most
//! scenarios need of some of them is in [`crate::client`].

use crate::{
    client::{Client, Signer, provenance, statement, with_signer, with_timestamps, with_urls},
    person::{Person, client},
    program::Program,
};

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// cosign 2.5.0, which knows no signing configuration: by URL.
    Cosign25,
    /// cosign 2.6: by URL into Rekor v1, with a signing configuration into Rekor v2.
    Cosign26,
    /// cosign 3.
    Cosign3,
    /// sigstore-python.
    Python,
    /// sigstore-js, its libraries.
    Js,
    /// sigstore-go's example programs.
    Go,
    /// The sigstore-rust crates.
    Rust,
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A file.
    Blob,
    /// A statement about the file, in a DSSE envelope: SLSA provenance.
    Attestation,
}

/// Into which signature log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rekor {
    /// As who asks for it gets it.
    V1,
    /// As who asks for nothing gets it.
    V2,
}

impl Rekor {
    const fn signing_config(self) -> &'static str {
        match self {
            Self::V1 => "signing_config_rekor_v1.json",
            Self::V2 => "signing_config.json",
        }
    }
}

/// What is wrong with what is to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Other bytes than were signed.
    Blob,
    /// Other bytes than the statement is about.
    Subject,
    /// Somebody else's certificate.
    Identity,
    /// A certificate for a token of another issuer.
    Issuer,
}

/// Keeps the bundle of sigstore-go's example, which writes it to its standard output after its key.
const KEEP_BUNDLE: &str = r#"program=$1 bundle=$2; shift 2; "$program" "$@" | sed -n '/^{/,$p' >"$bundle""#;

/// Signs with sigstore-go's example: all but the file.
pub fn go_sign(person: &Person, bundle: &str, signing_config: &str, trusted_root: &str) -> Program {
    let program = person.program("bash").args("-e -o pipefail -c").arg(KEEP_BUNDLE).arg("bash");
    let program = program.arg(client("bin/sigstore-go-signing")).arg(bundle).args("-rekor -tsa");
    let program = program.arg("-signing-config").arg(signing_config).arg("-trusted-root").arg(trusted_root);
    program.arg("-id-token").arg(person.token())
}

/// Signs a statement about the person's file `artifact` with sigstore-js's command, which takes addresses and makes entries of
/// kind `intoto`.
pub fn attest_with_sigstore_js(person: &Person, artifact: &str, bundle: &str) -> Program {
    // Where it runs in a pipeline, it takes the pipeline's token; and it waits for five seconds unless told otherwise.
    let program = person.sigstore_js().env("CI", "true").env("SIGSTORE_ID_TOKEN", person.token()).arg("attest");
    let program = program.arg(statement(person, artifact)).args("--timeout 60 --fulcio-url").arg(person.url());
    program.arg("--rekor-url").arg(person.url()).arg("--output-file").arg(bundle)
}

impl Implementation {
    pub const ALL: [Self; 7] =
        [Self::Cosign25, Self::Cosign26, Self::Cosign3, Self::Python, Self::Js, Self::Go, Self::Rust];

    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cosign25 => "cosign 2.5",
            Self::Cosign26 => "cosign 2.6",
            Self::Cosign3 => "cosign 3",
            Self::Python => "python",
            Self::Js => "js",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }

    /// Signs the person's file `artifact`, or a statement about it, with a fresh token.
    pub fn sign(self, person: &Person, content: Content, rekor: Rekor, artifact: &str, bundle: &str) -> Program {
        let (token, config) = (person.token(), person.trust(rekor.signing_config()));
        let verb = if content == Content::Blob { "sign" } else { "attest" };
        let file = match content {
            Content::Blob => person.path(artifact),
            Content::Attestation => statement(person, artifact),
        };
        match self {
            Self::Cosign25 | Self::Cosign26 | Self::Cosign3 => {
                let program = self.cosign_sign(person, content, rekor, artifact);
                program.arg("--identity-token").arg(token).arg("--bundle").arg(bundle).arg(artifact)
            }
            Self::Python => {
                let program = person.sigstore_python().arg(verb).args("--overwrite --identity-token").arg(token);
                let program = if rekor == Rekor::V1 { program.args("--rekor-version 1") } else { program };
                let program = if content == Content::Blob {
                    program
                } else {
                    let predicate = person.write("predicate.json", provenance().to_string());
                    program.args("--predicate-type https://slsa.dev/provenance/v1 --predicate").arg(predicate)
                };
                program.arg("--bundle").arg(bundle).arg(artifact)
            }
            Self::Js => {
                let program = person.node().arg(client("sigstore-js/main.js")).arg(verb);
                program.arg(config).arg(token).arg(file).arg(bundle)
            }
            Self::Go => {
                let program = go_sign(person, bundle, &config, &person.trust("trusted_root.json"));
                let program = if content == Content::Blob { program } else { program.arg("-in-toto") };
                program.arg(file)
            }
            Self::Rust => {
                let program = person.program(client("bin/sigstore-rust")).arg(verb);
                let program = program.arg("--signing-config").arg(config).arg("--token").arg(token);
                program.arg("--bundle").arg(bundle).arg(file)
            }
        }
    }

    /// All but the token, the bundle and the artifact.
    fn cosign_sign(self, person: &Person, content: Content, rekor: Rekor, artifact: &str) -> Program {
        let command = if content == Content::Blob { "sign-blob --yes" } else { "attest-blob --yes" };
        let program = self.cosign(person).args(command);
        let program = if self == Self::Cosign3 { program } else { program.arg("--new-bundle-format") };
        let program = match (self, rekor) {
            (Self::Cosign3, _) | (_, Rekor::V2) => {
                let program = program.arg("--signing-config").arg(person.trust(rekor.signing_config()));
                program.arg("--trusted-root").arg(person.trust("trusted_root.json"))
            }
            (_, Rekor::V1) => with_urls(person, program),
        };
        match (content, self) {
            (Content::Blob, _) => program,
            (Content::Attestation, Self::Cosign25) => {
                let predicate = person.write("predicate.json", provenance().to_string());
                program.args("--type slsaprovenance1 --predicate").arg(predicate)
            }
            (Content::Attestation, _) => program.arg("--statement").arg(statement(person, artifact)),
        }
    }

    fn cosign(self, person: &Person) -> Program {
        match self {
            Self::Cosign25 => person.cosign25(),
            Self::Cosign26 => person.cosign2(),
            _ => person.cosign3(),
        }
    }

    /// Verifies that `signer` signed the person's file `artifact`, or a statement about it.
    pub fn verify(self, person: &Person, content: Content, artifact: &str, bundle: &str, signer: &Signer) -> Program {
        let known = match self {
            Self::Cosign3 => Some(Client::Cosign3),
            Self::Cosign26 => Some(Client::Cosign2),
            Self::Python => Some(Client::SigstorePython),
            _ => None,
        };
        match (known, content) {
            (Some(known), Content::Blob) => known.verify(person, artifact, bundle, signer),
            (Some(known), Content::Attestation) => known.verify_attestation(person, artifact, bundle, signer),
            (None, _) => self.verify_itself(person, content, artifact, bundle, signer),
        }
    }

    fn verify_itself(self, person: &Person, content: Content, artifact: &str, bundle: &str, by: &Signer) -> Program {
        let trusted_root = person.trust("trusted_root.json");
        match self {
            Self::Js => {
                let program = person.node().arg(client("sigstore-js/main.js")).arg("verify").arg(trusted_root);
                program.arg(&by.identity).arg(&by.issuer).arg(artifact).arg(bundle)
            }
            Self::Go => {
                let program = person.program(client("bin/sigstore-go-verification")).arg("-artifact").arg(artifact);
                let program = program.arg("-trustedrootJSONpath").arg(trusted_root);
                program.arg("-expectedSAN").arg(&by.identity).arg("-expectedIssuer").arg(&by.issuer).arg(bundle)
            }
            Self::Rust => {
                let program = person.program(client("bin/sigstore-rust")).arg("verify");
                let program = program.arg("--trusted-root").arg(trusted_root).arg("--identity").arg(&by.identity);
                program.arg("--issuer").arg(&by.issuer).arg("--bundle").arg(bundle).arg(artifact)
            }
            _ => {
                let command = match content {
                    Content::Blob => "verify-blob",
                    Content::Attestation => "verify-blob-attestation --type slsaprovenance1",
                };
                let program = with_signer(self.cosign(person).args(command).arg("--new-bundle-format"), by);
                let program = with_timestamps(person, bundle, program);
                program.arg("--trusted-root").arg(trusted_root).arg("--bundle").arg(bundle).arg(artifact)
            }
        }
    }

    /// What it says of that.
    pub const fn says_of(self, wrong: Wrong) -> &'static str {
        match (self, wrong) {
            (Self::Python, Wrong::Blob) => "Bundle message digest mismatch",
            (Self::Python, Wrong::Subject) => "in-toto statement has no subject for digest",
            (Self::Python, Wrong::Identity) => "Certificate's SANs do not match",
            (Self::Python, Wrong::Issuer) => "Certificate's OIDCIssuer does not match",
            (Self::Js, Wrong::Blob) => "SIGNATURE_ERROR: signature verification failed",
            (Self::Js, Wrong::Subject) => "the statement is about something else",
            (Self::Js, Wrong::Identity) => "UNTRUSTED_SIGNER_ERROR: certificate identity error",
            (Self::Js, Wrong::Issuer) => "UNTRUSTED_SIGNER_ERROR: invalid certificate extension",
            (Self::Rust, Wrong::Blob) => "artifact mismatch",
            (Self::Rust, Wrong::Subject) => "subject",
            (Self::Rust, Wrong::Identity) => "identity mismatch",
            (Self::Rust, Wrong::Issuer) => "issuer mismatch",
            (_, Wrong::Blob) => "invalid signature when validating ASN.1 encoded signature",
            (Self::Cosign25 | Self::Cosign26, Wrong::Subject) => "digest does not match any digest in statement",
            (_, Wrong::Subject) => "artifact digests do not match digests in statement",
            (_, Wrong::Identity | Wrong::Issuer) => "no matching CertificateIdentity found",
        }
    }
}
