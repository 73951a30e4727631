//! What a policy is asked about: signatures that have already been verified.

use crate::certificate::{Certificate, Identity};
use crate::claims::Claims;
use crate::{Hash, PublicKey, Refusal, Timestamp, hash};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One verified signature, with everything established about it.
///
/// Nothing here is checked again: a caller that fills in what was not verified gets a worthless decision.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The signer.
    pub signer: Signer,
    /// The signature itself. Two pieces of evidence with the same one are the same signature.
    pub signature: Vec<u8>,
    /// Every established time: of timestamps, and of promises of logs. Empty where nothing establishes one.
    pub times: Vec<Timestamp>,
    /// Type and contents of the statement's predicate, where a statement was signed.
    pub predicate: Option<(String, Value)>,
    /// Annotations that were signed along.
    pub annotations: BTreeMap<String, String>,
}

impl Evidence {
    /// A signature without times, predicate and annotations.
    #[must_use]
    pub const fn new(signer: Signer, signature: Vec<u8>) -> Self {
        Self { signer, signature, times: Vec::new(), predicate: None, annotations: BTreeMap::new() }
    }
}

/// The signer of a verified signature.
#[derive(Debug, Clone)]
pub enum Signer {
    /// The holder of a certificate.
    Certificate(CertificateSigner),
    /// The holder of a key that the caller or the policy named.
    Key(PublicKey),
}

/// What a policy asks about a signing certificate.
#[derive(Debug, Clone)]
pub struct CertificateSigner {
    /// Identity and claims.
    pub claims: Claims,
    /// SHA-256 of the certificate in DER.
    pub fingerprint: Hash,
    /// The serial number, big endian, without leading zeros.
    pub serial: Vec<u8>,
    /// SHA-256 of the certified key.
    pub key: Hash,
    /// SHA-256 of each certificate of the verified path above the leaf.
    pub authorities: Vec<Hash>,
}

impl Signer {
    /// The signer that a verified leaf names, with the path that was verified above it.
    ///
    /// # Errors
    /// As [`Claims::of`].
    pub fn of(leaf: &Certificate, path: &[Certificate]) -> Result<Self, Refusal> {
        let serial = leaf.tbs().serial_number().as_bytes();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        Ok(Self::Certificate(CertificateSigner {
            claims: Claims::of(leaf)?,
            fingerprint: hash::sha256(leaf.der()),
            serial: serial[zeros..].to_vec(),
            key: leaf.public_key().fingerprint(),
            authorities: path.iter().map(|certificate| hash::sha256(certificate.der())).collect(),
        }))
    }

    /// Identity and claims, where there is a certificate.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Certificate(signer) => Some(&signer.claims),
            Self::Key(_) => None,
        }
    }

    /// SHA-256 of the key that made the signature.
    #[must_use]
    pub fn key_fingerprint(&self) -> Hash {
        match self {
            Self::Certificate(signer) => signer.key,
            Self::Key(key) => key.fingerprint(),
        }
    }

    /// What must differ for two signatures to be of two signers. A person has one mail address wherever it is vouched for,
    /// and however it is written; a URI or a username means something only together with its issuer.
    pub(super) fn distinct_name(&self) -> Option<(String, &str)> {
        let claims = self.claims()?;
        match claims.identity() {
            Identity::Email(email) => Some((email.to_ascii_lowercase(), "")),
            Identity::Uri(name) | Identity::Username(name) => Some((name.clone(), claims.issuer())),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(signer) => {
                let claims = &signer.claims;
                write!(f, "{} (issuer {})", crate::shown(claims.identity().as_str()), crate::shown(claims.issuer()))
            }
            Self::Key(key) => write!(f, "key sha256:{}", hex::encode(key.fingerprint())),
        }
    }
}
