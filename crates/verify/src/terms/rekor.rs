//! Bodies of Rekor: where each kind of entry has its digests and keys.
//!
//! Only what is indexed is read, from a table of places. So an entry is found even if a verifier would refuse it, or if
//! its kind cannot be verified here at all: a log is asked for everything that is in it. Of a repeated name in an object
//! the last counts, as in upstream's parser. [`LoggedEntry`] is for bodies that are compared with a signature. Tests
//! compare the two where they read the same.
//!
//! Specification: Rekor's type schemas and its `IndexKeys` of each type; rekor-tiles' protobuf files.
//!
//! [`LoggedEntry`]: crate::rekor::logged::LoggedEntry

use super::entry::Entry;
use super::kind::TermKind;
use super::signer::Signer;
use super::term::Term;
use super::{MAX_BODY_BYTES, MAX_SIGNERS, tuf};
use crate::certificate::MAX_CHAIN;
use crate::rekor::KeyFormat;
use crate::timestamping::Token;
use crate::{HashAlgorithm, Rejection, hash, merkle, pem};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::slice;

/// Where the entries of one kind and version have what is indexed. Places are JSON pointers into the spec.
struct Places {
    kind: &'static str,
    version: &'static str,
    /// Hashes of artifacts.
    artifacts: &'static [&'static str],
    /// Hashes of payloads and envelopes that the log has computed itself. The envelope's hash in an `intoto` 0.0.2 is
    /// only the client's word, so it is no place.
    attestations: &'static [&'static str],
    payload_type: Option<&'static str>,
    signers: Option<Signers>,
    beside: Beside,
}

/// Where the keys are.
struct Signers {
    /// A list, or the spec itself.
    list: Option<&'static str>,
    /// Base64 of the key's text, in an element of the list. In Rekor v2, the object with its DER.
    key: &'static str,
    format: Format,
}

