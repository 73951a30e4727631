//! Private keys: the only code that holds them.
//!
//! A [`Signer`] knows its public key and signs. The key is in this process, read from a file in any form of `form`, or
//! made for one use and never written; or it is in hardware or behind a network, reached through a [`RemoteKey`]. Signing
//! is `async` because remote keys answer later; do not hold a database lock across it.

mod file;
mod form;
mod local;
mod remote;

pub use file::{decrypt, destroy, encrypt, is_overwritten};
pub(crate) use form::{decrypt_command, pkcs8};
pub use remote::{RemoteKey, RemoteSignature};

use chancery_verify::key::KeyKind;
use chancery_verify::{PublicKey, Rejection};
use local::LocalKey;
use remote::Remote;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a key cannot be opened or cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There is no key in PEM of a supported kind.
    #[error("not a private key in PEM of a supported kind (P-256, P-384, RSA 2048, 3072 or 4096)")]
    Malformed,
    /// The key is in a form that is not read, but that another program converts.
    #[error("{path} {form}, and such a key is not read; convert it: {command}", path = .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is not read, after the name of the file.
        form: &'static str,
        /// The command that converts it.
        command: String,
        /// Whether the form is one of encryption.
        is_encrypted: bool,
    },
    /// The file has more than one key, and which one is meant cannot be known.
    #[error("the file has {count} private keys; leave one in it")]
    Several {
        /// How many.
        count: usize,
    },
    /// Users other than the owner can read the file.
    #[error("key file {path} is readable by other users than its owner; run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted and no password was given.
    #[error("the key is encrypted and no password was given")]
    PasswordMissing,
    /// A password was given for a key that is not encrypted. The operator believes that the key is protected, but the
    /// file alone is enough to use it.
    #[error("a password was given but the key is not encrypted")]
    NotEncrypted,
    /// The password is wrong.
    #[error("the password does not open the key")]
    Password,
    /// Not every client can verify this kind of key.
    #[error("{kind} is refused as a signing key: {reason}")]
    Unusable {
        /// The kind.
        kind: &'static str,
        /// Which clients cannot verify it.
        reason: &'static str,
    },
    /// Clients refuse the public key.
    #[error("the key's public half is refused: {0}")]
    Public(#[from] Rejection),
    /// A key in this process failed to sign.
    #[error("signing failed")]
    Failed,
    /// The key service does not answer, or is overloaded. The same request may succeed later.
    #[error("the signing key is unavailable: {reason}")]
    Unavailable {
        /// Reason for the log, without secrets.
        reason: String,
    },
    /// The key service has refused: no such key, no permission, another kind of key.
    #[error("the signing key is refused: {reason}")]
    Refused {
        /// Reason for the log, without secrets.
        reason: String,
    },
    /// The returned bytes are not a signature of this key over the message.
    #[error("the signature that came back does not verify with the key's public half")]
    Mismatch,
}

/// What is signed to find out whether a key can be used: no certificate, checkpoint or timestamp begins like this.
const REHEARSAL: &[u8] = b"chancery: a rehearsal, which is never published";

enum Backend {
    Local(LocalKey),
    Remote(Remote),
}

/// A private key that can sign but cannot be read.
pub struct Signer {
    public_key: PublicKey,
    backend: Backend,
}

impl Signer {
    /// Makes a new key of `kind` (P-256, P-384 or RSA) and returns it with its PKCS#8 text, which is not encrypted.
    pub fn generate(kind: KeyKind) -> Result<(Self, String), SignerError> {
        Self::generate_for(Use::Any, kind)
    }

    /// As [`Self::generate`], for a key that is used only for `purpose`.
    fn generate_for(purpose: Use, kind: KeyKind) -> Result<(Self, String), SignerError> {
        usable(purpose, kind)?;
        let key = LocalKey::generate(kind)?;
        let text = file::plain(key.pkcs8()?.as_bytes());
        Ok((Self::local(key)?, text))
    }

    /// Makes a new key of `kind` that is in memory alone: it is never encoded, and its memory is overwritten when the signer
    /// is dropped. For a root, which signs once.
    pub fn ephemeral(kind: KeyKind) -> Result<Self, SignerError> {
        usable(Use::Any, kind)?;
        Self::local(LocalKey::generate(kind)?)
    }

