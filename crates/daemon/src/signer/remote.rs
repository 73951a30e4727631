//! Limits for a key that is reached over a network or in hardware.
//!
//! At most `CONCURRENT` requests are in flight, at most `WAITING` more wait, and none takes longer than `DEADLINE`.
//! Beyond that the error is [`SignerError::Unavailable`], at once. There is no fallback key and no retry: the caller
//! decides. A signature is returned only if it verifies.

use super::SignerError;
use chancery_verify::{HashAlgorithm, PublicKey};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests in flight. A key service answers in about 10 ms, so this allows thousands of signatures per second.
const CONCURRENT: usize = 32;
/// Requests that wait for a free place.
const WAITING: usize = 256;
/// From the call to the verified signature. Shorter than clients wait, so that they receive the reason.
const DEADLINE: Duration = Duration::from_secs(10);

/// A future signature.
pub type RemoteSignature<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SignerError>> + Send + 'a>>;

/// A private key in hardware or behind a network.
pub trait RemoteKey: Send + Sync {
    /// Signs a digest made with `hash`: ECDSA as ASN.1 DER, RSA as PKCS#1 v1.5.
    ///
    /// Implementations MUST be cancel safe (dropped half way) and MUST NOT retry; the caller verifies the signature.
    /// Temporary faults (no connection, throttling) are [`SignerError::Unavailable`], all others
    /// [`SignerError::Refused`].
    fn sign_digest<'a>(&'a self, hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a>;
}

/// A [`RemoteKey`] with these limits.
pub(super) struct Remote {
    key: Arc<dyn RemoteKey>,
    accepted: Semaphore,
    on_their_way: Semaphore,
    /// Whether the last attempt to sign failed.
    failed: AtomicBool,
}

impl Remote {
    pub(super) fn new(key: Arc<dyn RemoteKey>) -> Self {
        let (accepted, on_their_way) = (Semaphore::new(CONCURRENT + WAITING), Semaphore::new(CONCURRENT));
        Self { key, accepted, on_their_way, failed: AtomicBool::new(false) }
    }

    /// Whether the last attempt to sign failed. Attempts that were turned away because of others do not count.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) async fn sign(&self, public_key: &PublicKey, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let _accepted = self.accepted.try_acquire().map_err(|_| unavailable("too many signatures are waiting"))?;
        let signed = self.sign_in_time(public_key, message).await;
        self.failed.store(signed.is_err(), Ordering::Relaxed);
        signed
    }

    async fn sign_in_time(&self, public_key: &PublicKey, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let hash = public_key.kind().hash();
        let digest = hash.digest(message);
        let signed = async {
            let _on_its_way = self.on_their_way.acquire().await.map_err(|_| SignerError::Failed)?;
            self.key.sign_digest(hash, &digest).await
        };
        let signature =
            tokio::time::timeout(DEADLINE, signed).await.map_err(|_| unavailable("no signature came in time"))??;
        public_key.verify(message, &signature).map_err(|_| SignerError::Mismatch)?;
        Ok(signature)
    }
}

fn unavailable(reason: &str) -> SignerError {
    SignerError::Unavailable { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::Signer;
    use chancery_verify::key::KeyKind;
    use std::future::pending;

    enum Mood {
        Honest,
        SignsSomethingElse,
        Silent,
        Throttled,
    }

    /// Holds the key that it pretends to reach, and signs what it pretends to get as a digest.
    struct Elsewhere {
        key: Signer,
        message: &'static [u8],
        mood: Mood,
    }

    impl RemoteKey for Elsewhere {
        fn sign_digest<'a>(&'a self, hash: HashAlgorithm, digest: &'a [u8]) -> RemoteSignature<'a> {
            assert_eq!(hash.digest(self.message), digest);
            Box::pin(async {
                match self.mood {
                    Mood::Honest => self.key.sign(self.message).await,
                    Mood::SignsSomethingElse => self.key.sign(b"something else").await,
                    Mood::Silent => pending().await,
                    Mood::Throttled => Err(SignerError::Unavailable { reason: "throttled".to_owned() }),
                }
            })
        }
    }

    fn signer(mood: Mood) -> Signer {
        let (key, _) = Signer::generate(KeyKind::P384).unwrap();
        let public_key = key.public_key().clone();
        Signer::remote(public_key, Arc::new(Elsewhere { key, message: b"message", mood })).unwrap()
    }

    #[tokio::test]
    async fn only_a_signature_that_verifies_comes_out() {
        let honest = signer(Mood::Honest);
        let signature = honest.sign(b"message").await.unwrap();
        assert_eq!(honest.public_key().verify(b"message", &signature), Ok(()));
        let liar = signer(Mood::SignsSomethingElse).sign(b"message").await;
        assert!(matches!(liar, Err(SignerError::Mismatch)), "{liar:?}");
        let throttled = signer(Mood::Throttled).sign(b"message").await;
        assert!(matches!(throttled, Err(SignerError::Unavailable { .. })), "{throttled:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline_and_no_queue_grows_for_ever() {
        let silent = Arc::new(signer(Mood::Silent));
        let waiting: Vec<_> = (0..CONCURRENT + WAITING)
            .map(|_| {
                let silent = Arc::clone(&silent);
                tokio::spawn(async move { silent.sign(b"message").await })
            })
            .collect();
        for _ in &waiting {
            tokio::task::yield_now().await;
        }
        let refused = silent.sign(b"message").await.unwrap_err();
        assert!(refused.to_string().contains("too many"), "{refused}");
        for answer in waiting {
            let error = answer.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("in time"), "{error}");
        }
        // All places are free again.
        assert!(silent.sign(b"message").await.unwrap_err().to_string().contains("in time"));
    }

    #[test]
    fn kinds_that_clients_cannot_verify_are_refused() {
        let spki = "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let der: Vec<u8> =
            (0..spki.len()).step_by(2).map(|i| u8::from_str_radix(&spki[i..i + 2], 16).unwrap()).collect();
        let ed25519 = PublicKey::from_spki_der(&der).unwrap();
        let (key, _) = Signer::generate(KeyKind::P256).unwrap();
        let refused = Signer::remote(ed25519, Arc::new(Elsewhere { key, message: b"", mood: Mood::Honest }));
        assert!(refused.unwrap_err().to_string().contains("sigstore-python"));
    }
}
