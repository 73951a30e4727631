//! Names that are URIs: the permitted characters, and issuers whose `sub` is a URI.

use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use chancery_address::host_of;
use chancery_verify::certificate::Identity;
use std::borrow::Cow;
use std::fmt::Write as _;
use url::Url;

/// Longest name. References to workflows have a few hundred bytes.
const MAX_URI_BYTES: usize = 2048;

/// Returns the `sub`, which must be below `subject_domain`: same scheme, host and port, and no user.
pub(super) fn identity(claims: &VerifiedClaims, subject_domain: &str) -> Result<Identity, TokenRefusal> {
    let outside = TokenRefusal::Subject { reason: "not a URL in the issuer's subject domain" };
    let Ok(domain) = Url::parse(subject_domain) else { return Err(outside) };
    let identity = name(claims.subject())?;
    let within = Url::parse(identity.as_str()).is_ok_and(|subject| {
        subject.scheme() == domain.scheme()
            && subject.host_str() == Some(host_of(&domain))
            && subject.port_or_known_default() == domain.port_or_known_default()
    });
    if within { Ok(identity) } else { Err(outside) }
}

/// Checks a URI for use as a certificate's only name: it has a host and no user, uses only characters of RFC 3986, and
/// has no segments that make two spellings of one path.
pub(super) fn name(text: &str) -> Result<Identity, TokenRefusal> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let plain = text.len() <= MAX_URI_BYTES
        && text.bytes().all(is_uri_byte)
        && escapes_are_whole(text)
        && !path.split('/').any(|segment| segment == "." || segment == "..");
    // Lenient parsers find a host even if the text has none.
    let authority = path.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let has_host =
        !authority.is_empty() && !authority.contains('@') && Url::parse(text).is_ok_and(|url| url.has_host());
    if plain && has_host {
        Ok(Identity::Uri(text.to_owned()))
    } else {
        Err(TokenRefusal::Identity { reason: "not a URI that can name a signer" })
    }
}

/// Encodes a claim's value as part of a URI: characters outside RFC 3986 are percent-encoded, as Fulcio's URL library
/// does.
pub(super) fn encode(value: &str) -> Cow<'_, str> {
    if value.bytes().all(is_uri_byte) {
        return value.into();
    }
    let mut out = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if is_uri_byte(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out.into()
}

/// Unreserved, reserved, and the percent sign (RFC 3986 §2).
const fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~' | b'!' | b'#'..=b',' | b'[' | b']')
}

fn escapes_are_whole(text: &str) -> bool {
    let hexadecimal = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_name_and_those_that_do_not() {
        for good in [
            "https://github.com/o/r/.github/workflows/a.yml@refs/heads/main",
            "https://gitlab.example/g/p//.gitlab-ci.yml@refs/tags/v1.0",
            "https://buildkite.com/o/p",
            "https://g.codefresh.io/acc/proj/pipe:1/2",
            "https://a.test/%C3%BC?x#y",
        ] {
            assert_eq!(name(good).unwrap().as_str(), good);
        }
        let long = format!("https://a.test/{}", "x".repeat(2048));
        for bad in [
            "",
            "a",
            "https://",
            "https:///x",
            "mailto:a@b.test",
            "https://u@a.test/x",
            "https://u:p@a.test/x",
            "https://a.test/../x",
            "https://a.test/x/..",
            "https://a.test/./x",
            "https://a.test/a b",
            "https://a.test/a\n",
            "https://a.test/\u{202e}x",
            "https://a.test/ü",
            "https://a.test/%",
            "https://a.test/%2",
            "https://a.test/%zz",
            "https://a.test/\"",
            "https://a.test/{x}",
            &long,
        ] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(encode("refs/heads/grün blau"), "refs/heads/gr%C3%BCn%20blau");
        assert_eq!(encode("a{b}|\"\\^`<>\u{7f}"), "a%7Bb%7D%7C%22%5C%5E%60%3C%3E%7F");
    }
}
