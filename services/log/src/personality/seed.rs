//! Entry 0 of a signature log, which is our own.
//!
//! Clients cannot verify an entry at index 0: protobuf's JSON drops zeros. So a new log is seeded with something signed with
//! a key that is made for it and thrown away.

use crate::{Corrupt, Error, Log};
use chancery_daemon::signer::Signer;
use chancery_verify::key::KeyKind;
use chancery_verify::{PublicKey, Rejection};

/// A signature to be logged first.
pub(crate) struct Seed {
    /// Its key, P-256.
    pub(crate) key: PublicKey,
    /// Over the artifact's SHA-256, ASN.1 DER.
    pub(crate) signature: Vec<u8>,
}

impl Seed {
    /// A signature over `artifact`, where the tree is empty. A log that takes no entries is left as it is.
    ///
    /// Another process may see the same empty tree, so what is made of the seed MUST be appended as an entry that is to be
    /// the first or none (`only_first`): then one of them is logged.
    pub(crate) async fn needed(log: &Log, artifact: &[u8]) -> Result<Option<Self>, Error> {
        if log.is_frozen() || log.quarantine().is_some() || log.latest().await?.tree.size > 0 {
            return Ok(None);
        }
        let unsigned = |_| Error::Unavailable { reason: "the seed entry cannot be signed" };
        let (signer, _) = Signer::generate(KeyKind::P256).map_err(unsigned)?;
        let signature = signer.sign(artifact).await.map_err(unsigned)?;
        Ok(Some(Self { key: signer.public_key().clone(), signature }))
    }
}

/// The seed was not admitted.
pub(crate) fn refused(rejection: Rejection) -> Error {
    Corrupt::refused("the seed entry is a valid entry", rejection).into()
}
