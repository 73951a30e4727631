//! Errors of policy files: the place, the reason, and the necessary change.

use crate::{Hash, Refusal, Rejection, Step};
use std::fmt;

/// The reasons for refusing a policy file.
const REASONS: [Rejection; 4] =
    [Rejection::PolicyMalformed, Rejection::PolicyEmpty, Rejection::PolicyPattern, Rejection::PolicyKey];

/// A policy file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    rejection: Rejection,
    place: Option<Place>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    text: String,
}

impl ParseError {
    pub(super) fn new(rejection: Rejection, message: impl Into<String>) -> Self {
        Self { rejection, place: None, message: message.into() }
    }

    /// Converts an error of the TOML parser, or of a type below [`super::document`], about `text`.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        let place = error.span().filter(|span| span.start <= text.len() && text.is_char_boundary(span.start));
        let place = place.map(|span| Place::of(text, span.start));
        let (rejection, message) = read_fault(error.message());
        Self { rejection, place, message }
    }

    /// The reason.
    #[must_use]
    pub const fn rejection(&self) -> Rejection {
        self.rejection
    }

    /// The stable code of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.rejection.code()
    }

    /// Line and column, from 1. `None` if the error is about the whole file.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }

    /// The fault and the necessary change, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text: crate::shown(line.trim()),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column, text }) = &self.place {
            write!(f, "line {line}, column {column}, `{text}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let path = error.place.as_ref().map_or("policy".to_owned(), |place| format!("policy line {}", place.line));
        Self::new(error.rejection, Step::Policy).at(path).expected("a usable policy", error.message)
    }
}

/// Normalises hexadecimal digits: lower case, without colons.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(|character| *character != ':').collect::<String>().to_ascii_lowercase()
}

/// Parses a SHA-256 in hexadecimal, as [`digits`] normalises it.
pub(super) fn sha256(text: &str) -> Option<Hash> {
    hex::decode(digits(text)).ok().and_then(|bytes| Hash::try_from(bytes).ok())
}

/// Makes the text of an error that a type reports through serde. serde keeps only texts, so the text starts with the
/// code.
pub(super) fn fault(rejection: Rejection, message: &str) -> String {
    format!("{}: {message}", rejection.code())
}

fn read_fault(text: &str) -> (Rejection, String) {
    for reason in REASONS {
        if let Some(message) = text.strip_prefix(reason.code()).and_then(|rest| rest.strip_prefix(": ")) {
            return (reason, message.trim().to_owned());
        }
    }
    (Rejection::PolicyMalformed, text.trim().replace('\n', "; "))
}
