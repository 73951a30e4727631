//! A thing that could be a signature of an image, and what it turns out to be once it is verified.

use crate::{SIGN_PREDICATE, payload::Payload};
use chancery_registry::{Digest, Error};
use chancery_verify::{
    Refusal, Rejection, Step, Timestamp,
    bundle::{Bundle, Content},
    verifier::{Artifact, Judge, Verified, Verifier},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a candidate was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `referrer`, `signature tag` or `attestation tag`.
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

/// A candidate that is genuine.
#[derive(Debug, Clone)]
pub struct Established {
    /// What the verifier has established.
    pub verified: Verified,
    /// Signature or attestation.
    pub purpose: Purpose,
    /// Annotations that were signed along.
    pub annotations: BTreeMap<String, String>,
    /// The reference that was signed along, of cosign's older signatures. Where the image was then, not where it is.
    pub reference: Option<String>,
}

impl Candidate {
    /// Checks that this is a signature of, or a statement about, the image whose manifest is `manifest` and has the digest
    /// `target`.
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
                let verified = verifier.verify(&self.bundle, &Artifact::Bytes(bytes), judge, now)?;
                // The payload is parsed only after its signature has been verified.
                let payload = Payload::parse(bytes, target)?;
                let Payload { annotations, reference } = payload;
                Ok(Established { verified, purpose: Purpose::Signature, annotations, reference })
            }
            Signed::Manifest => {
                if !target.is_of(manifest) {
                    return Err(Refusal::new(Rejection::SubjectMismatch, Step::Statement));
                }
                let verified = verifier.verify(&self.bundle, &Artifact::Bytes(manifest), judge, now)?;
                let (purpose, annotations) = match &verified.statement {
                    None => (Purpose::Signature, BTreeMap::new()),
                    Some(statement) if statement.predicate_type() == SIGN_PREDICATE => {
                        (Purpose::Signature, self.subject_annotations(verified.subject))
                    }
                    Some(statement) => {
                        let predicate_type = statement.predicate_type().to_owned();
                        (Purpose::Attestation { predicate_type }, BTreeMap::new())
                    }
                };
                Ok(Established { verified, purpose, annotations, reference: None })
            }
        }
    }

    /// What cosign's `-a` adds to a signature: texts beside the subject's digest, in the payload that was verified.
    fn subject_annotations(&self, subject: Option<usize>) -> BTreeMap<String, String> {
        let Content::Envelope(envelope) = self.bundle.content() else { return BTreeMap::new() };
        let statement: Option<Value> = serde_json::from_slice(&envelope.payload).ok();
        let subject = statement.as_ref().and_then(|statement| statement.get("subject")?.get(subject?));
        let annotations = subject.and_then(|subject| subject.get("annotations")).and_then(Value::as_object);
        let texts = annotations.into_iter().flatten();
        texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}
