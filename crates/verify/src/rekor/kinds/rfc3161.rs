//! `rfc3161` 0.0.1: a timestamp, with the certificate that signed it. It is logged as it is.
//!
//! As upstream, only the signatures in it are checked: not what it says, nor whom its certificates belong to.

use super::cms::SignedData;
use super::signed::Signed;
use super::{CanonicalContent, Content};
use crate::Rejection;
use crate::rekor::{Body, EntryKind, parse_spec};
use crate::timestamping::Token;
use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 10 * 1024;

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    tsr: Option<Content<'a>>,
}

#[derive(Serialize)]
struct CanonicalSpec {
    tsr: CanonicalContent,
}

/// Checks a proposal and returns its body: (1) no field is missing, (2) the timestamp parses, (3) every signer has signed
/// it.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    // (1)
    let response = response(spec)?;
    // (2), (3)
    verified(&response)?;
    EntryKind::Rfc3161.body(&CanonicalSpec { tsr: CanonicalContent::of(&response) })
}

fn response(spec: &str) -> Result<Vec<u8>, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    Content::required(spec.tsr.as_ref(), "tsr", "tsr.tsr.content")
}

/// A timestamp that every signer has signed, with its contents.
fn verified(response: &[u8]) -> Result<(SignedData<'_>, &[u8]), Rejection> {
    if response.len() > MAX_BYTES {
        return Err(Rejection::EntryPackage { fault: "it is larger than 10 KiB" });
    }
    let token = SignedData::from_der(Token::granted(response)?).map_err(|_| Rejection::TimestampMalformed)?;
    let content = token.content.ok_or(Rejection::TimestampMalformed)?;
    token.verify(content)?;
    Ok((token, content))
}

/// The keys of the certificates that have signed the timestamp of an entry.
pub(super) fn signers(spec: &str) -> Result<Signed, Rejection> {
    let response = response(spec)?;
    let (token, content) = verified(&response)?;
    Ok(Signed::new(content, token.signer_keys()))
}
