//! Patterns of a policy: an exact text, a list, an anchored regular expression or a glob.
//!
//! A regular expression must match the whole text (`\A(?:…)\z`). The engine's time is linear in the text, and its
//! classes (`\d`, `\w`, `\s`) are ASCII. Texts are not normalised: not their case, a final slash or percent-encoding.

use super::glob::Glob;
use super::parse::fault;
use crate::Rejection;
use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::fmt;

/// Maximum bytes of a pattern, and of the text that it is compared with.
pub(super) const MAX_PATTERN_BYTES: usize = 4096;
/// Maximum texts of a list.
const MAX_TEXTS: usize = 1024;
/// Maximum bytes of a compiled regular expression. It limits the time for a long text to a fraction of a second.
const MAX_REGEX_BYTES: usize = 256 * 1024;

/// A pattern for one text.
#[derive(Clone)]
pub struct Pattern {
    matcher: Matcher,
    /// For distrust rules: case is ignored, and globs cross `@`.
    broad: bool,
}

#[derive(Clone)]
enum Matcher {
    Exact(String),
    OneOf(Vec<String>),
    Regex { text: String, regex: Regex },
    Glob(Glob),
}

impl Pattern {
    /// Matches exactly this text, byte by byte. An empty text matches nothing.
    #[must_use]
    pub fn exact(text: impl Into<String>) -> Self {
        Self { matcher: Matcher::Exact(text.into()), broad: false }
    }

    /// A regular expression that must match the whole text.
    ///
    /// # Errors
    /// [`Rejection::PolicyPattern`] if it does not parse, or is over the limits.
    pub fn regex(text: &str) -> Result<Self, Rejection> {
        compile(text, false).map_err(|_| Rejection::PolicyPattern)
    }

    /// A glob: `*` matches within a segment of a path, `**` across segments. Neither crosses `@`. See
    /// `deploy/policy.toml`.
    ///
    /// # Errors
    /// [`Rejection::PolicyPattern`] for `?`, brackets, braces and the backslash, three stars, or a pattern over 4 KiB.
    pub fn glob(text: &str) -> Result<Self, Rejection> {
        glob(text).map_err(|_| Rejection::PolicyPattern)
    }

    /// Returns whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if text.len() > MAX_PATTERN_BYTES {
            // A text that is too long matches only in distrust rules, so that length is no way around them.
            return self.broad;
        }
        let same = |expected: &String| {
            !expected.is_empty() && (expected == text || self.broad && expected.eq_ignore_ascii_case(text))
        };
        match &self.matcher {
            Matcher::Exact(expected) => same(expected),
            Matcher::OneOf(list) => list.iter().any(same),
            Matcher::Regex { regex, .. } => regex.is_match(text),
            Matcher::Glob(glob) => glob.matches(text, self.broad),
        }
    }

    /// The same pattern for watching: ASCII case is ignored, globs cross `@`, and a text that is too long to be compared matches.
    /// As in a distrust rule, a match too many is the smaller harm.
    ///
    /// # Errors
    /// [`Rejection::PolicyPattern`] if it is over the limits that way.
    pub fn broad(self) -> Result<Self, Rejection> {
        self.broadened().map_err(|_| Rejection::PolicyPattern)
    }

    /// The same pattern for a distrust rule: ASCII case is ignored, and globs cross `@`.
    pub(super) fn broadened(self) -> Result<Self, String> {
        match self.matcher {
            Matcher::Regex { text, .. } => compile(&text, true),
            matcher => Ok(Self { matcher, broad: true }),
        }
    }

    /// The texts that are compared as they are.
    pub(super) fn exact_texts(&self) -> &[String] {
        match &self.matcher {
            Matcher::Exact(text) => std::slice::from_ref(text),
            Matcher::OneOf(list) => list,
            Matcher::Regex { .. } | Matcher::Glob(_) => &[],
        }
    }

    /// The text of a regular expression.
    pub(super) fn regex_text(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Regex { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a glob.
    pub(super) fn glob_text(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Glob(glob) => Some(glob.as_str()),
            _ => None,
        }
    }
}

/// As [`Pattern::glob`]. The error says what to change.
pub(super) fn glob(text: &str) -> Result<Pattern, String> {
    bounded(text)?;
    Ok(Pattern { matcher: Matcher::Glob(Glob::parse(text)?), broad: false })
}

fn bounded(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("an empty pattern matches nothing: write the expected text, or leave the key out".to_owned());
    }
    if text.len() > MAX_PATTERN_BYTES {
        return Err(format!("the pattern has {} bytes, at most {MAX_PATTERN_BYTES} are allowed", text.len()));
    }
    Ok(())
}

