//! The requests of a Sigstore client, to the development server itself.

use crate::issuer;
use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_verify::{
    certificate::Certificate,
    timestamping::asn1::{self, BOOLEAN, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE},
};
use const_oid::ObjectIdentifier;
use reqwest::{RequestBuilder, header::CONTENT_TYPE, redirect};
use serde_json::{Value, json};
use std::time::Duration;

/// The server is this process; a witness may be slow.
const DEADLINE: Duration = Duration::from_secs(30);
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Speaks to one server.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// `url` is the server's, without trailing slash.
    pub(super) fn new(url: String) -> anyhow::Result<Self> {
        // A proxy of the environment would connect to its own loopback address.
        let http =
            reqwest::Client::builder().no_proxy().timeout(DEADLINE).redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, url })
    }

    /// A certificate for `email` and `key`: a token of the development issuer, then Fulcio's API.
    pub(super) async fn certificate(&self, email: &str, key: &Signer) -> anyhow::Result<Certificate> {
        let request = self.post("/oidc/token-for").header(issuer::DEV_HEADER, "1").json(&json!({"email": email}));
        let token = text_at(&json_of(request).await?, "/token")?;
        let proof = STANDARD.encode(key.sign(email.as_bytes()).await?);
        let request = json!({
            "credentials": {"oidcIdentityToken": token},
            "publicKeyRequest": {
                "publicKey": {"algorithm": "ECDSA", "content": key.public_key().to_pem()},
                "proofOfPossession": proof,
            },
        });
        let answer = json_of(self.post("/api/v2/signingCert").json(&request)).await?;
        let pem = text_at(&answer, "/signedCertificateEmbeddedSct/chain/certificates/0")?;
        Ok(Certificate::from_pem(pem.as_bytes())?)
    }

    /// An entry of Rekor v1 for a signed file, as a bundle has it.
    pub(super) async fn hashedrekord_v1(
        &self,
        digest: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> anyhow::Result<Value> {
        let public_key = json!({"content": STANDARD.encode(certificate.to_pem())});
        let spec = json!({
            "signature": {"content": STANDARD.encode(signature), "publicKey": public_key},
            "data": {"hash": {"algorithm": "sha256", "value": hex::encode(digest)}},
        });
        self.entry_v1("hashedrekord", &spec).await
    }

    /// An entry of Rekor v1 for a signed statement, as a bundle has it.
    pub(super) async fn dsse_v1(&self, envelope: &Value, certificate: &Certificate) -> anyhow::Result<Value> {
        let verifiers = [STANDARD.encode(certificate.to_pem())];
        let spec = json!({"proposedContent": {"envelope": envelope.to_string(), "verifiers": verifiers}});
        self.entry_v1("dsse", &spec).await
    }

    async fn entry_v1(&self, kind: &str, spec: &Value) -> anyhow::Result<Value> {
        let version = "0.0.1";
        let request = json!({"kind": kind, "apiVersion": version, "spec": spec});
        let answer = json_of(self.post("/api/v1/log/entries").json(&request)).await?;
        let entry = answer.as_object().and_then(|entries| entries.values().next()).context("the log names no entry")?;
        let proof = entry.pointer("/verification/inclusionProof").context("the entry has no inclusion proof")?;
        let hashes = proof.get("hashes").and_then(Value::as_array).context("the proof has no hashes")?;
        let hashes = hashes.iter().map(base64_of_hex).collect::<anyhow::Result<Vec<_>>>()?;
        let member = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
        Ok(json!({
            "logIndex": member(entry, "logIndex").to_string(),
            "logId": {"keyId": base64_of_hex(&member(entry, "logID"))?},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": member(entry, "integratedTime").to_string(),
            "inclusionPromise": {"signedEntryTimestamp": text_at(entry, "/verification/signedEntryTimestamp")?},
            "inclusionProof": {
                "logIndex": member(proof, "logIndex").to_string(),
                "rootHash": base64_of_hex(&member(proof, "rootHash"))?,
                "treeSize": member(proof, "treeSize").to_string(),
                "hashes": hashes,
                "checkpoint": {"envelope": member(proof, "checkpoint")},
            },
            "canonicalizedBody": member(entry, "body"),
        }))
    }

    /// An entry of Rekor v2 for a signed file; the answer is what a bundle has.
    pub(super) async fn hashedrekord_v2(
        &self,
        digest: &[u8],
        signature: &[u8],
        certificate: &Certificate,
    ) -> anyhow::Result<Value> {
        let verifier = json!({
            "x509Certificate": {"rawBytes": STANDARD.encode(certificate.der())},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        });
        let signature = json!({"content": STANDARD.encode(signature), "verifier": verifier});
        let request = json!({"hashedRekordRequestV002": {"digest": STANDARD.encode(digest), "signature": signature}});
        json_of(self.post("/api/v2/log/entries").json(&request)).await
    }

    /// A timestamp (RFC 3161) over data with this SHA-256 digest, with the authority's certificate: `TimeStampResp` in DER.
    pub(super) async fn timestamp(&self, digest: &[u8]) -> anyhow::Result<Vec<u8>> {
        let algorithm =
            asn1::write(SEQUENCE, &[&asn1::write(OBJECT_IDENTIFIER, &[SHA_256.as_bytes()]), &asn1::write(NULL, &[])]);
        let imprint = asn1::write(SEQUENCE, &[&algorithm, &asn1::write(OCTET_STRING, &[digest])]);
        let (version, with_certificate) = (asn1::write(INTEGER, &[&[1]]), asn1::write(BOOLEAN, &[&[0xff]]));
        let query = asn1::write(SEQUENCE, &[&version, &imprint, &with_certificate]);
        let request = self.post(chancery_tsa::http::PATH).header(CONTENT_TYPE, "application/timestamp-query");
        bytes_of(request.body(query)).await
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }
}

/// The body of an answer that is a success.
async fn bytes_of(request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
    let response = request.send().await?;
    let (status, url) = (response.status(), response.url().clone());
    let body = response.bytes().await?;
    ensure!(status.is_success(), "{url} answers {status}: {}", String::from_utf8_lossy(&body).trim());
    Ok(body.to_vec())
}

async fn json_of(request: RequestBuilder) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&bytes_of(request).await?)?)
}

fn text_at(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("the answer has no {pointer}"))
}

/// The same bytes: Rekor v1 answers hexadecimal where a bundle has base64.
fn base64_of_hex(value: &Value) -> anyhow::Result<String> {
    let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
    bytes
        .map(|bytes| STANDARD.encode(bytes))
        .with_context(|| format!("the answer has {value} instead of hexadecimal text"))
}
