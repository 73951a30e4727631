//! Keys in the transit engine of HashiCorp Vault and OpenBao: `transit/keys/NAME` and `transit/sign/NAME`.

use crate::uri::VaultKey;
use crate::{Opened, encoding, http, refused};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::{HashAlgorithm, PublicKey, hash::Hash};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const SERVICE: &str = "Vault";
/// Kinds of key whose signatures clients verify.
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
    /// Oldest version that may sign; 0 if the answer does not say.
    #[serde(default)]
    min_encryption_version: u32,
    /// Kinds without public keys have numbers here, or nothing.
    #[serde(default)]
    keys: BTreeMap<u32, serde_json::Value>,
}

#[derive(Deserialize)]
struct Sign {
    signature: String,
}

impl ReadKey {
    /// Returns the public key of a version that Vault still keeps.
    fn public_key(&self, version: u32) -> Result<PublicKey, SignerError> {
        let kept = self.keys.get(&version).and_then(|kept| kept.get("public_key")?.as_str());
        let pem = kept.ok_or_else(|| refused(format_args!("{SERVICE}: the key has no version {version}")))?;
        Ok(PublicKey::from_pem(pem.as_bytes())?)
    }

    /// Returns the version whose public key has this fingerprint.
    fn version_of(&self, known: &Hash) -> Result<u32, SignerError> {
        let is_known = |version: &&u32| self.public_key(**version).is_ok_and(|key| key.fingerprint() == *known);
        let version = self.keys.keys().find(is_known).copied();
        version
            .ok_or_else(|| refused(format_args!("{SERVICE}: no version of the key is the one that has signed before")))
    }
}

/// Finds the key's version and its public key. `known` is the fingerprint of the expected version, if it is known.
pub(crate) async fn open(key: &VaultKey, known: Option<&Hash>) -> Result<Opened, SignerError> {
    let client = http::client(key.authorities.as_deref())?;
    let url = format!("{}v1/{}/keys/{}", key.address, key.mount, key.name);
    let Data { data: found }: Data<ReadKey> = ask(key, client.get(url)).await?;
    if !KINDS.contains(&found.kind.as_str()) {
        let known = KINDS.join(", ");
        return Err(refused(format_args!("{SERVICE}: the key is of type {}; it must be one of {known}", found.kind)));
    }
    // A new key means the version that is newest now; later versions do not change it.
    let version = match (key.version, known) {
        (Some(version), _) => version,
        (None, Some(known)) => found.version_of(known)?,
        (None, None) => found.latest_version,
    };
    if version < found.min_encryption_version {
        let oldest = found.min_encryption_version;
        return Err(refused(format_args!(
            "{SERVICE}: version {version} of the key signs no more, because its min_encryption_version is {oldest}"
        )));
    }
    Ok((found.public_key(version)?, Arc::new(Key { client, uri: key.clone(), version })))
}

async fn ask<T: DeserializeOwned>(key: &VaultKey, request: RequestBuilder) -> Result<T, SignerError> {
    http::send(SERVICE, authorize(key, request)?).await?.map_err(|failure| match failure.status {
        StatusCode::FORBIDDEN => {
            let token = &key.token;
            refused(format_args!(
                "{SERVICE}: permission denied: the token in {token} has expired, or may not use the key"
            ))
        }
        // It can also mean that the engine is missing, if the token may use everything: Vault returns the same status
        // for both.
        StatusCode::NOT_FOUND => refused(format_args!("{SERVICE}: there is no key {} in {}", key.name, key.mount)),
        _ => failure.into_error(SERVICE),
    })
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
        let Data { data: Sign { signature } } = ask(&self.uri, request).await?;
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