fn compile(text: &str, broad: bool) -> Result<Pattern, String> {
    bounded(text)?;
    let build = |text: &str| {
        RegexBuilder::new(text).case_insensitive(broad).size_limit(MAX_REGEX_BYTES).build().map_err(|e| e.to_string())
    };
    // Parse it alone first: `a)|(?:b` would parse inside the anchors and break them.
    build(text)?;
    let regex = build(&format!(r"\A(?:{text})\z"))?;
    Ok(Pattern { matcher: Matcher::Regex { text: text.to_owned(), regex }, broad })
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.matcher {
            Matcher::Exact(text) => f.write_str(text),
            Matcher::OneOf(list) => write!(f, "one of {}", list.join(", ")),
            Matcher::Regex { text, .. } => write!(f, "the regular expression {text}"),
            Matcher::Glob(glob) => write!(f, "the glob {glob}"),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self}{})", if self.broad { ", broad" } else { "" })
    }
}

/// The table form of a pattern.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct PatternTable {
    /// Exactly this text.
    exact: Option<String>,
    /// One of these texts, exactly.
    one_of: Option<Vec<String>>,
    /// A regular expression that must match the whole text.
    regex: Option<String>,
    /// `*` matches within a segment, `**` across `/`. Neither crosses `@`.
    glob: Option<String>,
}

impl TryFrom<PatternTable> for Pattern {
    type Error = String;

    fn try_from(table: PatternTable) -> Result<Self, String> {
        let pattern = |text: Result<Self, String>| text.map_err(|reason| fault(Rejection::PolicyPattern, &reason));
        match (table.exact, table.one_of, table.regex, table.glob) {
            (Some(text), None, None, None) => pattern(bounded(&text).map(|()| Self::exact(text))),
            (None, Some(list), None, None) if list.is_empty() || list.len() > MAX_TEXTS => {
                Err(fault(Rejection::PolicyPattern, &format!("`one_of` takes 1 to {MAX_TEXTS} texts")))
            }
            (None, Some(list), None, None) => {
                let texts = list.iter().try_for_each(|text| bounded(text));
                pattern(texts.map(|()| Self { matcher: Matcher::OneOf(list), broad: false }))
            }
            (None, None, Some(text), None) => pattern(compile(&text, false)),
            (None, None, None, Some(text)) => pattern(glob(&text)),
            _ => Err(fault(
                Rejection::PolicyPattern,
                "write a text, or a table with exactly one of `exact`, `one_of`, `regex`, `glob`",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Pattern;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a table with one of `exact`, `one_of`, `regex`, `glob`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Pattern, E> {
                bounded(text).map_err(|reason| E::custom(fault(Rejection::PolicyPattern, &reason)))?;
                Ok(Pattern::exact(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pattern, A::Error> {
                let table = PatternTable::deserialize(MapAccessDeserializer::new(map))?;
                table.try_into().map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Pattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = generator.subschema_for::<PatternTable>();
        schemars::json_schema!({
            "description": "A text that must be equal, or a table with one of `exact`, `one_of`, `regex`, `glob`.",
            "anyOf": [{ "type": "string", "minLength": 1 }, table],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_matches_the_whole_text_or_nothing() {
        for (pattern, text, expected) in [
            ("a|b", "a", true),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("a", "a\n", false),
            ("(?m)^a$", "a\nb", false),
            ("(?m)^a$", "b\na", false),
            (r"release\.yml", "releaseXyml", false),
            ("release.yml", "releaseXyml", true),
            (".*", "a\nb", false),
            ("(?i)a", "A", true),
        ] {
            assert_eq!(Pattern::regex(pattern).unwrap().matches(text), expected, "{pattern} {text:?}");
        }
    }

    #[test]
    fn a_regular_expression_cannot_leave_its_anchors() {
        for pattern in ["a)|(?:b", "a)(b", "(", "a{2,1}", "(?x)a # b", "", "a\\"] {
            assert_eq!(Pattern::regex(pattern).err(), Some(Rejection::PolicyPattern), "{pattern}");
        }
        assert_eq!(Pattern::regex(&"a".repeat(4097)).err(), Some(Rejection::PolicyPattern));
        assert_eq!(Pattern::regex("((a{100}){100}){100}").err(), Some(Rejection::PolicyPattern));
    }

    #[test]
    fn nothing_matches_an_empty_text_or_an_overlong_one() {
        assert!(!Pattern::exact("").matches(""));
        assert!(!Pattern::glob("**").unwrap().matches(&"a".repeat(4097)));
        assert!(Pattern::glob("**").unwrap().matches(&"a".repeat(4096)));
        assert!(Pattern::glob("b").unwrap().broadened().unwrap().matches(&"a".repeat(4097)));
    }

    #[test]
    fn a_distrust_rule_does_not_regard_case() {
        for pattern in
            [Pattern::exact("Alice@acme"), Pattern::regex("Alice@.*").unwrap(), Pattern::glob("Alice@*").unwrap()]
        {
            assert!(!pattern.matches("alice@ACME"), "{pattern}");
            assert!(pattern.broadened().unwrap().matches("alice@ACME"));
        }
    }
}
