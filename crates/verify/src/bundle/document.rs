//! Sigstore's bundle, versions 0.1 to 0.3.
//!
//! The steps of [`parse`]:
//!
//! 1. The size is checked, then strict JSON is parsed.
//! 2. The media type gives the version.
//! 3. The signer's material: a key or a certificate, in the form of the version.
//! 4. The content: a message signature or an envelope.
//! 5. Log entries, each with the fields that the version requires.
//! 6. Timestamps.
//! 7. There is no other member, at any level.

use super::limits::{
    MAX_BUNDLE_BYTES, MAX_ENTRIES, MAX_NAME_BYTES, MAX_SIGNATURE_BYTES, MAX_TIMESTAMP_BYTES, MAX_TIMESTAMPS,
};
use super::signer::{Root, leaf_of};
use super::{Bundle, Content, Envelope, Form, Material, TransparencyLogEntry};
use crate::certificate::{Certificate, MAX_CHAIN};
use crate::protojson::strict::{Format, Node, Object};
use crate::{HashAlgorithm, Refusal, Rejection, Step};

/// The rejections for bundles.
pub(super) static FORMAT: Format = Format {
    malformed: Rejection::BundleMalformed,
    missing: Rejection::BundleMissing,
    too_many: |what, limit| Rejection::BundleTooMany { what, limit },
};

/// Maximum JSON values in a bundle. 32 entries with 63 hashes each need a twentieth of it.
pub(super) const MAX_VALUES: usize = 1 << 16;
/// Maximum bytes of a certificate. The certificate's parser has the same limit.
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// All media types of bundles.
const MEDIA_TYPES: [(&str, Form); 6] = [
    ("application/vnd.dev.sigstore.bundle.v0.3+json", Form::V03),
    ("application/vnd.dev.sigstore.bundle+json;version=0.3", Form::V03),
    ("application/vnd.dev.sigstore.bundle+json;version=0.2", Form::V02),
    ("application/vnd.dev.sigstore.bundle.v0.2+json", Form::V02),
    ("application/vnd.dev.sigstore.bundle+json;version=0.1", Form::V01),
    ("application/vnd.dev.sigstore.bundle.v0.1+json", Form::V01),
];

/// Checks the size of a document, and parses its outer object.
pub(super) fn open(json: &[u8]) -> Result<Object, Refusal> {
    if json.len() > MAX_BUNDLE_BYTES {
        let refusal = Refusal::new(Rejection::BundleTooLarge { limit: MAX_BUNDLE_BYTES }, Step::Formats);
        return Err(refusal.expected(format!("at most {MAX_BUNDLE_BYTES} bytes"), json.len().to_string()));
    }
    FORMAT.document(json, MAX_VALUES)
}

pub(super) fn parse(json: &[u8], allow_chain: bool) -> Result<Bundle, Refusal> {
    let mut document = open(json)?;
    let form = media_type(&mut document)?;
    let mut evidence = document.require("verificationMaterial")?.object()?;
    let material = material(&mut evidence, form, allow_chain)?;
    let content = content(&mut document)?;
    let entries = entries(&mut evidence, form)?;
    let timestamps = timestamps(&mut evidence)?;
    evidence.finish()?;
    document.finish()?;
    same_key(&material, &content)?;
    Ok(Bundle { form, material, content, entries, timestamps, timestamped: None })
}

fn media_type(document: &mut Object) -> Result<Form, Refusal> {
    let place = document.refuse("mediaType", Rejection::BundleMediaType);
    let node = document.take("mediaType").ok_or_else(|| place.clone().expected("a media type", "none"))?;
    let text = node.string(MAX_NAME_BYTES)?;
    let known = MEDIA_TYPES.iter().find(|(name, _)| *name == text);
    known.map(|(_, form)| *form).ok_or_else(|| place.expected("a bundle of version 0.1, 0.2 or 0.3", text))
}

