//! `pkcs11:` URIs (RFC 7512): they name a token, an object in it, and the vendor's library.

use super::UriError;
use super::options::{Options, decode, decode_bytes};
use crate::Secret;
use std::path::PathBuf;

/// A key in a PKCS#11 token. An attribute that is `None` is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Key {
    /// Path of the vendor's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The token's manufacturer.
    pub manufacturer: Option<String>,
    /// The token's model.
    pub model: Option<String>,
    /// The token's slot.
    pub slot: Option<u64>,
    /// The key's label (`CKA_LABEL`).
    pub object: Option<String>,
    /// The key's id (`CKA_ID`).
    pub id: Option<Vec<u8>>,
    /// The user's PIN.
    pub pin: Option<Secret>,
}

pub(super) fn parse(path: &str, options: &mut Options) -> Result<Pkcs11Key, UriError> {
    let mut id = None;
    let mut text = Vec::new();
    // The id is bytes, everything else is text.
    for attribute in path.split(';') {
        match attribute.strip_prefix("id=") {
            Some(_) if id.is_some() => return Err(UriError::Twice { name: "id".to_owned() }),
            Some(value) => id = Some(decode_bytes(value)?),
            None => text.push(attribute),
        }
    }
    let mut attributes = Options::parse(&text.join(";"), ';')?;
    let slot = match attributes.take("slot-id") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| UriError::Value { name: "slot-id", expected: "a number" })?),
    };
    if attributes.take("type").is_some_and(|kind| kind != "private") {
        return Err(UriError::Value { name: "type", expected: "private, or absent" });
    }
    let key = Pkcs11Key {
        token: attributes.take("token"),
        serial: attributes.take("serial"),
        manufacturer: attributes.take("manufacturer"),
        model: attributes.take("model"),
        slot,
        object: attributes.take("object"),
        id,
        module: options.path("module-path")?.ok_or(UriError::Missing("module-path=PATH"))?,
        pin: pin(options)?,
    };
    attributes.end()?;
    if key.object.is_none() && key.id.is_none() {
        return Err(UriError::Missing("object=LABEL or id=%XX"));
    }
    if key.token.is_none() && key.serial.is_none() && key.slot.is_none() {
        return Err(UriError::Missing("token=LABEL, serial=NUMBER or slot-id=NUMBER"));
    }
    Ok(key)
}

fn pin(options: &mut Options) -> Result<Option<Secret>, UriError> {
    const SOURCE: UriError = UriError::Value { name: "pin-source", expected: "file: and an absolute path" };
    let environment = options.name("x-pin-env")?;
    let Some(source) = options.take("pin-source") else { return Ok(environment.map(Secret::Environment)) };
    if environment.is_some() {
        return Err(UriError::OneOf("pin-source and x-pin-env"));
    }
    let path = source.strip_prefix("file://").or_else(|| source.strip_prefix("file:")).unwrap_or(&source);
    let path = PathBuf::from(decode(path)?);
    if path.is_absolute() { Ok(Some(Secret::File(path))) } else { Err(SOURCE) }
}
