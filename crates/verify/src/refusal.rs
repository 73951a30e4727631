//! A refusal, for people and programs: the reason, the step of verification, the place in the document, and the
//! expected and found values.
//!
//! A [`Rejection`] is only the reason, and small enough to return from every check. A [`Refusal`] is made once, by the
//! function that judges a whole document. I/O errors of registries, files and networks have their own types.

use crate::Rejection;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use std::fmt;

/// Version of the JSON form of a [`Refusal`]. New fields do not change it. No field is renamed or removed.
pub const JSON_VERSION: u32 = 1;
/// Maximum characters of foreign text in a refusal.
const MAX_SHOWN: usize = 96;

/// The steps of verification, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Formats and limits of bundle, trust root, envelope and signature.
    Formats,
    /// Times established by timestamps and promises.
    Times,
    /// The certificate chain at every established time.
    Chain,
    /// Signed certificate timestamps.
    Scts,
    /// The signer's identity and the certificate's claims.
    Identity,
    /// The log entry: its body, its inclusion, checkpoint, promise and cosignatures.
    LogEntry,
    /// The signature over artifact or envelope.
    Signature,
    /// The in-toto statement and its subjects.
    Statement,
    /// Rules of the policy other than the identity.
    Policy,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 9] = [
        Self::Formats,
        Self::Times,
        Self::Chain,
        Self::Scts,
        Self::Identity,
        Self::LogEntry,
        Self::Signature,
        Self::Statement,
        Self::Policy,
    ];

    /// Stable name in JSON, lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Formats => "formats",
            Self::Times => "times",
            Self::Chain => "chain",
            Self::Scts => "scts",
            Self::Identity => "identity",
            Self::LogEntry => "log_entry",
            Self::Signature => "signature",
            Self::Statement => "statement",
            Self::Policy => "policy",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal of a bundle or trust root: reason and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    rejection: Rejection,
    step: Step,
    path: String,
    expected: String,
    found: String,
}

impl Refusal {
    /// Makes a refusal of the whole document. Add a place with [`Self::at`] and a comparison with [`Self::expected`].
    #[must_use]
    pub const fn new(rejection: Rejection, step: Step) -> Self {
        Self { rejection, step, path: String::new(), expected: String::new(), found: String::new() }
    }

    /// Sets the place, e.g. `verificationMaterial.tlogEntries[0].inclusionProof.hashes[3]`.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets the expected and the found value. The found value is foreign text: it is truncated and escaped. Empty text is
    /// shown as `nothing`.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>, found: impl AsRef<str>) -> Self {
        self.expected = expected.into();
        let found = found.as_ref();
        self.found = if found.is_empty() { "nothing".to_owned() } else { shown(found) };
        self
    }

    /// The reason.
    #[must_use]
    pub const fn rejection(&self) -> Rejection {
        self.rejection
    }

    /// The stable code of the reason, e.g. `bundle.malformed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.rejection.code()
    }

    /// The step that refused.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The place in the document. Empty for the whole document.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The expected and the found value, or the words of the reason if the values themselves are not known. Neither is empty.
    #[must_use]
    pub fn comparison(&self) -> (&str, &str) {
        if self.expected.is_empty() { self.rejection.comparison() } else { (&self.expected, &self.found) }
    }
}

/// Makes foreign text safe to print: one line, no control characters, at most 96 characters. Quotes and backslashes stay as they
/// are written.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(MAX_SHOWN) {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        if self.rejection.counts() {
            return write!(f, "{}", self.rejection);
        }
        let (expected, found) = self.comparison();
        write!(f, "{}: expected {expected}, found {found}", self.rejection)
    }
}

impl std::error::Error for Refusal {}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (expected, found) = self.comparison();
        let mut json = serializer.serialize_struct("Refusal", 7)?;
        json.serialize_field("version", &JSON_VERSION)?;
        json.serialize_field("code", self.code())?;
        json.serialize_field("step", self.step.name())?;
        json.serialize_field("path", &self.path)?;
        json.serialize_field("expected", expected)?;
        json.serialize_field("found", found)?;
        json.serialize_field("message", &self.to_string())?;
        json.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_sentence_and_one_versioned_object() {
        let refusal = Refusal::new(Rejection::KeyWeak, Step::Formats).at("tlogs[0]").expected("a key", "a\nkey");
        assert_eq!(refusal.to_string(), r"tlogs[0]: the public key is insecure: expected a key, found a\nkey");
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!((&json["code"], &json["step"]), (&"key.weak".into(), &"formats".into()));
        assert_eq!(json["message"], refusal.to_string());
        // A sentence with both numbers is not said again.
        let few = Refusal::new(Rejection::LogTooFew { found: 0, required: 1 }, Step::LogEntry)
            .expected("entries of 1 log operator", "0");
        assert_eq!(few.to_string(), "too few log operators have an entry for the signature: 0 of 1");
        assert_eq!(serde_json::to_value(&few).unwrap()["expected"], "entries of 1 log operator");
        // Without the values, the words of the reason.
        let plain = Refusal::new(Rejection::Pem, Step::Chain);
        assert_eq!(plain.to_string(), "failure decoding PEM: expected PEM, found another text");
        let json = serde_json::to_value(&plain).unwrap();
        assert_eq!((&json["expected"], &json["found"]), (&"PEM".into(), &"another text".into()));
        let nothing = Refusal::new(Rejection::StatementType, Step::Statement).expected("a type", "");
        assert_eq!(nothing.comparison(), ("a type", "nothing"));
    }

    #[test]
    fn foreign_text_is_bounded_and_stays_on_one_line() {
        assert_eq!(shown(&"x".repeat(96)), "x".repeat(96));
        assert_eq!(shown(&"x".repeat(97)), "x".repeat(96) + "…");
        assert_eq!(shown("\u{1b}[31m\r\n"), r"\u{1b}[31m\r\n");
        assert_eq!(shown(r#"issuer = "O'Brien\d""#), r#"issuer = "O'Brien\d""#);
    }

    #[test]
    fn steps_are_ordered_as_they_run() {
        assert!(Step::ALL.is_sorted());
        assert_eq!(
            Step::ALL.map(Step::name).join(" "),
            "formats times chain scts identity log_entry signature statement policy"
        );
    }
}
