//! Proposed entries and requests for certificates, signed before anything is measured.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_verify::hash::sha256;
use chancery_verify::key::KeyKind;
use chancery_verify::pem;
use serde_json::{Value, json};

const EMAIL: &str = "bench@example.test";

/// A key with a certificate of the instance that is measured.
pub struct Identity {
    /// The key.
    pub signer: Signer,
    certificate_pem: String,
}

impl Identity {
    /// Gets a token from the development issuer and a certificate from the authority.
    pub async fn obtain(url: &str) -> anyhow::Result<Self> {
        let token = token(url).await?;
        let (signer, request) = key_request().await?;
        let asked = reqwest::Client::new().post(format!("{url}/api/v2/signingCert")).bearer_auth(token).json(&request);
        let answer: Value = asked.send().await?.error_for_status()?.json().await?;
        let leaf = answer.pointer("/signedCertificateEmbeddedSct/chain/certificates/0").and_then(Value::as_str);
        let certificate_pem = format!("{}\n", leaf.context("the authority answers with a chain")?);
        Ok(Self { signer, certificate_pem })
    }
}

/// A token of the development issuer.
pub async fn token(url: &str) -> anyhow::Result<String> {
    let request = reqwest::Client::new().post(format!("{url}/oidc/token-for")).header("x-chancery-dev", "1");
    let answer: Value = request.json(&json!({ "email": EMAIL })).send().await?.error_for_status()?.json().await?;
    Ok(answer["token"].as_str().context("the issuer answers with a token")?.to_owned())
}

/// A new key, and the request for a certificate over it.
pub async fn key_request() -> anyhow::Result<(Signer, Value)> {
    let (signer, _) = Signer::generate(KeyKind::P256)?;
    let proof = signer.sign(EMAIL.as_bytes()).await?;
    let request = json!({
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": signer.public_key().to_pem() },
            "proofOfPossession": STANDARD.encode(proof),
        },
    });
    Ok((signer, request))
}

/// Which protocol an entry is proposed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Rekor v1.
    V1,
    /// Rekor v2.
    V2,
}

impl Protocol {
    /// Where proposals go.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::V1 => "/api/v1/log/entries",
            Self::V2 => "/api/v2/log/entries",
        }
    }

    fn proposal(self, digest: &[u8], signature: &str, identity: &Identity) -> anyhow::Result<Value> {
        let certificate = &identity.certificate_pem;
        Ok(match self {
            Self::V1 => json!({
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": { "hash": { "algorithm": "sha256", "value": hex::encode(digest) } },
                    "signature": { "content": signature, "publicKey": { "content": STANDARD.encode(certificate) } },
                },
            }),
            Self::V2 => {
                let certificate = STANDARD.encode(pem::decode(certificate.as_bytes())?.der);
                json!({ "hashedRekordRequestV002": {
                    "digest": STANDARD.encode(digest),
                    "signature": { "content": signature, "verifier": {
                        "x509Certificate": { "rawBytes": certificate }, "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    } },
                } })
            }
        })
    }
}

/// The proposals of the numbers `from..from + count`, each different and signed.
pub async fn prepare(
    protocol: Protocol,
    identity: &Identity,
    from: usize,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    let key = &identity.certificate_pem;
    let mut proposals = Vec::with_capacity(count);
    let bar = indicatif::ProgressBar::new(u64::try_from(count)?);
    for number in from..from + count {
        // The serial of the certificate is in the key, so runs against one log do not repeat each other's entries.
        let artifact = format!("artifact {number} of {key}");
        let signature = STANDARD.encode(identity.signer.sign(artifact.as_bytes()).await?);
        let proposal = protocol.proposal(&sha256(artifact.as_bytes()), &signature, identity)?;
        proposals.push(proposal.to_string());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(proposals)
}
