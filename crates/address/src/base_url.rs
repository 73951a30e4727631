//! The URL of a service, to which its users append paths.

use serde::{Serialize, Serializer};
use std::fmt;
use url::{Host, Url};

/// Why a text is not the URL of a service.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidUrl {
    /// Not `http(s)://host[:port][/path]`.
    #[error(
        "`{url}` is not a base URL: it must be http:// or https://, with a host and without user, query or fragment"
    )]
    NotABase {
        /// The given text, without user and password.
        url: String,
    },
    /// The URL of an issuer is kept as it is, and clients append `/.well-known/…` without checking for a slash.
    #[error("`{url}` ends in a slash: clients would ask for `//.well-known/…`")]
    TrailingSlash {
        /// The given text.
        url: String,
    },
}

/// A service's URL as clients use it: they append `/api/…`, so it has no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    url: Url,
}

impl BaseUrl {
    /// Checks the URL of a service and gives it its normal form: scheme and host in lower case, an international name in
    /// punycode, no default port, no dot at the end of the host, no slash at the end. Clients take the host from the text,
    /// letter by letter (Go: `url.Hostname`), and compare it with names that a log has signed.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let mut url = checked(text)?;
        if let Some(Host::Domain(name)) = url.host() {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            let has_labels = !name.split('.').any(str::is_empty);
            if !has_labels || url.set_host(Some(&name)).is_err() {
                return Err(not_a_base(text));
            }
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }

    /// Checks the URL of an issuer and keeps it unchanged: the issuer claim of a token is compared as a string.
    pub fn as_written(text: &str) -> Result<Self, InvalidUrl> {
        let url = checked(text)?;
        if text.ends_with('/') {
            return Err(InvalidUrl::TrailingSlash { url: text.to_owned() });
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The URL, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, parsed.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The host as clients take it from the text: without port, and without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.host_in_url();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The host as it is in the text: without port, an IPv6 address in brackets.
    #[must_use]
    pub fn host_in_url(&self) -> &str {
        let authority = authority(&self.text);
        let address = authority.find(']').map(|bracket| bracket + 1);
        let end = address.or_else(|| authority.find(':')).unwrap_or(authority.len());
        authority.get(..end).unwrap_or(authority)
    }

    /// Whether the service is below the root of its host.
    #[must_use]
    pub fn has_path(&self) -> bool {
        self.url.path() != "/"
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What is between scheme and path.
fn authority(text: &str) -> &str {
    text.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default()
}

/// A URL to which clients can append paths.
fn checked(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text).map_err(|_| not_a_base(text))?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    // A URL's parser drops these silently, and a client that does not would read another URL.
    let is_visible = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    // The parser corrects slashes, and passes over a user that is empty; other parsers do not.
    let authority = authority(text);
    let is_plain = !authority.is_empty() && !authority.contains('@') && !text.contains('\\');
    if !is_http || !is_visible || !is_plain || url.query().is_some() || url.fragment().is_some() {
        return Err(not_a_base(text));
    }
    Ok(url)
}

/// The error is shown and logged, so it must not have a password.
fn not_a_base(text: &str) -> InvalidUrl {
    let url = text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"));
    InvalidUrl::NotABase { url }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_s_url_is_kept_as_written_or_refused() {
        for good in [
            "http://127.0.0.1:8080",
            "https://sign.example.org",
            "http://127.0.0.1:8080/oidc",
            "http://[::1]:80",
            "https://Login.Example.org:443/Realm",
        ] {
            assert_eq!(BaseUrl::as_written(good).unwrap().as_str(), good);
        }
        let slash = BaseUrl::as_written("https://sign.example.org/").unwrap_err();
        assert_eq!(slash, InvalidUrl::TrailingSlash { url: "https://sign.example.org/".to_owned() });
    }

    #[test]
    fn a_base_is_a_place_and_nothing_else() {
        for parse in [BaseUrl::parse, BaseUrl::as_written] {
            for bad in [
                "sign.example.org",
                "ftp://x",
                "https://u@x",
                "https://:p@x",
                "https://@x",
                "https://x?a=b",
                "https://x#f",
                "",
                " https://x",
                "https://x\n",
                "https://a\tb.example.org",
                "https://x\\a",
                "https:/x",
                "https:/u@x",
                "https:///x",
                "data:x",
            ] {
                assert!(matches!(parse(bad), Err(InvalidUrl::NotABase { .. })), "{bad}");
            }
            let refused = parse("https://me:secret@sign.example.org").unwrap_err().to_string();
            assert!(refused.contains("…@sign.example.org") && !refused.contains("secret"), "{refused}");
        }
        for bad in ["https://.", "https://sign..example.org", "https://sign.example.org..", "https://.example.org"] {
            assert!(matches!(BaseUrl::parse(bad), Err(InvalidUrl::NotABase { .. })), "{bad}");
        }
    }

    #[test]
    fn a_service_s_url_has_one_spelling() {
        for (written, normal, host) in [
            ("https://sign.example.org", "https://sign.example.org", "sign.example.org"),
            ("HTTPS://Sign.Example.ORG", "https://sign.example.org", "sign.example.org"),
            ("https://sign.example.org:443", "https://sign.example.org", "sign.example.org"),
            ("http://LocalHost:80", "http://localhost", "localhost"),
            ("http://localhost:443", "http://localhost:443", "localhost"),
            ("https://sign.example.org.", "https://sign.example.org", "sign.example.org"),
            ("https://sign.example.org.:8443", "https://sign.example.org:8443", "sign.example.org"),
            ("https://Bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("https://ｓign.example.org", "https://sign.example.org", "sign.example.org"),
            ("https://si%67n.example.org", "https://sign.example.org", "sign.example.org"),
            ("http://0x7f.1:8080", "http://127.0.0.1:8080", "127.0.0.1"),
            ("https://[2001:DB8:0::1]:443/a", "https://[2001:db8::1]/a", "2001:db8::1"),
            ("https://sign.example.org/", "https://sign.example.org", "sign.example.org"),
            ("https://sign.example.org///", "https://sign.example.org", "sign.example.org"),
            ("https://Sign.example.org/Log/", "https://sign.example.org/Log", "sign.example.org"),
        ] {
            let url = BaseUrl::parse(written).unwrap();
            assert_eq!((url.as_str(), url.host()), (normal, host), "{written}");
            assert_eq!(BaseUrl::parse(normal).as_ref(), Ok(&url), "the normal form is its own");
            assert_eq!(url.url().as_str().trim_end_matches('/'), normal);
        }
        assert_eq!(BaseUrl::as_written("https://Sign.Example.org:443/a").unwrap().host_in_url(), "Sign.Example.org");
        assert_eq!(BaseUrl::parse("https://[2001:DB8::1]:8443").unwrap().host_in_url(), "[2001:db8::1]");
        assert!(BaseUrl::parse("https://a.example/log/").unwrap().has_path());
        assert!(!BaseUrl::parse("https://a.example//").unwrap().has_path());
    }
}