/// Takes the one member among `names`. Refuses a second one, and none.
fn one_of(object: &mut Object, names: &[&'static str]) -> Result<(&'static str, Node), Refusal> {
    let mut given = names.iter().filter_map(|name| object.take(name).map(|node| (*name, node))).collect::<Vec<_>>();
    match (given.pop(), given.pop()) {
        (Some(only), None) => Ok(only),
        (Some((second, node)), Some((first, _))) => {
            Err(node.refuse(Rejection::BundleAmbiguous).expected(format!("only {first}"), format!("{second}, too")))
        }
        (None, _) => {
            let expected = format!("one of {}", names.join(", "));
            Err(object.refuse(names.first().unwrap_or(&""), Rejection::BundleMissing).expected(expected, "none"))
        }
    }
}

fn material(evidence: &mut Object, form: Form, allow_chain: bool) -> Result<Material, Refusal> {
    let (name, node) = one_of(evidence, &["certificate", "x509CertificateChain", "publicKey"])?;
    let wrong_version = match name {
        "certificate" => form < Form::V03,
        "x509CertificateChain" => form == Form::V03 && !allow_chain,
        _ => false,
    };
    if wrong_version {
        let refusal = node.refuse(Rejection::BundleVersion);
        return Err(refusal.expected(format!("a field of version {}", form.name()), name));
    }
    let path = node.path().to_owned();
    let mut object = node.object()?;
    let material = match name {
        "certificate" => Material::Certificate(Box::new(raw_certificate(&mut object, &path)?)),
        "x509CertificateChain" => {
            let mut chain = Vec::new();
            for element in object.list("certificates", "certificates", MAX_CHAIN)? {
                let path = element.path().to_owned();
                let mut element = element.object()?;
                chain.push(raw_certificate(&mut element, &path)?);
                element.finish()?;
            }
            let root = if form == Form::V01 { Root::Tolerated } else { Root::Refused };
            Material::Certificate(Box::new(leaf_of(chain, root, &format!("{path}.certificates"))?))
        }
        _ => Material::PublicKey { hint: optional(object.string("hint", MAX_NAME_BYTES)?) },
    };
    object.finish()?;
    Ok(material)
}

fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn raw_certificate(object: &mut Object, path: &str) -> Result<Certificate, Refusal> {
    let der = object.content("rawBytes", MAX_CERTIFICATE_BYTES)?;
    Certificate::from_der(&der)
        .map_err(|rejection| Refusal::new(rejection, Step::Formats).at(format!("{path}.rawBytes")))
}

fn content(document: &mut Object) -> Result<Content, Refusal> {
    let (name, node) = one_of(document, &["messageSignature", "dsseEnvelope"])?;
    if name == "dsseEnvelope" {
        return Ok(Content::Envelope(Envelope::read(node.object()?)?));
    }
    let mut message = node.object()?;
    let digest = message.take("messageDigest").map(digest).transpose()?;
    let signature = message.content("signature", MAX_SIGNATURE_BYTES)?;
    message.finish()?;
    Ok(Content::Message { digest, signature })
}

fn digest(node: Node) -> Result<(HashAlgorithm, Vec<u8>), Refusal> {
    let mut object = node.object()?;
    let node = object.require("algorithm").map_err(|refusal| malformed(&refusal, "the name of a hash algorithm"))?;
    let (unknown, unsupported) = (node.unlike("SHA2_256, SHA2_384 or SHA2_512"), Rejection::AlgorithmNotAllowed);
    let unsupported = node.refuse(unsupported).expected("SHA2_256, SHA2_384 or SHA2_512", "SHA-3");
    let algorithm = match node.string(MAX_NAME_BYTES)?.as_str() {
        "SHA2_256" => HashAlgorithm::Sha256,
        "SHA2_384" => HashAlgorithm::Sha384,
        "SHA2_512" => HashAlgorithm::Sha512,
        "SHA3_256" | "SHA3_384" => return Err(unsupported),
        _ => return Err(unknown),
    };
    let node = object.require("digest").map_err(|refusal| malformed(&refusal, "a digest"))?;
    let wrong = node.unlike(format!("a digest of {} bytes", algorithm.size_bytes()));
    let value = node.bytes(64)?;
    object.finish()?;
    if value.len() == algorithm.size_bytes() { Ok((algorithm, value)) } else { Err(wrong) }
}

/// A digest without algorithm or value is malformed, not missing.
fn malformed(missing: &Refusal, expected: &str) -> Refusal {
    Refusal::new(Rejection::BundleMalformed, Step::Formats).at(missing.path()).expected(expected, "none")
}

fn entries(evidence: &mut Object, form: Form) -> Result<Vec<TransparencyLogEntry>, Refusal> {
    let mut entries: Vec<TransparencyLogEntry> = Vec::new();
    for node in evidence.list("tlogEntries", "log entries", MAX_ENTRIES)? {
        let duplicate = node.refuse(Rejection::LogDuplicate);
        let entry = TransparencyLogEntry::read(node, form)?;
        if entries.iter().any(|known| (known.log_id, known.log_index) == (entry.log_id, entry.log_index)) {
            return Err(duplicate.expected("another log or index", entry.log_index.to_string()));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn timestamps(evidence: &mut Object) -> Result<Vec<Vec<u8>>, Refusal> {
    let Some(node) = evidence.take("timestampVerificationData") else { return Ok(Vec::new()) };
    let mut data = node.object()?;
    let mut timestamps = Vec::new();
    for node in data.list("rfc3161Timestamps", "timestamps", MAX_TIMESTAMPS)? {
        let duplicate = node.refuse(Rejection::BundleDuplicate);
        let mut object = node.object()?;
        let timestamp = object.content("signedTimestamp", MAX_TIMESTAMP_BYTES)?;
        object.finish()?;
        if timestamps.contains(&timestamp) {
            return Err(duplicate.expected("another timestamp", "the same one"));
        }
        timestamps.push(timestamp);
    }
    data.finish()?;
    Ok(timestamps)
}

/// Checks that the hint and the envelope's key id, if both are given, are the same.
fn same_key(material: &Material, content: &Content) -> Result<(), Refusal> {
    match (material, content) {
        (Material::PublicKey { hint: Some(hint) }, Content::Envelope(Envelope { keyid: Some(keyid), .. }))
            if hint != keyid =>
        {
            let refusal = Refusal::new(Rejection::BundleKeyHint, Step::Formats);
            Err(refusal.at("verificationMaterial.publicKey.hint").expected(crate::shown(keyid), hint))
        }
        _ => Ok(()),
    }
}
