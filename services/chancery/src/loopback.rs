//! The meaning of «only this machine»: listen addresses, `Host` and `Origin` headers.
//!
//! A development server gives tokens and certificates to anyone who can speak to it. A socket on a loopback address
//! keeps other machines out; the checks here keep out the web pages in this machine's own browser, which reach loopback
//! too: under a name an attacker points at 127.0.0.1 (DNS rebinding: `Host`), or as a cross-site request (`Origin`).

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use chancery_address::is_this_machine;
use std::net::SocketAddr;
use url::Url;

/// Reads a listen address: `IP:PORT` or `localhost:PORT`, loopback only.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr =
        numeric.parse().map_err(|_| "expected IP:PORT or localhost:PORT, for example 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "{address} can be reached from other machines, and a development server gives anyone who reaches it a token for \
         any name. Listen on 127.0.0.1 or [::1]; to use it from elsewhere, forward the port: ssh -L {port}:127.0.0.1:{port} HOST",
        port = address.port()
    ))
}

/// The routes of a server at `address`: behind [`only_this_machine`], if no other machine can reach that.
pub(crate) fn guarded(routes: Router, address: SocketAddr) -> Router {
    if address.ip().is_loopback() { routes.layer(from_fn(only_this_machine)) } else { routes }
}

/// Middleware: a request must name this machine as its host.
pub(crate) async fn only_this_machine(request: Request, next: Next) -> Response {
    // HTTP/2 has the host in the request line instead.
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let named = match authority {
        Some(Ok(authority)) if !request.headers().contains_key(header::HOST) => {
            host_is_loopback(&HeaderMap::from_iter([(header::HOST, authority)]))
        }
        _ => host_is_loopback(request.headers()),
    };
    if named {
        return next.run(request).await;
    }
    refuse("this server answers only to localhost, 127.0.0.1 and [::1]")
}

/// Middleware, after [`only_this_machine`]: what can change anything must not come from a page of another origin.
pub(crate) async fn only_own_pages(request: Request, next: Next) -> Response {
    if request.method().is_safe() || !is_cross_origin(request.headers()) {
        return next.run(request).await;
    }
    refuse("a web page of another origin must not use the development issuer")
}

fn refuse(reason: &str) -> Response {
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{reason}\n"))
        .into_response()
}

/// Exactly one `Host`, and it is a loopback name. Its port does not matter: a forwarded port has another number.
fn host_is_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    // What almost all send takes no parser of URLs.
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| {
        let only_host = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        only_host && url.username().is_empty() && url.password().is_none() && is_loopback(&url)
    })
}

/// Whether a browser reaches only this machine with this URL. Browsers resolve names below `localhost` themselves.
fn is_loopback(url: &Url) -> bool {
    is_this_machine(url) || url.domain().is_some_and(|name| name.ends_with(".localhost"))
}

/// Whether a browser says that another origin made the request. Programs that are not browsers send no `Origin`.
fn is_cross_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(|host| [b"http://", host.as_bytes()].concat());
    headers.get(header::ORIGIN).is_some_and(|origin| Some(origin.as_bytes()) != host.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        assert_eq!(listen_address("127.0.0.1:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(listen_address("localhost:0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(listen_address("[::1]:8080").unwrap().to_string(), "[::1]:8080");
        for open in ["0.0.0.0:8080", "192.168.1.2:8080", "[::]:8080"] {
            let message = listen_address(open).unwrap_err();
            assert!(message.contains("127.0.0.1") && message.contains("ssh -L 8080"), "{message}");
        }
        for bad in ["8080", ":8080", "localhost", "example.org:80"] {
            assert!(listen_address(bad).unwrap_err().contains("expected"), "{bad}");
        }
    }

    #[test]
    fn the_host_must_be_this_machine() {
        let with = |host: &str| HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
        for good in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "app.localhost:1"] {
            assert!(host_is_loopback(&with(good)), "{good}");
        }
        for bad in [
            "example.org",
            "127.0.0.1.example.org",
            "localhost.example.org:8080",
            "localhost@example.org",
            "",
            "localhost/x",
        ] {
            assert!(!host_is_loopback(&with(bad)), "{bad}");
        }
        assert!(!host_is_loopback(&HeaderMap::new()));
        let mut two = with("localhost");
        two.append(header::HOST, HeaderValue::from_static("example.org"));
        assert!(!host_is_loopback(&two));
    }
}
