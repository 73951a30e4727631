//! Cosignatures of checkpoints (C2SP tlog-cosignature, `cosignature/v1`, Ed25519), and the quorum of witnesses.
//!
//! With a cosignature, a witness states that the tree of a checkpoint was the largest that it knew of a log at that
//! time, and that it extends every tree it cosigned before. A [`Policy`] lists the witnesses that count, and the
//! quorum.

use crate::note::{KeyName, Note, NoteSignature};
use crate::verifier_key::{KeyType, VerifierKey};
use crate::{PublicKey, Rejection, Timestamp};
use std::fmt;

/// Maximum time of a cosignature, in seconds (the specification's 2^63 - 1).
const LATEST: u64 = i64::MAX.unsigned_abs();

/// The bytes that a witness signs for the `text` of a checkpoint, last line break included, at `seconds` since 1970.
#[must_use]
pub fn signed_bytes(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// A witness, identified by its verifier key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness(VerifierKey);

impl Witness {
    /// Makes a witness from name and key.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for a key that is not Ed25519.
    pub fn new(name: KeyName, key: PublicKey) -> Result<Self, Rejection> {
        VerifierKey::new(name, KeyType::Cosignature, key).map(Self)
    }

    /// Parses a witness's verifier key.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] if it is the key of a log.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let key = VerifierKey::parse(text)?;
        if key.key_type() == KeyType::Cosignature { Ok(Self(key)) } else { Err(Rejection::KeyUnsupported) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        self.0.name()
    }

    /// Makes the line of its cosignature. `signature` is over [`signed_bytes`] with the same time.
    #[must_use]
    pub fn line(&self, seconds: u64, signature: &[u8]) -> NoteSignature {
        let bytes = [seconds.to_be_bytes().as_slice(), signature].concat();
        NoteSignature { name: self.name().clone(), key_id: self.0.key_id(), bytes }
    }

    /// Finds and verifies this witness's cosignature of `text` among `lines`. Returns it with its time. Lines of other
    /// keys are ignored.
    ///
    /// # Errors
    /// [`Rejection::CosignatureMissing`] if there is none, [`Rejection::CosignatureInvalid`] if one does not verify.
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
    /// The witness's verifier key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The witnesses that count, and the quorum of them that must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    witnesses: Vec<Witness>,
    quorum: usize,
}

impl Policy {
    /// Requires `quorum` of `witnesses`. All names and all keys must differ, so that no witness counts twice.
    ///
    /// # Errors
    /// [`Rejection::WitnessPolicy`] if two have the same name or key, or if the quorum is 0 or larger than the number
    /// of witnesses.
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

    /// The witnesses that count.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The quorum.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.quorum
    }

    /// The witnesses that have cosigned a checkpoint, in the order of the policy, each with its time.
    #[must_use]
    pub fn cosigners(&self, note: &Note) -> Vec<(&KeyName, Timestamp)> {
        let found = |witness: &Witness| witness.find(&note.text, &note.signatures).ok().map(|(_, time)| time);
        self.witnesses.iter().filter_map(|witness| Some((witness.name(), found(witness)?))).collect()
    }

    /// Checks that enough witnesses have cosigned a checkpoint. Cosignatures of other witnesses and invalid ones are
    /// ignored, because anyone can append them.
    ///
    /// # Errors
    /// [`Rejection::CosignaturesTooFew`].
    pub fn verify(&self, note: &Note) -> Result<(), Rejection> {
        let found = self.cosigners(note).len();
        if found >= self.quorum { Ok(()) } else { Err(Rejection::CosignaturesTooFew { found, quorum: self.quorum }) }
    }
}
