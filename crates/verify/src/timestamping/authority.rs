//! Timestamp authorities: checks that a chain may make timestamps, and verifies tokens.

use super::asn1::{SEQUENCE, SET, constructed, write};
use super::identifier::CertificateIdentifier;
use super::token::{Attested, Token};
use crate::certificate::{Certificate, chain};
use crate::hash::Function;
use crate::{Rejection, Timestamp};
use const_oid::db::rfc5280::{ID_CE_EXT_KEY_USAGE, ID_KP_TIME_STAMPING};
use der::Encode as _;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

/// `SEQUENCE` with timeStamping only: the extended key usage a leaf must have, critical (RFC 3161 §2.3).
pub const EXTENDED_KEY_USAGE_VALUE: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// `[4]`, constructed: a `GeneralName` that is a `directoryName`.
const DIRECTORY_NAME: u8 = constructed(4);

/// A trusted authority: its chain, checked once, and the values that every token is compared with.
#[derive(Debug, Clone)]
pub struct Authority {
    chain: Vec<Certificate>,
    identifier: Vec<u8>,
    issuer_serial: Vec<u8>,
    name: Vec<u8>,
    /// Hashes of the leaf, one per hash function that a token may name. Hashing the certificate for every token would
    /// take longer than all other checks.
    leaf_hashes: [(Function, Vec<u8>); 4],
    /// First and last second at which every certificate is valid.
    valid: (u64, u64),
}

impl Authority {
    /// Makes an authority from a chain: leaf first, trusted root last.
    ///
    /// 1. [`Self::anchored`].
    /// 2. The root issued itself.
    pub fn new(chain: Vec<Certificate>) -> Result<Self, Rejection> {
        let authority = Self::anchored(chain)?;
        let root = authority.chain.last().ok_or(Rejection::ChainIncomplete)?;
        chain::verify_issued_by(root, root)?;
        Ok(authority)
    }

    /// Makes an authority from a chain whose anchor may be an intermediate: leaf first, trusted anchor last.
    ///
    /// 1. There are a leaf and an anchor. Every certificate is issued by the next.
    /// 2. Every issuer is a CA whose path length and key usage allow the certificates below it. If it has an extended
    ///    key usage, this includes timeStamping. The leaf is not a CA.
    /// 3. The leaf's extended key usage is critical and only timeStamping. Its key usage allows signatures.
    /// 4. No certificate has an unknown critical extension.
    /// 5. There is a time at which all certificates are valid.
    pub fn anchored(chain: Vec<Certificate>) -> Result<Self, Rejection> {
        let [_, issuers @ ..] = chain.as_slice() else { return Err(Rejection::ChainIncomplete) };
        chain::verify_issuers(issuers, ID_KP_TIME_STAMPING)?;
        Self::below(chain)
    }

    /// Makes the authority with this chain. Its issuers must have been checked.
    fn below(chain: Vec<Certificate>) -> Result<Self, Rejection> {
        let [leaf, issuer, ..] = chain.as_slice() else { return Err(Rejection::ChainIncomplete) };
        chain::verify_issued_by(leaf, issuer)?;
        verify_leaf(leaf)?;
        chain::verify_purpose(leaf, ID_KP_TIME_STAMPING)?;
        let starts = chain.iter().map(|certificate| certificate.not_before().seconds());
        let ends = chain.iter().map(|certificate| certificate.not_after().seconds());
        let valid = (starts.fold(0, u64::max), ends.fold(u64::MAX, u64::min));
        if valid.0 > valid.1 {
            return Err(Rejection::ChainExpired);
        }
        let malformed = |_| Rejection::CertificateMalformed;
        let issuer = leaf.issuer().to_der().map_err(malformed)?;
        let serial = leaf.tbs().serial_number().to_der().map_err(malformed)?;
        let identifier = write(SEQUENCE, &[&issuer, &serial]);
        let issuer_serial = write(SEQUENCE, &[&write(SEQUENCE, &[&write(DIRECTORY_NAME, &[&issuer])]), &serial]);
        let name = write(DIRECTORY_NAME, &[&leaf.subject().to_der().map_err(malformed)?]);
        let leaf_hashes = Function::ALL.map(|function| (function, function.digest(leaf.der())));
        Ok(Self { chain, identifier, issuer_serial, name, leaf_hashes, valid })
    }

