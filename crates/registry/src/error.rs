//! What can go wrong between a reference and its bytes, with stable codes.
//!
//! Codes that begin with `registry.` or `file.` say nothing about an image: the registry could not be asked, or did not answer as
//! one, or a file could not be read.
//! Codes that begin with `image.` are about what was read.

use std::fmt;

/// The kind of an [`Error`]; its code is part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not a reference of an image.
    Reference,
    /// A manifest or blob whose hash or length is not what it was asked for by.
    Digest,
    /// A body of another type than a manifest or index, or than the answer's `Content-Type`.
    MediaType,
    /// A manifest that cannot be parsed, or that is ambiguous.
    Layout,
    /// A manifest that was listed as referring to one digest and refers to another.
    Subject,
    /// More bytes than the limit.
    TooLarge,
    /// More elements or pages than the limit.
    TooMany,
    /// The registry asks for credentials and takes none that we have.
    Unauthorized,
    /// The registry refuses these credentials.
    Denied,
    /// What was asked for is not there.
    NotFound,
    /// The registry asks to come back later, longer than we wait.
    Throttled,
    /// No connection, no answer in time, or a fault of the registry.
    Unavailable,
    /// A redirect that is not followed.
    Redirect,
    /// An answer no registry should give.
    Protocol,
    /// Credentials that cannot be read, or a credential helper that fails.
    Credentials,
    /// A file that cannot be read: a bundle, an artifact, or a part of an image in a directory.
    Unreadable,
}

impl ErrorKind {
    /// Stable: in output, metrics and documentation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reference => "image.reference",
            Self::Digest => "image.digest",
            Self::MediaType => "image.media_type",
            Self::Layout => "image.layout",
            Self::Subject => "image.subject",
            Self::TooLarge => "image.too_large",
            Self::TooMany => "image.too_many",
            Self::Unauthorized => "registry.unauthorized",
            Self::Denied => "registry.denied",
            Self::NotFound => "registry.not_found",
            Self::Throttled => "registry.throttled",
            Self::Unavailable => "registry.unavailable",
            Self::Redirect => "registry.redirect",
            Self::Protocol => "registry.protocol",
            Self::Credentials => "registry.credentials",
            Self::Unreadable => "file.unreadable",
        }
    }

    /// Whether nothing was learnt about the image: the question is still open.
    #[must_use]
    pub const fn is_undecided(self) -> bool {
        match self {
            Self::Reference
            | Self::Digest
            | Self::MediaType
            | Self::Layout
            | Self::Subject
            | Self::TooLarge
            | Self::TooMany => false,
            Self::Unauthorized
            | Self::Denied
            | Self::NotFound
            | Self::Throttled
            | Self::Unavailable
            | Self::Redirect
            | Self::Protocol
            | Self::Credentials
            | Self::Unreadable => true,
        }
    }
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    subject: String,
    reason: String,
}

impl Error {
    /// `subject` is what was read: a reference, or a URL without query.
    pub(crate) fn new(kind: ErrorKind, subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self { kind, subject: subject.to_string(), reason: reason.to_string() }
    }

    /// `subject` has too many of something: for a reader whose own limit is narrower than the client's.
    #[must_use]
    pub fn too_many(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::TooMany, subject, reason)
    }

    /// `subject` is not laid out as its reader expects.
    #[must_use]
    pub fn layout(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Layout, subject, reason)
    }

    /// `subject`, a file or directory, could not be read: nothing is known.
    #[must_use]
    pub fn unreadable(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unreadable, subject, reason)
    }

    /// The same with another subject, where the caller knows a better name for it.
    pub(crate) fn about(self, subject: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), ..self }
    }

    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind's [`ErrorKind::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What was read: a reference, or a URL without query.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_the_question_is_open() {
        use ErrorKind::{
            Credentials, Denied, Digest, Layout, MediaType, NotFound, Protocol, Redirect, Reference, Subject,
            Throttled, TooLarge, TooMany, Unauthorized, Unavailable, Unreadable,
        };
        for kind in [Reference, Digest, MediaType, Layout, Subject, TooLarge, TooMany] {
            assert!(kind.code().starts_with("image.") && !kind.is_undecided(), "{kind:?}");
        }
        for kind in [Unauthorized, Denied, NotFound, Throttled, Unavailable, Redirect, Protocol, Credentials] {
            assert!(kind.code().starts_with("registry.") && kind.is_undecided(), "{kind:?}");
        }
        assert!(Unreadable.code().starts_with("file.") && Unreadable.is_undecided());
    }
}
