//! The claims of a verified token, and how their values are read.
//!
//! Below [`crate::oidc`], which verifies a token and its claims, and [`crate::identity`], which maps them to a name.
//! Nothing is verified here.

mod path;

pub use path::ClaimPath;

use crate::json::Object;
use crate::refusal::TokenRefusal;
use serde_json::Value;
use std::borrow::Cow;

/// Longest value of a claim that goes into a certificate.
const MAX_VALUE_BYTES: usize = 2048;
/// Members of a list that a condition compares. Directories list hundreds of groups.
const MAX_MEMBERS: usize = 1024;

/// The claims of a token whose signature, audience and times have been verified.
#[derive(Debug, Clone)]
pub struct VerifiedClaims {
    issuer: String,
    subject: String,
    claims: Object,
}

impl VerifiedClaims {
    /// Wraps claims without checking them. Only [`crate::oidc`] calls it, after its checks.
    pub(crate) fn assume(issuer: String, claims: Object) -> Self {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { issuer, subject, claims }
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`, not empty.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns a claim that is a non-empty text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns whether a claim is the boolean true. The text "true" does not count.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.claims.get(name) == Some(&Value::Bool(true))
    }

    /// Returns whether the value at a path is a text, whatever it says.
    pub(crate) fn is_text(&self, path: &str) -> bool {
        ClaimPath::parse(path).is_some_and(|path| path.find(&self.claims).is_some_and(Value::is_string))
    }

    /// Returns a claim as the text for a certificate; `None` if it is absent or `null`.
    ///
    /// # Errors
    /// [`TokenRefusal::ClaimUnfit`] for a value without an unambiguous text: a fraction, a list, an object, control
    /// characters.
    pub(crate) fn rendered(&self, path: &ClaimPath) -> Result<Option<Cow<'_, str>>, TokenRefusal> {
        let unfit = || TokenRefusal::ClaimUnfit { claim: path.as_str().to_owned() };
        path.find(&self.claims).map(|value| rendered(value).ok_or_else(unfit)).transpose()
    }

    /// Returns the members of a list, or the single value, as texts.
    pub(crate) fn members(&self, path: &ClaimPath) -> Result<Vec<Cow<'_, str>>, TokenRefusal> {
        match path.find(&self.claims) {
            Some(Value::Array(members)) => Ok(members.iter().take(MAX_MEMBERS).filter_map(rendered).collect()),
            _ => Ok(self.rendered(path)?.into_iter().collect()),
        }
    }
}

/// A text as it is, whole numbers in decimal digits, booleans as `true` and `false`.
fn rendered(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.len() <= MAX_VALUE_BYTES && !text.contains(is_invisible) => Some(text.into()),
        // The JSON parser has already rounded fractions and numbers past 64 bits.
        Value::Number(number) if !number.is_f64() => Some(number.to_string().into()),
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        _ => None,
    }
}

/// Control characters, and characters that reorder the displayed text (Unicode UAX #9, §2).
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}
