//! Names of hosts: their one spelling, and which of them are this machine.

use url::{Host, Url};

/// Returns the one spelling of a host that is written alone: lower case, an international name in punycode, no dot at the
/// end, an IPv6 address in brackets. `None` if it is no host, for example because it has a scheme or a port.
#[must_use]
pub fn host_name(text: &str) -> Option<String> {
    Host::parse(text.strip_suffix('.').unwrap_or(text)).ok().map(|host| host.to_string())
}

/// Returns the host of a URL in the same spelling. It is empty if the URL has none.
#[must_use]
pub fn host_of(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether requests to a URL stay on this machine: the host is a loopback address or `localhost`.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        // RFC 6761 §6.3: resolvers must answer this name with loopback addresses only.
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether nobody on the way to a URL can read or change what is sent: it is `https`, or `http` that stays on this machine.
/// What carries a token, or decides what is trusted, goes to such a URL only.
#[must_use]
pub fn is_protected(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (written, normal) in [
            ("Keys.Example.org", "keys.example.org"),
            ("keys.example.org.", "keys.example.org"),
            ("schlüssel.example", "xn--schlssel-95a.example"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("127.1", "127.0.0.1"),
        ] {
            assert_eq!(host_name(written).as_deref(), Some(normal), "{written}");
            let url = Url::parse(&format!("https://{written}:8443/a")).unwrap();
            assert_eq!(host_of(&url), normal, "{written}");
        }
        for bad in ["", "https://keys.example.org", "keys.example.org:443", "keys.example.org/a", "a b", "2001:db8::1"]
        {
            assert_eq!(host_name(bad), None, "{bad}");
        }
        assert_eq!(host_of(&Url::parse("data:x").unwrap()), "");
    }

    #[test]
    fn this_machine_is_a_loopback_address_or_localhost() {
        let here = |url: &str| is_this_machine(&Url::parse(url).unwrap());
        for url in
            ["http://localhost:1", "http://LOCALHOST", "http://127.0.0.1:8080/a", "http://127.9.9.9", "http://[::1]"]
        {
            assert!(here(url), "{url}");
        }
        for url in [
            "http://localhost.example.org",
            "http://app.localhost",
            "http://127.0.0.1.example.org",
            "http://0.0.0.0",
            "http://[::]",
            "http://10.0.0.1",
            "file:///etc/passwd",
        ] {
            assert!(!here(url), "{url}");
        }
    }

    #[test]
    fn what_others_could_read_is_not_protected() {
        let protected = |url: &str| is_protected(&Url::parse(url).unwrap());
        for url in [
            "https://log.example.org",
            "https://127.0.0.1",
            "http://127.0.0.1:8080/a",
            "HTTP://LocalHost",
            "http://[::1]",
        ] {
            assert!(protected(url), "{url}");
        }
        for url in
            ["http://log.example.org", "http://0.0.0.0", "http://localhost.example.org", "ftp://localhost", "data:x"]
        {
            assert!(!protected(url), "{url}");
        }
    }
}
