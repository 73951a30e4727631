//! Keys that are trusted without a certificate.

use super::{Algorithm, VerifiedTime};
use crate::key::KeyKind;
use crate::trust_root::Window;
use crate::{Hash, HashAlgorithm, PublicKey, Refusal, Rejection, Step};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A key that the caller trusts without a certificate: a managed key, or a key from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerKey {
    key: PublicKey,
    algorithm: Option<Algorithm>,
    window: Option<Window>,
    hint: Option<String>,
}

impl SignerKey {
    /// A key that signs with the algorithm of its kind, at any time.
    #[must_use]
    pub const fn new(key: PublicKey) -> Self {
        Self { key, algorithm: None, window: None, hint: None }
    }

    /// The same key, signing with RSASSA-PSS over SHA-256.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] for a key that is not RSA.
    pub fn with_pss(mut self) -> Result<Self, Rejection> {
        if !matches!(self.key.kind(), KeyKind::Rsa(_)) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        self.algorithm = Some(Algorithm::RsaPss(HashAlgorithm::Sha256));
        Ok(self)
    }

    /// The same key, signing artifacts as they are and not prehashed. Such a signature cannot be logged as a
    /// `hashedrekord`. Verification needs the artifact's bytes.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] for a key that is not Ed25519.
    pub fn with_pure_ed25519(mut self) -> Result<Self, Rejection> {
        if self.key.kind() != KeyKind::Ed25519 {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        self.algorithm = Some(Algorithm::Ed25519);
        Ok(self)
    }

    /// The same key, trusted only for signatures made in this window. Verification then needs an established time.
    #[must_use]
    pub const fn during(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// The same key, with the hint by which bundles name it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The hint by which bundles name it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(super) const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Checks that the key was trusted at every time. A key with a window needs at least one time.
    pub(super) fn verify_times(&self, times: &[VerifiedTime]) -> Result<(), Refusal> {
        let Some(window) = self.window else { return Ok(()) };
        if times.is_empty() {
            return Err(Refusal::new(Rejection::TimeNone, Step::Times).expected(window.to_string(), "no time"));
        }
        match times.iter().find(|time| !window.contains(time.time())) {
            None => Ok(()),
            Some(time) => Err(Refusal::new(Rejection::TimeCertificate, Step::Chain)
                .at(time.place())
                .expected(format!("the key's window, {window}"), time.time().rfc3339_millis())),
        }
    }
}

/// Finds the one key that a bundle with this hint names. The caller gave the key this hint, or the hint is the key's
/// fingerprint. With an opaque hint, or none, there must be exactly one trusted key. Keys are never tried one after another.
pub(super) fn find<'a>(keys: &'a [SignerKey], hint: Option<&str>) -> Result<&'a SignerKey, Refusal> {
    let place = "verificationMaterial.publicKey.hint";
    let fingerprint = hint.and_then(|hint| STANDARD.decode(hint).ok()).and_then(|hash| Hash::try_from(hash).ok());
    let named = keys.iter().find(|key| key.hint.is_some() && key.hint.as_deref() == hint);
    let shown = hint.unwrap_or("none");
    match (named, fingerprint, keys) {
        (Some(named), _, _) => Ok(named),
        (None, _, []) => Err(Refusal::new(Rejection::PolicyKey, Step::Formats)
            .at("verificationMaterial.publicKey")
            .expected("a certificate, since no key is trusted", "a signature by a key")),
        (None, Some(fingerprint), keys) => {
            keys.iter().find(|key| key.key.fingerprint() == fingerprint).ok_or_else(|| {
                Refusal::new(Rejection::BundleKeyHint, Step::Formats).at(place).expected("a key that is trusted", shown)
            })
        }
        // A policy may require one key in several rules.
        (None, None, [only, rest @ ..]) if rest.iter().all(|key| key == only) => Ok(only),
        (None, None, _) => Err(Refusal::new(Rejection::PolicyKey, Step::Formats)
            .at(place)
            .expected("a hint that names one of the trusted keys", shown)),
    }
}
