//! `intoto`: a signed DSSE envelope, in the form that clients logged before [`dsse`](super::dsse) existed. Some still
//! do.
//!
//! Both versions log hashes and keys but never the payload. A log may keep the payload beside it. Rules and bodies are
//! upstream's, with one exception. In 0.0.2 each signature has a key beside it, and this log requires that this key made
//! the signature. Upstream accepts an entry if any of its keys made any of its signatures.
//!
//! Key ids in envelopes are names that the signer chose. No check uses them.

pub(super) mod v001;
pub(super) mod v002;

use crate::Rejection;

/// Returns a required member. It must not be empty.
fn present<'a>(text: Option<&'a str>, name: &'static str) -> Result<&'a str, Rejection> {
    text.filter(|text| !text.is_empty()).ok_or(Rejection::EntryMissing { field: name })
}
