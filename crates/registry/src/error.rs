//! Errors of reading an image, with stable codes.
//!
//! Codes that start with `registry.` or `file.` say nothing about the image: the registry could not be reached, did not
//! answer as the specification says, or a file could not be read. Codes that start with `image.` are about the content
//! that was read.

use std::fmt;

/// The kind of an [`Error`]. Its code is part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not the name of an image.
    Reference,
    /// A manifest or blob with another digest or length than requested.
    Digest,
    /// The media type is not one of a manifest or index, or differs from the answer's `Content-Type`.
    MediaType,
    /// A manifest that cannot be parsed, or that is ambiguous.
    Layout,
    /// A listed referrer of this image that refers to another image.
    Subject,
    /// More bytes than the limit.
    TooLarge,
    /// More elements or pages than the limit.
    TooMany,
    /// The registry requires credentials, and there are none for it, or it does not accept them.
    Unauthorized,
    /// The registry does not allow this request with these credentials.
    Denied,
    /// The registry does not have the repository, manifest or blob.
    NotFound,
    /// The registry throttles requests for longer than this program waits.
    Throttled,
    /// No connection, no answer in time, or an internal error of the registry.
    Unavailable,
    /// A redirect that is not followed.
    Redirect,
    /// An answer that the specification does not allow.
    Protocol,
    /// Credentials that cannot be read, or a credential helper that fails.
    Credentials,
    /// A file that cannot be read: a bundle, an artifact, or a part of an image in a directory.
    Unreadable,
}

impl ErrorKind {
    /// The stable code, as in output, metrics and documentation.
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

    /// Returns whether the question is still open, because the error says nothing about the image.
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

/// The reason why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    subject: String,
    reason: String,
}

impl Error {
    /// Makes an error about `subject`: a reference, or a URL without query.
    pub(crate) fn new(kind: ErrorKind, subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self { kind, subject: subject.to_string(), reason: reason.to_string() }
    }

    /// Makes an error for too many elements in `subject`, for a caller with lower limits than the client's.
    #[must_use]
    pub fn too_many(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::TooMany, subject, reason)
    }

    /// Makes an error for a `subject` with an unexpected layout.
    #[must_use]
    pub fn layout(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Layout, subject, reason)
    }

    /// Makes an error for a file or directory that could not be read.
    #[must_use]
    pub fn unreadable(subject: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unreadable, subject, reason)
    }

    /// The same error about another subject.
    pub(crate) fn about(self, subject: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), ..self }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind's [`ErrorKind::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The subject: a reference, or a URL without query.
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
