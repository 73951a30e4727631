//! Requests to the services of a signing config: a certificate, a timestamp, a log entry. Answers are bounded and not
//! believed; the verifier checks the whole bundle before it is written.

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::{
    HashAlgorithm,
    timestamping::{Imprint, Request},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// For connecting, and for one answer.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// Of one answer.
const MAX_ANSWER: usize = 1024 * 1024;
/// Of an answer that is shown, in characters.
const MAX_REASON: usize = 300;

pub(super) struct Services(Client);

impl Services {
    /// The certificates in the file `authorities` are trusted for all of them, or else the system's authorities.
    pub(super) fn new(authorities: Option<&Path>) -> anyhow::Result<Self> {
        let client = chancery_outbound::client(DEADLINES.0, DEADLINES.1);
        let client = chancery_outbound::trusting_file(client, authorities).context("cannot use --ca-file")?;
        Ok(Self(client.build().context("TLS cannot be set up")?))
    }

    /// The leaf certificate in PEM, from Fulcio's second API.
    pub(super) async fn certificate(&self, base: &str, token: &str, key: &str, proof: &[u8]) -> anyhow::Result<String> {
        let url = join(base, "/api/v2/signingCert");
        let request = json!({ "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": key },
            "proofOfPossession": STANDARD.encode(proof),
        } });
        let answer = json_of(&url, &send(&url, self.0.post(&url).bearer_auth(token).json(&request)).await?)?;
        let chain = ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"]
            .iter()
            .find_map(|form| answer.get(form)?.get("chain")?.get("certificates")?.get(0)?.as_str());
        Ok(chain.with_context(|| format!("{url} answers without a certificate"))?.to_owned())
    }

    /// A timestamp of this SHA-256, as the authority has sent it.
    pub(super) async fn timestamp(&self, url: &str, digest: &[u8; 32]) -> anyhow::Result<Vec<u8>> {
        let imprint = Imprint { hash: HashAlgorithm::Sha256, digest, null_parameters: true };
        let request = Request { imprint, policy: None, nonce: None, certificates: false, extensions: None };
        let request = self.0.post(url).header("Content-Type", "application/timestamp-query").body(request.to_der());
        send(url, request).await
    }

    /// An entry of Rekor v1, in the form a bundle has it.
    pub(super) async fn entry_v1(&self, base: &str, proposal: &Value) -> anyhow::Result<Value> {
        let url = join(base, "/api/v1/log/entries");
        let answer = json_of(&url, &send(&url, self.0.post(&url).json(proposal)).await?)?;
        let entry = answer.as_object().and_then(|entries| entries.values().next());
        let kind = [proposal.get("kind"), proposal.get("apiVersion")];
        let [Some(kind), Some(version)] = kind else { bail!("a proposal has a kind and version") };
        entry.and_then(|entry| protobuf(entry, kind, version)).with_context(|| format!("{url} answers with no entry"))
    }

    /// An entry of Rekor v2, which already has that form.
    pub(super) async fn entry_v2(&self, base: &str, request: &Value) -> anyhow::Result<Value> {
        let url = join(base, "/api/v2/log/entries");
        json_of(&url, &send(&url, self.0.post(&url).json(request)).await?)
    }
}

/// A service's URL is a prefix.
fn join(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

/// The entry of Rekor v1's answer as `TransparencyLogEntry`; `None` where something is missing.
fn protobuf(entry: &Value, kind: &Value, version: &Value) -> Option<Value> {
    let from_hex = |value: &Value| Some(STANDARD.encode(hex::decode(value.as_str()?).ok()?));
    let verification = entry.get("verification")?;
    let proof = verification.get("inclusionProof")?;
    let hashes = proof.get("hashes")?.as_array()?.iter().map(from_hex).collect::<Option<Vec<_>>>()?;
    Some(json!({
        "logIndex": entry.get("logIndex")?.as_u64()?.to_string(),
        "logId": { "keyId": from_hex(entry.get("logID")?)? },
        "kindVersion": { "kind": kind, "version": version },
        "integratedTime": entry.get("integratedTime")?.as_u64()?.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": verification.get("signedEntryTimestamp")? },
        "inclusionProof": {
            "logIndex": proof.get("logIndex")?.as_u64()?.to_string(),
            "rootHash": from_hex(proof.get("rootHash")?)?,
            "treeSize": proof.get("treeSize")?.as_u64()?.to_string(),
            "hashes": hashes,
            "checkpoint": { "envelope": proof.get("checkpoint")? },
        },
        "canonicalizedBody": entry.get("body")?,
    }))
}

/// The body of a success.
async fn send(url: &str, request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
    let sent = request.send().await.map_err(reqwest::Error::without_url);
    let mut response = sent.with_context(|| format!("{url} does not answer"))?;
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.with_context(|| format!("the connection to {url} broke during the answer"))?
    {
        ensure!(body.len() + chunk.len() <= MAX_ANSWER, "the answer of {url} has more than {MAX_ANSWER} bytes");
        body.extend_from_slice(&chunk);
    }
    let status = response.status();
    if !status.is_success() {
        let text = String::from_utf8_lossy(&body);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect();
        bail!("{url} answers with status {}: {}", status.as_u16(), text.trim());
    }
    Ok(body)
}

fn json_of(url: &str, body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).with_context(|| format!("the answer of {url} is not JSON"))
}