enum Format {
    /// The same in every entry.
    Always(KeyFormat),
    /// Its name is in the spec.
    Named(&'static str),
}

/// What a kind has beside hashes and keys.
enum Beside {
    Nothing,
    /// A timestamp, in base64.
    Timestamp(&'static str),
    /// A signature's text in base64, whose hash upstream indexes as that of a key.
    Signature(&'static str),
    /// TUF metadata, in base64.
    Metadata(&'static str),
}

impl Places {
    const fn of(kind: &'static str, version: &'static str) -> Self {
        Self {
            kind,
            version,
            artifacts: &[],
            attestations: &[],
            payload_type: None,
            signers: None,
            beside: Beside::Nothing,
        }
    }
}

impl Signers {
    /// What has a key each.
    fn elements<'a>(&self, spec: &'a Value) -> &'a [Value] {
        match self.list {
            None => slice::from_ref(spec),
            Some(list) => spec.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    fn format(&self, spec: &Value) -> Option<KeyFormat> {
        match self.format {
            Format::Always(format) => Some(format),
            Format::Named(place) => spec.pointer(place).and_then(Value::as_str).and_then(KeyFormat::from_name),
        }
    }
}

/// One key, in the spec itself.
const fn key(key: &'static str, format: KeyFormat) -> Signers {
    Signers { list: None, key, format: Format::Always(format) }
}

/// A key in each element of a list.
const fn keys(list: &'static str, key: &'static str) -> Signers {
    Signers { list: Some(list), key, format: Format::Always(KeyFormat::X509) }
}

static PLACES: [Places; 14] = [
    Places {
        artifacts: &["/data/hash"],
        signers: Some(key("/signature/publicKey/content", KeyFormat::X509)),
        ..Places::of("hashedrekord", "0.0.1")
    },
    Places {
        artifacts: &["/hashedRekordV002/data"],
        signers: Some(key("/hashedRekordV002/signature/verifier", KeyFormat::X509)),
        ..Places::of("hashedrekord", "0.0.2")
    },
    Places {
        attestations: &["/payloadHash", "/envelopeHash"],
        signers: Some(keys("/signatures", "/verifier")),
        ..Places::of("dsse", "0.0.1")
    },
    Places {
        attestations: &["/dsseV002/payloadHash"],
        signers: Some(keys("/dsseV002/signatures", "/verifier")),
        ..Places::of("dsse", "0.0.2")
    },
    Places {
        attestations: &["/content/payloadHash", "/content/hash"],
        signers: Some(key("/publicKey", KeyFormat::X509)),
        ..Places::of("intoto", "0.0.1")
    },
    Places {
        attestations: &["/content/payloadHash"],
        payload_type: Some("/content/envelope/payloadType"),
        signers: Some(keys("/content/envelope/signatures", "/publicKey")),
        ..Places::of("intoto", "0.0.2")
    },
    Places {
        artifacts: &["/data/hash"],
        signers: Some(Signers {
            list: None,
            key: "/signature/publicKey/content",
            format: Format::Named("/signature/format"),
        }),
        ..Places::of("rekord", "0.0.1")
    },
    Places {
        attestations: &["/data/payloadHash", "/data/envelopeHash"],
        signers: Some(key("/publicKey", KeyFormat::X509)),
        ..Places::of("cose", "0.0.1")
    },
    Places {
        artifacts: &["/package/hash"],
        signers: Some(key("/publicKey/content", KeyFormat::X509)),
        ..Places::of("alpine", "0.0.1")
    },
    Places {
        artifacts: &["/package/hash"],
        signers: Some(key("/publicKey/content", KeyFormat::Pgp)),
        ..Places::of("rpm", "0.0.1")
    },
    Places {
        artifacts: &["/chart/hash"],
        signers: Some(key("/publicKey/content", KeyFormat::Pgp)),
        ..Places::of("helm", "0.0.1")
    },
    Places {
        artifacts: &["/archive/hash"],
        signers: Some(key("/signature/publicKey/content", KeyFormat::X509)),
        beside: Beside::Signature("/signature/content"),
        ..Places::of("jar", "0.0.1")
    },
    Places {
        signers: Some(key("/root/content", KeyFormat::Tuf)),
        beside: Beside::Metadata("/metadata/content"),
        ..Places::of("tuf", "0.0.1")
    },
    Places { beside: Beside::Timestamp("/tsr/content"), ..Places::of("rfc3161", "0.0.1") },
];

impl Entry {
    /// Reads a body of Rekor v1 or v2, of any kind that upstream has.
    ///
    /// # Errors
    /// [`Rejection::EntryTooLarge`], [`Rejection::EntryKind`] for another kind or version, and
    /// [`Rejection::EntryMalformed`] if the body is not the JSON of an entry. A part of the spec that cannot be read is
    /// no error, but among [`Terms::omissions`](super::Terms::omissions).
    pub fn of_rekor(body: &[u8]) -> Result<Self, Rejection> {
        let document = document(body)?;
        let (kind, version, spec) = parts(&document)?;
        let mut entry = Self::new(kind, version, merkle::leaf_hash(body));
        entry.read(places(kind, version)?, spec);
        Ok(entry)
    }

    fn read(&mut self, places: &Places, spec: &Value) {
        for (kind, hashes) in
            [(TermKind::ArtifactDigest, places.artifacts), (TermKind::AttestationDigest, places.attestations)]
        {
            for hash in hashes.iter().filter_map(|place| spec.pointer(place)) {
                match digest(kind, hash) {
                    Some(term) => self.terms.push(term),
                    None => self.omissions.note(Rejection::EntryHash),
                }
            }
        }
        self.read_beside(&places.beside, spec);
        if self.terms.is_empty() {
            self.omissions.note(Rejection::EntryHash);
        }
        self.payload_type = places.payload_type.and_then(|place| spec.pointer(place)?.as_str()).map(str::to_owned);
        if let Some(signers) = &places.signers {
            self.read_signers(signers, spec);
        }
    }

    fn read_beside(&mut self, beside: &Beside, spec: &Value) {
        match beside {
            Beside::Nothing => {}
            Beside::Timestamp(place) => {
                let Some(response) = bytes(spec.pointer(place)) else { return };
                let sha256 = hash::sha256(&response);
                self.terms.push(Term::of_digest(TermKind::AttestationDigest, HashAlgorithm::Sha256.name(), &sha256));
                match Token::from_response(&response) {
                    Ok(token) => {
                        let imprint = token.info().imprint;
                        self.terms.push(Term::digest(imprint.hash.name(), imprint.digest));
                    }
                    Err(rejection) => self.omissions.note(rejection),
                }
            }
            Beside::Signature(place) => {
                let text = bytes(spec.pointer(place));
                self.terms.extend(text.map(|text| Term::of_bytes(TermKind::RekorKey, &hash::sha256(&text))));
            }
            Beside::Metadata(place) => {
                let Some(metadata) = bytes(spec.pointer(place)) else { return };
                self.terms.push(Term::of_bytes(TermKind::RekorKey, &hash::sha256(&metadata)));
                let texts = tuf::role_and_version(&metadata).into_iter().flatten();
                self.terms.extend(texts.filter_map(|text| Term::of_text(TermKind::TufMetadata, &text)));
            }
        }
    }

    fn read_signers(&mut self, places: &Signers, spec: &Value) {
        let (elements, format) = (places.elements(spec), places.format(spec));
        if elements.len() > MAX_SIGNERS {
            self.omissions.note(Rejection::EntryTooMany { what: "signatures", limit: MAX_SIGNERS });
        }
        for element in elements.iter().take(MAX_SIGNERS) {
            let signer = format.and_then(|format| self.signer(format, element.pointer(places.key)?));
            match signer {
                Some(signer) => self.signers.push(signer),
                None => self.omissions.note(Rejection::EntryKey),
            }
        }
        if elements.is_empty() {
            self.omissions.note(Rejection::EntryKey);
        }
    }

    /// Reads a key: in Rekor v1 base64 of its text, in Rekor v2 an object with base64 of its DER.
    fn signer(&mut self, format: KeyFormat, key: &Value) -> Option<Signer> {
        if key.is_string() {
            return Some(Signer::logged(format, &bytes(Some(key))?, &mut self.omissions));
        }
        let der = |name: &str| bytes(key.get(name)?.get("rawBytes"));
        let (label, der) = match der("x509Certificate") {
            Some(der) => (pem::CERTIFICATE, der),
            None => (pem::PUBLIC_KEY, der("publicKey")?),
        };
        Some(Signer::der(label, &der, &mut self.omissions))
    }
}

fn document(body: &[u8]) -> Result<Value, Rejection> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Rejection::EntryTooLarge { limit: MAX_BODY_BYTES });
    }
    serde_json::from_slice(body).map_err(|_| Rejection::EntryMalformed { field: "canonicalizedBody" })
}

/// Kind, version and spec.
fn parts(document: &Value) -> Result<(&str, &str, &Value), Rejection> {
    let malformed = |field: &'static str| Rejection::EntryMalformed { field };
    let text = |name: &'static str| document.get(name).and_then(Value::as_str).ok_or(malformed(name));
    let (kind, version) = (text("kind")?, text("apiVersion")?);
    let spec = document.get("spec").filter(|spec| spec.is_object()).ok_or(malformed("spec"))?;
    Ok((kind, version, spec))
}

fn places(kind: &str, version: &str) -> Result<&'static Places, Rejection> {
    PLACES.iter().find(|places| places.kind == kind && places.version == version).ok_or(Rejection::EntryKind)
}

