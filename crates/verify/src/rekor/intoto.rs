//! `intoto`: a signed DSSE envelope, as clients logged it before there was [`dsse`](super::dsse), and as some still do.
//!
//! Both versions log hashes and keys but never the payload, which upstream may keep elsewhere and this log does not keep at
//! all. Their rules and their bodies are upstream's, with one exception: in 0.0.2 a key is beside each signature, and here it
//! must be the key that made it. Upstream takes it where any key of the entry has made any of its signatures.
//!
//! Key ids in envelopes are names that the signer chose. Nothing follows from them.

pub(super) mod v001;
pub(super) mod v002;

use crate::Rejection;

/// A member that must be there and not be empty.
fn present<'a>(text: Option<&'a str>, name: &'static str) -> Result<&'a str, Rejection> {
    text.filter(|text| !text.is_empty()).ok_or(Rejection::EntryMissing { field: name })
}
