//! Names of signers: letter case, hosts and domains.
//!
//! Upstream's index compares names in lower case, so this one does, too. A domain is found by every host below it, so
//! each domain above a host is a term of its own: a search by domain is then an exact match.

use crate::certificate::{NameKind, SubjectName};
use std::iter;
use std::net::IpAddr;

/// Maximum domains of a name, beside its host. DNS allows 127 labels; real hosts have fewer than ten.
const MAX_DOMAINS: usize = 15;

/// Lower case, character by character: so the start of a text becomes the start of the text in lower case, which
/// `str::to_lowercase` does not promise (a Greek sigma at the end of a word has a form of its own).
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The host of a name: of an e-mail address, of a URI with an authority, of a username of Fulcio's form (`name!host`), or
/// the name itself. `None` for an address of the Internet Protocol.
pub(super) fn host(name: &SubjectName) -> Option<&str> {
    let value = name.value.as_str();
    let host = match name.kind {
        NameKind::Email => value.rsplit_once('@')?.1,
        NameKind::Username => value.rsplit_once('!')?.1,
        NameKind::Uri => authority(value)?,
        NameKind::Dns => value.strip_prefix("*.").unwrap_or(value),
        NameKind::Ip => return None,
    };
    let host = host.trim_end_matches('.');
    let is_name = !host.is_empty() && host.parse::<IpAddr>().is_err();
    is_name.then_some(host)
}

/// The host in the authority of a URI (RFC 3986 §3.2), without user and port. `None` without an authority, and for an
/// address in brackets.
fn authority(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') { None } else { host.split(':').next() }
}

/// The host, and the domains above it that have at least two labels, e.g. `example.com` and `a.example.com`. The
/// longest of more than [`MAX_DOMAINS`] are left out.
pub(super) fn domains(host: &str) -> impl Iterator<Item = &str> {
    let above = host.rmatch_indices('.').skip(1).take(MAX_DOMAINS);
    above.filter_map(|(dot, _)| host.get(dot + 1..)).chain(iter::once(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_is_dropped_without_regard_to_what_follows() {
        assert_eq!(fold("Alice@EXAMPLE.com"), "alice@example.com");
        assert!(fold("ΑΣΑ").starts_with(&fold("ΑΣ")));
    }

    #[test]
    fn each_kind_of_name_has_its_host() {
        let hosts = |kind, names: &[(&str, Option<&str>)]| {
            for (value, expected) in names {
                let name = SubjectName { kind, value: (*value).to_owned() };
                assert_eq!(host(&name), *expected, "{value}");
            }
        };
        let found = Some("a.example");
        hosts(
            NameKind::Email,
            &[("x@a.example", found), ("\"x@y\"@a.example.", found), ("a.example", None), ("x@", None)],
        );
        hosts(NameKind::Username, &[("x!a.example", found), ("a.example", None)]);
        hosts(NameKind::Dns, &[("a.example", found), ("*.a.example", found), ("192.0.2.1", None), (".", None)]);
        hosts(NameKind::Ip, &[("192.0.2.1", None)]);
        let uris = [
            ("https://a.example/b@c", found),
            ("https://a.example", found),
            ("https://user:word@a.example:8443?b#c", found),
            ("spiffe://a.example/ns/x", found),
            ("https://[2001:db8::1]:8443/", None),
            ("https://192.0.2.1:8443/", None),
            ("https:///path", None),
            ("urn:uuid:1", None),
        ];
        hosts(NameKind::Uri, &uris);
    }

    #[test]
    fn every_domain_above_a_host_is_found_except_the_last_label() {
        let all = |host| domains(host).collect::<Vec<_>>();
        assert_eq!(all("a.b.example.com"), ["example.com", "b.example.com", "a.b.example.com"]);
        assert_eq!(all("example.com"), ["example.com"]);
        assert_eq!(all("localhost"), ["localhost"]);
        let long = "x.".repeat(100) + "example";
        assert_eq!(all(&long).len(), MAX_DOMAINS + 1);
        assert_eq!(all(&long).last(), Some(&long.as_str()));
    }
}
