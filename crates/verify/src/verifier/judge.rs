//! Who decides whether a signer is the right one.

use super::{Signer, Verified};
use crate::Refusal;

/// Accepts or refuses what has been established. Policies are judges; so is whatever a caller writes.
pub trait Judge {
    /// Looks at the signer, before log entries and signature are checked. It saves work, and tells a person first that somebody
    /// else has signed. What is accepted here is not accepted yet.
    ///
    /// # Errors
    /// Why it is the wrong one.
    fn identity(&self, signer: &Signer) -> Result<(), Refusal> {
        let _ = signer;
        Ok(())
    }

    /// Decides, when all has been established. May say in words which of its rules held.
    ///
    /// # Errors
    /// Why it is not enough.
    fn judge(&self, verified: &Verified) -> Result<Option<String>, Refusal>;
}

/// Accepts every signer. For a caller that asks who has signed, and then decides; it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnySigner;

impl Judge for AnySigner {
    fn judge(&self, _: &Verified) -> Result<Option<String>, Refusal> {
        Ok(None)
    }
}
