//! Keys that are trusted without a certificate.

use super::{Algorithm, VerifiedTime};
use crate::key::KeyKind;
use crate::trust_root::Window;
use crate::{Hash, HashAlgorithm, PublicKey, Refusal, Rejection, Step};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A key that a caller trusts, because it got it on another way: a managed key, or one of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerKey {
    key: PublicKey,
    algorithm: Option<Algorithm>,
    window: Option<Window>,
    hint: Option<String>,
}

impl SignerKey {
    /// The key, which signs as keys of its kind do, at any time.
    #[must_use]
    pub const fn new(key: PublicKey) -> Self {
        Self { key, algorithm: None, window: None, hint: None }
    }

    /// The same key, which signs with RSASSA-PSS over SHA-256.
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

    /// The same key, which signs artifacts as they are and not prehashed. Such a signature cannot be in a log as a
    /// `hashedrekord`, and needs the artifact's bytes.
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

    /// The same key, trusted for signatures made in this window only. There must then be a time that is established.
    #[must_use]
    pub const fn during(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// The same key, meant by bundles with this hint.
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

    /// The hint that means it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(super) const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Checks that the key was trusted at every time, of which there must be one if it was not trusted always.
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

/// The key that a bundle with this hint means: the one whose fingerprint it is, the one that a caller gave this hint, or, where
/// the hint is opaque, the only one there is. None is ever tried after another.
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
        // A policy may ask for one key in several rules.
        (None, None, [only, rest @ ..]) if rest.iter().all(|key| key == only) => Ok(only),
        (None, None, _) => Err(Refusal::new(Rejection::PolicyKey, Step::Formats)
            .at(place)
            .expected("a hint that names one of the keys that are trusted", shown)),
    }
}
