//! The parameters of a request, checked once and then carried as types.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_verify::hash;
use url::{Host, Url};

/// Longest client id, state or nonce that is kept: far above what clients send, far below what fills memory.
const MAX_TEXT: usize = 512;

/// An OAuth client id, and so the audience of its tokens. Any is accepted: all clients of a development issuer are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientId(String);

impl ClientId {
    /// RFC 6749 appendix A.1: visible ASCII.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id = !text.is_empty() && text.len() <= MAX_TEXT && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_id.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address as the certificate authority takes it: dot-atoms, a domain of at least two labels. Checked here too,
/// so that who types a wrong one is told so on the page and not by an error of their signing tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmailAddress(String);

impl EmailAddress {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.split_once('@')?;
        let is_atom = |atom: &str| {
            !atom.is_empty()
                && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
        };
        let is_label = |label: &str| {
            let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len()) && inside && !label.starts_with('-') && !label.ends_with('-')
        };
        // RFC 5321 §4.5.3.1: 64 octets before the @, 254 in all.
        let fits = local.len() <= 64 && text.len() <= 254 && domain.contains('.');
        (fits && local.split('.').all(is_atom) && domain.split('.').all(is_label)).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an authorization code is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RedirectUri {
    /// A program on this machine that listens for it (RFC 8252 §7.3).
    Loopback(Url),
    /// No program listens for a redirect: the page shows the code, to be pasted into a terminal without a browser.
    OutOfBand,
}

impl RedirectUri {
    /// `http://localhost[:port]/…`, `http://127.0.0.1[:port]/…` or the out-of-band URN, nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "urn:ietf:wg:oauth:2.0:oob" {
            return Some(Self::OutOfBand);
        }
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_TEXT)?;
        let is_local = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address == std::net::Ipv4Addr::LOCALHOST,
            // Content-Security-Policy has no way to allow a form to lead to an IPv6 literal.
            Host::Ipv6(_) => false,
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        (url.scheme() == "http" && is_local && !has_user && url.fragment().is_none()).then_some(Self::Loopback(url))
    }
}

/// A PKCE challenge of method S256: the SHA-256 of a verifier that only the client knows (RFC 7636 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeChallenge(hash::Hash);

impl CodeChallenge {
    /// `method` must be there and `S256`: without it a client would fall back to `plain`, which hides nothing.
    pub(super) fn parse(challenge: &str, method: &str) -> Option<Self> {
        let hash = URL_SAFE_NO_PAD.decode(challenge).ok().filter(|_| method == "S256")?;
        hash.try_into().ok().map(Self)
    }

    /// Whether `verifier` is what the challenge was made from.
    pub(super) fn is_answered_by(&self, verifier: &str) -> bool {
        (43..=128).contains(&verifier.len()) && hash::sha256(verifier.as_bytes()) == self.0
    }
}

/// A `state` or `nonce` short enough to keep and echo.
pub(super) fn is_echoable(text: &str) -> bool {
    text.len() <= MAX_TEXT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_redirected_to() {
        for good in ["http://localhost:45678/auth/callback", "http://127.0.0.1:1/", "http://localhost/x?y=z"] {
            assert!(matches!(RedirectUri::parse(good), Some(RedirectUri::Loopback(_))), "{good}");
        }
        assert_eq!(RedirectUri::parse("urn:ietf:wg:oauth:2.0:oob"), Some(RedirectUri::OutOfBand));
        for bad in [
            "https://localhost:1/",
            "http://localhost.example.org/",
            "http://localhost:1@example.org/",
            "http://user@localhost/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.2/",
            "http://example.org/",
            "http://localhost/#fragment",
            "javascript:alert(1)",
            "//localhost/",
            "",
        ] {
            assert_eq!(RedirectUri::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_challenge_is_answered_by_its_verifier_only() {
        // RFC 7636 appendix B.
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256").unwrap();
        assert!(challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_answered_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
        assert!(!challenge.is_answered_by(""));
        for (challenge, method) in
            [("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "plain"), ("short", "S256"), ("", "S256")]
        {
            assert_eq!(CodeChallenge::parse(challenge, method), None);
        }
    }

    #[test]
    fn addresses_fit_into_a_certificate() {
        assert_eq!(EmailAddress::parse(" alice@example.test ").unwrap().as_str(), "alice@example.test");
        for bad in [
            "",
            "alice",
            "@x.y",
            "x@",
            "a b@x.y",
            "a@b@c.d",
            "a@b.c\nd",
            "é@x.y",
            "a@b.c\u{0}",
            "a@localhost",
            "a..b@x.y",
            "\"a\"@x.y",
        ] {
            assert_eq!(EmailAddress::parse(bad), None, "{bad:?}");
        }
        assert_eq!(EmailAddress::parse(&format!("{}@x.y", "a".repeat(65))), None);
    }
}
