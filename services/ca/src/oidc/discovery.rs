//! Finds an issuer's keys (OpenID Connect Discovery §4), and leaves the answer no choices.
//!
//! The document may only confirm the issuer's exact name, and name a URL for the keys on the *same* origin. This is
//! stricter than the standard: no document, however it was made, can send the server to another host.

use super::{Fetch, InvalidIssuer, TokenRefusal};
use chancery_address::{host_of, is_protected};
use serde::Deserialize;
use url::{Origin, Url};

/// Where to find an issuer's keys.
#[derive(Debug, Clone)]
pub(super) enum KeyLocation {
    /// In the discovery document.
    Discovered {
        /// The issuer.
        issuer: IssuerUrl,
        /// Further hosts that may have the keys.
        jwks_hosts: Vec<String>,
    },
    /// At a configured URL.
    At(Url),
}

/// An issuer's URL.
#[derive(Debug, Clone)]
pub(super) struct IssuerUrl {
    text: String,
    origin: Origin,
    document: Url,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl KeyLocation {
    /// A configured URL. The rules for an issuer's URL apply to it.
    pub(super) fn at(url: &str, allow_loopback_http: bool) -> Result<Self, InvalidIssuer> {
        parse(url, allow_loopback_http).map(Self::At)
    }

    /// Fetches the key set.
    pub(super) async fn key_set(&self, fetcher: &dyn Fetch) -> Result<Vec<u8>, TokenRefusal> {
        match self {
            Self::At(url) => Ok(fetcher.get(url).await?),
            Self::Discovered { issuer, jwks_hosts } => {
                let document = fetcher.get(&issuer.document).await?;
                Ok(fetcher.get(&issuer.keys_url(&document, jwks_hosts)?).await?)
            }
        }
    }
}

impl IssuerUrl {
    /// Checks an issuer's URL.
    pub(super) fn parse(text: &str, allow_loopback_http: bool) -> Result<Self, InvalidIssuer> {
        let origin = parse(text, allow_loopback_http)?.origin();
        let document = format!("{}/.well-known/openid-configuration", text.trim_end_matches('/'));
        let document = Url::parse(&document).map_err(|_| InvalidIssuer::Malformed { url: text.to_owned() })?;
        Ok(Self { text: text.to_owned(), origin, document })
    }

    /// The host that is asked.
    pub(super) fn host(&self) -> &str {
        host_of(&self.document)
    }

    /// Returns the URL of the keys from a discovery document.
    fn keys_url(&self, document: &[u8], jwks_hosts: &[String]) -> Result<Url, InvalidIssuer> {
        let document: Document = serde_json::from_slice(document).map_err(|_| InvalidIssuer::NotADocument)?;
        if document.issuer != self.text {
            return Err(InvalidIssuer::OtherIssuer);
        }
        let keys = Url::parse(&document.jwks_uri).map_err(|_| InvalidIssuer::NotADocument)?;
        let listed = keys.scheme() == "https"
            && keys.port().is_none()
            && jwks_hosts.iter().any(|listed| listed == host_of(&keys));
        // Opaque origins, such as that of a data URL, equal no other origin.
        let allowed = keys.origin() == self.origin || listed;
        let anonymous = keys.username().is_empty() && keys.password().is_none();
        if allowed && anonymous { Ok(keys) } else { Err(InvalidIssuer::OtherOrigin) }
    }
}

/// A URL that the configuration allows to fetch.
fn parse(text: &str, allow_loopback_http: bool) -> Result<Url, InvalidIssuer> {
    let malformed = || InvalidIssuer::Malformed { url: text.to_owned() };
    let url = Url::parse(text).map_err(|_| malformed())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !plain || url.host().is_none() || text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(malformed());
    }
    let secure = is_protected(&url) && (allow_loopback_http || url.scheme() == "https");
    if secure { Ok(url) } else { Err(InvalidIssuer::Insecure { url: text.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_in_development() {
        for good in ["https://accounts.example.test", "https://a.test:8443/realms/x/"] {
            assert!(IssuerUrl::parse(good, false).is_ok(), "{good}");
        }
        for loopback in ["http://127.0.0.1:8080/oidc", "http://localhost:1", "http://[::1]:8080"] {
            assert!(IssuerUrl::parse(loopback, true).is_ok(), "{loopback}");
            assert!(matches!(IssuerUrl::parse(loopback, false), Err(InvalidIssuer::Insecure { .. })), "{loopback}");
        }
        for bad in [
            "http://issuer.test",
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "ftp://127.0.0.1",
            "https://user@a.test",
            "https://a.test?x",
            "https://a.test#x",
            "https://",
            "a.test",
            "data:text/plain,x",
            "https://a.test/\n",
            "file:///etc/passwd",
        ] {
            assert!(IssuerUrl::parse(bad, true).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_document_cannot_lead_elsewhere() {
        let issuer = IssuerUrl::parse("https://issuer.test/a", false).unwrap();
        let keys = |iss: &str, uri: &str| {
            let document = format!(r#"{{"issuer":"{iss}","jwks_uri":"{uri}","x":1}}"#);
            issuer.keys_url(document.as_bytes(), &["keys.test".to_owned()])
        };
        for uri in ["https://issuer.test/keys", "https://keys.test/keys"] {
            assert_eq!(keys("https://issuer.test/a", uri).unwrap().as_str(), uri);
        }
        for iss in ["https://issuer.test/a/", "https://issuer.test", "https://ISSUER.test/a", ""] {
            assert_eq!(keys(iss, "https://issuer.test/keys"), Err(InvalidIssuer::OtherIssuer), "{iss}");
        }
        for uri in [
            "https://evil.test/keys",
            "http://issuer.test/keys",
            "http://keys.test/keys",
            "https://keys.test:444/keys",
            "https://me@keys.test/keys",
            "https://keys.test.evil.test/keys",
            "https://169.254.169.254/keys",
            "https://issuer.test:444/keys",
            "https://issuer.test.evil.test/keys",
            "https://issuer.test@evil.test/keys",
            "https://me@issuer.test/keys",
            "data:application/json,{}",
            "//evil.test/keys",
        ] {
            assert!(keys("https://issuer.test/a", uri).is_err(), "{uri}");
        }
        assert_eq!(issuer.keys_url(b"[]", &[]), Err(InvalidIssuer::NotADocument));
    }
}
