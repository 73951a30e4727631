//! An id for every request: in its answer's header, in our log and in the records about it.
//!
//! A client may choose it (`x-request-id`), as in Fulcio, so that its log and ours can be compared. An id that is not
//! plain text, or is longer than Fulcio's 128 characters, is replaced.

use crate::random::Random;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use std::fmt;
use std::sync::Arc;

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
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
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
