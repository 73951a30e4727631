//! Public keys in the form of metadata.
//!
//! Only P-256: every client verifies it, and tokens and key services sign with it. (RSA would have to be PSS, which a
//! [`Signer`](chancery_daemon::signer::Signer) does not make. The oldest clients know no other curve.)

use super::{InvalidMetadata, canonical};
use chancery_verify::{PublicKey, hash, key::KeyKind};
use serde_json::{Value, json};

const SCHEME: &str = "ecdsa-sha2-nistp256";
/// The one name that go-tuf 0.7, go-tuf 2, python-tuf, tuf-js and tough all accept.
const KEY_TYPE: &str = "ecdsa";
/// An older name of securesystemslib: accepted, never written.
const KEY_TYPE_OLD: &str = "ecdsa-sha2-nistp256";

/// The key id: SHA-256 of the key's canonical JSON, in hexadecimal.
pub type KeyId = String;

/// The key as it is written into root metadata.
#[must_use]
pub fn document(key: &PublicKey) -> Value {
    json!({"keytype": KEY_TYPE, "scheme": SCHEME, "keyval": {"public": key.to_pem()}})
}

/// Returns the id of a key that [`document`] writes.
pub fn id(key: &PublicKey) -> Result<KeyId, InvalidMetadata> {
    id_of(&document(key))
}

fn id_of(document: &Value) -> Result<KeyId, InvalidMetadata> {
    Ok(hex::encode(hash::sha256(&canonical::encode(document)?)))
}

/// Checks that all clients verify metadata signed with a key.
pub fn check(key: &PublicKey) -> Result<(), InvalidMetadata> {
    if key.kind() == KeyKind::P256 { Ok(()) } else { Err(InvalidMetadata::KeyKind) }
}

/// Reads a key and checks its id, also for keys from other programs: one key under two ids could be counted twice.
pub fn parse(key_id: &str, document: &Value) -> Result<PublicKey, InvalidMetadata> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let known = matches!(text("/keytype"), Some(KEY_TYPE | KEY_TYPE_OLD)) && text("/scheme") == Some(SCHEME);
    let pem = text("/keyval/public").filter(|_| known).ok_or(InvalidMetadata::KeyKind)?;
    let key = PublicKey::from_pem(pem.as_bytes()).map_err(|_| InvalidMetadata::KeyKind)?;
    check(&key)?;
    if id_of(document)? != key_id {
        return Err(InvalidMetadata::KeyId { key_id: key_id.to_owned() });
    }
    Ok(key)
}
