//! Public keys as metadata has them.
//!
//! P-256 alone: every client verifies it, and so do tokens and key services sign with it. (RSA would have to be PSS, which
//! a [`Signer`](chancery_daemon::signer::Signer) does not make; the oldest clients know no other curve.)

use super::{InvalidMetadata, canonical};
use chancery_verify::{PublicKey, hash, key::KeyKind};
use serde_json::{Value, json};

const SCHEME: &str = "ecdsa-sha2-nistp256";
/// The one name that go-tuf 0.7, go-tuf 2, python-tuf, tuf-js and tough all take.
const KEY_TYPE: &str = "ecdsa";
/// As securesystemslib once wrote it; read, never written.
const KEY_TYPE_OLD: &str = "ecdsa-sha2-nistp256";

/// The name of a key in metadata: SHA-256 of its canonical JSON, in hexadecimal.
pub type KeyId = String;

/// The key as it is written into root metadata.
#[must_use]
pub fn document(key: &PublicKey) -> Value {
    json!({"keytype": KEY_TYPE, "scheme": SCHEME, "keyval": {"public": key.to_pem()}})
}

/// The name of a key that is written by [`document`].
pub fn id(key: &PublicKey) -> Result<KeyId, InvalidMetadata> {
    id_of(&document(key))
}

fn id_of(document: &Value) -> Result<KeyId, InvalidMetadata> {
    Ok(hex::encode(hash::sha256(&canonical::encode(document)?)))
}

/// Whether a key can sign metadata that all clients verify.
pub fn check(key: &PublicKey) -> Result<(), InvalidMetadata> {
    if key.kind() == KeyKind::P256 { Ok(()) } else { Err(InvalidMetadata::KeyKind) }
}

/// Reads a key and the name it must have, whoever wrote it: one key under two names could be counted twice.
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
