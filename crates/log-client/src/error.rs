//! Why a log cannot be read. Each error names the URL, and what to do where the reader can do something.

use chancery_verify::Rejection;
use std::time::Duration;

/// Why a log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The URL is not a place below which paths can be.
    #[error("{url} is not the URL of a log: give a plain http or https URL, without user, query and fragment")]
    Address {
        /// The URL.
        url: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The token of a reader cannot be read.
    #[error("the token cannot be read: {reason}")]
    Token {
        /// Why.
        reason: String,
    },
    /// No connection, or it broke, or the answer took too long.
    #[error("{url} gives no answer: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// The server asks to wait. It was asked several times.
    #[error("{url} asks to be asked again later{}", seconds(*.retry_after))]
    Throttled {
        /// What was asked for.
        url: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server answers with a status that is not an answer.
    #[error("{url} answers with the status {status}{}{}", advice(*.status), told(.reason.as_deref()))]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The server's words about a token that is missing or not accepted, on one line.
        reason: Option<String>,
    },
    /// The server has nothing there.
    #[error("there is nothing at {url}: is it the URL of a log that speaks {protocol}?")]
    Missing {
        /// What was asked for.
        url: String,
        /// The protocol in which it was asked.
        protocol: &'static str,
    },
    /// The answer is larger than an answer may be.
    #[error("{url} answers with more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The answer is not one of the protocol.
    #[error("the answer of {url} is not one of this protocol: {reason}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The key of the log has not signed what the server shows, or it does not hold together.
    #[error("the answer of {url} does not verify: {rejection}")]
    Rejected {
        /// What was asked for.
        url: String,
        /// Why.
        rejection: Rejection,
    },
    /// The signed tree head of an RFC 6962 log, which does not name its key, is not signed by the log's.
    #[error(
        "the tree head at {url} is not signed by the key that is given: if the key was the log's before a rotation, the log may have a \
         successor, which has its own key"
    )]
    OtherKey {
        /// What was asked for.
        url: String,
    },
    /// The task that asks was stopped.
    #[error("the requests were interrupted")]
    Interrupted,
    /// The protocol has no such question.
    #[error("a log that speaks {protocol} cannot be asked for {what}")]
    Unsupported {
        /// The protocol.
        protocol: &'static str,
        /// What was asked for.
        what: &'static str,
    },
}

impl ReadError {
    /// Whether the same request may be answered later, without a change on either side.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Throttled { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether the server has answered, but not with what it was asked for: it refuses that, or has it not.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::TooLarge { .. } | Self::Malformed { .. } | Self::Rejected { .. } => true,
            Self::Refused { .. } => !self.is_passing(),
            _ => false,
        }
    }

    /// Whether the server shows entries to readers with a token only.
    #[must_use]
    pub const fn needs_token(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// How long the server asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn seconds(retry_after: Option<Duration>) -> String {
    retry_after.map(|pause| format!(": in {} s", pause.as_secs())).unwrap_or_default()
}

fn told(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..400 => ": redirects are not followed; give the URL to which it leads",
        _ => "",
    }
}
