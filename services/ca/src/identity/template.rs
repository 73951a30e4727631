//! Templates: the operator's texts for a certificate, with claims filled in.
//!
//! ```text
//! https://github.com/{job_workflow_ref}                       a claim; where it is missing or empty, the token is refused
//! {environment?}   {region?eu}                                a claim, or what follows the question mark
//! refs/{if ref_type == "branch"}heads{else}tags{end}/{ref}    one text or another
//! {if ssh? == "true"}ssh{end}                                 the same where the claim may be missing
//! {{   }}                                                     a brace
//! ```
//! The language is small by intent: no functions, no loops, no variables. Literal text is the same in every
//! certificate, so no claim can replace an operator's constant. A claim's value is inserted whole and is never parsed
//! as a template. Values are texts, whole numbers and booleans; any other value is refused.

use super::ClaimPath;
use crate::claims::VerifiedClaims;
use crate::refusal::TokenRefusal;
use std::borrow::Cow;
use std::fmt;

/// Bytes of a template.
const MAX_TEMPLATE_BYTES: usize = 4096;
/// Depth of nested choices.
const MAX_DEPTH: usize = 4;
/// Characters that end a claim's name in a template.
const NOT_IN_NAMES: [char; 6] = ['{', '}', '?', '"', '=', ' '];

/// Why a text is not a template, with the byte of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {position}")]
pub struct InvalidTemplate {
    /// The fault.
    pub reason: &'static str,
    /// The byte.
    pub position: usize,
}

/// A text with places for claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Claim { path: ClaimPath, otherwise: Option<String> },
    Choice { path: ClaimPath, optional: bool, equals: String, then: Vec<Part>, otherwise: Vec<Part> },
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(InvalidTemplate { reason: "longer than 4096 bytes", position: MAX_TEMPLATE_BYTES });
        }
        let mut parser = Parser { text, position: 0 };
        let (parts, end) = parser.parts(0)?;
        if end != End::OfText {
            return Err(parser.error("`{else}` or `{end}` without `{if …}`"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// Escapes `text`, so that the template yields it unchanged.
    #[must_use]
    pub fn escape(text: &str) -> String {
        text.replace('{', "{{").replace('}', "}}")
    }

    /// The literal text before the first claim.
    pub(super) fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// Fills in `claims`, each value after `encode`.
    pub(super) fn render(
        &self,
        claims: &VerifiedClaims,
        encode: fn(&str) -> Cow<'_, str>,
    ) -> Result<String, TokenRefusal> {
        let mut out = String::with_capacity(self.text.len() + 64);
        render(&self.parts, claims, encode, &mut out)?;
        Ok(out)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn render(
    parts: &[Part],
    claims: &VerifiedClaims,
    encode: fn(&str) -> Cow<'_, str>,
    out: &mut String,
) -> Result<(), TokenRefusal> {
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Claim { path, otherwise } => match (claims.rendered(path)?, otherwise) {
                (Some(value), _) if !value.is_empty() => out.push_str(&encode(&value)),
                (_, Some(otherwise)) => out.push_str(otherwise),
                _ => return Err(TokenRefusal::missing(path.as_str().to_owned())),
            },
            Part::Choice { path, optional, equals, then, otherwise } => {
                let value = claims.rendered(path)?;
                if value.is_none() && !optional {
                    return Err(TokenRefusal::missing(path.as_str().to_owned()));
                }
                let chosen = if value.is_some_and(|value| value == *equals) { then } else { otherwise };
                render(chosen, claims, encode, out)?;
            }
        }
    }
    Ok(())
}

/// What ends a run of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    OfText,
    Else,
    OfChoice,
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    const fn error(&self, reason: &'static str) -> InvalidTemplate {
        InvalidTemplate { reason, position: self.position }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn parts(&mut self, depth: usize) -> Result<(Vec<Part>, End), InvalidTemplate> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let end = loop {
            let rest = self.rest();
            let Some(next) = rest.chars().next() else { break End::OfText };
            match next {
                '{' | '}' if rest.chars().nth(1) == Some(next) => {
                    literal.push(next);
                    self.position += 2;
                }
                '}' => return Err(self.error("a lone `}` (write `}}`)")),
                '{' => {
                    let inside = rest.find('}').and_then(|end| rest.get(1..end));
                    let inside = inside.ok_or_else(|| self.error("`{` without `}`"))?;
                    let end = match inside {
                        "else" => Some(End::Else),
                        "end" => Some(End::OfChoice),
                        _ => None,
                    };
                    if let Some(end) = end {
                        self.position += inside.len() + 2;
                        break end;
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(self.place(inside, depth)?);
                }
                c if c.is_control() => return Err(self.error("a control character")),
                c => {
                    literal.push(c);
                    self.position += c.len_utf8();
                }
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok((parts, end))
    }

    /// Parses one `{…}` and, for a choice, everything up to its end.
    fn place(&mut self, inside: &str, depth: usize) -> Result<Part, InvalidTemplate> {
        let Some(condition) = inside.strip_prefix("if ") else {
            let (name, otherwise) = inside.split_once('?').map_or((inside, None), |(name, text)| (name, Some(text)));
            let path = self.path(name)?;
            self.position += inside.len() + 2;
            return Ok(Part::Claim { path, otherwise: otherwise.map(str::to_owned) });
        };
        let (name, value) = condition.split_once(" == ").ok_or_else(|| self.error("`{if …}` without ` == `"))?;
        let equals = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let equals = equals.filter(|value| !value.contains('"')).ok_or_else(|| self.error("not a quoted text"))?;
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        let path = self.path(name)?;
        if depth == MAX_DEPTH {
            return Err(self.error("more than four choices within each other"));
        }
        self.position += inside.len() + 2;
        let (then, mut end) = self.parts(depth + 1)?;
        let mut otherwise = Vec::new();
        if end == End::Else {
            (otherwise, end) = self.parts(depth + 1)?;
        }
        if end != End::OfChoice {
            return Err(self.error("`{if …}` without `{end}`"));
        }
        Ok(Part::Choice { path, optional, equals: equals.to_owned(), then, otherwise })
    }

    fn path(&self, name: &str) -> Result<ClaimPath, InvalidTemplate> {
        let path = ClaimPath::parse(name).filter(|_| !name.contains(NOT_IN_NAMES));
        path.ok_or_else(|| self.error("not the name of a claim"))
    }
}