    /// The certificate whose key signs.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.chain[0]
    }

    /// All certificates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The leaf as CMS names it: `IssuerAndSerialNumber` in DER.
    #[must_use]
    pub fn identifier_der(&self) -> &[u8] {
        &self.identifier
    }

    /// The leaf as RFC 5035 names it: `IssuerSerial` in DER.
    #[must_use]
    pub fn issuer_serial_der(&self) -> &[u8] {
        &self.issuer_serial
    }

    /// The leaf's subject: a `GeneralName` in DER.
    #[must_use]
    pub fn name_der(&self) -> &[u8] {
        &self.name
    }

    /// The last moment at which every certificate is valid.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        Timestamp::from_seconds(self.valid.1)
    }

    /// Returns whether every certificate is valid at `time`, with the resolution of certificates: a second.
    #[must_use]
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.valid.0..=self.valid.1).contains(&time.seconds())
    }

    /// Checks that `token` is a timestamp by this authority.
    ///
    /// 1. [`Self::verify_contents`].
    /// 2. The leaf's key signed the attributes.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), Rejection> {
        self.verify_contents(token)?;
        let signed = write(SET, &[token.signer.attributes]);
        let algorithm = token.signer.algorithm;
        // The signature must use the hash that the signer names for the attributes.
        if algorithm.hash().is_some_and(|hash| hash != token.signer.hash) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let verdict = algorithm.verify(self.leaf().public_key(), &signed, token.signer.signature);
        verdict.map_err(|_| Rejection::TimestampSignature)
    }

    /// As [`Self::verify`] without the signature. Only for an authority that has just made the token.
    ///
    /// 1. The attributes have the hash of the contents.
    /// 2. The named signer, the certificate whose hash is signed, and the named authority, if any, are the leaf.
    /// 3. If the token has certificates, the leaf is one of them.
    /// 4. The whole chain is valid at the time of the token.
    pub fn verify_contents(&self, token: &Token<'_>) -> Result<(), Rejection> {
        let signer = &token.signer;
        let Attested { message_digest, certificate, also } = signer.attested;
        if signer.hash.digest(token.info_der) != message_digest {
            return Err(Rejection::TimestampDigest);
        }
        let leaf = self.leaf().der();
        let is_leaf = signer.identifier == self.identifier
            && self.is_named_by(&certificate)
            && also.is_none_or(|certificate| self.is_named_by(&certificate))
            && token.info().authority.is_none_or(|given| given == self.name)
            && (token.certificates.is_empty() || token.certificates.contains(&leaf));
        if !is_leaf {
            return Err(Rejection::TimestampSigner);
        }
        if self.is_valid_at(token.info().time) { Ok(()) } else { Err(Rejection::TimestampTime) }
    }

    /// Returns whether the leaf is this certificate.
    fn is_named_by(&self, certificate: &CertificateIdentifier<'_>) -> bool {
        let CertificateIdentifier { function, hash, issuer_serial } = certificate;
        self.leaf_hashes.iter().any(|(known, own)| known == function && own == *hash)
            && issuer_serial.is_none_or(|given| given == self.issuer_serial)
    }
}

/// An authority whose issuers are known, but not its leaf: each token contains the certificate that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuers(Vec<Certificate>);

impl Issuers {
    /// Checks the issuers as in [`Authority::anchored`]. The certificate that issues leaves is first, the trusted
    /// anchor last.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, Rejection> {
        chain::verify_issuers(&issuers, ID_KP_TIME_STAMPING)?;
        Ok(Self(issuers))
    }

    /// Returns the authority that made `token`, if these issuers issued its certificate.
    ///
    /// The certificate is the one whose hash the token's signature covers, not simply the first in the token. The token
    /// is not verified here: [`Authority::verify`] does that.
    ///
    /// # Errors
    /// [`Rejection::TimestampSigner`] if the token does not contain the certificate, or another issuer issued it.
    /// Otherwise as [`Authority::anchored`].
    pub fn signer(&self, token: &Token<'_>) -> Result<Authority, Rejection> {
        let named = token.signer.attested.certificate;
        let der = token.certificates.iter().find(|der| named.is_of(der));
        let leaf = Certificate::from_der(der.ok_or(Rejection::TimestampSigner)?)?;
        let chain = std::iter::once(leaf).chain(self.0.iter().cloned()).collect();
        Authority::below(chain).map_err(|rejection| match rejection {
            Rejection::ChainName | Rejection::ChainSignature => Rejection::TimestampSigner,
            other => other,
        })
    }
}

fn verify_leaf(leaf: &Certificate) -> Result<(), Rejection> {
    let usage = leaf.extension(ID_CE_EXT_KEY_USAGE).ok_or(Rejection::ChainUsage)?;
    let signs = leaf.decode::<KeyUsage>()?.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation());
    if !usage.critical || usage.extn_value.as_bytes() != EXTENDED_KEY_USAGE_VALUE || !signs {
        return Err(Rejection::ChainUsage);
    }
    match leaf.decode::<BasicConstraints>()? {
        Some(constraints) if constraints.ca => Err(Rejection::ChainUsage),
        _ => Ok(()),
    }
}
