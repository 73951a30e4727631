//! The log that witnesses cosign, and the proofs from its store.

use crate::store::{LogRecord, Store};
use crate::trust::guard::{Guard, tiles_of};
use crate::{Corrupt, Error};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{self, Plan};
use chancery_verify::{Hash, PublicKey};
use std::sync::Arc;

/// A log, without the key that signs.
pub(crate) struct Context {
    pub(crate) record: Arc<LogRecord>,
    pub(super) scheme: Arc<Scheme>,
    pub(super) key: PublicKey,
    pub(super) store: Arc<dyn Store>,
}

impl Context {
    /// The log's guard.
    pub(crate) fn of(guard: Guard<'_>, store: &Arc<dyn Store>) -> Self {
        let (record, scheme) = (Arc::new(guard.record.clone()), Arc::new(guard.scheme.clone()));
        Self { record, scheme, key: guard.key.clone(), store: Arc::clone(store) }
    }

    /// Proves that the tree of `old` leaves is a prefix of the one of `new` leaves. Both are committed.
    pub(super) async fn prove(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        if old == 0 {
            return Ok(Vec::new());
        }
        let mut plan = Plan::default();
        let Ok(_) = merkle::consistency_proof(old, new, &mut plan);
        let tiles = tiles_of(&*self.store, self.record.log_id, &plan).await?;
        let missing = |_| Corrupt::new("tiles below the head are stored");
        Ok(merkle::consistency_proof(old, new, &mut &tiles).map_err(missing)?)
    }
}
