//! Which roots a CT log accepts. Their number only grows: an authority that is rotated adds its next root before anything is
//! issued below it, and what is issued with a key that was retired should be seen more than anything else.

use chancery_verify::Rejection;
use chancery_verify::certificate::Certificate;
use std::sync::{Arc, PoisonError, RwLock};

/// Accepted roots. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Roots(Arc<RwLock<Arc<[Certificate]>>>);

impl Roots {
    /// Accepts these certificates (DER).
    pub(super) fn new(roots: &[Vec<u8>]) -> Result<Self, Rejection> {
        let accepted = Self::default();
        roots.iter().try_for_each(|root| accepted.accept(root))?;
        Ok(accepted)
    }

    /// Accepts one more (DER), unless it is known.
    pub(super) fn accept(&self, root: &[u8]) -> Result<(), Rejection> {
        let root = Certificate::from_der(root)?;
        let mut roots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if roots.iter().all(|known| known.der() != root.der()) {
            *roots = roots.iter().cloned().chain([root]).collect();
        }
        Ok(())
    }

    /// Those of this moment.
    pub(super) fn current(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
