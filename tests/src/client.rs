//! What the signing clients have in common: sign this file, verify that bundle.

use crate::{key::sha256, person::Person, program::Program};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A program that makes and verifies Sigstore bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// cosign 3, configured by files.
    Cosign3,
    /// cosign 2 with the new bundle format, configured by URLs: Fulcio v1.
    Cosign2,
    /// sigstore-python: sends a CSR and rebuilds every logged byte.
    SigstorePython,
}

/// Whom a verifier is told to expect.
#[derive(Debug, Clone)]
pub struct Signer {
    pub identity: String,
    pub issuer: String,
}

impl Signer {
    /// This person, with a token of their instance's issuer.
    pub fn of(person: &Person) -> Self {
        Self { identity: person.email.clone(), issuer: person.issuer() }
    }
}

impl Client {
    pub const ALL: [Self; 3] = [Self::Cosign3, Self::Cosign2, Self::SigstorePython];

    /// Signs `artifact` into `bundle`, both in the person's home, with a fresh token.
    pub fn sign(self, person: &Person, artifact: &str, bundle: &str) -> Program {
        self.sign_with_token(person, &person.token(), artifact, bundle)
    }

    /// Signs with a token that is at hand.
    pub fn sign_with_token(self, person: &Person, token: &str, artifact: &str, bundle: &str) -> Program {
        let program = match self {
            Self::Cosign3 => with_signing_config(person, person.cosign3().args("sign-blob --yes")),
            Self::Cosign2 => with_urls(person, person.cosign2().args("sign-blob --yes --new-bundle-format")),
            Self::SigstorePython => person.sigstore_python().args("sign --overwrite"),
        };
        program.arg("--identity-token").arg(token).arg("--bundle").arg(bundle).arg(artifact)
    }

    /// Signs a statement about `artifact` into `bundle`: SLSA provenance, the one predicate that every client can make.
    pub fn attest(self, person: &Person, artifact: &str, bundle: &str) -> Program {
        let program = match self {
            Self::Cosign3 => with_signing_config(person, person.cosign3().args("attest-blob --yes")),
            Self::Cosign2 => with_urls(person, person.cosign2().args("attest-blob --yes --new-bundle-format")),
            Self::SigstorePython => {
                person.sigstore_python().args("attest --overwrite --predicate-type https://slsa.dev/provenance/v1")
            }
        };
        let program = program.arg("--identity-token").arg(person.token()).arg("--bundle").arg(bundle);
        if self == Self::SigstorePython {
            let predicate = person.write("predicate.json", provenance().to_string());
            return program.arg("--predicate").arg(predicate).arg(artifact);
        }
        // From a predicate alone cosign makes a statement of version 0.1, which sigstore-python does not read.
        program.arg("--statement").arg(statement(person, artifact))
    }

    /// Verifies that `signer` signed `artifact`, with the trusted root of the person's instance.
    pub fn verify(self, person: &Person, artifact: &str, bundle: &str, signer: &Signer) -> Program {
        let program = match self {
            Self::Cosign3 => with_signer(person.cosign3().args("verify-blob"), signer),
            Self::Cosign2 => {
                let program = with_signer(person.cosign2().args("verify-blob --new-bundle-format"), signer);
                with_timestamps(person, bundle, program)
            }
            Self::SigstorePython => python_verify(person, signer),
        };
        self.with_trusted_root(person, program).arg("--bundle").arg(bundle).arg(artifact)
    }

    /// As [`Self::verify`] for what [`Self::attest`] made.
    pub fn verify_attestation(self, person: &Person, artifact: &str, bundle: &str, signer: &Signer) -> Program {
        let kind = "--type slsaprovenance1";
        let program = match self {
            Self::Cosign3 => with_signer(person.cosign3().args("verify-blob-attestation").args(kind), signer),
            Self::Cosign2 => {
                let program = person.cosign2().args("verify-blob-attestation --new-bundle-format").args(kind);
                with_timestamps(person, bundle, with_signer(program, signer))
            }
            Self::SigstorePython => python_verify(person, signer),
        };
        self.with_trusted_root(person, program).arg("--bundle").arg(bundle).arg(artifact)
    }

