//! Keys in Google Cloud Key Management: `publicKey` and `asymmetricSign` of one version of a key.

use crate::uri::GoogleKey;
use crate::{Opened, encoding, http, refused, unavailable};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::{HashAlgorithm, PublicKey};
use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

const SERVICE: &str = "Google Cloud KMS";
const ENDPOINT: &str = "https://cloudkms.googleapis.com/";
/// The signature algorithms that Sigstore clients verify: ECDSA with its curve's hash, RSA as PKCS#1 v1.5 with SHA-256.
const ALGORITHMS: [&str; 5] = [
    "EC_SIGN_P256_SHA256",
    "EC_SIGN_P384_SHA384",
    "RSA_SIGN_PKCS1_2048_SHA256",
    "RSA_SIGN_PKCS1_3072_SHA256",
    "RSA_SIGN_PKCS1_4096_SHA256",
];

/// One version of a key.
struct Key {
    client: Client,
    /// URL of the version, without a colon and verb.
    url: String,
    credentials: GcpCredentialProvider,
}

#[derive(Deserialize)]
struct GetPublicKey {
    pem: String,
    algorithm: String,
}

#[derive(Deserialize)]
struct AsymmetricSign {
    signature: String,
}

/// Fetches the version's public key.
pub(crate) async fn open(key: &GoogleKey) -> Result<Opened, SignerError> {
    // A placeholder for the bucket name that the builder requires. Only credentials are requested.
    let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name("unused");
    if let Some(path) = &key.credentials {
        let text = std::fs::read_to_string(path).map_err(|source| SignerError::File { path: path.clone(), source })?;
        builder = builder.with_service_account_key(text);
    }
    let credentials = Arc::clone(builder.build().map_err(refused)?.credentials());
    let endpoint = key.endpoint.as_ref().map_or(ENDPOINT, |url| url.as_str());
    let version = Key { client: http::client(None)?, url: format!("{endpoint}v1/{}", key.name), credentials };
    let request = version.authorize(version.client.get(format!("{}/publicKey", version.url))).await?;
    let found: GetPublicKey = http::ask(SERVICE, request).await?;
    if !ALGORITHMS.contains(&found.algorithm.as_str()) {
        let known = ALGORITHMS.join(", ");
        return Err(refused(format_args!("{SERVICE}: the key is for {}; it must be one of {known}", found.algorithm)));
    }
    Ok((PublicKey::from_pem(found.pem.as_bytes())?, Arc::new(version)))
}

impl Key {
    async fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder, SignerError> {
        let credential = self.credentials.get_credential().await;
        let credential = credential.map_err(|error| unavailable(format_args!("{SERVICE}: no credentials: {error}")))?;
        Ok(request.bearer_auth(&credential.bearer))
    }

    async fn sign(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let body = json!({ "digest": { hash.name(): encoding::to_base64(digest) } });
        let request = self.client.post(format!("{}:asymmetricSign", self.url)).json(&body);
        let answer: AsymmetricSign = http::ask(SERVICE, self.authorize(request).await?).await?;
        encoding::base64(&answer.signature, "signature")
    }
}

impl RemoteKey for Key {
    fn sign_digest<'a>(&'a self, hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(self.sign(hash, digest))
    }
}
