//! Logged specs of Rekor v2's entry types, and their leaves rebuilt from a signature.

use super::{DigestOf, LoggedSignature, LoggedSigner, Parts, Signed, Signer, malformed};
use crate::key::KeyKind;
use crate::rekor::v2::{VerifierKey, unverified_dsse, unverified_hashedrekord};
use crate::rekor::{Body, base64_decode, parse_spec};
use crate::{HashAlgorithm, Rejection};
use serde::Deserialize;
use std::borrow::Cow;

/// Returns the leaf of a `hashedrekord` about `signed`.
pub(super) fn rebuild_hashedrekord(signed: &Signed<'_>) -> Result<Body, Rejection> {
    let (hash, digest) = signed.digest.ok_or(Rejection::AlgorithmNotAllowed)?;
    unverified_hashedrekord(hash, digest, signed.signature, verifier(&signed.signer))
}

/// Returns the leaf of a `dsse` about `signed`.
pub(super) fn rebuild_dsse(signed: &Signed<'_>) -> Result<Body, Rejection> {
    let (_, payload) = signed.envelope.ok_or(Rejection::EntryMismatch { field: "kind" })?;
    unverified_dsse(payload, signed.signature, verifier(&signed.signer), signed.digest.is_some())
}

fn verifier(signer: &Signer<'_>) -> (VerifierKey, KeyKind) {
    let key = match signer {
        Signer::Certificate(certificate) => VerifierKey::Certificate(certificate.der().to_vec()),
        Signer::PublicKey(key) => VerifierKey::PublicKey(key.spki_der().to_vec()),
    };
    (key, signer.key().kind())
}

#[derive(Deserialize)]
struct HashedRekordSpec<'a> {
    #[serde(rename = "hashedRekordV002", borrow)]
    entry: HashedRekord<'a>,
}

#[derive(Deserialize)]
struct HashedRekord<'a> {
    #[serde(borrow)]
    data: LoggedHash<'a>,
    #[serde(borrow)]
    signature: Signature<'a>,
}

#[derive(Deserialize)]
struct DsseSpec<'a> {
    #[serde(rename = "dsseV002", borrow)]
    entry: Dsse<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse<'a> {
    #[serde(borrow)]
    payload_hash: LoggedHash<'a>,
    #[serde(borrow)]
    signatures: Vec<Signature<'a>>,
}

#[derive(Deserialize)]
struct LoggedHash<'a> {
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Signature<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    verifier: Verifier<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier<'a> {
    #[serde(borrow)]
    public_key: Option<RawBytes<'a>>,
    #[serde(borrow)]
    x509_certificate: Option<RawBytes<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes<'a> {
    #[serde(borrow)]
    raw_bytes: Cow<'a, str>,
}

impl LoggedHash<'_> {
    fn read(&self) -> Result<(HashAlgorithm, Vec<u8>), Rejection> {
        let algorithm = match &*self.algorithm {
            "SHA2_256" => HashAlgorithm::Sha256,
            "SHA2_384" => HashAlgorithm::Sha384,
            "SHA2_512" => HashAlgorithm::Sha512,
            _ => return Err(Rejection::EntryHash),
        };
        Ok((algorithm, base64_decode(&self.digest).map_err(|_| Rejection::EntryHash)?))
    }
}

impl Signature<'_> {
    fn read(&self) -> Result<LoggedSignature, Rejection> {
        let key = |bytes: &RawBytes<'_>| base64_decode(&bytes.raw_bytes).map_err(malformed("publicKey"));
        let signer = match (&self.verifier.public_key, &self.verifier.x509_certificate) {
            (Some(bytes), None) => LoggedSigner::PublicKey(key(bytes)?),
            (None, Some(bytes)) => LoggedSigner::Certificate(key(bytes)?),
            _ => return Err(Rejection::EntryMalformed { field: "publicKey" }),
        };
        Ok(LoggedSignature { signature: Some(base64_decode(&self.content).map_err(malformed("signature"))?), signer })
    }
}

pub(super) fn hashedrekord(spec: &str) -> Result<Parts, Rejection> {
    let HashedRekordSpec { entry } = parse_spec(spec)?;
    let signatures = vec![entry.signature.read()?];
    Ok(Parts { digest_of: DigestOf::Signed, digest: entry.data.read()?, payload_type: None, signatures })
}

pub(super) fn dsse(spec: &str) -> Result<Parts, Rejection> {
    let DsseSpec { entry } = parse_spec(spec)?;
    let signatures = entry.signatures.iter().map(Signature::read).collect::<Result<_, _>>()?;
    Ok(Parts { digest_of: DigestOf::Payload, digest: entry.payload_hash.read()?, payload_type: None, signatures })
}
