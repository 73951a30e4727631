//! TUF (specification 1.0): metadata, and the keys of a root that sign it.
//!
//! Whether metadata is signed is decided as upstream's library decides it, with exact names. Not here: expiry, because
//! nothing in this crate has a clock and a log has entries of any age; RSA signatures whose salt is not as long as the
//! hash.

mod json;
mod key;

use super::refused;
use crate::{Rejection, Timestamp};
use json::Form;
use key::Key;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum bytes of metadata. The canonical form of more does not fit into an entry.
const MAX_BYTES: usize = 128 * 1024;
/// Maximum signatures of metadata. Each may cost a check.
const MAX_SIGNATURES: usize = 64;
/// Roles of a root. Others cannot have signed metadata of their own name.
const ROLES: [&str; 4] = ["root", "snapshot", "targets", "timestamp"];

const MALFORMED: Rejection = refused("it is not TUF metadata");

/// Metadata with its signatures, which are not verified.
pub(in crate::rekor) struct Metadata {
    /// What is signed.
    message: String,
    /// What it is metadata of.
    role: String,
    signatures: Vec<Signature>,
    canonical: String,
    signed: Map<String, Value>,
}

struct Signature {
    key_id: String,
    signature: Vec<u8>,
}

impl Metadata {
    /// Parses a file.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_BYTES {
            return Err(refused("it is too large"));
        }
        Self::of(serde_json::from_slice(content).map_err(|_| MALFORMED)?)
    }

    /// Reads a file that is parsed as JSON.
    pub(in crate::rekor) fn of(content: Value) -> Result<Self, Rejection> {
        let Value::Object(mut content) = content else { return Err(MALFORMED) };
        let (Some(signed), Some(Value::Array(signatures))) = (content.remove("signed"), content.remove("signatures"))
        else {
            return Err(MALFORMED);
        };
        if signatures.len() > MAX_SIGNATURES {
            return Err(Rejection::EntryTooMany { what: "signatures", limit: MAX_SIGNATURES });
        }
        let signatures = signatures.iter().map(Signature::read).collect::<Option<Vec<_>>>().ok_or(MALFORMED)?;
        let message = json::write(&signed, Form::Olpc).ok_or(refused("a number in it is no integer, or too large"))?;
        let canonical = canonical(&signed, &signatures).ok_or(MALFORMED)?;
        if canonical.len() > MAX_BYTES {
            return Err(refused("it is too large"));
        }
        let Value::Object(signed) = signed else { return Err(MALFORMED) };
        let role = signed.get("_type").and_then(Value::as_str).ok_or(MALFORMED)?.to_owned();
        signed.get("version").and_then(Value::as_u64).ok_or(MALFORMED)?;
        signed.get("expires").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339).ok_or(MALFORMED)?;
        Ok(Self { message, role, signatures, canonical, signed })
    }

    /// The canonical form (RFC 8785).
    pub(in crate::rekor) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What is signed.
    pub(in crate::rekor) fn message(&self) -> &[u8] {
        self.message.as_bytes()
    }
}

impl Signature {
    fn read(signature: &Value) -> Option<Self> {
        let text = |name| signature.get(name).and_then(Value::as_str);
        Some(Self { key_id: text("keyid")?.to_owned(), signature: hex::decode(text("sig")?).ok()? })
    }

    /// Its canonical form.
    fn canonical(&self) -> Value {
        let sig = Value::String(hex::encode(&self.signature));
        Value::Object(Map::from_iter([
            ("keyid".to_owned(), Value::String(self.key_id.clone())),
            ("sig".to_owned(), sig),
        ]))
    }
}

fn canonical(signed: &Value, signatures: &[Signature]) -> Option<String> {
    let signatures = Value::Array(signatures.iter().map(Signature::canonical).collect());
    let (signatures, signed) = (json::write(&signatures, Form::Jcs)?, json::write(signed, Form::Jcs)?);
    Some(format!("{{\"signatures\":{signatures},\"signed\":{signed}}}"))
}

/// A root: the keys of each role, and metadata that its own keys have signed.
pub(in crate::rekor) struct Root {
    metadata: Metadata,
    keys: BTreeMap<String, Key>,
    roles: BTreeMap<String, Role>,
}

/// Who signs for a role.
struct Role {
    key_ids: BTreeSet<String>,
    threshold: usize,
}

impl Root {
    /// Parses a root and checks that it is signed by its own keys.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        Self::of(Metadata::parse(content)?)
    }

    /// As [`Self::parse`], of metadata that is parsed.
    pub(in crate::rekor) fn of(metadata: Metadata) -> Result<Self, Rejection> {
        let object = |name| metadata.signed.get(name).and_then(Value::as_object).ok_or(MALFORMED);
        let keys = object("keys")?.iter().map(|(id, key)| Ok((id.clone(), Key::read(key)?)));
        let keys = keys.collect::<Result<BTreeMap<_, _>, Rejection>>()?;
        let roles = object("roles")?.iter().map(|(name, role)| Some((name.clone(), Role::read(role)?)));
        let roles = roles.collect::<Option<BTreeMap<_, _>>>().ok_or(MALFORMED)?;
        if metadata.role != "root" {
            return Err(refused("its root is not one"));
        }
        let root = Self { metadata, keys, roles };
        root.signers(&root.metadata)?;
        Ok(root)
    }

    pub(in crate::rekor) fn canonical(&self) -> &str {
        &self.metadata.canonical
    }

    /// The version of the specification, if the root names one.
    pub(in crate::rekor) fn spec_version(&self) -> &str {
        self.metadata.signed.get("spec_version").and_then(Value::as_str).unwrap_or_default()
    }

    /// The keys (SPKI) of its role that have signed metadata, of which there must be enough. Signatures by others are not
    /// looked at, and need not verify.
    pub(in crate::rekor) fn signers(&self, metadata: &Metadata) -> Result<Vec<&[u8]>, Rejection> {
        let role = self.roles.get(&metadata.role).filter(|_| ROLES.contains(&metadata.role.as_str()));
        let role = role.ok_or(refused("its type is no role of the root"))?;
        let mut signers = BTreeSet::new();
        for Signature { key_id, signature } in &metadata.signatures {
            let key = self.keys.get(key_id).filter(|_| role.key_ids.contains(key_id));
            // A key may have several ids, and counts once.
            if let Some(key) = key
                && !signers.contains(key.spki_der())
                && key.verify(metadata.message.as_bytes(), signature).is_ok()
            {
                signers.insert(key.spki_der());
            }
        }
        if signers.len() < role.threshold {
            return Err(refused("fewer keys have signed it than its root requires"));
        }
        Ok(signers.into_iter().collect())
    }
}

impl Role {
    fn read(role: &Value) -> Option<Self> {
        let key_ids = role.get("keyids")?.as_array()?.iter().map(|id| id.as_str().map(str::to_owned));
        let threshold = role.get("threshold")?.as_u64().and_then(|threshold| usize::try_from(threshold).ok());
        Some(Self {
            key_ids: key_ids.collect::<Option<_>>()?,
            threshold: threshold.filter(|threshold| *threshold > 0)?,
        })
    }
}
