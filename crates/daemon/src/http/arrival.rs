//! What happens to every request of a connection before it is routed.
//!
//! Its body gets a deadline, it learns which [`Peer`] sent it, and leading slashes become one: clients append paths to
//! base URLs that end in `/`.

use super::{Peer, deadline};
use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tower::Service;

/// The routes as one connection reaches them.
#[derive(Clone)]
pub(super) struct Arrival {
    routes: Router,
    peer: Option<Peer>,
}

impl Arrival {
    /// Reaches `routes` from `peer`.
    pub(super) const fn new(routes: Router, peer: Option<Peer>) -> Self {
        Self { routes, peer }
    }
}

impl Service<hyper::Request<Incoming>> for Arrival {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request = deadline::watch(request);
        collapse_slashes(&mut request);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        self.routes.call(request)
    }
}

fn collapse_slashes(request: &mut Request) {
    if request.uri().path().starts_with("//") {
        let path =
            format!("/{}", request.uri().path_and_query().map_or("", |both| both.as_str()).trim_start_matches('/'));
        if let Ok(uri) = path.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
}
