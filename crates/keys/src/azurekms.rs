//! Keys in Azure Key Vault and Managed HSM: `keys/NAME/VERSION` and its `sign`, with a token of Microsoft Entra.

use crate::uri::{AzureKey, AzureLogin, AzureProof};
use crate::{Opened, encoding, http, refused};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_daemon::signer::{RemoteKey, RemoteSignature, SignerError};
use chancery_verify::key::KeyKind;
use chancery_verify::{HashAlgorithm, PublicKey};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

const SERVICE: &str = "Azure Key Vault";
const LOGIN: &str = "Microsoft Entra";
const API: &str = "api-version=7.4";
/// The URL from which a machine gets its token.
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// A token with less time left than this is not used.
const MARGIN: Duration = Duration::from_mins(2);

struct Vault {
    client: Client,
    login: AzureLogin,
    /// The audience of the tokens.
    resource: String,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    until: Instant,
}

/// One version of a key.
struct SigningKey {
    vault: Vault,
    url: String,
    public_key: PublicKey,
    algorithm: &'static str,
}

#[derive(Deserialize)]
struct GetKey {
    key: JsonWebKey,
}

#[derive(Deserialize)]
struct JsonWebKey {
    kid: String,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Deserialize)]
struct Sign {
    value: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds; the machine's service writes them as text.
    expires_in: Value,
}

/// Finds the key's version and its public key.
pub(crate) async fn open(key: &AzureKey) -> Result<Opened, SignerError> {
    let resource = resource(&key.vault);
    let vault = Vault { client: http::client(None)?, login: key.login.clone(), resource, token: Mutex::default() };
    let name = format!("{}keys/{}", key.vault, key.name);
    let asked = key.version.as_ref().map_or_else(|| name.clone(), |version| format!("{name}/{version}"));
    let request = vault.client.get(format!("{asked}?{API}"));
    let GetKey { key: found } = vault.ask(request).await?;
    // Pin the version that answered, even if a newer one is made later.
    let version = found.kid.rsplit('/').next().unwrap_or_default();
    if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(refused(format_args!("the answer of {SERVICE} does not name the version of the key")));
    }
    let url = format!("{name}/{version}");
    let public_key = found.public_key()?;
    let algorithm = match public_key.kind() {
        KeyKind::P384 => "ES384",
        KeyKind::Rsa(_) => "RS256",
        _ => "ES256",
    };
    Ok((public_key.clone(), Arc::new(SigningKey { vault, url, public_key, algorithm })))
}

/// Returns the audience of a token for `vault`: the service's domain, without the vault's label.
fn resource(vault: &Url) -> String {
    let service = vault.domain().and_then(|host| host.split_once('.')).map(|(_, service)| service);
    format!("https://{}", service.unwrap_or("vault.azure.net"))
}

impl JsonWebKey {
    fn public_key(&self) -> Result<PublicKey, SignerError> {
        let part = |part: &Option<String>| {
            let text = part.as_deref().unwrap_or_default();
            URL_SAFE_NO_PAD.decode(text).map_err(|_| encoding::malformed("public key"))
        };
        let ec = |kind| Ok(PublicKey::from_ec(kind, &part(&self.x)?, &part(&self.y)?)?);
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC" | "EC-HSM", Some("P-256")) => ec(KeyKind::P256),
            ("EC" | "EC-HSM", Some("P-384")) => ec(KeyKind::P384),
            ("RSA" | "RSA-HSM", _) => Ok(PublicKey::from_rsa(&part(&self.n)?, &part(&self.e)?)?),
            (kind, curve) => {
                let curve = curve.unwrap_or_default();
                Err(refused(format_args!("{SERVICE}: the key is {kind} {curve}; it must be P-256, P-384 or RSA")))
            }
        }
    }
}

impl Vault {
    async fn ask<T: serde::de::DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, SignerError> {
        let answer = http::send(SERVICE, request.bearer_auth(self.token().await?)).await?;
        if let Err(failure) = &answer
            && failure.status == StatusCode::UNAUTHORIZED
        {
            *self.token.lock().await = None;
        }
        answer.map_err(|failure| failure.into_error(SERVICE))
    }

    async fn token(&self) -> Result<String, SignerError> {
        // Held while a new token is fetched, so that one request serves all waiting tasks.
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.text.clone());
        }
        let answer: TokenAnswer = http::ask(LOGIN, self.token_request()?).await?;
        let seconds = answer.expires_in.as_u64().or_else(|| answer.expires_in.as_str()?.parse().ok());
        let lifetime = Duration::from_secs(seconds.unwrap_or_default()).saturating_sub(MARGIN);
        let text = answer.access_token.clone();
        *token = Some(Token { text: answer.access_token, until: Instant::now() + lifetime });
        Ok(text)
    }

    fn token_request(&self) -> Result<RequestBuilder, SignerError> {
        let AzureLogin::Application { tenant, client, proof, authority } = &self.login else {
            let query = [("api-version", "2018-02-01"), ("resource", self.resource.as_str())];
            let url = Url::parse_with_params(MACHINE, query).map_err(refused)?;
            return Ok(self.client.get(url).header("Metadata", "true"));
        };
        let scope = format!("{}/.default", self.resource);
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", client), ("scope", &scope)];
        let shown;
        match proof {
            AzureProof::Secret(secret) => {
                shown = secret.read_text()?;
                form.push(("client_secret", &shown));
            }
            AzureProof::Assertion(assertion) => {
                shown = assertion.read_text()?;
                form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
                form.push(("client_assertion", &shown));
            }
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let url = format!("{authority}{tenant}/oauth2/v2.0/token");
        Ok(self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body))
    }
}

impl SigningKey {
    async fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, SignerError> {
        let body = json!({ "alg": self.algorithm, "value": URL_SAFE_NO_PAD.encode(digest) });
        let request = self.vault.client.post(format!("{}/sign?{API}", self.url)).json(&body);
        let answer: Sign = self.vault.ask(request).await?;
        let signature = URL_SAFE_NO_PAD.decode(answer.value).map_err(|_| encoding::malformed("signature"))?;
        if self.algorithm == "RS256" { Ok(signature) } else { encoding::ecdsa_der(&self.public_key, &signature) }
    }
}

impl RemoteKey for SigningKey {
    fn sign_digest<'a>(&'a self, _hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(self.sign(digest))
    }
}
