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
mod logged;
mod rekord;
mod rfc3161;
mod rpm;
mod signed;
mod tuf;
mod zip;

pub(crate) use logged::Proven;
pub(super) use logged::proven;

use super::dsse::CanonicalHash;
use super::pki::refused;
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

/// `{package, publicKey}`: a package and the key that has signed it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PackageSpec<'a> {
    #[serde(borrow)]
    package: Option<Artifact<'a>>,
    #[serde(borrow)]
    public_key: Option<Content<'a>>,
}

/// `{content}`, base64.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

impl Content<'_> {
    /// Decodes a content that is required. It has a path in Rekor's schema, and so has what it is in.
    fn required(this: Option<&Self>, path: &'static str, content: &'static str) -> Result<Vec<u8>, Rejection> {
        let this = this.ok_or(Rejection::EntryRequired { path })?;
        base64_decode(required(this.content.as_deref(), content)?)
    }

    /// Decodes a key that is required and that the spec itself has.
    fn required_key(this: Option<&Self>) -> Result<Vec<u8>, Rejection> {
        Self::required(this, "publicKey", "publicKey.publicKey.content")
    }
}

/// A text that is required.
fn required<'a>(text: Option<&'a str>, path: &'static str) -> Result<&'a str, Rejection> {
    non_empty(text).ok_or(Rejection::EntryRequired { path })
}

fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
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

/// Upstream's names of an artifact and its parts.
struct Names {
    /// Path of the artifact in the schema, and of its hash's members, and what the schema says of the algorithm.
    artifact: &'static str,
    algorithm: &'static str,
    algorithms: &'static str,
    value: &'static str,
    /// Of what the content is missing: of a proposal, and of an entry in its logged form.
    part: &'static str,
    content: &'static str,
}

macro_rules! names {
    ($artifact:literal, $part:literal) => {
        Names {
            artifact: $artifact,
            algorithm: concat!($artifact, ".", $artifact, ".hash.", $artifact, ".hash.algorithm"),
            algorithms: concat!(
                $artifact,
                ".",
                $artifact,
                ".hash.",
                $artifact,
                ".hash.algorithm in body should be one of [sha256]"
            ),
            value: concat!($artifact, ".", $artifact, ".hash.", $artifact, ".hash.value"),
            part: $part,
            content: concat!($artifact, " content"),
        }
    };
}

const DATA: Names = names!("data", "data");
const ARCHIVE: Names = names!("archive", "package");
const PACKAGE: Names = names!("package", "package");

impl Artifact<'_> {
    /// The artifact, which is required. So are the members of its hash, if it has one.
    fn required<'a>(this: Option<&'a Self>, names: &Names) -> Result<&'a Self, Rejection> {
        let this = this.ok_or(Rejection::EntryRequired { path: names.artifact })?;
        if let Some(ProposedHash { algorithm, value }) = &this.hash {
            let algorithm = algorithm.as_deref().ok_or(Rejection::EntryRequired { path: names.algorithm })?;
            required(value.as_deref(), names.value)?;
            if algorithm != HashAlgorithm::Sha256.name() {
                return Err(Rejection::EntryValue { rule: names.algorithms });
            }
        }
        Ok(this)
    }

    /// Decodes the artifact and computes its hash. A given hash must be the same: SHA-256 in lower case.
    fn read(&self, names: &Names) -> Result<(Vec<u8>, CanonicalHash<'static>), Rejection> {
        let given = self.hash.as_ref().map(ProposedHash::value).transpose()?;
        let content = match (non_empty(self.content.as_deref()), given) {
            (Some(content), _) => base64_decode(content)?,
            (None, Some(_)) => return Err(Rejection::EntryNotInsertable { field: names.content }),
            (None, None) => return Err(Rejection::EntryContent { field: names.part }),
        };
        let computed = CanonicalHash::of(&content);
        if given.is_some_and(|given| given != computed.value) {
            return Err(Rejection::EntryDigestMismatch);
        }
        Ok((content, computed))
    }
}

impl ProposedHash<'_> {
    fn value(&self) -> Result<&str, Rejection> {
        let value = self.value.as_deref().unwrap_or_default();
        let is_hash = hex::decode(value).is_ok_and(|digest| digest.len() == HashAlgorithm::Sha256.size_bytes());
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
