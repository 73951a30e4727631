//! The `x509` verifiers of Rekor entries: a public key or a certificate chain in PEM.

use crate::certificate::{Foreign, MAX_CHAIN};
use crate::{PublicKey, Rejection, pem};

/// A parsed verifier: the key that must have signed, and the PEM text to log.
pub(super) struct Verifier {
    pub(super) key: PublicKey,
    /// Every block encoded again: 64 columns, LF, no headers or surrounding text.
    pub(super) canonical_pem: String,
}

impl Verifier {
    /// Parses `PUBLIC KEY` or one to [`MAX_CHAIN`] `CERTIFICATE` blocks. Only the key of the first certificate is used.
    /// Further ones must make a chain, as Rekor verifies it; see [`Foreign::verify_chain`]. Expired certificates are
    /// accepted, because Rekor logs signatures of any age.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let blocks = pem::decode_all(text, MAX_CHAIN).map_err(|rejection| match rejection {
            Rejection::Pem => Rejection::EntryKey,
            other => other,
        })?;
        let canonical_pem = blocks.iter().map(|block| pem::encode(&block.label, &block.der)).collect();
        if let [only] = blocks.as_slice()
            && only.label == pem::PUBLIC_KEY
        {
            return Ok(Self { key: PublicKey::from_spki_der(&only.der)?, canonical_pem });
        }
        if blocks.iter().any(|block| block.label != pem::CERTIFICATE) {
            return Err(Rejection::EntryKey);
        }
        let chain = blocks.iter().map(|block| Foreign::from_der(&block.der)).collect::<Result<Vec<_>, _>>()?;
        Foreign::verify_chain(&chain)?;
        let leaf = chain.into_iter().next().ok_or(Rejection::EntryKey)?;
        Ok(Self { key: leaf.into_public_key()?, canonical_pem })
    }
}
