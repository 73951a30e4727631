//! Keys in AWS Key Management Service: `GetPublicKey` and `Sign`, signed with Signature Version 4.
//!
//! `object_store` signs the requests and finds a machine's credentials in AWS. The service itself is two JSON calls;
//! Amazon's own client would be the largest dependency of the program.

use crate::aws_credentials::with_credentials;
use crate::http::{self, Failure};
use crate::uri::AwsKey;
use crate::{Opened, encoding, refused, unavailable};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::key::KeyKind;
use chancery_verify::{HashAlgorithm, PublicKey};
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

const SERVICE: &str = "AWS KMS";
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

struct Kms {
    client: Client,
    endpoint: Url,
    region: String,
    credentials: AwsCredentialProvider,
}

/// One key in the service.
struct Key {
    kms: Kms,
    /// The key's ARN: an alias may be moved to another key while this program runs.
    arn: String,
    algorithm: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetPublicKey {
    key_id: String,
    public_key: String,
    key_usage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sign {
    signature: String,
}

/// Finds the key and fetches its public key.
pub(crate) async fn open(key: &AwsKey) -> Result<Opened, SignerError> {
    let public_endpoint = || {
        // Regions in China have their own domain.
        let suffix = if key.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Url::parse(&format!("https://kms.{}.{suffix}/", key.region)).map_err(refused)
    };
    let endpoint = key.endpoint.clone().map_or_else(public_endpoint, Ok)?;
    let credentials = credentials(key)?;
    let kms = Kms { client: http::client(None)?, endpoint, region: key.region.clone(), credentials };
    let found: GetPublicKey = kms.call("TrentService.GetPublicKey", &json!({"KeyId": key.id})).await?;
    if found.key_usage != "SIGN_VERIFY" {
        return Err(refused(format_args!("{SERVICE}: the key is for {}, not for signing", found.key_usage)));
    }
    let public_key = PublicKey::from_spki_der(&encoding::base64(&found.public_key, "public key")?)?;
    let algorithm = algorithm(public_key.kind());
    Ok((public_key, Arc::new(Key { kms, arn: found.key_id, algorithm })))
}

/// Takes credentials from the file, or from the machine: web identity, container, instance.
fn credentials(key: &AwsKey) -> Result<AwsCredentialProvider, SignerError> {
    // A placeholder for the bucket name that the builder requires. Only credentials are requested.
    let mut builder = AmazonS3Builder::new().with_bucket_name("unused").with_region(&key.region);
    if let Some(path) = &key.credentials {
        let text = std::fs::read_to_string(path).map_err(|source| SignerError::File { path: path.clone(), source })?;
        builder =
            with_credentials(builder, &text).map_err(|error| refused(format_args!("{}: {error}", path.display())))?;
    }
    Ok(Arc::clone(builder.build().map_err(refused)?.credentials()))
}

/// The service's name for a kind's signature algorithm. The signer refuses other kinds.
const fn algorithm(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 => "ECDSA_SHA_256",
        KeyKind::P384 => "ECDSA_SHA_384",
        KeyKind::P521 => "ECDSA_SHA_512",
        KeyKind::Rsa(_) => "RSASSA_PKCS1_V1_5_SHA_256",
        KeyKind::Ed25519 => "ED25519_SHA_512",
    }
}

impl Kms {
    async fn call<T: DeserializeOwned>(&self, target: &'static str, body: &Value) -> Result<T, SignerError> {
        let body = body.to_string();
        let headers = self.authorize(target, &body).await?;
        let request = self.client.post(self.endpoint.clone()).headers(headers).body(body);
        http::send(SERVICE, request).await?.map_err(into_error)
    }

    /// The headers that authorize a call.
    async fn authorize(&self, target: &'static str, body: &str) -> Result<HeaderMap, SignerError> {
        let credential = self
            .credentials
            .get_credential()
            .await
            .map_err(|error| unavailable(format_args!("{SERVICE}: no credentials: {error}")))?;
        let mut request = HttpRequest::new(HttpRequestBody::from(body.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.as_str().parse().map_err(refused)?;
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        request.headers_mut().insert("x-amz-target", HeaderValue::from_static(target));
        AwsAuthorizer::new(&credential, "kms", &self.region).try_authorize(&mut request, None).map_err(refused)?;
        Ok(std::mem::take(request.headers_mut()))
    }
}

/// Throttling has status 400, as errors that an operator must fix.
fn into_error(failure: Failure) -> SignerError {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        kind: String,
    }
    let kind = serde_json::from_slice::<Body>(&failure.body).map(|body| body.kind).unwrap_or_default();
    let passes = ["Throttling", "LimitExceeded", "TooManyRequests", "KeyUnavailable", "DependencyTimeout"];
    if passes.iter().any(|name| kind.contains(name)) {
        return unavailable(format_args!("{SERVICE} answered with {kind}"));
    }
    failure.into_error(SERVICE)
}

impl Key {
    async fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let request = json!({
            "KeyId": self.arn,
            "Message": encoding::to_base64(digest),
            "MessageType": "DIGEST",
            "SigningAlgorithm": self.algorithm,
        });
        let answer: Sign = self.kms.call("TrentService.Sign", &request).await?;
        encoding::base64(&answer.signature, "signature")
    }
}

impl RemoteKey for Key {
    fn sign_digest<'a>(&'a self, _hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(self.sign(digest))
    }
}
