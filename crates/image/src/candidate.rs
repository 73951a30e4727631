//! A thing that could be a signature of an image, and what it turns out to be once it is verified.

use crate::payload::Payload;
use chancery_registry::{Digest, Error};
use chancery_verify::{
    Refusal, Rejection, Step, Timestamp,
    bundle::{Bundle, Content},
    statement::{COSIGN_SIGNATURE, Statement},
    verifier::{Artifact, Judge, Verified, Verifier},
};
use serde::Serialize;

/// Where a candidate was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `referrer`, `signature tag`, `attestation tag` or `signature referrer`.
    pub layout: &'static str,
    /// Digest of the manifest that has it.
    pub manifest: String,
    /// Position of its layer, from 0.
    pub layer: usize,
}

/// What the signature is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The image's manifest, or a statement about it.
    Manifest,
    /// Cosign's payload, which names the manifest.
    Payload(Vec<u8>),
}

/// Something that could be a signature of the image, or an attestation about it. Nothing of it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was.
    pub place: Place,
    /// The evidence.
    pub bundle: Bundle,
    /// What it is over.
    pub signed: Signed,
}

/// Something that is where a signature would be, and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where it is.
    pub place: Place,
    /// The stable code of the reason.
    pub code: &'static str,
    /// The reason.
    pub reason: String,
}

impl Broken {
    pub(crate) fn of_error(place: Place, error: &Error) -> Self {
        Self { place, code: error.code(), reason: error.to_string() }
    }

    pub(crate) fn of_refusal(place: Place, refusal: &Refusal) -> Self {
        Self { place, code: refusal.code(), reason: refusal.to_string() }
    }

    pub(crate) fn new(place: Place, code: &'static str, reason: impl Into<String>) -> Self {
        Self { place, code, reason: reason.into() }
    }
}

/// Facts about a digest: what a registry holds about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What could be a signature.
    pub candidates: Vec<Candidate>,
    /// What could not be read.
    pub broken: Vec<Broken>,
}

impl Found {
    pub(crate) fn extend(&mut self, other: Self) {
        self.candidates.extend(other.candidates);
        self.broken.extend(other.broken);
    }

    /// About how many bytes it takes, for a cache.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bundle = |bundle: &Bundle| match bundle.content() {
            Content::Message { signature, .. } => signature.len(),
            Content::Envelope(envelope) => envelope.payload.len() + envelope.signature.len(),
        };
        let payload = |signed: &Signed| match signed {
            Signed::Manifest => 0,
            Signed::Payload(bytes) => bytes.len(),
        };
        // A certificate, an entry and a timestamp have a few KiB each.
        let one = |candidate: &Candidate| 16 * 1024 + bundle(&candidate.bundle) + payload(&candidate.signed);
        self.candidates.iter().map(one).sum::<usize>() + self.broken.len() * 512 + 256
    }
}

/// What a verified candidate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Purpose {
    /// The image is signed.
    Signature,
    /// Something is said about the image.
    Attestation {
        /// What kind of thing.
        predicate_type: String,
    },
}

impl Purpose {
    /// What a bundle over the artifact itself, or over a statement about it, is for.
    #[must_use]
    pub fn of(verified: &Verified) -> Self {
        match verified.statement.as_ref().map(Statement::predicate_type) {
            None | Some(COSIGN_SIGNATURE) => Self::Signature,
            Some(predicate_type) => Self::Attestation { predicate_type: predicate_type.to_owned() },
        }
    }
}

/// A candidate that is genuine.
#[derive(Debug, Clone)]
pub struct Established {
    /// What the verifier has established.
    pub verified: Verified,
    /// Signature or attestation.
    pub purpose: Purpose,
    /// The reference that was signed along, of cosign's older signatures. Where the image was then, not where it is.
    pub reference: Option<String>,
}

impl Candidate {
    /// Checks that this is a signature of, or a statement about, the image whose manifest is `manifest` and has the digest
    /// `target`.
    /// A policy that asks for annotations is evaluated afterwards, over the evidence of what is returned: those of cosign's
    /// payload are read only once its signature is verified.
    ///
    /// # Errors
    /// As [`Verifier::verify`]; for cosign's payload, `subject.mismatch` where it names another manifest and
    /// `statement.malformed` where it is none.
    pub fn verify(
        &self,
        verifier: &Verifier,
        target: &Digest,
        manifest: &[u8],
        judge: &impl Judge,
        now: Timestamp,
    ) -> Result<Established, Refusal> {
        match &self.signed {
            Signed::Payload(bytes) => {
                let mut verified = verifier.verify(&self.bundle, &Artifact::Bytes(bytes), judge, now)?;
                // Only now: before, nobody has signed these bytes.
                let Payload { annotations, reference } = Payload::parse(bytes, target)?;
                verified.annotations = annotations;
                Ok(Established { verified, purpose: Purpose::Signature, reference })
            }
            Signed::Manifest => {
                if !target.is_of(manifest) {
                    return Err(Refusal::new(Rejection::SubjectMismatch, Step::Statement));
                }
                let verified = verifier.verify(&self.bundle, &Artifact::Bytes(manifest), judge, now)?;
                Ok(Established { purpose: Purpose::of(&verified), verified, reference: None })
            }
        }
    }
}
