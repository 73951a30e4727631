//! Where the keys that sign metadata come from. The root decides which of them count.

use super::Role;
use chancery_daemon::signer::{Signer, SignerError};
use std::{pin::Pin, sync::Arc};

/// The available keys of one role.
#[derive(Debug, Default)]
pub struct KeysHeld {
    /// Keys that can be asked to sign. The root decides which of them count.
    pub signers: Vec<Arc<Signer>>,
    /// Why other keys are not available.
    pub failures: Vec<SignerError>,
}

/// A future set of keys: some must be reached first.
pub type HeldKeys<'a> = Pin<Box<dyn Future<Output = KeysHeld> + Send + 'a>>;

/// Source of keys. An offline key is never available here.
pub trait KeySource: Send + Sync {
    /// Returns the keys of `role` that are available now.
    fn held(&self, role: Role) -> HeldKeys<'_>;
}
