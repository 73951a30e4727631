//! `cose` 0.0.1: a COSE message with one signature (`COSE_Sign1`, RFC 9052). Its hash, that of its payload, and the key
//! are logged.
//!
//! As upstream, a message has its tag, and is signed with ES256 by a key on P-256 or with PS256 by an RSA key.

mod cbor;

use super::{non_empty, required};
use crate::hash::sha256;
use crate::key::KeyKind;
use crate::rekor::dsse::CanonicalHash;
use crate::rekor::verifier::Verifier;
use crate::rekor::{Admission, EntryKind, base64_decode, parse_spec};
use crate::{Hash, HashAlgorithm, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cbor::{Item, Reader};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Tag 18, and an array of four.
const PREFIX: &[u8] = &[0xd2, 0x84];
const ES256: i64 = -7;
const PS256: i64 = -37;

const MALFORMED: Rejection = Rejection::EntryPackage { fault: "it is not a COSE_Sign1 with its tag" };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    /// Data that the signature is over and that is not in the message.
    #[serde(borrow)]
    aad: Option<Cow<'a, str>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec {
    data: CanonicalData,
    public_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalData {
    envelope_hash: CanonicalHash<'static>,
    payload_hash: CanonicalHash<'static>,
}

/// Checks a proposal: (1) no field is missing, (2) the key parses, (3) the message parses, (4) the key made its signature.
pub(super) fn admit(spec: &str) -> Result<Admission, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1)
    let key = base64_decode(required(spec.public_key.as_deref(), "publicKey")?)?;
    let data = spec.data.ok_or(Rejection::EntryMissing { field: "data" })?;
    let message = non_empty(spec.message.as_deref());
    let bytes = base64_decode(message.ok_or(Rejection::EntryNotInsertable { field: "COSE Sign1 message" })?)?;
    let aad = base64_decode(data.aad.as_deref().unwrap_or_default())?;
    // (2)
    let verifier = Verifier::parse(&key)?;
    // (3)
    let message = Message::parse(&bytes)?;
    // (4)
    message.verify(&verifier, &aad)?;
    let body = EntryKind::Cose.body(&CanonicalSpec {
        data: CanonicalData {
            envelope_hash: CanonicalHash::of(&bytes),
            payload_hash: CanonicalHash::of(message.payload),
        },
        public_key: STANDARD.encode(verifier.canonical_pem),
    })?;
    Ok(Admission { body, attestation: Some(bytes) })
}

/// The SHA-256 of the payload that the key of an entry has signed, in the message that the log keeps beside it. The hash of
/// the message is the one in the entry.
///
/// An entry does not say whether the signature is also over data beside the message. So one that does not verify says
/// nothing.
pub(super) fn verified(spec: &str, message: Option<&[u8]>) -> Result<Hash, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    let key = base64_decode(required(spec.public_key.as_deref(), "publicKey")?)?;
    let unverifiable = |missing| Rejection::EntryUnverifiable { missing };
    let bytes = message.ok_or(unverifiable("it is over the message, of which only hashes are logged"))?;
    let message = Message::parse(bytes)?;
    let beside = "it may also be over data beside the message, which is not logged";
    message.verify(&Verifier::parse(&key)?, &[]).map_err(|_| unverifiable(beside))?;
    Ok(sha256(message.payload))
}

/// A message. Its signature is not verified.
pub(in crate::rekor) struct Message<'a> {
    protected: &'a [u8],
    header: Header,
    pub(in crate::rekor) payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Message<'a> {
    pub(in crate::rekor) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        Self::read(bytes.strip_prefix(PREFIX).ok_or(MALFORMED)?).ok_or(MALFORMED)
    }

    fn read(fields: &'a [u8]) -> Option<Self> {
        let mut fields = Reader::without_tags(fields);
        let protected = fields.bytes()?;
        let header = if protected.is_empty() {
            Header::default()
        } else {
            let mut reader = Reader::with_tags(protected);
            let header = Header::read(&mut reader, true)?;
            reader.is_finished().then_some(header)?
        };
        Header::read(&mut fields, false)?;
        let (payload, signature) = (fields.bytes()?, fields.bytes()?);
        fields.is_finished().then_some(Self { protected, header, payload, signature })
    }

    /// Checks the signature. The header names its algorithm, or there is data beside the message.
    fn verify(&self, verifier: &Verifier, aad: &[u8]) -> Result<(), Rejection> {
        let key = &verifier.key;
        let algorithm = match key.kind() {
            KeyKind::P256 => ES256,
            KeyKind::Rsa(_) => PS256,
            KeyKind::P384 | KeyKind::P521 | KeyKind::Ed25519 => return Err(Rejection::KeyUnsupported),
        };
        let is_allowed = match self.header.algorithm {
            Some(named) => named == algorithm,
            None => !aad.is_empty(),
        };
        if !is_allowed {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let mut signed = vec![0x84];
        cbor::write_text(&mut signed, "Signature1");
        for bytes in [self.protected, aad, self.payload] {
            cbor::write_bytes(&mut signed, bytes);
        }
        if algorithm == ES256 {
            key.verify_fixed(&signed, self.signature)
        } else {
            key.verify_pss(HashAlgorithm::Sha256, &signed, self.signature)
        }
    }
}

/// What a header says of the message.
#[derive(Default)]
struct Header {
    algorithm: Option<i64>,
}

impl Header {
    /// Reads a header. Labels are numbers or text, and none is repeated. Parameters that are not used are passed over.
    fn read(reader: &mut Reader<'_>, is_protected: bool) -> Option<Self> {
        let Item::Map(length) = reader.item()? else { return None };
        let (mut header, mut labels, mut critical) = (Self::default(), BTreeSet::new(), Vec::new());
        for _ in 0..length {
            let label = Label::of(reader.item()?)?;
            if !labels.insert(label) {
                return None;
            }
            match label {
                Label::Number(1) => match Label::of(reader.item()?)? {
                    Label::Number(algorithm) => header.algorithm = Some(algorithm),
                    Label::Text(_) if is_protected => return None,
                    Label::Text(_) => {}
                },
                Label::Number(2) if is_protected => {
                    let Item::Array(length @ 1..) = reader.item()? else { return None };
                    for _ in 0..length {
                        critical.push(Label::of(reader.item()?)?);
                    }
                }
                Label::Number(2) => return None,
                Label::Number(3) => match reader.item()? {
                    Item::Text(text) if !is_media_type(text) => return None,
                    // Media types may also have numbers.
                    Item::Text(_) | Item::Unsigned(_) => {}
                    _ => return None,
                },
                Label::Number(4..=6) => {
                    reader.bytes()?;
                }
                _ => reader.skip()?,
            }
        }
        critical.iter().all(|label| labels.contains(label)).then_some(header)
    }
}

fn is_media_type(text: &str) -> bool {
    !text.starts_with(' ') && !text.ends_with(' ') && text.matches('/').count() == 1
}

/// The name of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label<'a> {
    Number(i64),
    Text(&'a str),
}

impl<'a> Label<'a> {
    fn of(item: Item<'a>) -> Option<Self> {
        match item {
            Item::Unsigned(number) => i64::try_from(number).ok().map(Self::Number),
            Item::Negative(number) => i64::try_from(number).ok().map(|number| Self::Number(-1 - number)),
            Item::Text(text) => Some(Self::Text(text)),
            _ => None,
        }
    }
}
