//! An id for every request: in its answer's header, in our log and in the records about it.
//!
//! The span `request` around the work on a request puts the id into every log line of this work. It also has the method,
//! the template of the route (never the path), the role and, at the end, the status. Work that a handler gives to another
//! task must take the span along.
//!
//! A client may choose it (`x-request-id`), as in Fulcio, so that its log and ours can be compared. An id that is not
//! plain text, or is longer than Fulcio's 128 characters, is replaced.

use super::measure::method_label;
use crate::random::Random;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use std::fmt;
use std::sync::Arc;
use tower::util::MapRequestLayer;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of an id that a client chooses.
pub(super) const MAX_LENGTH: usize = 128;

/// The id of a request, stored in its extensions: letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Reads an id from a header; `None` if it cannot be repeated safely.
    fn read(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let fits = (1..=MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        fits.then(|| Self(text.into()))
    }

    /// Draws a random id.
    fn draw(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(format!("{:032x}", u128::from_be_bytes(bytes)).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives every request a [`RequestId`], and every answer its header.
pub fn named(routes: Router, random: Arc<dyn Random>) -> Router {
    routes.layer(middleware::from_fn_with_state(random, name))
}

async fn name(State(random): State<Arc<dyn Random>>, mut request: Request, next: Next) -> Response {
    let chosen = request.headers().get(HEADER).and_then(RequestId::read);
    let id = chosen.unwrap_or_else(|| RequestId::draw(random.as_ref()));
    request.extensions_mut().insert(id.clone());
    let span = span(&request, &id);
    let mut response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The span around a request. Of the highest level, so that a line of any level has it.
fn span(request: &Request, id: &RequestId) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let method = method_label(request.method());
    tracing::error_span!("request", request.id = %id, method, route, role = Empty, status = Empty)
}

/// Names the role that answers requests to `routes` in their spans.
pub fn answered_by(routes: Router, role: &'static str) -> Router {
    routes.layer(MapRequestLayer::new(move |request: Request| {
        Span::current().record("role", role);
        request
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn what_is_not_plain_is_not_repeated() {
        let read = |text: &str| RequestId::read(&HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let longest = "a".repeat(MAX_LENGTH);
        for good in ["1", "0af7651916cd43dd8448eb211c80319c", "a-b_c.D", &longest] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\"b", "a{b}", "é", "a\tb", &format!("{longest}a")] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn drawn_names_differ_and_have_32_digits() {
        let [one, two] = [RequestId::draw(&SystemRandom), RequestId::draw(&SystemRandom)];
        assert_ne!(one, two);
        assert_eq!((one.as_str().len(), two.as_str().len()), (32, 32));
    }
}
