//! The signer of a bundle, as the verifier establishes it and a policy judges it.
//!
//! A [`Signer`] does not include the signed artifact or the time.

use crate::certificate::Certificate;
use crate::claims::Claims;
use crate::{Hash, PublicKey, hash};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::fmt;

/// A signer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signer {
    /// The subject of a certificate.
    Certificate {
        /// Identity, issuer, and every claim.
        claims: Claims,
        /// SHA-256 of the certificate.
        sha256: Hash,
        /// SHA-256 of the key's SPKI.
        key_sha256: Hash,
        /// The certificate's serial number, big endian, without leading zeros.
        serial: Vec<u8>,
    },
    /// The holder of a key.
    Key {
        /// SHA-256 of the SPKI.
        sha256: Hash,
        /// The hint by which the caller knows the key.
        hint: Option<String>,
    },
}

impl Signer {
    pub(crate) fn of_certificate(certificate: &Certificate, claims: Claims) -> Self {
        let (sha256, key_sha256) = (hash::sha256(certificate.der()), certificate.public_key().fingerprint());
        let serial = certificate.tbs().serial_number().as_bytes();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        Self::Certificate { claims, sha256, key_sha256, serial: serial[zeros..].to_vec() }
    }

    pub(crate) fn of_key(key: &PublicKey, hint: Option<&str>) -> Self {
        Self::Key { sha256: key.fingerprint(), hint: hint.map(str::to_owned) }
    }

    /// SHA-256 of the SPKI of the key that made the signature.
    #[must_use]
    pub const fn key_sha256(&self) -> Hash {
        match self {
            Self::Certificate { key_sha256, .. } => *key_sha256,
            Self::Key { sha256, .. } => *sha256,
        }
    }

    /// The claims of the certificate.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Certificate { claims, .. } => Some(claims),
            Self::Key { .. } => None,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { claims, .. } => {
                let issuer = crate::shown(claims.issuer());
                write!(f, "{} (issuer {issuer})", crate::shown(claims.identity().as_str()))
            }
            Self::Key { sha256, .. } => write!(f, "the key {}", hex::encode(sha256)),
        }
    }
}

impl Serialize for Signer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        match self {
            Self::Certificate { claims, sha256, key_sha256, serial } => {
                json.serialize_entry("certificate", claims)?;
                json.serialize_entry("certificate_sha256", &hex::encode(sha256))?;
                json.serialize_entry("key_sha256", &hex::encode(key_sha256))?;
                json.serialize_entry("serial", &hex::encode(serial))?;
            }
            Self::Key { sha256, hint } => {
                json.serialize_entry("key_sha256", &hex::encode(sha256))?;
                json.serialize_entry("hint", hint)?;
            }
        }
        json.end()
    }
}