    fn local(key: LocalKey) -> Result<Self, SignerError> {
        Ok(Self { public_key: key.public_key()?, backend: Backend::Local(key) })
    }

    /// Takes a key from its PKCS#8 text.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, SignerError> {
        Self::from_pem(Use::Any, Path::new(file::UNNAMED), text.as_bytes(), None)
    }

    fn from_pem(purpose: Use, path: &Path, text: &[u8], password: Option<&[u8]>) -> Result<Self, SignerError> {
        Self::local(LocalKey::from_pkcs8(purpose, pkcs8(path, text, password)?.as_bytes())?)
    }

    /// Opens the key in `path`. Only its owner may be able to read the file, and it must not be encrypted.
    pub fn open(path: &Path) -> Result<Self, SignerError> {
        Self::open_for(Use::Any, path)
    }

    /// As [`Self::open`], for a key that is used only for `purpose`.
    pub fn open_for(purpose: Use, path: &Path) -> Result<Self, SignerError> {
        Self::from_pem(purpose, path, &file::read_private(path)?, None)
    }

    /// Opens the encrypted key in `path`. Only its owner may be able to read the file.
    pub fn open_encrypted(path: &Path, password: &[u8]) -> Result<Self, SignerError> {
        Self::from_pem(Use::Any, path, &file::read_private(path)?, Some(password))
    }

    /// Opens the key in `path`, or makes one of `kind` there if the file does not exist. An existing file is never
    /// overwritten. A new file is on disk, with its directory entry, before the key is used.
    pub fn open_or_create(path: &Path, kind: KeyKind) -> Result<Self, SignerError> {
        Self::open_or_create_for(Use::Any, path, kind)
    }

    /// As [`Self::open_or_create`], for a key that is used only for `purpose`.
    pub fn open_or_create_for(purpose: Use, path: &Path, kind: KeyKind) -> Result<Self, SignerError> {
        if path.try_exists().map_err(|source| SignerError::File { path: path.to_owned(), source })? {
            return Self::open_for(purpose, path);
        }
        let (signer, text) = Self::generate_for(purpose, kind)?;
        file::create_private(path, &text)?;
        Ok(signer)
    }

    /// Writes the PKCS#8 text of a key to a new file that only its owner can read, on disk before this returns.
    pub fn save(path: &Path, text: &str) -> Result<(), SignerError> {
        file::create_private(path, text)
    }

    /// Wraps a remote key. Every signature is verified with its public key.
    ///
    /// # Errors
    /// [`SignerError::Unusable`] if clients cannot verify such a key.
    pub fn remote(public_key: PublicKey, key: Arc<dyn RemoteKey>) -> Result<Self, SignerError> {
        usable(Use::Any, public_key.kind())?;
        Ok(Self { public_key, backend: Backend::Remote(Remote::new(key)) })
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs `message` with the kind's own hash: ECDSA as ASN.1 DER, RSA as PKCS#1 v1.5 with SHA-256, Ed25519 pure. A
    /// remote key's signature is verified before it is returned.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        match &self.backend {
            Backend::Local(key) => key.sign(message),
            Backend::Remote(remote) => remote.sign(&self.public_key, message).await,
        }
    }
}

impl Signer {
    /// Returns why the key cannot be used, if its last signature failed and another attempt does, too. Costs nothing where
    /// the last signature succeeded.
    pub async fn verify_usable(&self) -> Result<(), SignerError> {
        match &self.backend {
            Backend::Remote(remote) if remote.has_failed() => {
                remote.sign(&self.public_key, REHEARSAL).await.map(|_signature| ())
            }
            Backend::Remote(_) | Backend::Local(_) => Ok(()),
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?})", self.public_key)
    }
}

/// The use of a key, as far as it decides which kinds of key clients can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Certificates, promises and tokens, which every client must verify.
    Any,
    /// Only checkpoints of a Rekor v2 log, or cosignatures of a witness. Every client that supports such logs verifies
    /// Ed25519, and witnesses require it. policy-controller refuses a trusted root that lists it.
    Checkpoints,
}

