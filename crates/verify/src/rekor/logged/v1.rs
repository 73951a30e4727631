//! Logged specs of Rekor v1's entry types.

use super::{DigestOf, LoggedSignature, LoggedSigner, Parts, malformed};
use crate::certificate::MAX_CHAIN;
use crate::rekor::dsse::decode_either;
use crate::rekor::{KeyFormat, base64_decode, parse_spec};
use crate::{HashAlgorithm, Rejection, pem};
use serde::Deserialize;
use std::borrow::Cow;

/// Maximum signatures of an entry: more than any log accepts.
const MAX_SIGNATURES: usize = 32;

#[derive(Deserialize)]
struct LoggedHash<'a> {
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

impl LoggedHash<'_> {
    /// Parses the hash. The value may be in upper or lower case, as the client sent it.
    fn read(&self) -> Result<(HashAlgorithm, Vec<u8>), Rejection> {
        let algorithm = HashAlgorithm::from_name(&self.algorithm).ok_or(Rejection::EntryHash)?;
        let digest = hex::decode(&*self.value).map_err(|_| Rejection::EntryHash)?;
        if digest.len() == algorithm.size_bytes() { Ok((algorithm, digest)) } else { Err(Rejection::EntryHash) }
    }
}

/// Parses a key or certificate: base64 of PEM. In a chain, the first certificate is the signer's.
fn signer(text: &str) -> Result<LoggedSigner, Rejection> {
    let malformed = |_| Rejection::EntryMalformed { field: "publicKey" };
    let blocks = pem::decode_all(&base64_decode(text).map_err(malformed)?, MAX_CHAIN).map_err(malformed)?;
    let mut blocks = blocks.into_iter();
    match blocks.next() {
        Some(first) if first.label == pem::CERTIFICATE && blocks.all(|block| block.label == pem::CERTIFICATE) => {
            Ok(LoggedSigner::Certificate(first.der))
        }
        Some(only) if only.label == pem::PUBLIC_KEY && blocks.next().is_none() => Ok(LoggedSigner::PublicKey(only.der)),
        _ => Err(Rejection::EntryMalformed { field: "publicKey" }),
    }
}

#[derive(Deserialize)]
struct HashedRekord<'a> {
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(borrow)]
    signature: Signature<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    hash: LoggedHash<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signature<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    public_key: Key<'a>,
}

#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

pub(super) fn hashedrekord(spec: &str) -> Result<Parts, Rejection> {
    let HashedRekord { data, signature } = parse_spec(spec)?;
    signed_hash(&data, &signature.content, &signature.public_key)
}

