//! The readers of a private log's entries.
//!
//! Everything that says nothing of an entry stays public: checkpoints, tree heads, hashes, and proofs over hashes. So everybody
//! can still check that the log only grows, and prove an entry that is at hand. Routes that show entries to clients that do not
//! have them are for readers, if there is a [`Reader`]. It is implemented where tokens are known: this crate knows none.
//! [`readers_only`] is for routes beside the logs' own that show entries, too, or that are for readers of something else.

mod http;

pub use http::readers_only;
pub(crate) use http::{Form, bearer, refusal};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The verdict about a token, later.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + 'a>>;

/// Decides who may read entries.
pub trait Reader: Send + Sync {
    /// Whether the holder of `token` may. It is empty if the request has none, and can be anything that a stranger sends.
    /// Implementations MUST bound what a token costs, and what is kept of it.
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a>;
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The family of the reason, which decides what a client can do.
    pub kind: RefusalKind,
    /// Stable name of the reason.
    pub code: &'static str,
    /// What the token would open, in one word, for the challenge. MUST be a plain word: it stands between quotation marks.
    pub realm: &'static str,
    /// The sentence for the client. It MUST NOT show what is inside.
    pub message: String,
}

/// The families of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no token.
    Missing,
    /// The token is not accepted.
    Token,
    /// The token is genuine, but not one of a reader.
    Forbidden,
    /// Nobody can tell at the moment.
    Unavailable,
}

/// Who may read entries. Clones are the same. By default everybody.
#[derive(Clone, Default)]
pub struct Readers(Option<Arc<dyn Reader>>);

impl Readers {
    /// Only whom `reader` admits.
    #[must_use]
    pub fn only(reader: Arc<dyn Reader>) -> Self {
        Self(Some(reader))
    }

    /// Checks the token of a request, if there is anything to check.
    pub(crate) async fn admit(&self, token: &str) -> Result<(), Refused> {
        match &self.0 {
            None => Ok(()),
            Some(reader) => reader.admit(token).await,
        }
    }

    /// Whether not everybody may read entries.
    pub(crate) const fn are_restricted(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readers({})", if self.are_restricted() { "some" } else { "everybody" })
    }
}
