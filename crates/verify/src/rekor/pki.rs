//! Keys and signatures of the formats that Rekor v1 takes, and their canonical forms.
//!
//! Each format has a module. What a format accepts, and the bytes that are logged of it, follow upstream; each signature
//! is verified by the crate's own [`key`] types, whatever its format.

pub(super) mod key;
mod minisign;
pub(super) mod pgp;
mod ssh;
pub(super) mod tuf;
mod x509;

use super::KeyFormat;
use crate::Rejection;

/// An artifact that is not one of its type, or not signed as its type demands.
pub(super) const fn refused(fault: &'static str) -> Rejection {
    Rejection::EntryPackage { fault }
}

/// A key of any format.
pub(super) enum PublicKey {
    X509(x509::PublicKey),
    Pgp(pgp::Keyring),
    Minisign(minisign::Key),
    Ssh(ssh::PublicKey),
    /// Signs TUF metadata only.
    Tuf(tuf::Root),
}

impl PublicKey {
    /// Parses a key.
    pub(super) fn parse(format: KeyFormat, content: &[u8]) -> Result<Self, Rejection> {
        match format {
            KeyFormat::X509 => x509::PublicKey::parse(content).map(Self::X509),
            KeyFormat::Pgp => pgp::Keyring::parse(content).map(Self::Pgp),
            KeyFormat::Minisign => minisign::Key::parse(content).map(Self::Minisign),
            KeyFormat::Ssh => ssh::PublicKey::parse(content).map(Self::Ssh),
            KeyFormat::Tuf => tuf::Root::parse(content).map(Self::Tuf),
        }
    }

    /// The canonical form.
    pub(super) fn canonical(&self) -> Vec<u8> {
        match self {
            Self::X509(key) => key.canonical(),
            Self::Pgp(ring) => ring.canonical(),
            Self::Minisign(key) => key.canonical(),
            Self::Ssh(key) => key.canonical(),
            Self::Tuf(root) => root.canonical().as_bytes().to_vec(),
        }
    }

    /// Checks a signature over an artifact. Returns the signature's canonical form.
    pub(super) fn verify(&self, signature: &[u8], artifact: &[u8]) -> Result<Vec<u8>, Rejection> {
        match self {
            Self::X509(key) => key.verify(signature, artifact).map(|()| signature.to_vec()),
            Self::Pgp(ring) => {
                let signatures = pgp::Signatures::parse(signature)?;
                ring.verify(&signatures, artifact)?;
                Ok(signatures.into_canonical())
            }
            Self::Minisign(key) => {
                let signature = minisign::Signature::parse(signature)?;
                signature.verify(key, artifact)?;
                Ok(signature.canonical())
            }
            Self::Ssh(key) => {
                let signature = ssh::Signature::parse(signature)?;
                signature.verify(key, artifact)?;
                signature.canonical().ok_or(Rejection::EntrySignatureFormat { format: "SSH" })
            }
            Self::Tuf(_) => Err(Rejection::EntrySignatureFormat { format: "TUF" }),
        }
    }
}
