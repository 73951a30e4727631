//! Keys in the transit engine of HashiCorp Vault and OpenBao: `transit/keys/NAME` and `transit/sign/NAME`.

use crate::uri::VaultKey;
use crate::{Opened, encoding, http, refused};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::{HashAlgorithm, PublicKey};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const SERVICE: &str = "Vault";
/// Kinds of key that sign as clients verify.
const KINDS: [&str; 5] = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"];

/// One version of a key.
struct Key {
    client: Client,
    uri: VaultKey,
    version: u32,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct ReadKey {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u32,
    keys: BTreeMap<u32, Version>,
}

#[derive(Deserialize)]
struct Version {
    public_key: String,
}

#[derive(Deserialize)]
struct Sign {
    signature: String,
}

/// Finds the key's version and its public half.
pub(crate) async fn open(key: &VaultKey) -> Result<Opened, SignerError> {
    let client = http::client(key.authorities.as_deref())?;
    let url = format!("{}v1/{}/keys/{}", key.address, key.mount, key.name);
    let Data { data: found }: Data<ReadKey> = http::ask(SERVICE, authorize(key, client.get(url))?).await?;
    if !KINDS.contains(&found.kind.as_str()) {
        let known = KINDS.join(", ");
        return Err(refused(format_args!("{SERVICE}: the key is of type {}; it must be one of {known}", found.kind)));
    }
    // The version that is newest now signs, whatever becomes the newest.
    let version = key.version.unwrap_or(found.latest_version);
    let public = found.keys.get(&version);
    let public = public.ok_or_else(|| refused(format_args!("{SERVICE}: the key has no version {version}")))?;
    let public_key = PublicKey::from_pem(public.public_key.as_bytes())?;
    Ok((public_key, Arc::new(Key { client, uri: key.clone(), version })))
}

fn authorize(key: &VaultKey, request: RequestBuilder) -> Result<RequestBuilder, SignerError> {
    let request = request.header("X-Vault-Request", "true").header("X-Vault-Token", key.token.read_text()?);
    Ok(match &key.namespace {
        Some(namespace) => request.header("X-Vault-Namespace", namespace),
        None => request,
    })
}

impl Key {
    async fn sign(&self, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let VaultKey { address, mount, name, .. } = &self.uri;
        let hash = match hash {
            HashAlgorithm::Sha256 => "sha2-256",
            HashAlgorithm::Sha384 => "sha2-384",
            HashAlgorithm::Sha512 => "sha2-512",
        };
        let body = json!({
            "input": encoding::to_base64(digest),
            "prehashed": true,
            "key_version": self.version,
            "marshaling_algorithm": "asn1",
            "signature_algorithm": "pkcs1v15",
        });
        let request = self.client.post(format!("{address}v1/{mount}/sign/{name}/{hash}")).json(&body);
        let Data { data: Sign { signature } } = http::ask(SERVICE, authorize(&self.uri, request)?).await?;
        // vault:v3:BASE64
        let encoded = signature.strip_prefix(&format!("vault:v{}:", self.version));
        let encoded = encoded.ok_or_else(|| refused(format_args!("{SERVICE} has signed with another version")))?;
        encoding::base64(encoded, "signature")
    }
}

impl RemoteKey for Key {
    fn sign_digest<'a>(&'a self, hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(self.sign(hash, digest))
    }
}
