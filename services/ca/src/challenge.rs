//! The public key of a request, and the proof that the caller holds its private key.
//!
//! Two forms: a public key with a signature over the caller's name (proof of possession), or a signing request that
//! signs itself. Only the key of a signing request is used. Pure. The formats are Fulcio's, which are lenient.

use crate::{ClientAlgorithms, Error};
use chancery_verify::certificate::{Request, SignatureAlgorithm};
use chancery_verify::key::KeyKind;
use chancery_verify::{HashAlgorithm, PublicKey, Rejection, pem};

/// PEM label of a PKCS#1 key.
const RSA_PUBLIC_KEY: &str = "RSA PUBLIC KEY";
/// PEM labels of a signing request.
const REQUEST_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// The key material that a caller sends beside the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRequest {
    /// A key and a signature.
    Possession {
        /// The key: PEM (PKIX or PKCS#1) or DER.
        public_key: Vec<u8>,
        /// Signature over the caller's name.
        proof: Vec<u8>,
    },
    /// A PKCS#10 signing request in PEM.
    SigningRequest(Vec<u8>),
}

/// Reads the key, refuses weak ones, and checks that the caller holds it. The signature must be over one of
/// `challenges`. A signing request needs none: its signature over itself is the proof. A kind of key that is not
/// `permitted` is refused before any signature is verified.
pub fn verify(request: &KeyRequest, challenges: &[String], permitted: &ClientAlgorithms) -> Result<PublicKey, Error> {
    match request {
        KeyRequest::Possession { public_key, proof } => verify_possession(public_key, proof, challenges, permitted),
        KeyRequest::SigningRequest(text) => verify_signing_request(text, permitted),
    }
}

fn verify_possession(
    public_key: &[u8],
    proof: &[u8],
    challenges: &[String],
    permitted: &ClientAlgorithms,
) -> Result<PublicKey, Error> {
    let key = parse_key(public_key).map_err(|rejection| match rejection {
        Rejection::KeyWeak | Rejection::KeyUnsupported => Error::KeyInsecure,
        other => Error::KeyMalformed(other),
    })?;
    let algorithm = SignatureAlgorithm::for_key(key.kind());
    verify_permitted(key.kind(), algorithm, permitted)?;
    let proven = challenges.iter().any(|challenge| key.verify_either(challenge.as_bytes(), proof).is_ok());
    if proven { Ok(key) } else { Err(Error::Possession) }
}

fn parse_key(key: &[u8]) -> Result<PublicKey, Rejection> {
    // DER starts with a SEQUENCE; no text starts with that byte.
    if key.first() == Some(&0x30) {
        return PublicKey::from_spki_der(key)
            .or_else(|rejection| PublicKey::from_pkcs1_der(key).map_err(|_| rejection));
    }
    let block = pem::decode(key)?;
    match block.label.as_str() {
        pem::PUBLIC_KEY => PublicKey::from_spki_der(&block.der),
        RSA_PUBLIC_KEY => PublicKey::from_pkcs1_der(&block.der),
        _ => Err(Rejection::Pem),
    }
}

fn verify_signing_request(text: &[u8], permitted: &ClientAlgorithms) -> Result<PublicKey, Error> {
    let block = pem::decode(text).map_err(Error::RequestMalformed)?;
    if !REQUEST_LABELS.contains(&block.label.as_str()) {
        return Err(Error::RequestMalformed(Rejection::Pem));
    }
    let request = Request::from_der(&block.der).map_err(|rejection| match rejection {
        Rejection::KeyWeak | Rejection::KeyUnsupported => Error::KeyInsecure,
        other => Error::RequestMalformed(other),
    })?;
    let algorithm = request
        .signature_algorithm()
        .map_err(|_| Error::RequestAlgorithm { name: algorithm_name(&request.signature_oid().to_string()) })?;
    request.verify().map_err(|_| Error::Possession)?;
    verify_permitted(request.public_key().kind(), algorithm, permitted)?;
    Ok(request.public_key().clone())
}

/// Returns the client's signature algorithm. The pair of key and hash must be in Fulcio's registry, and permitted.
fn verify_permitted(kind: KeyKind, algorithm: SignatureAlgorithm, permitted: &ClientAlgorithms) -> Result<(), Error> {
    if algorithm == SignatureAlgorithm::for_key(kind) && permitted.permit(kind) {
        Ok(())
    } else {
        Err(Error::AlgorithmNotPermitted { key: key_name(kind), hash: hash_name(algorithm.hash()) })
    }
}

/// Go's name, by object identifier, of a signature algorithm that is not accepted.
fn algorithm_name(oid: &str) -> &'static str {
    match oid {
        "1.2.840.113549.1.1.4" => "MD5-RSA",
        "1.2.840.113549.1.1.5" => "SHA1-RSA",
        "1.2.840.113549.1.1.10" => "SHA256-RSAPSS",
        "1.2.840.10040.4.3" => "DSA-SHA1",
        "1.2.840.10045.4.1" => "ECDSA-SHA1",
        _ => "0",
    }
}

/// Go's name of a key's type.
const fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => "*ecdsa.PublicKey",
        KeyKind::Rsa(_) => "*rsa.PublicKey",
        KeyKind::Ed25519 => "ed25519.PublicKey",
    }
}

/// Go's name of a hash.
const fn hash_name(hash: Option<HashAlgorithm>) -> &'static str {
    match hash {
        Some(HashAlgorithm::Sha256) => "SHA-256",
        Some(HashAlgorithm::Sha384) => "SHA-384",
        Some(HashAlgorithm::Sha512) => "SHA-512",
        None => "unknown hash value 0",
    }
}
