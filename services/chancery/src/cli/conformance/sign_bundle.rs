//! `chancery conformance sign-bundle`: a keyless signature by the services of a signing config, in a bundle of version 0.3.
//!
//! A key signs once and is forgotten. The certificate is asked for first, then the timestamp, then the log entry; the bundle is
//! written only after the verifier has accepted it.

mod services;
mod signing_config;

use super::super::verify::{OwnedArtifact, artifact};
use anyhow::{Context as _, ensure};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chancery_daemon::{
    clock::{Clock as _, SystemClock},
    signer::Signer,
};
use chancery_verify::{
    HashAlgorithm, Timestamp,
    bundle::Bundle,
    certificate::Certificate,
    hash::sha256,
    key::KeyKind,
    pem,
    rekor::dsse::pre_authentication_encoding,
    statement::PAYLOAD_TYPE,
    trust_root::TrustRoot,
    verifier::{AnySigner, Artifact, Options, Verifier},
};
use clap::Args;
use serde_json::{Value, json};
use services::Services;
use signing_config::{LogVersion, SigningConfig};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Of the artifact.
const MAX_ARTIFACT: u64 = 1024 * 1024 * 1024;

/// Sign one file
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery conformance sign-bundle --identity-token TOKEN --bundle a.sigstore.json --trusted-root trusted_root.json \\
      --signing-config signing_config.json a.txt")]
pub(super) struct Arguments {
    /// Use the staging instance; also needs --signing-config and --trusted-root
    #[arg(long)]
    staging: bool,
    /// Sign the file as an in-toto statement, in a DSSE envelope
    #[arg(long)]
    in_toto: bool,
    /// The identity token
    #[arg(long, value_name = "TOKEN")]
    identity_token: String,
    /// Write the bundle to this file
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Verify the new bundle with this `trusted_root.json`
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Use the services in this `signing_config.json`
    #[arg(long, value_name = "FILE")]
    signing_config: Option<PathBuf>,
    /// The artifact
    #[arg(value_name = "FILE")]
    artifact: PathBuf,
}

/// What is signed: the message itself or an envelope around it.
struct Content {
    /// The bytes that the key signs.
    signed: Vec<u8>,
    /// SHA-256 of those.
    digest: [u8; 32],
    /// The payload of an envelope.
    statement: Option<Vec<u8>>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let instance = if arguments.staging { "staging" } else { "public" };
    let missing = |flag: &str| format!("this program has no files of the {instance} instance: give {flag} FILE");
    let config = arguments.signing_config.as_ref().with_context(|| missing("--signing-config"))?;
    let root = arguments.trusted_root.as_ref().with_context(|| missing("--trusted-root"))?;
    let root = TrustRoot::parse(&read(root)?).map_err(|refusal| super::refused(&refusal))?;
    let now = SystemClock.now();
    let config = SigningConfig::parse(&read(config)?, now)?;
    let length = fs::metadata(&arguments.artifact).map_or(0, |metadata| metadata.len());
    ensure!(length <= MAX_ARTIFACT, "{} has more than 1 GiB", arguments.artifact.display());
    let content = Content::new(read(&arguments.artifact)?, arguments.in_toto);
    let bundle = sign(&config, &arguments.identity_token, &content, None).await?;
    let text = serde_json::to_vec(&bundle)?;
    check(root, &text, arguments, SystemClock.now())?;
    fs::write(&arguments.bundle, text).with_context(|| format!("cannot write {}", arguments.bundle.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Signs `bytes` with a token and the services of a signing config, and verifies the bundle as a client does. The certificate and
/// the log entry are real, and stay in the logs. The certificates in the file `authorities` are trusted for the services, or else
/// the system's authorities.
pub(in crate::cli) async fn round_trip(
    (root, config): (&[u8], &[u8]),
    token: &str,
    bytes: &[u8],
    authorities: Option<&Path>,
) -> anyhow::Result<()> {
    let root = TrustRoot::parse(root).map_err(|refusal| super::refused(&refusal))?;
    let config = SigningConfig::parse(config, SystemClock.now())?;
    let bundle = sign(&config, token, &Content::new(bytes.to_vec(), false), authorities).await?;
    let bundle = Bundle::parse(&serde_json::to_vec(&bundle)?).map_err(|refusal| super::refused(&refusal))?;
    let verifier = Verifier::new(root, Options::default());
    let verdict = verifier.verify(&bundle, &Artifact::Bytes(bytes), &AnySigner, SystemClock.now());
    verdict.map(drop).map_err(|refusal| super::refused(&refusal)).context("a client would refuse the signature")
}

/// Nothing is handed out that does not verify.
fn check(root: TrustRoot, text: &[u8], arguments: &Arguments, now: Timestamp) -> anyhow::Result<()> {
    let bundle = Bundle::parse(text).map_err(|refusal| super::refused(&refusal))?;
    let verifier = Verifier::new(root, Options::default());
    if arguments.in_toto {
        // Which of the subjects is the artifact, the caller knows.
        verifier
            .verify_envelope_of_unknown_artifact(&bundle, &AnySigner, now)
            .map_err(|refusal| super::refused(&refusal))?;
    } else {
        let artifact: OwnedArtifact = artifact(&arguments.artifact)?;
        verifier
            .verify(&bundle, &artifact.as_artifact(), &AnySigner, now)
            .map_err(|refusal| super::refused(&refusal))?;
    }
    Ok(())
}

async fn sign(
    config: &SigningConfig,
    token: &str,
    content: &Content,
    authorities: Option<&Path>,
) -> anyhow::Result<Value> {
    let (key, _) = Signer::generate(KeyKind::P256)?;
    let services = Services::new(authorities)?;
    let proof = key.sign(subject(token)?.as_bytes()).await?;
    let public = key.public_key().to_pem();
    let certificate = services.certificate(&config.certificate_authority, token, &public, &proof).await?;
    let certificate =
        Certificate::from_pem(certificate.as_bytes()).context("the authority's answer has no certificate")?;
    let signature = key.sign(&content.signed).await?;
    let mut timestamps = Vec::new();
    for url in &config.timestamp_authorities {
        timestamps.push(services.timestamp(url, &sha256(&signature)).await?);
    }
    let mut entries = Vec::new();
    for (url, version) in &config.logs {
        let entry = match version {
            LogVersion::V1 => {
                let pem = pem::encode(pem::CERTIFICATE, certificate.der());
                services.entry_v1(url, &content.proposal(&signature, &pem)).await?
            }
            LogVersion::V2 => services.entry_v2(url, &content.request(&signature, certificate.der())).await?,
        };
        entries.push(entry);
    }
    let mut bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "certificate": { "rawBytes": STANDARD.encode(certificate.der()) }, "tlogEntries": entries },
    });
    if !timestamps.is_empty() {
        let all: Vec<Value> =
            timestamps.iter().map(|token| json!({ "signedTimestamp": STANDARD.encode(token) })).collect();
        bundle["verificationMaterial"]["timestampVerificationData"] = json!({ "rfc3161Timestamps": all });
    }
    let (name, value) = content.member(&signature);
    bundle[name] = value;
    Ok(bundle)
}

