//! The steps for every request of a connection before it is routed.
//!
//! A request must name exactly one host, so that a proxy in front and the code behind cannot read different hosts from
//! it (RFC 9112 §3.2, RFC 9113 §8.3.1). Its body gets a deadline and the [`Budget`], the request gets its [`Peer`], and its
//! path is brought into one form ([`slashes`]).

use super::{Peer, deadline, json, slashes};
use crate::budget::Budget;
use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::Response;
use futures_util::future::{Either, Ready, ready};
use hyper::body::{Body as _, Incoming};
use std::convert::Infallible;
use std::task::{Context, Poll};
use tower::Service;

/// The routes for one connection.
#[derive(Clone)]
pub(super) struct Arrival {
    routes: Router,
    peer: Option<Peer>,
    budget: Budget,
}

impl Arrival {
    /// The routes for a connection from `peer`. The bodies of requests count in `budget`.
    pub(super) const fn new(routes: Router, peer: Option<Peer>, budget: Budget) -> Self {
        Self { routes, peer, budget }
    }
}

impl Service<hyper::Request<Incoming>> for Arrival {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<<Router as Service<Request>>::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: hyper::Request<Incoming>) -> Self::Future {
        if !names_one_host(&request) {
            return Either::Right(ready(Ok(refusal(request.version()))));
        }
        let has_body = !request.body().is_end_stream();
        let mut request = deadline::watch(request);
        if has_body {
            request.extensions_mut().insert(self.budget.clone());
        }
        if let Some(uri) = slashes::joined(request.uri()) {
            *request.uri_mut() = uri;
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        Either::Left(self.routes.call(request))
    }
}

/// Returns whether a request names exactly one host, without a user. An HTTP/1.0 request may name none. An HTTP/2
/// request names it in `:authority`, or in the header of HTTP/1.1.
fn names_one_host<B>(request: &hyper::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let line = request.uri().authority();
    if line.is_some_and(|authority| !is_plain(authority)) {
        return false;
    }
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() != Version::HTTP_11,
        (Some(_), Some(_)) => false,
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
            host.is_some_and(|host| {
                let contradicts = request.version() == Version::HTTP_2 && line.is_some_and(|line| *line != host);
                is_plain(&host) && !contradicts
            })
        }
    }
}

fn is_plain(authority: &Authority) -> bool {
    !authority.as_str().contains('@') && !authority.host().is_empty()
}

fn refusal(version: Version) -> Response {
    let mut response = json(
        StatusCode::BAD_REQUEST,
        r#"{"code":3,"message":"a request must name one host, without a user","details":[]}"#,
    );
    if version < Version::HTTP_2 {
        // Later requests of this connection may be for another server.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, hosts: &[&str]) -> hyper::Request<()> {
        let request = hyper::Request::builder().version(version).uri(uri);
        hosts.iter().fold(request, |request, host| request.header(header::HOST, *host)).body(()).unwrap()
    }

    #[test]
    fn a_request_names_one_host() {
        for (version, uri, hosts) in [
            (Version::HTTP_11, "/", &["log.example.test"][..]),
            (Version::HTTP_11, "/", &["[::1]:8080"]),
            (Version::HTTP_11, "http://other.test/", &["log.example.test"]),
            (Version::HTTP_10, "/", &[]),
            (Version::HTTP_2, "https://log.example.test/", &[]),
            (Version::HTTP_2, "https://log.example.test/", &["LOG.example.test"]),
            (Version::HTTP_2, "/", &["log.example.test"]),
            (Version::HTTP_2, "/", &[]),
        ] {
            assert!(names_one_host(&request(version, uri, hosts)), "{version:?} {uri} {hosts:?}");
        }
        for (version, uri, hosts) in [
            (Version::HTTP_11, "/", &[][..]),
            (Version::HTTP_11, "http://log.example.test/", &[]),
            (Version::HTTP_11, "/", &["log.example.test", "log.example.test"]),
            (Version::HTTP_10, "/", &["log.example.test", "other.test"]),
            (Version::HTTP_11, "/", &["me@log.example.test"]),
            (Version::HTTP_11, "/", &["log.example.test@other.test"]),
            (Version::HTTP_11, "http://me@log.example.test/", &["log.example.test"]),
            (Version::HTTP_11, "/", &[""]),
            (Version::HTTP_11, "/", &[":80"]),
            (Version::HTTP_11, "/", &["log.example.test, other.test"]),
            (Version::HTTP_11, "/", &["log.example.test/x"]),
            (Version::HTTP_2, "https://me@log.example.test/", &[]),
            (Version::HTTP_2, "https://log.example.test/", &["other.test"]),
            (Version::HTTP_2, "/", &["log.example.test", "log.example.test"]),
        ] {
            assert!(!names_one_host(&request(version, uri, hosts)), "{version:?} {uri} {hosts:?}");
        }
    }
}
