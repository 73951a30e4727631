//! The policies a timestamp may be made under.

use const_oid::ObjectIdentifier;

/// Sigstore's, which its own authority uses unless told otherwise.
pub const DEFAULT_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

/// The policies of an authority: whoever asks for none gets the first, and nobody gets any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    default: ObjectIdentifier,
    others: Vec<ObjectIdentifier>,
}

impl Policies {
    /// `default` is for who asks for none; `others` are granted on request.
    #[must_use]
    pub const fn new(default: ObjectIdentifier, others: Vec<ObjectIdentifier>) -> Self {
        Self { default, others }
    }

    /// Contents of the identifier of the policy for who asks for `asked`; `None` where it is none of ours.
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
