//! Cosignatures of checkpoints (C2SP tlog-cosignature, `cosignature/v1`, Ed25519), and how many of them are enough.
//!
//! A witness says with one that the tree of a checkpoint was, at a time, the largest it knew of a log, and that it extends
//! every tree it had cosigned before. A [`Policy`] names the witnesses that count and how many of them it takes.

use crate::note::{KeyName, Note, NoteSignature};
use crate::verifier_key::{KeyType, VerifierKey};
use crate::{PublicKey, Rejection, Timestamp};
use std::fmt;

/// Seconds a cosignature cannot be later than (the specification's 2^63 - 1).
const LATEST: u64 = i64::MAX.unsigned_abs();

/// The bytes a witness signs for the `text` of a checkpoint, with its last line break, at `seconds` since 1970.
#[must_use]
pub fn signed_bytes(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// A witness, as those know it who trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness(VerifierKey);

impl Witness {
    /// The witness with this name and key.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for a key that is not Ed25519.
    pub fn new(name: KeyName, key: PublicKey) -> Result<Self, Rejection> {
        VerifierKey::new(name, KeyType::Cosignature, key).map(Self)
    }

    /// Reads a witness's verifier key.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for the key of a log.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let key = VerifierKey::parse(text)?;
        if key.key_type() == KeyType::Cosignature { Ok(Self(key)) } else { Err(Rejection::KeyUnsupported) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        self.0.name()
    }

    /// The line of its cosignature: `signature` is over [`signed_bytes`] with the same time.
    #[must_use]
    pub fn line(&self, seconds: u64, signature: &[u8]) -> NoteSignature {
        let bytes = [seconds.to_be_bytes().as_slice(), signature].concat();
        NoteSignature { name: self.name().clone(), key_id: self.0.key_id(), bytes }
    }

    /// Finds this witness's cosignature of `text` among `lines`, and when it was made. Others' lines are ignored.
    ///
    /// # Errors
    /// [`Rejection::CosignatureMissing`] where there is none, [`Rejection::CosignatureInvalid`] where one is not right.
    pub fn find<'a>(
        &self,
        text: &str,
        lines: &'a [NoteSignature],
    ) -> Result<(&'a NoteSignature, Timestamp), Rejection> {
        let id = self.0.key_id();
        let mut own = lines.iter().filter(|line| line.key_id == id && line.name == *self.name()).peekable();
        let first = *own.peek().ok_or(Rejection::CosignatureMissing)?;
        let times = own.map(|line| self.verify(text, line)).collect::<Result<Vec<_>, _>>()?;
        let time = times.first().copied().ok_or(Rejection::CosignatureMissing)?;
        Ok((first, time))
    }

    fn verify(&self, text: &str, line: &NoteSignature) -> Result<Timestamp, Rejection> {
        let (seconds, signature) = line.bytes.split_first_chunk::<8>().ok_or(Rejection::CosignatureInvalid)?;
        let seconds = u64::from_be_bytes(*seconds);
        if seconds == 0 || seconds > LATEST {
            return Err(Rejection::CosignatureInvalid);
        }
        let signed = self.0.key().verify(&signed_bytes(text, seconds), signature);
        signed.map_err(|_| Rejection::CosignatureInvalid)?;
        Ok(Timestamp::from_seconds(seconds))
    }
}

impl fmt::Display for Witness {
    /// As a verifier key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which witnesses count, and how many of them must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    witnesses: Vec<Witness>,
    quorum: usize,
}

impl Policy {
    /// `quorum` of `witnesses`. One who has two names or two keys is still one: names and keys must all differ.
    ///
    /// # Errors
    /// [`Rejection::WitnessPolicy`] where they do not, or where the quorum is 0 or more than there are.
    pub fn new(witnesses: Vec<Witness>, quorum: usize) -> Result<Self, Rejection> {
        let twice = |(index, witness): (usize, &Witness)| {
            let before = witnesses.iter().take(index);
            before.into_iter().any(|other| other.name() == witness.name() || other.0.key() == witness.0.key())
        };
        if quorum == 0 || quorum > witnesses.len() || witnesses.iter().enumerate().any(twice) {
            return Err(Rejection::WitnessPolicy);
        }
        Ok(Self { witnesses, quorum })
    }

    /// Who counts.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// How many it takes.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.quorum
    }

    /// The witnesses that have cosigned a checkpoint, in the order of the policy, and when.
    #[must_use]
    pub fn cosigners(&self, note: &Note) -> Vec<(&KeyName, Timestamp)> {
        let found = |witness: &Witness| witness.find(&note.text, &note.signatures).ok().map(|(_, time)| time);
        self.witnesses.iter().filter_map(|witness| Some((witness.name(), found(witness)?))).collect()
    }

    /// Checks that enough witnesses have cosigned a checkpoint. Cosignatures of others are ignored, and so are wrong ones:
    /// anybody can append them.
    ///
    /// # Errors
    /// [`Rejection::CosignaturesTooFew`].
    pub fn verify(&self, note: &Note) -> Result<(), Rejection> {
        let found = self.cosigners(note).len();
        if found >= self.quorum { Ok(()) } else { Err(Rejection::CosignaturesTooFew { found, quorum: self.quorum }) }
    }
}
