//! Step 7, the signature: the algorithm of the key, and the signed bytes or digest.

use super::Artifact;
use crate::bundle::{Bundle, Content, Envelope};
use crate::hash::Streaming;
use crate::key::KeyKind;
use crate::rekor::dsse::{pre_authentication_encoding, pre_authentication_header};
use crate::{HashAlgorithm, PublicKey, Refusal, Rejection, Step};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// A signature algorithm. The key decides which; a bundle cannot choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over this hash, in ASN.1 DER.
    Ecdsa(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5 over this hash.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS over this hash, with a salt as long as the hash.
    RsaPss(HashAlgorithm),
    /// Ed25519 over the bytes themselves.
    Ed25519,
    /// Ed25519ph: over SHA-512 of the bytes.
    Ed25519ph,
}

impl Algorithm {
    /// Returns the algorithm of a key of this kind, for the content of this bundle.
    ///
    /// Ed25519 signs artifacts prehashed and envelopes as they are. An envelope that Rekor v2 logs as a `hashedrekord`
    /// is signed prehashed, too.
    pub(super) fn of(kind: KeyKind, bundle: &Bundle, legacy_hash: bool) -> Self {
        match kind {
            KeyKind::P384 | KeyKind::P521 if legacy_hash => Self::Ecdsa(HashAlgorithm::Sha256),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => Self::Ecdsa(kind.hash()),
            KeyKind::Rsa(_) => Self::RsaPkcs1(kind.hash()),
            KeyKind::Ed25519 => {
                let hashed = bundle.entries().iter().any(|entry| entry.is_rekor_v2() && entry.kind == "hashedrekord");
                match bundle.content() {
                    Content::Envelope(_) if !hashed => Self::Ed25519,
                    _ => Self::Ed25519ph,
                }
            }
        }
    }

    /// The hash whose digest is signed. `None` if the bytes themselves are signed.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) | Self::RsaPss(hash) => Some(hash),
            Self::Ed25519ph => Some(HashAlgorithm::Sha512),
            Self::Ed25519 => None,
        }
    }

    /// Stable name, e.g. `ecdsa-sha256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        match self {
            Self::Ecdsa(Sha256) => "ecdsa-sha256",
            Self::Ecdsa(Sha384) => "ecdsa-sha384",
            Self::Ecdsa(Sha512) => "ecdsa-sha512",
            Self::RsaPkcs1(Sha256) => "rsa-pkcs1-sha256",
            Self::RsaPkcs1(Sha384) => "rsa-pkcs1-sha384",
            Self::RsaPkcs1(Sha512) => "rsa-pkcs1-sha512",
            Self::RsaPss(Sha256) => "rsa-pss-sha256",
            Self::RsaPss(Sha384) => "rsa-pss-sha384",
            Self::RsaPss(Sha512) => "rsa-pss-sha512",
            Self::Ed25519 => "ed25519",
            Self::Ed25519ph => "ed25519ph",
        }
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The signed data, ready to be checked. It is hashed only once.
#[derive(Debug)]
pub(super) struct SignedData<'a> {
    algorithm: Algorithm,
    over: Over<'a>,
}

#[derive(Debug)]
enum Over<'a> {
    Digest(HashAlgorithm, Vec<u8>),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> SignedData<'a> {
    /// # Errors
    /// [`Rejection::ArtifactBytesNeeded`] if neither the artifact nor its signed digest is known.
    pub(super) fn new(
        algorithm: Algorithm,
        content: &'a Content,
        artifact: Option<&'a Artifact<'a>>,
    ) -> Result<Self, Refusal> {
        let over = match (content, algorithm.hash()) {
            (Content::Envelope(envelope), Some(hash)) => Over::Digest(hash, envelope_digest(envelope, hash)),
            (Content::Envelope(Envelope { payload_type, payload, .. }), None) => {
                Over::Bytes(Cow::Owned(pre_authentication_encoding(payload_type, payload)))
            }
            (Content::Message { .. }, Some(hash)) => {
                let digest = artifact.and_then(|artifact| artifact.digest(hash));
                Over::Digest(hash, digest.ok_or_else(|| needed(hash.name()))?.into_owned())
            }
            (Content::Message { .. }, None) => match artifact {
                Some(Artifact::Bytes(bytes)) => Over::Bytes(Cow::Borrowed(bytes)),
                _ => return Err(needed("bytes")),
            },
        };
        Ok(Self { algorithm, over })
    }

    /// The signed digest. `None` if the bytes themselves were signed.
    pub(super) fn digest(&self) -> Option<(HashAlgorithm, &[u8])> {
        match &self.over {
            Over::Digest(hash, digest) => Some((*hash, digest)),
            Over::Bytes(_) => None,
        }
    }

    /// Checks that a digest that the bundle states is the artifact's, and that the key signs with its hash.
    pub(super) fn verify_stated(&self, content: &Content, artifact: Option<&Artifact<'_>>) -> Result<(), Refusal> {
        let Content::Message { digest: Some((hash, stated)), .. } = content else { return Ok(()) };
        let refuse = |rejection, expected: &str, found: &str| {
            let place = "messageSignature.messageDigest";
            Err(Refusal::new(rejection, Step::Formats).at(place).expected(expected, found))
        };
        let digest = match (self.digest(), self.algorithm.hash()) {
            (_, Some(own)) if own != *hash => return refuse(Rejection::AlgorithmNotAllowed, own.name(), hash.name()),
            (Some((_, digest)), _) => Some(Cow::Borrowed(digest)),
            (None, _) => artifact.and_then(|artifact| artifact.digest(*hash)),
        };
        match digest {
            Some(digest) if *digest == **stated => Ok(()),
            Some(digest) => refuse(Rejection::ArtifactDigest, &hex::encode(digest), &hex::encode(stated)),
            None => refuse(Rejection::ArtifactBytesNeeded, hash.name(), "none"),
        }
    }

    /// Checks the signature.
    pub(super) fn verify(&self, key: &PublicKey, content: &Content) -> Result<(), Refusal> {
        let (place, signature) = match content {
            Content::Message { signature, .. } => ("messageSignature.signature", signature),
            Content::Envelope(envelope) => ("dsseEnvelope.signatures[0].sig", &envelope.signature),
        };
        let verdict = match (&self.over, self.algorithm) {
            (Over::Digest(hash, digest), Algorithm::RsaPss(_)) => key.verify_pss_digest(*hash, digest, signature),
            (Over::Digest(hash, digest), _) => key.verify_digest(*hash, digest, signature),
            (Over::Bytes(bytes), _) => key.verify(bytes, signature),
        };
        verdict.map_err(|_| {
            Refusal::new(Rejection::SignatureInvalid, Step::Signature).at(place).expected(
                format!("a signature ({}) by the key {}", self.algorithm.name(), hex::encode(key.fingerprint())),
                "another one",
            )
        })
    }
}

fn needed(what: &str) -> Refusal {
    Refusal::new(Rejection::ArtifactBytesNeeded, Step::Formats).at("artifact").expected(what, "other digests only")
}

/// Digest of the pre-authentication encoding, without copying the payload.
fn envelope_digest(envelope: &Envelope, hash: HashAlgorithm) -> Vec<u8> {
    let mut context = Streaming::new(hash);
    context.update(pre_authentication_header(&envelope.payload_type, envelope.payload.len()).as_bytes());
    context.update(&envelope.payload);
    context.finish()
}
