//! The development issuer: an OpenID provider that believes whatever name it is told.
//!
//! It exists so that every login flow of every client can be tried on one machine, without an account anywhere. It is
//! **not** an identity provider: there is no password, and [`http`] therefore answers only to loopback. `chancery serve`
//! cannot reach this module. Tokens are RS256 because cosign takes a token of any other algorithm for a file name.
//!
//! Specifications: OpenID Connect Core and Discovery 1.0, RFC 6749 (authorization code), RFC 7636 (PKCE, S256 only),
//! RFC 8252 (loopback redirects), RFC 8628 (device flow), RFC 7517 (JWKS), RFC 7519 (JWT).
//!
//! | module | is |
//! |---|---|
//! | [`claims`] | what a token says |
//! | [`grants`] | codes that wait to be redeemed: bounded, in memory, single use |
//! | [`input`] | client ids, addresses, redirect URIs and challenges, checked once |
//! | [`jwks`] | the public key as clients fetch it |
//! | [`page`] | the HTML |
//! | [`http`] | the endpoints |

mod claims;
mod grants;
mod http;
mod input;
mod jwks;
mod page;

pub(crate) use http::{DEV_HEADER, describe, router};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_daemon::{
    clock::Clock,
    random::Random,
    signer::{Signer, SignerError},
};
use chancery_verify::{Timestamp, key::KeyKind};
use claims::TokenRequest;
use grants::Grants;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the issuer lives below the public URL. Its `iss` is the public URL with this appended.
pub(crate) const BASE_PATH: &str = "/oidc";
/// The audience every Sigstore client asks for.
pub(crate) const DEFAULT_AUDIENCE: &str = "sigstore";
/// The kind of key it signs with.
pub(crate) const KEY_KIND: KeyKind = KeyKind::Rsa(2048);
/// How long a token counts unless asked otherwise.
const TOKEN_LIFETIME_SECONDS: u64 = 600;

/// The issuer: a key, a name and the codes that are out.
pub(crate) struct Issuer {
    url: String,
    signer: Signer,
    key_id: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    grants: Mutex<Grants>,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

impl Issuer {
    /// An issuer below `public_url` (no trailing slash) that signs with `signer`, an RSA key.
    pub(crate) fn new(public_url: &str, signer: Signer, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let key_id = URL_SAFE_NO_PAD.encode(signer.public_key().fingerprint());
        Self { url: format!("{public_url}{BASE_PATH}"), signer, key_id, clock, random, grants: Mutex::default() }
    }

    /// The `iss` of its tokens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Signs a token: RFC 7515 compact serialization.
    async fn token(&self, request: &TokenRequest<'_>) -> Result<String, SignerError> {
        let header = Header { alg: "RS256", kid: &self.key_id, typ: "JWT" };
        let claims = request.claims(&self.url, self.now());
        let mut token = format!("{}.{}", encode(&header)?, encode(&claims)?);
        let signature = self.signer.sign(token.as_bytes()).await?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The codes that are out. Never held across an await.
    fn grants(&self) -> MutexGuard<'_, Grants> {
        // Every change to the maps is a single insertion or removal, so a panic elsewhere leaves them whole.
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(part: &impl Serialize) -> Result<String, SignerError> {
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| SignerError::Failed)
}
