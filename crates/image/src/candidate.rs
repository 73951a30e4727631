//! Candidates: items that could be a signature of an image, and the result of verifying them.

use crate::payload::Payload;
use chancery_registry::{Digest, Error, ErrorKind};
use chancery_verify::{
    Refusal, Rejection, Step, Timestamp,
    bundle::{Bundle, Content, TransparencyLogEntry},
    statement::{COSIGN_SIGNATURE, Statement},
    verifier::{Artifact, Judge, Verified, Verifier},
};
use serde::Serialize;

/// Where a candidate was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `referrer`, `signature tag`, `attestation tag` or `signature referrer`.
    pub layout: &'static str,
    /// Digest of its manifest.
    pub manifest: String,
    /// Position of its layer, from 0.
    pub layer: usize,
}

/// The signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The image's manifest, or a statement about it.
    Manifest,
    /// Cosign's payload, which names the manifest.
    Payload(Vec<u8>),
}

/// An item that could be a signature of the image, or an attestation about it. It is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its place.
    pub place: Place,
    /// The evidence.
    pub bundle: Bundle,
    /// The signed content.
    pub signed: Signed,
}

/// An item at the place of a signature that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its place.
    pub place: Place,
    /// The stable code of the reason.
    pub code: &'static str,
    /// The reason.
    pub reason: String,
}

impl Broken {
    /// Returns whether it is listed and could not be had. Such an item could be a signature: nothing is known of it.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.code == ErrorKind::NotFound.code()
    }

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

/// The items that a registry has about a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Items that could be a signature.
    pub candidates: Vec<Candidate>,
    /// Items that could not be parsed.
    pub broken: Vec<Broken>,
}

impl Found {
    pub(crate) fn extend(&mut self, other: Self) {
        self.candidates.extend(other.candidates);
        self.broken.extend(other.broken);
    }

    /// Approximate size in bytes, for a cache.
    #[must_use]
    pub fn weight(&self) -> usize {
        let payload = |signed: &Signed| match signed {
            Signed::Manifest => 0,
            Signed::Payload(bytes) => bytes.len(),
        };
        // The certificate, and what is in no list.
        let one = |candidate: &Candidate| 16 * 1024 + weight_of(&candidate.bundle) + payload(&candidate.signed);
        self.candidates.iter().map(one).sum::<usize>() + self.broken.len() * 512 + 256
    }
}

/// The bytes of all that a stranger can make long in a bundle.
fn weight_of(bundle: &Bundle) -> usize {
    let content = match bundle.content() {
        Content::Message { signature, .. } => signature.len(),
        Content::Envelope(envelope) => envelope.payload.len() + envelope.signature.len(),
    };
    let entry = |entry: &TransparencyLogEntry| {
        let checkpoint = entry.proof.as_ref().and_then(|proof| proof.checkpoint.as_ref());
        entry.body.as_ref().map_or(0, Vec::len) + checkpoint.map_or(0, String::len)
    };
    let entries: usize = bundle.entries().iter().map(entry).sum();
    let timestamps: usize = bundle.timestamps().iter().map(Vec::len).sum();
    content + entries + timestamps + bundle.timestamped_bytes().len()
}

/// The meaning of a verified candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Purpose {
    /// The image is signed.
    Signature,
    /// A statement about the image.
    Attestation {
        /// Its predicate type.
        predicate_type: String,
    },
}

impl Purpose {
    /// The purpose of a bundle over the artifact itself, or over a statement about it.
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
    /// The facts that the verifier has established.
    pub verified: Verified,
    /// Signature or attestation.
    pub purpose: Purpose,
    /// The reference in the signed payload of cosign's older signatures: the image's location at that time, not now.
    pub reference: Option<String>,
}

impl Candidate {
    /// Checks that this is a signature of, or a statement about, the image whose manifest is `manifest` and has the
    /// digest `target`. Evaluate a policy with annotations afterwards, over the evidence of the result: annotations in
    /// cosign's payload are parsed only after its signature has been verified.
    ///
    /// # Errors
    /// As [`Verifier::verify`]. For cosign's payload also `subject.mismatch` if it names another manifest, and
    /// `statement.malformed` if it does not parse.
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
                // The payload is parsed only after its signature has been verified.
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

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use chancery_verify::bundle::Detached;
    use serde_json::json;

    const LONG: usize = 1 << 20;

    fn weight(bundle: Bundle, signed: Signed) -> usize {
        let place = Place { layout: "referrer", manifest: String::new(), layer: 0 };
        Found { candidates: vec![Candidate { place, bundle, signed }], broken: Vec::new() }.weight()
    }

    #[test]
    fn all_that_a_stranger_can_make_long_has_weight() {
        let long = "x".repeat(LONG);
        let legacy = |more: &str| {
            let body = json!({ "kind": "hashedrekord", "apiVersion": "0.0.1", "more": more }).to_string();
            let payload = json!({
                "body": STANDARD.encode(body), "integratedTime": 1, "logIndex": 1, "logID": "00".repeat(32),
            });
            let entry = json!({ "SignedEntryTimestamp": "AAAA", "Payload": payload });
            let document = json!({ "base64Signature": "AAAA", "rekorBundle": entry });
            Bundle::parse_legacy(document.to_string().as_bytes()).unwrap()
        };
        let usual = weight(legacy(""), Signed::Manifest);
        assert!(usual < 32 * 1024, "{usual}");
        assert!(weight(legacy(&long), Signed::Manifest) > LONG, "the body of an entry");
        assert!(weight(legacy(""), Signed::Payload(long.clone().into_bytes())) > LONG, "a payload");
        let envelope = |payload: &str, more: &str| {
            let payload = STANDARD.encode(payload);
            let envelope =
                json!({ "payload": payload, "payloadType": "x", "signatures": [{ "sig": "AAAA" }], "more": more });
            let envelope = envelope.to_string();
            Detached { envelope: Some(envelope.as_bytes()), ..Detached::default() }.into_bundle().unwrap()
        };
        assert!(weight(envelope(&long, ""), Signed::Manifest) > LONG, "the payload of an envelope");
        assert!(weight(envelope("", &long), Signed::Manifest) > LONG, "the rest of an envelope that is timestamped");
    }
}
