//! Authorization to registries: Basic, tokens by Docker's protocol, and tokens of OAuth 2.0
//! (distribution: «Token Authentication Specification», «Docker Registry v2 Bearer token»).
//!
//! The first request has no credentials. The registry answers with a challenge that names a token service. The service
//! must use TLS, and a public registry must not name a private address. A credential is sent only to the registry or to
//! its token service, and a token only to the registry that required it.

use crate::{
    Error, ErrorKind, Repository,
    address::{self, Reach},
    challenge::Challenge,
    credentials::{self, Credential},
    transport::{Answer, Ask, HeaderValue, StatusCode, Transport, bare},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use url::Url;

/// Maximum bytes of the answer of a token service.
const MAX_TOKEN: usize = 64 * 1024;
/// Lifetime of a token without `expires_in`.
const DEFAULT_LIFE: Duration = Duration::from_mins(1);
/// A token is not used in this time before it expires.
const MARGIN: Duration = Duration::from_secs(10);
/// Maximum repositories whose tokens are kept.
const MAX_KNOWN: usize = 4096;
/// The `client_id` for token services.
const CLIENT: &str = "chancery";

#[derive(Clone)]
struct Known {
    header: HeaderValue,
    /// `None` if it is used until the registry refuses it.
    expires: Option<Instant>,
}

/// The headers that registries have accepted, by repository.
#[derive(Default)]
pub(crate) struct Authorizations {
    known: Mutex<HashMap<Repository, Known>>,
    /// Locks by repository. One exchange at a time, so that concurrent requests get one token.
    exchanges: [tokio::sync::Mutex<()>; 16],
}

impl Authorizations {
    /// The header to send before the registry requires one.
    pub(crate) fn known(&self, repository: &Repository) -> Option<HeaderValue> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(repository)?;
        let lives = found.expires.is_none_or(|expires| Instant::now() < expires);
        lives.then(|| found.header.clone())
    }

    /// Gets the header to send after `refusal`, a 401 to a request for `url` with the header `sent`.
    pub(crate) async fn answer(
        &self,
        transport: &Transport,
        repository: &Repository,
        url: &Url,
        refusal: &Answer,
        sent: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Error> {
        let lock = repository.name().bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let _exchange = match self.exchanges.get(lock % self.exchanges.len()) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        if let Some(known) = self.known(repository)
            && Some(&known) != sent
        {
            return Ok(known);
        }
        let headers = refusal.headers.get_all("www-authenticate");
        let challenge = Challenge::choose(headers.iter().filter_map(|value| value.to_str().ok()));
        let credential = credentials::find(&transport.options().credentials, repository).await?;
        let exchange = Exchange { transport, repository, url, refusal, credential };
        let known = exchange.run(challenge).await?;
        let header = known.header.clone();
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KNOWN {
            all.clear();
        }
        all.insert(repository.clone(), known);
        Ok(header)
    }
}

struct Exchange<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    url: &'a Url,
    refusal: &'a Answer,
    credential: Option<Credential>,
}

