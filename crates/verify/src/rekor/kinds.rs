//! Rekor v1's entry types for packages, archives and the formats of other tools, each of version 0.0.1.
//!
//! Each type has a module: its rules and its body, both upstream's. A proposal holds all that is checked, and archives
//! are only read in memory. What is decompressed, decoded or checked has a limit in the module that does it. Some of
//! these proposals are answered by upstream as its own fault; here whatever is wrong with a proposal is the proposal's.

mod alpine;
mod cms;
pub(super) mod cose;
mod gzip;
mod helm;
mod jar;
mod rekord;
mod rfc3161;
mod rpm;
mod tuf;
mod zip;

use super::dsse::CanonicalHash;
use super::{Admission, EntryKind, base64_decode};
use crate::{HashAlgorithm, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Checks a proposal of one of these types.
pub(super) fn admission(kind: EntryKind, spec: &str) -> Result<Admission, Rejection> {
    let body = match kind {
        EntryKind::Rekord => rekord::admit(spec),
        EntryKind::Rfc3161 => rfc3161::admit(spec),
        EntryKind::Cose => return cose::admit(spec),
        EntryKind::Helm => helm::admit(spec),
        EntryKind::Tuf => tuf::admit(spec),
        EntryKind::Jar => jar::admit(spec),
        EntryKind::Rpm => rpm::admit(spec),
        EntryKind::Alpine => alpine::admit(spec),
        EntryKind::HashedRekord | EntryKind::Dsse | EntryKind::IntotoV001 | EntryKind::IntotoV002 => {
            Err(Rejection::EntryKind)
        }
    };
    body.map(|body| Admission { body, attestation: None })
}

/// `{content}`, base64.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

impl Content<'_> {
    /// Decodes the content, which must not be missing. `part` is upstream's name of what it is the content of.
    fn decode(&self, part: &'static str) -> Result<Vec<u8>, Rejection> {
        decode(self.content.as_deref(), part)
    }

    /// As [`Self::decode`], of a public key, which may be missing as a whole.
    fn decode_key(key: Option<&Self>) -> Result<Vec<u8>, Rejection> {
        key.ok_or(Rejection::EntryMissing { field: "public key" })?.decode("publicKey")
    }
}

fn decode(content: Option<&str>, part: &'static str) -> Result<Vec<u8>, Rejection> {
    let text = content.filter(|text| !text.is_empty()).ok_or(Rejection::EntryContent { field: part })?;
    base64_decode(text)
}

/// An artifact, and the hash that the client gives it, if any.
#[derive(Deserialize)]
struct Artifact<'a> {
    #[serde(borrow)]
    hash: Option<ProposedHash<'a>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ProposedHash<'a> {
    #[serde(borrow)]
    algorithm: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
}

impl Artifact<'_> {
    /// Decodes the artifact and computes its hash. A given hash must be the same: SHA-256 in lower case.
    fn read(&self, part: &'static str) -> Result<(Vec<u8>, CanonicalHash<'static>), Rejection> {
        let text = self.content.as_deref().filter(|text| !text.is_empty());
        let content = match (text, &self.hash) {
            // It is what the hash says, if that is the hash of nothing.
            (None, Some(_)) => Vec::new(),
            (text, _) => decode(text, part)?,
        };
        let given = self.hash.as_ref().map(ProposedHash::value).transpose()?;
        let computed = CanonicalHash::of(&content);
        if given.is_some_and(|given| given != computed.value) {
            return Err(Rejection::EntryDigestMismatch);
        }
        Ok((content, computed))
    }
}

impl ProposedHash<'_> {
    fn value(&self) -> Result<&str, Rejection> {
        let algorithm = self.algorithm.as_deref().filter(|name| !name.is_empty());
        let algorithm = algorithm.ok_or(Rejection::EntryMissing { field: "hash algorithm" })?;
        let value = self.value.as_deref().filter(|value| !value.is_empty());
        let value = value.ok_or(Rejection::EntryMissing { field: "hash value" })?;
        let sha256 = HashAlgorithm::Sha256;
        let is_hash =
            algorithm == sha256.name() && hex::decode(value).is_ok_and(|digest| digest.len() == sha256.size_bytes());
        if is_hash { Ok(value) } else { Err(Rejection::EntryHash) }
    }
}

/// `{content}`, as logged.
#[derive(Serialize)]
struct CanonicalContent {
    content: String,
}

impl CanonicalContent {
    fn of(content: &[u8]) -> Self {
        Self { content: STANDARD.encode(content) }
    }
}

/// `{hash}`, as logged.
#[derive(Serialize)]
struct CanonicalArtifact {
    hash: CanonicalHash<'static>,
}
