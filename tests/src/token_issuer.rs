//! An OIDC issuer of the tests' own, which says whatever a test wants it to say.

use crate::key::Key;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// How long its tokens count, in seconds.
const LIFETIME: u64 = 300;

/// One server with one key. Every path below it is an issuer of its own.
pub struct TokenIssuer {
    base: String,
    key: Arc<Key>,
}

impl TokenIssuer {
    /// Listens on loopback until the test ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(Key::generate());
        let served = Self { base: base.clone(), key: Arc::clone(&key) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who hangs up early has got what it wanted.
                let _ = served.answer(stream);
            }
        });
        Self { base, key }
    }

    /// The `iss` of the issuer called `name`.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// A token of the issuer called `name`: these claims, and what every token needs where they do not say it.
    pub fn token(&self, name: &str, claims: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({"iss": self.url(name), "aud": "sigstore", "iat": now, "nbf": now, "exp": now + LIFETIME});
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "typ": "JWT", "kid": "test"})), part(&all));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign_fixed(signed.as_bytes())))
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = [0; 4096];
        let read = stream.read(&mut request)?;
        let head = String::from_utf8_lossy(&request[..read]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let body = if let Some(name) = path.strip_suffix("/.well-known/openid-configuration") {
            // Like GitHub's, without what only a login page has.
            json!({"issuer": format!("{}{name}", self.base), "jwks_uri": format!("{}{name}/keys", self.base)})
        } else {
            json!({"keys": [self.key.jwk("test")]})
        };
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}
