//! The options of a URI: each at most once, each known, none a secret.

use super::UriError;
use crate::Secret;
use chancery_address::is_protected;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

/// Names under which other programs take a secret, and the option to use instead.
const SECRETS: [(&str, &str); 5] = [
    ("password", "password-file=/PATH"),
    ("pin-value", "pin-source=file:/PATH"),
    ("pin", "pin-source=file:/PATH"),
    ("token", "token-file=/PATH"),
    ("secret", "secret-file=/PATH"),
];

/// The options not yet taken.
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads `name=value` pairs.
    pub(super) fn parse(text: &str, separator: char) -> Result<Self, UriError> {
        let mut options = BTreeMap::new();
        for pair in text.split(separator).filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if options.insert(name.to_owned(), decode(value)?).is_some() {
                return Err(UriError::Twice { name: name.to_owned() });
            }
        }
        Ok(Self(options))
    }

    /// Takes an option.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a value that becomes part of a path or a form: letters, digits, `-`, `_` and `.`.
    pub(super) fn name(&mut self, name: &'static str) -> Result<Option<String>, UriError> {
        let plain =
            |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        match self.take(name) {
            Some(text) if !plain(&text) => Err(UriError::Value { name, expected: "letters, digits, '-', '_' and '.'" }),
            text => Ok(text),
        }
    }

    /// Takes an absolute path.
    pub(super) fn path(&mut self, name: &'static str) -> Result<Option<PathBuf>, UriError> {
        match self.take(name).map(PathBuf::from) {
            Some(path) if !path.is_absolute() => Err(UriError::Value { name, expected: "an absolute path" }),
            path => Ok(path),
        }
    }

    /// Takes a secret that is in a file or in the environment.
    pub(super) fn secret(&mut self, file: &'static str, environment: &'static str) -> Result<Option<Secret>, UriError> {
        match (self.path(file)?, self.name(environment)?) {
            (Some(_), Some(_)) => Err(UriError::OneOf("a file and an environment variable for the secret")),
            (Some(path), None) => Ok(Some(Secret::File(path))),
            (None, name) => Ok(name.map(Secret::Environment)),
        }
    }

    /// Takes the URL of a server: `https://`, or `http://` on this machine.
    pub(super) fn url(&mut self, name: &'static str) -> Result<Option<Url>, UriError> {
        let wrong = UriError::Value { name, expected: "https://HOST, or http:// on this machine" };
        let Some(text) = self.take(name) else { return Ok(None) };
        let Ok(mut url) = Url::parse(&text) else { return Err(wrong) };
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !is_protected(&url) || !plain || url.fragment().is_some() {
            return Err(wrong);
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Some(url))
    }

    /// Checks that every option has been taken.
    pub(super) fn end(self) -> Result<(), UriError> {
        let Some(name) = self.0.into_keys().next() else { return Ok(()) };
        match SECRETS.iter().find(|(secret, _)| *secret == name) {
            Some((_, instead)) => Err(UriError::Secret(instead)),
            None => Err(UriError::UnknownOption { name }),
        }
    }
}

/// Undoes percent-encoding.
pub(super) fn decode(text: &str) -> Result<String, UriError> {
    String::from_utf8(decode_bytes(text)?).map_err(|_| UriError::Encoding)
}

/// As [`decode`], for values that need not be UTF-8.
pub(super) fn decode_bytes(text: &str) -> Result<Vec<u8>, UriError> {
    let mut escapes = text.split('%').skip(1);
    let well_formed = escapes.all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if well_formed { Ok(percent_decode_str(text).collect()) } else { Err(UriError::Encoding) }
}
