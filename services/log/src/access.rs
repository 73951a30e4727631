//! The signers that may write to a log, and the readers that may read its entries. By default everybody.

use crate::admission::WriteRules;
use crate::reader::Readers;

/// What an operator restricts. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Which entries a log of signatures accepts. A certificate log has roots instead.
    pub rules: WriteRules,
    /// Who may read entries of every log.
    pub readers: Readers,
}
