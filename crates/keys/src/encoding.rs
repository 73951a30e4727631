//! Public keys and signatures in the forms that key services have for them.

use crate::refused;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_daemon::signer::SignerError;
use chancery_verify::PublicKey;
use der::asn1::{AnyRef, BitString, ObjectIdentifier, UintRef};
use der::{Encode as _, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfo};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// What a service has said is no public key or signature.
fn malformed(what: &str) -> SignerError {
    refused(format_args!("the service answered with a malformed {what}"))
}

/// Decodes a field of JSON.
pub(crate) fn base64(text: &str, what: &str) -> Result<Vec<u8>, SignerError> {
    STANDARD.decode(text).map_err(|_| malformed(what))
}

/// Encodes a field of JSON.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The key on the curve that `parameters` (an encoded OID) name, whose point is uncompressed in `point`.
pub(crate) fn ec_key(parameters: &[u8], point: &[u8]) -> Result<PublicKey, SignerError> {
    let parameters = AnyRef::try_from(parameters).map_err(|_| malformed("curve"))?;
    key(AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(parameters) }, point)
}

/// The key with this modulus and exponent, both big-endian.
pub(crate) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, SignerError> {
    #[derive(Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        exponent: UintRef<'a>,
    }
    let encode = || RsaPublicKey { modulus: UintRef::new(modulus)?, exponent: UintRef::new(exponent)? }.to_der();
    let encoded = encode().map_err(|_| malformed("RSA key"))?;
    key(AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) }, &encoded)
}

fn key(algorithm: AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Result<PublicKey, SignerError> {
    let encode = || {
        let subject_public_key = BitString::from_bytes(bits)?;
        SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der()
    };
    Ok(PublicKey::from_spki_der(&encode().map_err(|_: der::Error| malformed("public key"))?)?)
}

/// An ECDSA signature in DER, from `r‖s` of equal length.
pub(crate) fn ecdsa_der(fixed: &[u8]) -> Result<Vec<u8>, SignerError> {
    #[derive(Sequence)]
    struct EcdsaSignature<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    if fixed.is_empty() || fixed.len() % 2 != 0 {
        return Err(malformed("signature"));
    }
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let encode = || EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der();
    encode().map_err(|_: der::Error| malformed("signature"))
}