    fn with_trusted_root(self, person: &Person, program: Program) -> Program {
        match self {
            Self::Cosign3 | Self::Cosign2 => program.arg("--trusted-root").arg(person.trust("trusted_root.json")),
            // Its trust configuration has it.
            Self::SigstorePython => program,
        }
    }

    /// What this client says about bytes that are not those that were signed.
    pub const fn says_of_changed_blob(self) -> &'static str {
        match self {
            Self::Cosign3 | Self::Cosign2 => "failed to verify signature",
            Self::SigstorePython => "Bundle message digest mismatch",
        }
    }

    /// What this client says about a certificate of somebody else.
    pub const fn says_of_other_identity(self) -> &'static str {
        match self {
            Self::Cosign3 | Self::Cosign2 => "no matching CertificateIdentity found",
            Self::SigstorePython => "Certificate's SANs do not match",
        }
    }

    /// What this client says about a certificate for a token of another issuer.
    pub const fn says_of_other_issuer(self) -> &'static str {
        match self {
            Self::Cosign3 | Self::Cosign2 => "no matching CertificateIdentity found",
            Self::SigstorePython => "Certificate's OIDCIssuer does not match",
        }
    }
}

/// A minimal SLSA 1.0 predicate.
pub fn provenance() -> Value {
    serde_json::from_str(PROVENANCE).unwrap()
}

/// A file with a statement of that about the person's file `artifact`.
pub fn statement(person: &Person, artifact: &str) -> PathBuf {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": artifact, "digest": {"sha256": hex::encode(sha256(&person.read(artifact)))}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": provenance()
    });
    person.write("statement.json", statement.to_string())
}

/// Adds cosign's options for the person's instance: trust files.
pub fn with_signing_config(person: &Person, program: Program) -> Program {
    program
        .arg("--signing-config")
        .arg(person.trust("signing_config.json"))
        .arg("--trusted-root")
        .arg(person.trust("trusted_root.json"))
}

/// Adds cosign's options for the person's instance: URLs.
pub fn with_urls(person: &Person, program: Program) -> Program {
    program
        .arg("--fulcio-url")
        .arg(person.url())
        .arg("--rekor-url")
        .arg(person.url())
        .arg("--oidc-issuer")
        .arg(person.issuer())
}

/// Adds what cosign 2 must be told where the entry is one of Rekor v2, which has no time: to go by timestamps.
pub fn with_timestamps(person: &Person, bundle: &str, program: Program) -> Program {
    if rekor_version(person, bundle) == Some(2) { program.arg("--use-signed-timestamps") } else { program }
}

/// Which Rekor the entry of a bundle is from; `None` where this is no bundle with one entry.
pub fn rekor_version(person: &Person, bundle: &str) -> Option<u32> {
    let bundle: Value = serde_json::from_slice(&person.read(bundle)).ok()?;
    let [entry] = bundle["verificationMaterial"]["tlogEntries"].as_array()?.as_slice() else { return None };
    let kind = &entry["kindVersion"];
    Some(if kind["version"] == "0.0.2" && kind["kind"] != "intoto" { 2 } else { 1 })
}

/// Adds cosign's options for whom to expect.
pub fn with_signer(program: Program, signer: &Signer) -> Program {
    program.arg("--certificate-identity").arg(&signer.identity).arg("--certificate-oidc-issuer").arg(&signer.issuer)
}

fn python_verify(person: &Person, signer: &Signer) -> Program {
    person
        .sigstore_python()
        .args("verify identity")
        .arg("--cert-identity")
        .arg(&signer.identity)
        .arg("--cert-oidc-issuer")
        .arg(&signer.issuer)
}

const PROVENANCE: &str = r#"{
  "buildDefinition": {
    "buildType": "https://example.test/build/v1",
    "externalParameters": {"source": "example"},
    "resolvedDependencies": []
  },
  "runDetails": {
    "builder": {"id": "https://example.test/builder", "version": {}},
    "metadata": {"invocationId": "1", "startedOn": "2026-01-01T00:00:00Z", "finishedOn": "2026-01-01T00:00:01Z"}
  }
}
"#;
