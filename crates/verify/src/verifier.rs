//! The verifier: decides whether a bundle proves that a signer signed an artifact, and when.
//!
//! A [`Verifier`] is made once from a trust root and then judges many bundles. It returns the established facts
//! ([`Verified`]) or the first failed check ([`Refusal`]). It uses only evidence that it has checked, checks all
//! evidence in the bundle, and never takes the current time as the time of a signature.
//!
//! # Steps
//!
//! 1. **Formats.** The bundle follows the rules of its form ([`Bundle::parse`] has checked them). The form is not older
//!    than [`Options::minimum_form`]. If the bundle has no certificate, its key is known. The digest that the key signed
//!    is known or can be computed. A digest that the bundle states is the artifact's: a changed artifact is the usual
//!    reason for a refusal, so it is named first. This digest is never what is verified.
//! 2. **Times.** Every timestamp is over the signature, by an authority of the trust root, at a time when that
//!    authority and all its certificates were trusted. Every promise verifies with the log's key, at a time when the
//!    log was trusted. No time is in the future. Enough operators establish a time ([`Thresholds::times`]). An entry's
//!    time without a promise does not count.
//! 3. **Chain.** An authority of the trust root issued the certificate. At *every* time of step 2 the certificate, the
//!    authority's whole chain and its window in the trust root are valid. The certificate is for code signing and is
//!    not a CA. If this authority has its own thresholds ([`Options::authorities`]), they apply to all later steps, and
//!    to the times of step 2.
//! 4. **SCTs.** Every SCT of a known log verifies for this certificate and this issuer, in the log's window. SCTs of
//!    enough operators are present ([`Thresholds::scts`]).
//! 5. **Identity.** The certificate names one identity and one issuer, and the [`Judge`] accepts the signer.
//! 6. **Log entry.** The body of every entry is about this signature, key and artifact. The entry is in the tree of a
//!    checkpoint that the log signed, under its own name, in its window. Enough witnesses have cosigned the checkpoint
//!    ([`Thresholds::witnesses`]). Logs of enough operators hold such an entry ([`Thresholds::log_entries`]).
//! 7. **Signature.** It verifies over the artifact, or over the envelope, with the one algorithm of the key.
//! 8. **Statement.** An envelope holds an in-toto statement, and the artifact is one of its subjects.
//! 9. **Policy.** The [`Judge`] accepts the established facts.
//!
//! # Times
//!
//! | checked | at (windows include both bounds) |
//! |---|---|
//! | the signer's certificate, its authority's chain and window | every time of step 2 |
//! | a timestamp authority's window and certificates | its timestamp |
//! | a log of Rekor v1 | the promise's time; without a promise, every time of step 2 |
//! | a log of Rekor v2 | every time of step 2 |
//! | a log of certificate transparency | its SCT |
//! | a log, if a bare key signed and no time is established | `now`: it must still be trusted |
//! | no time is in the future | `now` |
//!
//! Give `now` in milliseconds. SCTs have milliseconds, so with whole seconds a bundle made in this second would seem to
//! be from the future.
//!
//! # Example
//!
//! ```no_run
//! use chancery_verify::bundle::Bundle;
//! use chancery_verify::trust_root::TrustRoot;
//! use chancery_verify::verifier::{AnySigner, Artifact, Options, Verifier};
//! use chancery_verify::{Refusal, Timestamp};
//!
//! fn signer(root: &[u8], bundle: &[u8], artifact: &[u8], now: Timestamp) -> Result<String, Refusal> {
//!     let verifier = Verifier::new(TrustRoot::parse(root)?, Options::default());
//!     let bundle = Bundle::parse(bundle)?;
//!     let verified = verifier.verify(&bundle, &Artifact::Bytes(artifact), &AnySigner, now)?;
//!     Ok(verified.signer.to_string())
//! }
//! ```
//!
//! Specification: Sigstore's client specification; `sigstore_verification.proto` of protobuf-specs.

mod algorithm;
mod artifact;
mod chain;
mod demands;
mod entries;
mod found;
mod heads;
mod issued;
mod judge;
mod logged;
mod options;
mod prepared;
mod required;
mod scts;
mod signer_key;
mod times;
mod verified;

pub use crate::signer::Signer;
pub use algorithm::Algorithm;
pub use artifact::{Artifact, Digests, Hasher};
pub use chain::VerifiedAuthority;
pub use entries::{Cosigner, Inclusion, VerifiedEntry};
pub use found::{FoundEntry, FoundPromise};
pub use heads::{OpenedHead, VerifiedHead};
pub use issued::{IssuedEntry, VerifiedIssued};
pub use judge::{AnySigner, Judge};
pub use logged::{Attribution, Undated, VerifiedLogged};
pub use options::{Options, Thresholds, Unknown};
pub use scts::{VerifiedLeaf, VerifiedSct};
pub use signer_key::SignerKey;
pub use times::{TimeSource, VerifiedTime};
pub use verified::{SignedContent, UnboundEnvelope, Verified};