/// A signature over an artifact of which the hash is logged.
fn signed_hash(data: &Data<'_>, signature: &str, key: &Key<'_>) -> Result<Parts, Rejection> {
    let signature = base64_decode(signature).map_err(malformed("signature"))?;
    let signature = LoggedSignature { signature: Some(signature), signer: signer(&key.content)? };
    Ok(Parts {
        digest_of: DigestOf::Signed,
        digest: data.hash.read()?,
        payload_type: None,
        signatures: vec![signature],
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse<'a> {
    #[serde(borrow)]
    payload_hash: LoggedHash<'a>,
    #[serde(borrow)]
    signatures: Vec<DsseSignature<'a>>,
}

#[derive(Deserialize)]
struct DsseSignature<'a> {
    #[serde(borrow)]
    signature: Cow<'a, str>,
    #[serde(borrow)]
    verifier: Cow<'a, str>,
}

pub(super) fn dsse(spec: &str) -> Result<Parts, Rejection> {
    let spec: Dsse<'_> = parse_spec(spec)?;
    bounded(spec.signatures.len())?;
    let signatures = spec.signatures.iter().map(|logged| {
        let signature = decode_either(&logged.signature).map_err(malformed("signature"))?;
        Ok(LoggedSignature { signature: Some(signature), signer: signer(&logged.verifier)? })
    });
    Ok(Parts {
        digest_of: DigestOf::Payload,
        digest: spec.payload_hash.read()?,
        payload_type: None,
        signatures: signatures.collect::<Result<_, Rejection>>()?,
    })
}

fn bounded(signatures: usize) -> Result<(), Rejection> {
    if signatures <= MAX_SIGNATURES {
        Ok(())
    } else {
        Err(Rejection::EntryTooMany { what: "signatures", limit: MAX_SIGNATURES })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoV001<'a> {
    #[serde(borrow)]
    content: IntotoV001Content<'a>,
    #[serde(borrow)]
    public_key: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoV001Content<'a> {
    #[serde(borrow)]
    payload_hash: LoggedHash<'a>,
}

pub(super) fn intoto_v001(spec: &str) -> Result<Parts, Rejection> {
    let spec: IntotoV001<'_> = parse_spec(spec)?;
    let signature = LoggedSignature { signature: None, signer: signer(&spec.public_key)? };
    Ok(Parts {
        digest_of: DigestOf::Payload,
        digest: spec.content.payload_hash.read()?,
        payload_type: None,
        signatures: vec![signature],
    })
}

#[derive(Deserialize)]
struct IntotoV002<'a> {
    #[serde(borrow)]
    content: IntotoV002Content<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoV002Content<'a> {
    #[serde(borrow)]
    envelope: IntotoEnvelope<'a>,
    #[serde(borrow)]
    payload_hash: LoggedHash<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoEnvelope<'a> {
    #[serde(borrow)]
    payload_type: Cow<'a, str>,
    #[serde(borrow)]
    signatures: Vec<IntotoSignature<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignature<'a> {
    #[serde(borrow)]
    public_key: Cow<'a, str>,
    #[serde(borrow)]
    sig: Cow<'a, str>,
}

pub(super) fn intoto_v002(spec: &str) -> Result<Parts, Rejection> {
    let spec: IntotoV002<'_> = parse_spec(spec)?;
    let envelope = spec.content.envelope;
    bounded(envelope.signatures.len())?;
    let signatures = envelope.signatures.iter().map(|logged| {
        // Base64 of the envelope's value, which is base64 already.
        let text = base64_decode(&logged.sig).map_err(malformed("signature"))?;
        let text = str::from_utf8(&text).map_err(malformed("signature"))?;
        let signature = decode_either(text).map_err(malformed("signature"))?;
        Ok(LoggedSignature { signature: Some(signature), signer: signer(&logged.public_key)? })
    });
    let signatures = signatures.collect::<Result<_, Rejection>>()?;
    Ok(Parts {
        digest_of: DigestOf::Payload,
        digest: spec.content.payload_hash.read()?,
        payload_type: Some(envelope.payload_type.into_owned()),
        signatures,
    })
}

#[derive(Deserialize)]
struct Rekord<'a> {
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(borrow)]
    signature: RekordSignature<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RekordSignature<'a> {
    format: KeyFormat,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    public_key: Key<'a>,
}

/// A `rekord` with a key of X.509, which signs the SHA-256 of the artifact.
pub(super) fn rekord(spec: &str) -> Result<Parts, Rejection> {
    let Rekord { data, signature } = parse_spec(spec)?;
    if signature.format != KeyFormat::X509 {
        return Err(Rejection::EntryKind);
    }
    signed_hash(&data, &signature.content, &signature.public_key)
}

/// A signed artifact of `rekord` or `jar`.
#[derive(Deserialize)]
struct Artifact<'a> {
    #[serde(borrow)]
    signature: ArtifactSignature<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactSignature<'a> {
    format: Option<KeyFormat>,
    #[serde(borrow)]
    public_key: Key<'a>,
}

/// A package of `alpine`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(borrow)]
    public_key: Key<'a>,
}

/// A message of `cose`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow)]
    public_key: Cow<'a, str>,
}

/// The one signer of an entry of `rekord`, `jar`, `alpine` or `cose`.
pub(super) fn only_signer(kind: &str, spec: &str) -> Result<LoggedSigner, Rejection> {
    match kind {
        "cose" => signer(&parse_spec::<Message<'_>>(spec)?.public_key),
        "alpine" => signer(&parse_spec::<Package<'_>>(spec)?.public_key.content),
        _ => {
            let ArtifactSignature { format, public_key } = parse_spec::<Artifact<'_>>(spec)?.signature;
            match format.unwrap_or_default() {
                KeyFormat::X509 => signer(&public_key.content),
                _ => Err(Rejection::EntryKind),
            }
        }
    }
}