/// Checks that clients verify signatures of this kind of key.
fn usable(purpose: Use, kind: KeyKind) -> Result<(), SignerError> {
    let (kind, reason) = match kind {
        KeyKind::P256 | KeyKind::P384 | KeyKind::Rsa(_) => return Ok(()),
        KeyKind::Ed25519 if purpose == Use::Checkpoints => return Ok(()),
        KeyKind::P521 => ("P-521", "the curve is optional in TLS libraries and browsers; use P-256, P-384 or RSA"),
        KeyKind::Ed25519 => ("Ed25519", "sigstore-python verifies certificates of RSA and EC authorities only"),
    };
    Err(SignerError::Unusable { kind, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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

    #[test]
    fn a_destroyed_key_is_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let (path, linked) = (directory.path().join("root.pem"), directory.path().join("linked.pem"));
        Signer::open_or_create(&path, KeyKind::P256).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        fs::hard_link(&path, &linked).unwrap();
        assert!(!is_overwritten(&path).unwrap());
        destroy(&path).unwrap();
        // As an interruption before the file is removed leaves it.
        assert!(is_overwritten(&linked).unwrap());
        assert!(!path.exists());
        assert_eq!(fs::read(&linked).unwrap(), vec![0; usize::try_from(length).unwrap()]);
        assert!(matches!(destroy(&path), Err(SignerError::File { .. })));
    }

    #[test]
    fn an_encrypted_key_opens_with_its_password_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let (signer, text) = Signer::generate(KeyKind::P384).unwrap();
        let encrypted = encrypt(&text, b"sesame", &crate::random::SystemRandom).unwrap();
        assert_ne!(encrypted, encrypt(&text, b"sesame", &crate::random::SystemRandom).unwrap(), "salted");
        assert_eq!(decrypt(&encrypted, b"sesame").unwrap(), text);
        assert!(matches!(decrypt(&encrypted, b"sesam"), Err(SignerError::Password)));
        Signer::save(&path, &encrypted).unwrap();
        assert_eq!(Signer::open_encrypted(&path, b"sesame").unwrap().public_key(), signer.public_key());
        assert!(matches!(Signer::open_encrypted(&path, b"sesam"), Err(SignerError::Password)));
        assert!(matches!(Signer::open(&path), Err(SignerError::PasswordMissing)));
        assert!(matches!(Signer::save(&path, &text), Err(SignerError::File { .. })), "never overwritten");
        assert_eq!(fs::read_to_string(&path).unwrap(), encrypted);

        let plain = directory.path().join("plain.pem");
        Signer::save(&plain, &text).unwrap();
        assert!(matches!(Signer::open_encrypted(&plain, b"sesame"), Err(SignerError::NotEncrypted)));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[tokio::test]
    async fn an_ephemeral_key_signs_and_is_another_each_time() {
        let (first, second) = (Signer::ephemeral(KeyKind::P384).unwrap(), Signer::ephemeral(KeyKind::P384).unwrap());
        let signature = first.sign(b"message").await.unwrap();
        assert_eq!(first.public_key().verify(b"message", &signature), Ok(()));
        assert_ne!(first.public_key(), second.public_key());
        assert!(matches!(Signer::ephemeral(KeyKind::Ed25519), Err(SignerError::Unusable { kind: "Ed25519", .. })));
    }

    #[test]
    fn kinds_that_clients_cannot_verify_are_named() {
        // RFC 8410 §10.3.
        let ed25519 = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let refused = Signer::from_pkcs8_pem(ed25519).unwrap_err();
        assert!(refused.to_string().contains("Ed25519"), "{refused}");
        assert!(matches!(Signer::generate(KeyKind::P521), Err(SignerError::Unusable { kind: "P-521", .. })));
        assert!(matches!(Signer::generate(KeyKind::Ed25519), Err(SignerError::Unusable { kind: "Ed25519", .. })));
    }

    #[tokio::test]
    async fn ed25519_signs_checkpoints_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.pem");
        let create = || Signer::open_or_create_for(Use::Checkpoints, &path, KeyKind::Ed25519).unwrap();
        let (first, second) = (create(), create());
        assert_eq!((first.public_key().kind(), first.public_key()), (KeyKind::Ed25519, second.public_key()));
        let signature = second.sign(b"message").await.unwrap();
        assert_eq!(first.public_key().verify(b"message", &signature), Ok(()));
        assert!(matches!(Signer::open(&path), Err(SignerError::Unusable { kind: "Ed25519", .. })));
        assert!(Signer::open_or_create(&path, KeyKind::P256).is_err());
    }
}
