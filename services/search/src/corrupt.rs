//! A self-check of the stored index that failed.

/// Something that is stored is not what the index writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored index is damaged ({invariant} does not hold); build it again: chancery search rebuild")]
pub struct Corrupt {
    invariant: &'static str,
}

impl Corrupt {
    /// The invariant that does not hold.
    #[must_use]
    pub const fn new(invariant: &'static str) -> Self {
        Self { invariant }
    }

    /// The invariant that does not hold.
    #[must_use]
    pub const fn invariant(&self) -> &'static str {
        self.invariant
    }
}
