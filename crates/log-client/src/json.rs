//! Answers in JSON, parsed. Pure: bytes in, values out, and nothing of it verified.
//!
//! The protocols read answers with these functions. They are public so that fuzz targets call the same ones.

pub mod rekor_v1;
pub mod rfc6962;

use crate::error::ReadError;
use serde::de::DeserializeOwned;

/// `url` is what was asked for.
fn parse<T: DeserializeOwned>(url: &str, json: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(json).map_err(|_| malformed(url, "it is not the JSON that is expected"))
}

fn malformed(url: &str, reason: &'static str) -> ReadError {
    ReadError::Malformed { url: url.to_owned(), reason }
}