use crate::bundle::{self, Bundle, Content, Envelope};
use crate::certificate::Certificate;
use crate::claims::Claims;
use crate::statement::{PAYLOAD_TYPE, Statement};
use crate::trust_root::TrustRoot;
use crate::{PublicKey, Refusal, Rejection, Step, Timestamp};
use algorithm::SignedData;
use demands::Demands;
use prepared::Prepared;
use required::Required;

/// Judges bundles against one trust root. Cheap to share and expensive to make, because the signatures between the
/// trust root's own certificates are verified once, when it is made.
#[derive(Debug, Clone)]
pub struct Verifier {
    trusted: Prepared,
    keys: Vec<SignerKey>,
    options: Options,
}

/// One bundle being judged.
struct Case<'a> {
    verifier: &'a Verifier,
    bundle: &'a Bundle,
    /// A checkpoint whose signature is verified already.
    head: Option<&'a OpenedHead<'a>>,
    now: Timestamp,
    /// The required counts. For a certificate they are those of its authority, once step 3 has found it.
    required: Required,
    warnings: Vec<String>,
}

/// The certificate or key that signed a bundle.
#[derive(Clone, Copy)]
enum Material<'a> {
    Certificate(&'a Certificate),
    Key(&'a SignerKey),
}

impl Verifier {
    /// Prepares a trust root: verifies every signature between its own certificates. An authority whose chain may not
    /// issue for its purpose is set aside ([`Self::unusable`]). The other authorities stay usable.
    #[must_use]
    pub fn new(root: TrustRoot, options: Options) -> Self {
        Self { trusted: Prepared::new(root), keys: Vec::new(), options }
    }

    /// Also trusts signatures by this key. Without a trusted key, bundles signed by a bare key are refused.
    #[must_use]
    pub fn with_key(mut self, key: SignerKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The trust root.
    #[must_use]
    pub const fn trust_root(&self) -> &TrustRoot {
        &self.trusted.root
    }

    /// Authorities of the trust root that were set aside, with the reason. [`TrustRoot::unusable`] has more.
    pub fn unusable(&self) -> impl Iterator<Item = &Refusal> {
        self.trusted.unusable()
    }

    /// The options that the caller set.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Checks, in the steps of this module, that `bundle` proves a signature over `artifact` by a signer that `judge`
    /// accepts.
    ///
    /// For an envelope, the artifact must be a subject of its statement.
    ///
    /// # Errors
    /// The first failed check, with its step and place.
    pub fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Artifact<'_>,
        judge: &impl Judge,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        self.judge(bundle, Some(artifact), judge, now)
    }

    /// As [`Self::verify`], for an envelope without its artifact. The caller must compare the subjects of the statement
    /// with an artifact, or read a payload of another type, before relying on the envelope.
    ///
    /// # Errors
    /// As [`Self::verify`], and [`Rejection::ArtifactBytesNeeded`] for a bundle without an envelope.
    pub fn verify_envelope_of_unknown_artifact(
        &self,
        bundle: &Bundle,
        judge: &impl Judge,
        now: Timestamp,
    ) -> Result<UnboundEnvelope, Refusal> {
        let Content::Envelope(envelope) = bundle.content() else {
            return Err(Refusal::new(Rejection::ArtifactBytesNeeded, Step::Formats).at("messageSignature"));
        };
        let verified = self.judge(bundle, None, judge, now)?;
        Ok(UnboundEnvelope { verified, payload_type: envelope.payload_type.clone(), payload: envelope.payload.clone() })
    }

    fn judge(
        &self,
        bundle: &Bundle,
        artifact: Option<&Artifact<'_>>,
        judge: &impl Judge,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        let demands = Demands::new(&self.options, judge);
        let mut case =
            Case { verifier: self, bundle, head: None, now, required: demands.general(), warnings: Vec::new() };
        // (1)
        let keys: Vec<SignerKey> = self.keys.iter().cloned().chain(judge.keys()).collect();
        let material = case.material(&keys)?;
        let algorithm = case.algorithm(&material);
        let signed = SignedData::new(algorithm, bundle.content(), artifact)?;
        signed.verify_stated(bundle.content(), artifact)?;
        // (2)
        if matches!(material, Material::Certificate(_)) {
            case.required = demands.fewest_times();
        }
        let times = times::establish(&mut case, &material)?;
        // (3), (4)
        let leaf = case.leaf(&demands, material, &times)?;
        // (5)
        let signer = match (&leaf, material) {
            (Some(leaf), _) => Signer::of_certificate(leaf.certificate(), Claims::of(leaf.certificate())?),
            (None, Material::Key(key)) => Signer::of_key(key.key(), key.hint()),
            (None, Material::Certificate(_)) => return Err(Refusal::new(Rejection::ChainUntrusted, Step::Chain)),
        };
        judge.identity(&signer)?;
        // (6)
        let entries = entries::verify(&mut case, &material, &signed, &times)?;
        // (7)
        signed.verify(material.key(), bundle.content())?;
        // (8)
        let (statement, subject) = statement(bundle.content(), artifact)?;
        let matched = statement.as_ref().zip(subject).and_then(|(statement, at)| statement.subjects().get(at));
        let annotations = matched.map(|subject| subject.annotations().clone()).unwrap_or_default();
        // (9)
        let mut verified = Verified {
            signer,
            signature: bundle.signature().to_vec(),
            authority: leaf.as_ref().map(|leaf| leaf.authority().clone()),
            scts: leaf.map(VerifiedLeaf::into_scts).unwrap_or_default(),
            times,
            entries,
            algorithm,
            content: SignedContent::of(bundle.content(), &signed),
            statement,
            subject,
            annotations,
            policy: None,
            warnings: case.warnings,
        };
        verified.policy = judge.judge(&verified)?;
        Ok(verified)
    }
}

impl<'a> Material<'a> {
    fn key(&self) -> &'a PublicKey {
        match self {
            Self::Certificate(certificate) => certificate.public_key(),
            Self::Key(key) => key.key(),
        }
    }
}

