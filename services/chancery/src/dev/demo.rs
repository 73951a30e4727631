//! `chancery dev --demo`: a few signatures by several identities, so that a new server has something to show.
//!
//! Each signature takes the way of any client, over HTTP: a token of the development issuer, an ephemeral key, a
//! certificate, an entry in a signature log, a timestamp. Artifact and bundle go to `demo/` in the data directory, where any
//! client can verify them. The bundle is written last, and an artifact that has one is not signed again: a restart adds no
//! entry. `chancery serve` cannot reach this module.

mod bundle;
mod client;

use crate::durable;
use anyhow::Context as _;
use bundle::{Evidence, envelope, pre_authentication, statement};
use chancery_daemon::signer::Signer;
use chancery_verify::{hash, key::KeyKind};
use client::Client;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Which signature log an entry goes to.
#[derive(Debug, Clone, Copy)]
enum Log {
    RekorV1,
    RekorV2,
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
enum Subject {
    /// The file itself.
    File(Log),
    /// A statement about the file: its provenance, in a DSSE envelope, which Rekor v1 takes from every client.
    Provenance,
}

/// One signature.
struct Piece {
    email: &'static str,
    artifact: &'static str,
    /// Name of the bundle beside the artifact.
    bundle: &'static str,
    subject: Subject,
}

const CONTENTS: [(&str, &str); 3] = [
    ("release-1.0.txt", "Demo of chancery: release 1.0\n"),
    ("release-1.1.txt", "Demo of chancery: release 1.1\n"),
    ("report.txt", "Demo of chancery: test report of release 1.1\n"),
];

const PIECES: [Piece; 5] = [
    Piece {
        email: "alice@example.test",
        artifact: "release-1.0.txt",
        bundle: "release-1.0.txt.sigstore.json",
        subject: Subject::File(Log::RekorV1),
    },
    Piece {
        email: "alice@example.test",
        artifact: "release-1.1.txt",
        bundle: "release-1.1.txt.sigstore.json",
        subject: Subject::File(Log::RekorV2),
    },
    Piece {
        email: "bob@example.test",
        artifact: "release-1.1.txt",
        bundle: "release-1.1.txt.bob.sigstore.json",
        subject: Subject::File(Log::RekorV2),
    },
    Piece {
        email: "carol@example.test",
        artifact: "report.txt",
        bundle: "report.txt.sigstore.json",
        subject: Subject::File(Log::RekorV2),
    },
    Piece {
        email: "ci@example.test",
        artifact: "release-1.1.txt",
        bundle: "release-1.1.txt.provenance.sigstore.json",
        subject: Subject::Provenance,
    },
];

/// Makes the signatures that `data` does not have yet, with the server at `url`. Returns the line to print.
pub(super) async fn run(url: String, data: PathBuf) -> anyhow::Result<String> {
    let directory = data.join("demo");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, contents) in CONTENTS {
        durable::write(&directory.join(name), contents.as_bytes())?;
    }
    let client = Client::new(url)?;
    let mut made = 0;
    for piece in &PIECES {
        let bundle = directory.join(piece.bundle);
        if !bundle.exists() {
            let signed = piece.sign(&client, &directory).await;
            let signed = signed.with_context(|| format!("cannot sign {} as {}", piece.artifact, piece.email))?;
            durable::write(&bundle, format!("{signed}\n").as_bytes())?;
            made += 1;
        }
    }
    let there = PIECES.len();
    Ok(format!("Demo: {there} signatures of 4 identities in {}/, {made} of them made now\n", directory.display()))
}

impl Piece {
    /// Signs with a key that is forgotten afterwards, and returns the bundle.
    async fn sign(&self, client: &Client, directory: &Path) -> anyhow::Result<Value> {
        let artifact = directory.join(self.artifact);
        let contents = fs::read(&artifact).with_context(|| format!("cannot read {}", artifact.display()))?;
        let (key, _) = Signer::generate(KeyKind::P256)?;
        let certificate = client.certificate(self.email, &key).await?;
        let digest = hash::sha256(&contents);
        let (signature, entry, content) = match self.subject {
            Subject::File(log) => {
                let signature = key.sign(&contents).await?;
                let entry = match log {
                    Log::RekorV1 => client.hashedrekord_v1(&digest, &signature, &certificate).await?,
                    Log::RekorV2 => client.hashedrekord_v2(&digest, &signature, &certificate).await?,
                };
                let content = bundle::message_signature(&digest, &signature);
                (signature, entry, content)
            }
            Subject::Provenance => {
                let payload = statement(self.artifact, &digest).to_string();
                let signature = key.sign(&pre_authentication(payload.as_bytes())).await?;
                let envelope = envelope(payload.as_bytes(), &signature);
                let entry = client.dsse_v1(&envelope, &certificate).await?;
                (signature, entry, ("dsseEnvelope", envelope))
            }
        };
        let timestamp = client.timestamp(&hash::sha256(&signature)).await?;
        Ok(bundle::bundle(content, &Evidence { certificate: &certificate, entry, timestamp }))
    }
}
