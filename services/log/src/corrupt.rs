//! A self-check that failed, and how many did.
//!
//! Everything else in this crate may use it, and it uses nothing of this crate. The consequences of a failed self-check are
//! elsewhere: in [`crate::Error`] and [`crate::quarantine`].

use chancery_verify::Rejection;
use std::sync::atomic::{AtomicU64, Ordering};

/// Self-checks of logs that failed since the process began.
static FAILED_CHECKS: AtomicU64 = AtomicU64::new(0);

/// Self-checks of the logs of this process that failed: of reads, promises, certificate timestamps, checkpoints and batches.
///
/// They are counted where a [`Corrupt`] becomes an error that a caller sees. So none is missed, independent of the
/// personality, protocol or background task. Only failed self-checks increase this number: clients cannot.
#[must_use]
pub fn failed_checks() -> u64 {
    FAILED_CHECKS.load(Ordering::Relaxed)
}

/// An invariant that does not hold any more. The sequencer stops at the first one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invariant violated: {invariant}")]
pub struct Corrupt {
    /// The violated invariant.
    pub invariant: &'static str,
    /// The reason of `chancery-verify`, if it made the check.
    #[source]
    pub rejection: Option<Rejection>,
}

impl Corrupt {
    /// A violated invariant without a verdict behind it.
    #[must_use]
    pub const fn new(invariant: &'static str) -> Self {
        Self { invariant, rejection: None }
    }

    /// Counts it, see [`failed_checks`].
    pub(crate) fn counted(self) -> Self {
        FAILED_CHECKS.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// A self-check that `chancery-verify` refused.
    #[must_use]
    pub const fn refused(invariant: &'static str, rejection: Rejection) -> Self {
        Self { invariant, rejection: Some(rejection) }
    }
}