impl<'a> Case<'a> {
    /// Returns the certificate, or the one trusted key that the bundle names.
    fn material<'k>(&self, keys: &'k [SignerKey]) -> Result<Material<'k>, Refusal>
    where
        'a: 'k,
    {
        let form = self.bundle.form();
        if form < self.verifier.options.minimum_form {
            return Err(Refusal::new(Rejection::BundleVersion, Step::Formats)
                .at("mediaType")
                .expected(format!("at least {}", self.verifier.options.minimum_form.name()), form.name()));
        }
        match self.bundle.material() {
            bundle::Material::Certificate(certificate) => Ok(Material::Certificate(certificate)),
            bundle::Material::PublicKey { hint } => signer_key::find(keys, hint.as_deref()).map(Material::Key),
        }
    }

    /// Checks steps 3 and 4. Returns the certificate and sets the thresholds of its authority. `None` for a key, after
    /// a check that it was trusted at every time.
    fn leaf<'k>(
        &mut self,
        demands: &Demands,
        material: Material<'k>,
        times: &[VerifiedTime],
    ) -> Result<Option<VerifiedLeaf<'k>>, Refusal>
    where
        'a: 'k,
    {
        match material {
            Material::Certificate(certificate) => {
                let chained = chain::verify(self, certificate, &times::moments(times))?;
                self.required = demands.of(&chained.authority);
                times::count(&self.required, &material, times)?;
                scts::verify(self, chained).map(Some)
            }
            Material::Key(key) => key.verify_times(times).map(|()| None),
        }
    }

    /// Returns the one algorithm for this key and this content.
    fn algorithm(&mut self, material: &Material<'_>) -> Algorithm {
        let named = match material {
            Material::Certificate(_) => None,
            Material::Key(key) => key.algorithm(),
        };
        let legacy = self.verifier.options.legacy_hash;
        let algorithm = named.unwrap_or_else(|| Algorithm::of(material.key().kind(), self.bundle, legacy));
        if legacy && algorithm != Algorithm::of(material.key().kind(), self.bundle, false) {
            self.warnings
                .push(format!("the signature is checked with {}, which is not its key's own hash", algorithm.name()));
        }
        algorithm
    }
}

/// Returns the statement of an envelope, and the index of the artifact among its subjects.
fn statement(
    content: &Content,
    artifact: Option<&Artifact<'_>>,
) -> Result<(Option<Statement>, Option<usize>), Refusal> {
    let Content::Envelope(Envelope { payload_type, payload, .. }) = content else { return Ok((None, None)) };
    match artifact {
        None if payload_type != PAYLOAD_TYPE => Ok((None, None)),
        None => Statement::parse(payload).map(|statement| (Some(statement), None)),
        Some(_) if payload_type != PAYLOAD_TYPE => Err(Refusal::new(Rejection::DssePayloadType, Step::Statement)
            .at("dsseEnvelope.payloadType")
            .expected(PAYLOAD_TYPE, payload_type)),
        Some(artifact) => {
            let statement = Statement::parse(payload)?;
            let digests = artifact.digests();
            let digests: Vec<_> = digests.iter().collect();
            let subject = statement.matched_subject(&digests)?;
            Ok((Some(statement), Some(subject)))
        }
    }
}
