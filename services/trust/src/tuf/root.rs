//! Root metadata: the keys of each role, and their threshold.

use super::{
    InvalidMetadata, Metadata, Role,
    key::{self, KeyId},
    metadata::{expect_role, number},
};
use chancery_verify::{PublicKey, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Most keys of one role.
const MAX_KEYS: usize = 32;

/// The keys of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKeys {
    /// By key id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Threshold, from one to all.
    pub threshold: usize,
}

impl RoleKeys {
    /// These keys, of which `threshold` must sign.
    pub fn new(keys: &[PublicKey], threshold: usize) -> Result<Self, InvalidMetadata> {
        let mut by_id = BTreeMap::new();
        for public_key in keys {
            key::check(public_key)?;
            by_id.insert(key::id(public_key)?, public_key.clone());
        }
        Self { keys: by_id, threshold }.checked()
    }

    fn checked(self) -> Result<Self, InvalidMetadata> {
        let (threshold, keys) = (self.threshold, self.keys.len());
        if threshold == 0 || threshold > keys || keys > MAX_KEYS {
            return Err(InvalidMetadata::ImpossibleThreshold { threshold, keys });
        }
        Ok(self)
    }

    /// Returns how many of the keys have signed. Each counts once, under any id and however often it signed.
    #[must_use]
    pub fn count(&self, metadata: &Metadata) -> usize {
        let signed = metadata.signatures().filter(|(key_id, signature)| {
            self.keys.get(*key_id).is_some_and(|key| key.verify(metadata.message(), signature).is_ok())
        });
        signed.map(|(key_id, _)| key_id).collect::<BTreeSet<_>>().len()
    }
}

/// The keys of all roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Sign root metadata, and so decide the keys of all roles.
    pub root: RoleKeys,
    /// Sign the targets.
    pub targets: RoleKeys,
    /// Sign the version of the targets metadata.
    pub snapshot: RoleKeys,
    /// Sign the version of the snapshot.
    pub timestamp: RoleKeys,
}

impl Root {
    /// Reads root metadata. Does not verify its signatures.
    pub fn parse(metadata: &Metadata) -> Result<Self, InvalidMetadata> {
        expect_role(metadata, Role::Root)?;
        // The only layout that is served.
        if metadata.member("consistent_snapshot")? != &Value::Bool(true) {
            return Err(InvalidMetadata::Member { name: "consistent_snapshot" });
        }
        let keys = parse_keys(metadata.member("keys")?)?;
        let listed = metadata.member("roles")?.as_object().filter(|listed| listed.len() == Role::ALL.len());
        let listed = listed.ok_or(InvalidMetadata::Member { name: "roles" })?;
        let role = |role: Role| {
            let entry = listed.get(role.as_str()).ok_or(InvalidMetadata::Member { name: "roles" })?;
            parse_role(entry, &keys)
        };
        Ok(Self {
            root: role(Role::Root)?,
            targets: role(Role::Targets)?,
            snapshot: role(Role::Snapshot)?,
            timestamp: role(Role::Timestamp)?,
        })
    }

    /// The keys of a role.
    #[must_use]
    pub const fn role(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Root => &self.root,
            Role::Targets => &self.targets,
            Role::Snapshot => &self.snapshot,
            Role::Timestamp => &self.timestamp,
        }
    }

    /// Returns a copy with other keys for one role.
    #[must_use]
    pub fn with(mut self, role: Role, keys: RoleKeys) -> Self {
        match role {
            Role::Root => self.root = keys,
            Role::Targets => self.targets = keys,
            Role::Snapshot => self.snapshot = keys,
            Role::Timestamp => self.timestamp = keys,
        }
        self
    }

    /// Checks that enough keys of the document's role have signed it.
    pub fn verify(&self, metadata: &Metadata) -> Result<(), InvalidMetadata> {
        let keys = self.role(metadata.role);
        let (signed, threshold) = (keys.count(metadata), keys.threshold);
        if signed < threshold {
            return Err(InvalidMetadata::TooFewSignatures { role: metadata.role, signed, threshold });
        }
        Ok(())
    }

    /// Returns a new document without signatures.
    pub fn to_metadata(&self, version: u64, expires: Timestamp) -> Result<Metadata, InvalidMetadata> {
        let (mut keys, mut roles) = (Map::new(), Map::new());
        for role in Role::ALL {
            let RoleKeys { keys: chosen, threshold } = self.role(role);
            // Ids are computed again: another program may have encoded a key differently, and the id depends on the
            // encoding.
            let ids = chosen.values().map(key::id).collect::<Result<Vec<KeyId>, _>>()?;
            keys.extend(ids.iter().cloned().zip(chosen.values().map(key::document)));
            roles.insert(role.to_string(), json!({"keyids": ids, "threshold": threshold}));
        }
        let parts = [
            ("consistent_snapshot".to_owned(), Value::Bool(true)),
            ("keys".to_owned(), Value::Object(keys)),
            ("roles".to_owned(), Value::Object(roles)),
        ];
        Metadata::new(Role::Root, version, expires, parts.into_iter().collect())
    }
}

fn parse_keys(listed: &Value) -> Result<BTreeMap<KeyId, PublicKey>, InvalidMetadata> {
    let listed = listed.as_object().filter(|listed| listed.len() <= Role::ALL.len() * MAX_KEYS);
    let mut keys = BTreeMap::new();
    let mut fingerprints = BTreeSet::new();
    for (key_id, document) in listed.ok_or(InvalidMetadata::Member { name: "keys" })? {
        let public_key = key::parse(key_id, document)?;
        // The same key in another PEM encoding has another id, under which it could count again.
        if !fingerprints.insert(public_key.fingerprint()) {
            return Err(InvalidMetadata::KeyId { key_id: key_id.clone() });
        }
        keys.insert(key_id.clone(), public_key);
    }
    Ok(keys)
}

fn parse_role(entry: &Value, keys: &BTreeMap<KeyId, PublicKey>) -> Result<RoleKeys, InvalidMetadata> {
    let ids = entry.get("keyids").and_then(Value::as_array).ok_or(InvalidMetadata::Member { name: "keyids" })?;
    let mut chosen = BTreeMap::new();
    for key_id in ids {
        let key_id = key_id.as_str().ok_or(InvalidMetadata::Member { name: "keyids" })?;
        let found = keys.get(key_id).ok_or(InvalidMetadata::Member { name: "keyids" })?;
        if chosen.insert(key_id.to_owned(), found.clone()).is_some() {
            return Err(InvalidMetadata::KeyId { key_id: key_id.to_owned() });
        }
    }
    let threshold = match entry.get("threshold").and_then(Value::as_u64) {
        Some(0) => return Err(InvalidMetadata::ImpossibleThreshold { threshold: 0, keys: chosen.len() }),
        _ => number(entry, "threshold")?,
    };
    RoleKeys { keys: chosen, threshold: usize::try_from(threshold).unwrap_or(usize::MAX) }.checked()
}
