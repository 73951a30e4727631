//! Private keys: the only code that holds one.
//!
//! A [`Signer`] knows its public key and signs; where the key lives is its own affair. Signing is `async` because keys
//! in hardware or behind a network answer later; nothing may hold a database lock across it. Today keys are PKCS#8 files.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use chancery_verify::key::KeyKind;
use chancery_verify::{PublicKey, Rejection, pem};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// PEM label of an unencrypted PKCS#8 key.
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Why a key cannot be had or cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key is not unencrypted PKCS#8 in PEM of a supported kind.
    #[error("not an unencrypted PKCS#8 private key of a supported kind (P-256, P-384, RSA 2048 to 4096)")]
    Malformed,
    /// Others than the owner can read the file.
    #[error("key file {path} is readable by others than its owner; run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The public half is one no client accepts.
    #[error("the key's public half is refused: {0}")]
    Public(#[from] Rejection),
    /// The backend failed.
    #[error("signing failed")]
    Failed,
}

enum Backend {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A private key that can be used but not seen.
pub struct Signer {
    public_key: PublicKey,
    backend: Backend,
}

impl Signer {
    /// Makes a new key of `kind` (P-256, P-384 or RSA) and returns it with its PKCS#8 text.
    pub fn generate(kind: KeyKind) -> Result<(Self, String), SignerError> {
        let pkcs8 = match kind {
            KeyKind::P256 => ecdsa_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeyKind::P384 => ecdsa_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeyKind::Rsa(2048) => rsa_pkcs8(KeySize::Rsa2048)?,
            KeyKind::Rsa(3072) => rsa_pkcs8(KeySize::Rsa3072)?,
            KeyKind::Rsa(4096) => rsa_pkcs8(KeySize::Rsa4096)?,
            KeyKind::Rsa(_) | KeyKind::P521 | KeyKind::Ed25519 => return Err(SignerError::Malformed),
        };
        let text = pem::encode(PRIVATE_KEY, &pkcs8);
        Ok((Self::from_pkcs8_pem(&text)?, text))
    }

    /// Takes a key from its PKCS#8 text.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, SignerError> {
        let block = pem::decode(text.as_bytes()).map_err(|_| SignerError::Malformed)?;
        if block.label != PRIVATE_KEY {
            return Err(SignerError::Malformed);
        }
        let ecdsa = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING]
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, &block.der).ok());
        let (backend, spki) = if let Some(pair) = ecdsa {
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Malformed)?;
            let spki = spki.as_ref().to_vec();
            (Backend::Ecdsa(pair), spki)
        } else {
            let pair = RsaKeyPair::from_pkcs8(&block.der).map_err(|_| SignerError::Malformed)?;
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Malformed)?;
            let spki = spki.as_ref().to_vec();
            (Backend::Rsa(pair), spki)
        };
        Ok(Self { public_key: PublicKey::from_spki_der(&spki)?, backend })
    }

    /// Opens the key in `path`, which nobody but its owner may read.
    pub fn open(path: &Path) -> Result<Self, SignerError> {
        use std::os::unix::fs::PermissionsExt as _;
        let file_error = |source| SignerError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o077 != 0 {
            return Err(SignerError::Exposed { path: path.to_owned() });
        }
        Self::from_pkcs8_pem(&fs::read_to_string(path).map_err(file_error)?)
    }

    /// Opens the key in `path`, or makes one of `kind` there if the file does not exist. A file that exists is never
    /// overwritten; a new one is on disk, with its directory entry, before it is used.
    pub fn open_or_create(path: &Path, kind: KeyKind) -> Result<Self, SignerError> {
        let file_error = |source| SignerError::File { path: path.to_owned(), source };
        if path.try_exists().map_err(file_error)? {
            return Self::open(path);
        }
        let (signer, text) = Self::generate(kind)?;
        // Written beside and linked into place: a crash leaves either no key or a whole one.
        let partial = path.with_extension("partial");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .map_err(file_error)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)?;
        fs::rename(&partial, path).map_err(file_error)?;
        if let Some(directory) = path.parent() {
            fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(file_error)?;
        }
        Ok(signer)
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs `message` with the kind's own hash: ECDSA as ASN.1 DER, RSA as PKCS#1 v1.5 with SHA-256.
    #[expect(clippy::unused_async, reason = "keys in hardware or behind a network will wait here")]
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let random = SystemRandom::new();
        match &self.backend {
            Backend::Ecdsa(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignerError::Failed),
            Backend::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| SignerError::Failed)?;
                Ok(signature)
            }
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?})", self.public_key)
    }
}

fn ecdsa_pkcs8(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Vec<u8>, SignerError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| SignerError::Failed)?;
    Ok(pair.to_pkcs8v1().map_err(|_| SignerError::Failed)?.as_ref().to_vec())
}

fn rsa_pkcs8(size: KeySize) -> Result<Vec<u8>, SignerError> {
    let pair = RsaKeyPair::generate(size).map_err(|_| SignerError::Failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SignerError::Failed)?;
    Ok(der.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signatures_verify_and_keys_survive_their_text() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048)] {
            let (signer, text) = Signer::generate(kind).unwrap();
            let reopened = Signer::from_pkcs8_pem(&text).unwrap();
            assert_eq!(signer.public_key(), reopened.public_key());
            let signature = reopened.sign(b"message").await.unwrap();
            assert_eq!(signer.public_key().verify(b"message", &signature), Ok(()));
            assert_eq!(signer.public_key().verify(b"massage", &signature), Err(Rejection::SignatureInvalid));
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_must_be_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let first = Signer::open_or_create(&path, KeyKind::P256).unwrap();
        let second = Signer::open_or_create(&path, KeyKind::P256).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Signer::open_or_create(&path, KeyKind::P256), Err(SignerError::Exposed { .. })));
    }
}
