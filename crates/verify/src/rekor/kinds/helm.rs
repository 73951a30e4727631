//! `helm` 0.0.1: the provenance file of a Helm chart, signed with `OpenPGP`. The chart's hash is logged, with signature and
//! key.
//!
//! A provenance file is the chart's metadata, a line `...`, and the hash of the one file that the chart is. Upstream takes
//! any of several files. The hash is SHA-256, as Helm writes it.

use super::{CanonicalContent, Content, non_empty, refused};
use crate::rekor::dsse::CanonicalHash;
use crate::rekor::pki::pgp::Keyring;
use crate::rekor::pki::pgp::clear::SignedText;
use crate::rekor::{Body, EntryKind, base64_decode, parse_spec};
use crate::{HashAlgorithm, Rejection};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Maximum bytes of a provenance file. Helm's have the metadata of one chart.
const MAX_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    public_key: Option<Content<'a>>,
    #[serde(borrow)]
    chart: Option<Chart<'a>>,
}

#[derive(Deserialize)]
struct Chart<'a> {
    #[serde(borrow)]
    provenance: Option<Provenance<'a>>,
}

#[derive(Deserialize)]
struct Provenance<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    /// Only in the logged form.
    #[serde(borrow)]
    signature: Option<Content<'a>>,
}

impl Provenance<'_> {
    fn decode(&self) -> Result<Vec<u8>, Rejection> {
        let is_logged = self.signature.as_ref().is_some_and(|signature| signature.content.is_some());
        match non_empty(self.content.as_deref()) {
            Some(content) => base64_decode(content),
            None if is_logged => Err(Rejection::EntryNotInsertable { field: "provenance content" }),
            None => Err(Rejection::EntryContent { field: "provenance" }),
        }
    }
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec<'a> {
    chart: CanonicalChart<'a>,
    public_key: CanonicalContent,
}

#[derive(Serialize)]
struct CanonicalChart<'a> {
    hash: CanonicalHash<'a>,
    provenance: CanonicalProvenance,
}

#[derive(Serialize)]
struct CanonicalProvenance {
    signature: CanonicalContent,
}

/// Checks a proposal and returns its body: (1) no field is missing, (2) the key parses, (3) the file parses and names a
/// hash, (4) the key has signed it.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1)
    let chart = spec.chart.ok_or(Rejection::EntryRequired { path: "chart" })?;
    let provenance = chart.provenance.ok_or(Rejection::EntryRequired { path: "chart.chart.provenance" })?;
    let key = Content::required_key(spec.public_key.as_ref())?;
    let provenance = provenance.decode()?;
    // (2)
    let key = Keyring::parse(&key)?;
    // (3)
    if provenance.len() > MAX_BYTES {
        return Err(refused("it is larger than 1 MiB"));
    }
    let provenance = SignedText::parse(&provenance)?;
    let value = chart_hash(&provenance.text)?;
    // (4)
    key.verify(&provenance.signatures, &provenance.signed)?;
    let hash = CanonicalHash { algorithm: HashAlgorithm::Sha256.name(), value: value.into() };
    let signature = CanonicalContent::of(&provenance.signatures.into_canonical());
    EntryKind::Helm.body(&CanonicalSpec {
        chart: CanonicalChart { hash, provenance: CanonicalProvenance { signature } },
        public_key: CanonicalContent::of(&key.canonical()),
    })
}

/// The hash of the only file that a provenance file lists, in hexadecimal.
fn chart_hash(text: &[u8]) -> Result<&str, Rejection> {
    let text = str::from_utf8(text).map_err(|_| refused("it is not UTF-8"))?;
    let list = text.split("\n...\n").nth(1).ok_or(refused("it has no list of files after its metadata"))?;
    let (mut section, mut files) = ("", Vec::new());
    for line in list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match line.strip_prefix(' ') {
            None => section = line.trim_end(),
            Some(file) if section == "files:" => files.push(file),
            Some(_) => {}
        }
    }
    let [file] = files.as_slice() else { return Err(refused("it must list one file")) };
    let value = file.split_once(": ").and_then(|(_, hash)| hash.trim().strip_prefix("sha256:"));
    let is_hash = |value: &&str| {
        value.len() == 2 * HashAlgorithm::Sha256.size_bytes() && value.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    value.filter(is_hash).ok_or(refused("the hash of its file must be SHA-256 in hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_the_one_file_is_found() {
        let hash = "0a".repeat(32);
        let file = |list: &str| format!("name: chart\nversion: 1\n\n...\n{list}").replace("HASH", &hash);
        for good in [
            "files:\n  chart-1.tgz: sha256:HASH\n",
            "files:\n  chart-1.tgz: sha256:HASH",
            "# a comment\nimages:\n  a: sha256:b\nfiles:\n\n chart: sha256:HASH\nimages:\n  c: d",
        ] {
            assert_eq!(chart_hash(file(good).as_bytes()), Ok(hash.as_str()), "{good}");
        }
        for bad in [
            "",
            "files:",
            "files: {}",
            "chart-1.tgz: sha256:HASH",
            "files:\n  a: sha256:HASH\n  b: sha256:HASH",
            "files:\n  a: sha512:HASH",
            "files:\n  a: sha256:HASH0",
            "files:\n  a: sha256:HASH:b",
            "files:\n  a: \"sha256:HASH\"",
            "images:\n  a: sha256:HASH",
        ] {
            assert!(chart_hash(file(bad).as_bytes()).is_err(), "{bad}");
        }
        assert!(chart_hash(b"files:\n  a: b").is_err());
    }
}
