//! Offline signatures: export a document without signatures, and merge copies with one or more.
//!
//! The file is plain TUF metadata with an empty list of signatures, so any other TUF program can sign it too.

use super::{InvalidMetadata, Metadata, key};
use chancery_daemon::signer::{Signer, SignerError};
use std::collections::BTreeMap;

/// Why a document cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The key is of a kind that not every client verifies.
    #[error(transparent)]
    Key(#[from] InvalidMetadata),
    /// The key fails to sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// Adds this key's signature.
pub async fn sign(document: &mut Metadata, signer: &Signer) -> Result<(), OfflineError> {
    key::check(signer.public_key())?;
    let signature = signer.sign(document.message()).await?;
    document.add_signature(key::id(signer.public_key())?, signature);
    Ok(())
}

/// Merges the signatures of copies of one document: one for each key. Not verified here: that is done when they are
/// counted.
#[must_use]
pub fn merge(copies: Vec<Metadata>) -> Vec<Metadata> {
    let mut merged: BTreeMap<Vec<u8>, Metadata> = BTreeMap::new();
    for copy in copies {
        match merged.get_mut(copy.message()) {
            None => {
                merged.insert(copy.message().to_vec(), copy);
            }
            Some(document) => {
                let signatures: Vec<_> = copy.signatures().map(|(id, bytes)| (id.clone(), bytes.to_vec())).collect();
                for (id, signature) in signatures {
                    document.add_signature(id, signature);
                }
            }
        }
    }
    merged.into_values().collect()
}