/// The certificates of each signer.
pub(super) fn certificates(body: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, Rejection> {
    let document = document(body)?;
    let (kind, version, spec) = parts(&document)?;
    let Some(signers) = &places(kind, version)?.signers else { return Ok(Vec::new()) };
    let Some(format) = signers.format(spec) else { return Ok(Vec::new()) };
    let elements = signers.elements(spec).iter().take(MAX_SIGNERS);
    Ok(elements.filter_map(|element| chain(format, element.pointer(signers.key)?)).collect())
}

/// The certificates of a key that [`Entry::signer`] reads; `None` where that is none.
fn chain(format: KeyFormat, key: &Value) -> Option<Vec<Vec<u8>>> {
    if key.is_string() {
        let text = bytes(Some(key))?;
        if format != KeyFormat::X509 {
            return Some(Vec::new());
        }
        let blocks = pem::decode_all(&text, MAX_CHAIN).unwrap_or_default();
        let has_certificate = blocks.first().is_some_and(|block| block.label == pem::CERTIFICATE);
        return Some(if has_certificate { blocks.into_iter().map(|block| block.der).collect() } else { Vec::new() });
    }
    let der = |name: &str| bytes(key.get(name)?.get("rawBytes"));
    match der("x509Certificate") {
        Some(der) => Some(vec![der]),
        None => der("publicKey").map(|_| Vec::new()),
    }
}

/// The bytes of a base64 string.
fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    STANDARD.decode(value?.as_str()?).ok()
}

/// Reads a hash: `{algorithm, value}` with hexadecimal in Rekor v1, `{algorithm, digest}` with base64 in Rekor v2.
fn digest(kind: TermKind, hash: &Value) -> Option<Term> {
    let algorithm = hash.get("algorithm")?.as_str()?;
    if let Some(value) = hash.get("value") {
        return Some(Term::of_digest_text(kind, algorithm, value.as_str()?));
    }
    let digest = bytes(hash.get("digest"))?;
    // `SHA2_256` is sha256, as everywhere else. Other names keep their underscore.
    let name = algorithm.strip_prefix("SHA2_").map(|bits| format!("sha{bits}"));
    Some(Term::of_digest(kind, name.as_deref().unwrap_or(algorithm), &digest))
}
