//! Signed documents: read, verified, written. TUF 1.0 §4.
//!
//! The input may come from a person's disk or from another program, so it is not trusted before enough signatures
//! verify. [`Root::verify`](super::Root::verify) counts keys, not signatures.

use super::{InvalidMetadata, Role, canonical, key::KeyId};
use chancery_verify::Timestamp;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt};

/// Largest document. Clients stop at 512,000 bytes of root metadata.
pub const MAX_BYTES: usize = 512_000;
/// The specification version that is written.
const SPEC_VERSION: &str = "1.0.31";
/// Most signatures of one document.
const MAX_SIGNATURES: usize = 64;
/// Largest version that every client can parse.
const MAX_VERSION: u64 = i32::MAX as u64;

/// A document and its unverified signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    signed: Value,
    /// The bytes that are signed: [`Self::signed`] in its canonical form.
    canonical: Vec<u8>,
    signatures: BTreeMap<KeyId, Vec<u8>>,
    /// The role it names.
    pub role: Role,
    /// Version, from 1.
    pub version: u64,
    /// Expiry: clients refuse it from then on.
    pub expires: Timestamp,
}

impl Metadata {
    /// Makes a document without signatures. `parts` are the members of the role beside the common ones.
    pub fn new(
        role: Role,
        version: u64,
        expires: Timestamp,
        parts: Map<String, Value>,
    ) -> Result<Self, InvalidMetadata> {
        let mut signed = parts;
        signed.insert("_type".to_owned(), role.as_str().into());
        signed.insert("spec_version".to_owned(), SPEC_VERSION.into());
        signed.insert("version".to_owned(), version.into());
        signed.insert("expires".to_owned(), expires.rfc3339().into());
        Self::read(Value::Object(signed), BTreeMap::new())
    }

    /// Reads a document with signatures, or with none yet.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidMetadata> {
        if text.len() > MAX_BYTES {
            return Err(InvalidMetadata::TooLarge);
        }
        let document: Value = serde_json::from_slice(text).map_err(|_| InvalidMetadata::NotJson)?;
        let signed = document.get("signed").cloned().ok_or(InvalidMetadata::Member { name: "signed" })?;
        let listed = document.get("signatures").and_then(Value::as_array);
        let listed = listed.ok_or(InvalidMetadata::Member { name: "signatures" })?;
        if listed.len() > MAX_SIGNATURES {
            return Err(InvalidMetadata::TooLarge);
        }
        let mut signatures = BTreeMap::new();
        for signature in listed {
            let member = |name| signature.get(name).and_then(Value::as_str);
            let (Some(key_id), Some(bytes)) = (member("keyid"), member("sig").and_then(|text| hex::decode(text).ok()))
            else {
                return Err(InvalidMetadata::Member { name: "signatures" });
            };
            if signatures.insert(key_id.to_owned(), bytes).is_some() {
                return Err(InvalidMetadata::SignedTwice { key_id: key_id.to_owned() });
            }
        }
        Self::read(signed, signatures)
    }

    fn read(signed: Value, signatures: BTreeMap<KeyId, Vec<u8>>) -> Result<Self, InvalidMetadata> {
        let text =
            |name: &'static str| signed.get(name).and_then(Value::as_str).ok_or(InvalidMetadata::Member { name });
        let role = Role::from_name(text("_type")?).ok_or(InvalidMetadata::Member { name: "_type" })?;
        if !text("spec_version")?.starts_with("1.") {
            return Err(InvalidMetadata::Member { name: "spec_version" });
        }
        let expires = Timestamp::from_rfc3339(text("expires")?).ok_or(InvalidMetadata::Member { name: "expires" })?;
        let version = number(&signed, "version")?;
        let canonical = canonical::encode(&signed)?;
        Ok(Self { signed, canonical, signatures, role, version, expires })
    }

    /// A member of what is signed.
    pub(super) fn member(&self, name: &'static str) -> Result<&Value, InvalidMetadata> {
        self.signed.get(name).ok_or(InvalidMetadata::Member { name })
    }

    /// A member of what is signed, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<&Value> {
        self.signed.get(name)
    }

    /// The names of the members of what is signed.
    pub(super) fn member_names(&self) -> impl Iterator<Item = &str> {
        self.signed.as_object().into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The signed part.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.canonical
    }

    /// The signatures by key id, unverified.
    pub fn signatures(&self) -> impl Iterator<Item = (&KeyId, &[u8])> {
        self.signatures.iter().map(|(key_id, signature)| (key_id, signature.as_slice()))
    }

    /// Adds a signature; replaces one of the same key.
    pub fn add_signature(&mut self, key_id: KeyId, signature: Vec<u8>) {
        self.signatures.insert(key_id, signature);
    }

    /// Keeps only the signatures of these keys.
    pub(super) fn keep_signatures(&mut self, keep: impl Fn(&KeyId) -> bool) {
        self.signatures.retain(|key_id, _| keep(key_id));
    }

    /// Returns the file's bytes: indented, because people read it before they sign it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let signature = |(key_id, bytes): (&KeyId, &Vec<u8>)| json!({"keyid": key_id, "sig": hex::encode(bytes)});
        let signatures: Vec<Value> = self.signatures.iter().map(signature).collect();
        let document = json!({"signatures": signatures, "signed": self.signed});
        format!("{document:#}\n").into_bytes()
    }
}

