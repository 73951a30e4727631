//! The policies a timestamp may be made under.

use const_oid::ObjectIdentifier;

/// Sigstore's, which its own authority uses unless told otherwise.
pub const DEFAULT_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

/// The policies of an authority. A request without a policy gets the first; a request for a policy not in the list is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    default: ObjectIdentifier,
    others: Vec<ObjectIdentifier>,
}

impl Policies {
    /// `default` is for requests without a policy; `others` are granted on request.
    #[must_use]
    pub const fn new(default: ObjectIdentifier, others: Vec<ObjectIdentifier>) -> Self {
        Self { default, others }
    }

    /// Returns the contents of the policy's identifier for a request of `asked`; `None` if it is not one of ours.
    pub(crate) fn select<'a>(&'a self, asked: Option<&[u8]>) -> Option<&'a [u8]> {
        let Some(asked) = asked else { return Some(self.default.as_bytes()) };
        std::iter::once(&self.default).chain(&self.others).map(ObjectIdentifier::as_bytes).find(|ours| *ours == asked)
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new(DEFAULT_POLICY, Vec::new())
    }
}