impl Content {
    fn new(bytes: Vec<u8>, statement: bool) -> Self {
        if !statement {
            return Self { digest: sha256(&bytes), signed: bytes, statement: None };
        }
        let signed = pre_authentication_encoding(PAYLOAD_TYPE, &bytes);
        Self { digest: sha256(&signed), signed, statement: Some(bytes) }
    }

    /// The envelope, of a statement.
    fn envelope(&self, signature: &[u8]) -> Option<Value> {
        self.statement.as_ref().map(|payload| {
            json!({
                "payload": STANDARD.encode(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{ "sig": STANDARD.encode(signature) }],
            })
        })
    }

    /// What the bundle has of it.
    fn member(&self, signature: &[u8]) -> (&'static str, Value) {
        if let Some(envelope) = self.envelope(signature) {
            return ("dsseEnvelope", envelope);
        }
        let digest = json!({ "algorithm": "SHA2_256", "digest": STANDARD.encode(self.digest) });
        ("messageSignature", json!({ "messageDigest": digest, "signature": STANDARD.encode(signature) }))
    }

    /// The proposed entry of Rekor v1.
    fn proposal(&self, signature: &[u8], certificate: &str) -> Value {
        let verifier = STANDARD.encode(certificate);
        match self.envelope(signature) {
            Some(envelope) => json!({
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": { "proposedContent": { "envelope": envelope.to_string(), "verifiers": [verifier] } },
            }),
            None => json!({
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": { "hash": { "algorithm": HashAlgorithm::Sha256.name(), "value": hex::encode(self.digest) } },
                    "signature": { "content": STANDARD.encode(signature), "publicKey": { "content": verifier } },
                },
            }),
        }
    }

    /// The request of Rekor v2: of an envelope, the digest is that of what the key has signed.
    fn request(&self, signature: &[u8], certificate: &[u8]) -> Value {
        json!({ "hashedRekordRequestV002": {
            "digest": STANDARD.encode(self.digest),
            "signature": {
                "content": STANDARD.encode(signature),
                "verifier": {
                    "x509Certificate": { "rawBytes": STANDARD.encode(certificate) },
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                },
            },
        } })
    }
}

/// What the key must sign to show that the token's holder has it: the address, or else the subject. The authority checks the
/// token; here it is only read.
fn subject(token: &str) -> anyhow::Result<String> {
    let claims = token.split('.').nth(1).context("the identity token is not a JSON Web Token")?;
    let claims = URL_SAFE_NO_PAD.decode(claims).context("the identity token is not a JSON Web Token")?;
    let claims: Value = serde_json::from_slice(&claims).context("the identity token is not a JSON Web Token")?;
    let name = claims.get("email").or_else(|| claims.get("sub")).and_then(Value::as_str);
    Ok(name.context("the identity token has no email and no subject")?.to_owned())
}