/// Reads a whole number from 1.
pub(super) fn number(object: &Value, name: &'static str) -> Result<u64, InvalidMetadata> {
    let number = object.get(name).and_then(Value::as_u64).filter(|number| (1..=MAX_VERSION).contains(number));
    number.ok_or(InvalidMetadata::Member { name })
}

/// A description of a file: length and one hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes.
    pub length: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl FileFacts {
    /// Describes these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { length, sha256: hex::encode(chancery_verify::hash::sha256(bytes)) }
    }

    /// Returns the members. There is only one hash: with several, go-tuf picks one at random for the name of the file.
    pub(super) fn members(&self) -> Map<String, Value> {
        let members =
            [("length".to_owned(), self.length.into()), ("hashes".to_owned(), json!({"sha256": self.sha256}))];
        members.into_iter().collect()
    }

    fn parse(object: &Value) -> Result<Self, InvalidMetadata> {
        let length = object.get("length").and_then(Value::as_u64).ok_or(InvalidMetadata::Member { name: "length" })?;
        let hashes = object.get("hashes").and_then(Value::as_object).filter(|hashes| hashes.len() == 1);
        let sha256 = hashes.and_then(|hashes| hashes.get("sha256")).and_then(Value::as_str);
        let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let sha256 = sha256.filter(is_hash).ok_or(InvalidMetadata::Member { name: "hashes" })?;
        Ok(Self { length, sha256: sha256.to_owned() })
    }
}

/// The name of a target: one plain file name, which cannot leave its directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetName(String);

impl TargetName {
    /// Refuses names that are not plain: separators, `..`, control characters, empty and hidden names.
    pub fn parse(name: &str) -> Result<Self, InvalidMetadata> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if plain && !name.is_empty() && !name.starts_with('.') && name.len() <= 128 {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidMetadata::TargetName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the file with these contents, in the directory and below the URL.
    #[must_use]
    pub fn path(&self, facts: &FileFacts) -> String {
        format!("targets/{}.{}", facts.sha256, self.0)
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the targets that targets metadata lists.
pub fn listed_targets(metadata: &Metadata) -> Result<BTreeMap<TargetName, FileFacts>, InvalidMetadata> {
    expect_role(metadata, Role::Targets)?;
    let listed = metadata.member("targets")?.as_object().ok_or(InvalidMetadata::Member { name: "targets" })?;
    listed.iter().map(|(name, facts)| Ok((TargetName::parse(name)?, FileFacts::parse(facts)?))).collect()
}

/// Returns version and facts of the file `name` in snapshot or timestamp metadata.
pub fn listed_metadata(metadata: &Metadata, name: &str) -> Result<(u64, FileFacts), InvalidMetadata> {
    let entry = metadata.member("meta")?.get(name).ok_or(InvalidMetadata::Member { name: "meta" })?;
    Ok((number(entry, "version")?, FileFacts::parse(entry)?))
}

/// Refuses metadata of another role.
pub(super) fn expect_role(metadata: &Metadata, expected: Role) -> Result<(), InvalidMetadata> {
    if metadata.role == expected { Ok(()) } else { Err(InvalidMetadata::OtherRole { expected, found: metadata.role }) }
}
