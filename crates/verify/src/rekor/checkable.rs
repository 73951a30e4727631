//! What a body proves by itself, of whatever kind it is, without the bundle of its signer.
//!
//! A digest with signatures over it is a [`LoggedEntry`], which the verifier checks. Entries of packages and of the formats
//! of other tools are checked here, with the feature `rekor-kinds`: see `kinds::logged` for what each proves.

#[cfg(feature = "rekor-kinds")]
use super::kinds::{self, Proven};
use super::logged::{LoggedEntry, Outer};
use crate::Rejection;

/// What a body proves by itself.
#[derive(Debug)]
pub(crate) enum Checkable {
    /// A digest, and signatures over it or over an envelope, which are not verified.
    Entry(LoggedEntry),
    /// An entry of another kind: each signature that was verified, or why there is none.
    #[cfg(feature = "rekor-kinds")]
    Other(Vec<Result<Proven, Rejection>>),
}

/// A body, with the kind and version that it states.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) contents: Checkable,
}

impl Readable {
    /// Reads a body, with what the log keeps beside it. The caller has compared its hash.
    ///
    /// # Errors
    /// [`Rejection::EntryTooLarge`], [`Rejection::EntryKind`] for a type that is not known, and [`Rejection::EntryMalformed`]
    /// if the body is not one of its type.
    pub(crate) fn read(body: &[u8], attestation: Option<&[u8]>) -> Result<Self, Rejection> {
        let outer = Outer::read(body)?;
        let (kind, version) = (outer.kind.clone().into_owned(), outer.api_version.clone().into_owned());
        Ok(Self { contents: Checkable::of(outer, attestation)?, kind, version })
    }
}

impl Checkable {
    #[cfg(feature = "rekor-kinds")]
    fn of(outer: Outer<'_>, attestation: Option<&[u8]>) -> Result<Self, Rejection> {
        match kinds::proven(&outer.kind, &outer.api_version, outer.spec.get(), attestation) {
            Some(signatures) => Ok(Self::Other(signatures)),
            None => LoggedEntry::of(outer).map(Self::Entry),
        }
    }

    #[cfg(not(feature = "rekor-kinds"))]
    fn of(outer: Outer<'_>, _: Option<&[u8]>) -> Result<Self, Rejection> {
        LoggedEntry::of(outer).map(Self::Entry)
    }
}

/// The kind and version that a body states.
///
/// # Errors
/// [`Rejection::EntryTooLarge`], and [`Rejection::EntryMalformed`] if the body is not that of an entry.
pub(crate) fn kind_and_version(body: &[u8]) -> Result<(String, String), Rejection> {
    Outer::read(body).map(|outer| (outer.kind.into_owned(), outer.api_version.into_owned()))
}

/// Checks that entries of the kind of this body can be judged by themselves, and that the body is one of its kind.
///
/// # Errors
/// [`Rejection::EntryTooLarge`], [`Rejection::EntryKind`] for a type that is not known, and [`Rejection::EntryMalformed`].
pub fn verify_readable(body: &[u8]) -> Result<(), Rejection> {
    Readable::read(body, None).map(drop)
}