/// A token service.
struct Service {
    realm: Url,
    led_from: Option<Reach>,
    name: Option<String>,
    scope: String,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Exchange<'_> {
    async fn run(&self, challenge: Option<Challenge>) -> Result<Known, Error> {
        match (challenge, &self.credential) {
            (Some(Challenge::Bearer { .. }), Some(Credential::RegistryToken(token))) => {
                Ok(Known { header: self.header("Bearer", token)?, expires: None })
            }
            (Some(Challenge::Bearer { realm, service, scope }), _) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository.name()));
                let service = Service { name: service, scope, ..self.service(&realm).await? };
                self.token(&service).await
            }
            (Some(Challenge::Basic), Some(Credential::Basic { name, secret })) => {
                let header = self.header("Basic", &STANDARD.encode(format!("{name}:{secret}")))?;
                Ok(Known { header, expires: None })
            }
            (Some(Challenge::Basic), _) => {
                Err(self.unauthorized("the registry requires a name and a password, but none is stored for it"))
            }
            (None, _) => Err(self.unauthorized("the registry does not name a way to authenticate")),
        }
    }

    /// Checks that the registry may name `realm` as its token service.
    async fn service(&self, realm: &str) -> Result<Service, Error> {
        let refuse = |reason: &str| Error::new(ErrorKind::Protocol, bare(self.url), reason);
        let realm: Url = realm.parse().map_err(|_| refuse("the realm of its tokens is not a URL"))?;
        let own = realm.origin() == self.url.origin();
        let led_from = if own { None } else { Some(address::reach(self.url).await.unwrap_or(Reach::Public)) };
        if let Some(from) = led_from
            && !self.transport.may_lead_to(from, &realm)
        {
            return Err(refuse("the realm of its tokens is not HTTPS, or an address that a registry may not lead to"));
        }
        Ok(Service { realm, led_from, name: None, scope: String::new() })
    }

    async fn token(&self, service: &Service) -> Result<Known, Error> {
        if let Some(Credential::IdentityToken(token)) = &self.credential {
            let form = [
                ("grant_type", "refresh_token"),
                ("service", service.name.as_deref().unwrap_or_default()),
                ("client_id", CLIENT),
                ("scope", &service.scope),
                ("refresh_token", token),
            ];
            let answer = self.ask(service, &service.realm, None, Some(&form)).await?;
            if !matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                return self.read(service, &answer);
            }
        }
        let mut url = service.realm.clone();
        if let Some(name) = &service.name {
            url.query_pairs_mut().append_pair("service", name);
        }
        url.query_pairs_mut().append_pair("scope", &service.scope);
        let authorization = match &self.credential {
            Some(Credential::Basic { name, secret }) => Some(self.basic(name, secret)?),
            Some(Credential::IdentityToken(token)) => Some(self.basic("<token>", token)?),
            Some(Credential::RegistryToken(_)) | None => None,
        };
        let answer = self.ask(service, &url, authorization.as_ref(), None).await?;
        self.read(service, &answer)
    }

    async fn ask(
        &self,
        service: &Service,
        url: &Url,
        authorization: Option<&HeaderValue>,
        form: Option<&[(&str, &str)]>,
    ) -> Result<Answer, Error> {
        let ask = Ask { led_from: service.led_from, authorization, form, ..Ask::get(url, MAX_TOKEN) };
        self.transport.ask(&ask).await.map_err(|error| match error.kind() {
            ErrorKind::TooLarge => Error::new(ErrorKind::Protocol, bare(url), "the token has more than 64 KiB"),
            _ => error,
        })
    }

    fn read(&self, service: &Service, answer: &Answer) -> Result<Known, Error> {
        let refuse = |kind, reason: &str| Error::new(kind, bare(&service.realm), reason);
        match answer.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
                return Err(refuse(ErrorKind::Unauthorized, &format!("gives no token: {}", answer.reason())));
            }
            StatusCode::FORBIDDEN => {
                return Err(refuse(ErrorKind::Denied, &format!("gives no token: {}", answer.reason())));
            }
            _ => return Err(refuse(ErrorKind::Protocol, &format!("gives no token: {}", answer.reason()))),
        }
        let malformed = || refuse(ErrorKind::Protocol, "did not answer with a token");
        let read: Answered = serde_json::from_slice(&answer.body).map_err(|_| malformed())?;
        let token = if read.token.is_empty() { &read.access_token } else { &read.token };
        if token.is_empty() {
            return Err(malformed());
        }
        // A token with a shorter life than the margin is used for this request only.
        let life = read.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs).min(Duration::from_hours(12));
        let expires = Instant::now() + life.saturating_sub(MARGIN);
        Ok(Known { header: self.header("Bearer", token)?, expires: Some(expires) })
    }

    fn basic(&self, name: &str, secret: &str) -> Result<HeaderValue, Error> {
        self.header("Basic", &STANDARD.encode(format!("{name}:{secret}")))
    }

    fn header(&self, scheme: &str, value: &str) -> Result<HeaderValue, Error> {
        let malformed = |_| {
            Error::new(
                ErrorKind::Credentials,
                bare(self.url),
                "the token has characters that are not allowed in a header",
            )
        };
        let mut header = HeaderValue::from_str(&format!("{scheme} {value}")).map_err(malformed)?;
        header.set_sensitive(true);
        Ok(header)
    }

    fn unauthorized(&self, reason: &str) -> Error {
        let text =
            format!("{reason} ({}); log in with: docker login {}", self.refusal.reason(), self.repository.registry());
        Error::new(ErrorKind::Unauthorized, bare(self.url), text)
    }
}
