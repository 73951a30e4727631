//! A commit that gitsign signed, as a bundle says the same. gitsign's signature is CMS (RFC 5652) over signed attributes, which
//! hold the commit's digest. gitsign logs those attributes' digest; the log entry is an unsigned attribute. So the
//! bundle is about the attributes, and [`Commit::attributes_are_about`] about the rest.

use crate::key::sha256;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// `1.3.6.1.4.1.57264.3.1`: a serialised `TransparencyLogEntry`.
const LOG_ENTRY: [u8; 12] = [6, 10, 0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 3, 1];
/// `1.2.840.113549.1.9.4`: the digest of what was signed.
const MESSAGE_DIGEST: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];

/// A signed commit.
#[derive(Debug)]
pub struct Commit {
    /// What git had signed.
    pub contents: Vec<u8>,
    /// The signed attributes, as they are signed.
    pub attributes: Vec<u8>,
    /// A bundle about the attributes.
    pub bundle: Value,
}

/// One element of DER, and what follows it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (header, length) = match der[1] {
        short @ ..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        other => panic!("a length of {other:x}"),
    };
    (der[0], &der[header..header + length], &der[header + length..])
}

/// Every element within these contents, each with its header.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !der.is_empty() {
        let rest = element(der).2;
        all.push(&der[..der.len() - rest.len()]);
        der = rest;
    }
    all
}

fn contents(der: &[u8]) -> &[u8] {
    element(der).1
}

/// The one value of an attribute.
fn attribute<'a>(attributes: &'a [u8], oid: &[u8]) -> &'a [u8] {
    let parts = elements(contents(attributes)).into_iter().map(|attribute| elements(contents(attribute)));
    let values = parts.filter(|parts| parts[0] == oid).map(|parts| contents(parts[1])).collect::<Vec<_>>();
    let [value] = values[..] else { panic!("{} values", values.len()) };
    contents(value)
}

impl Commit {
    /// Reads `git cat-file commit`.
    pub fn parse(text: &str) -> Self {
        let (before, after) = text.split_once("gpgsig ").expect("a signed commit");
        let end = after.match_indices('\n').find(|(at, _)| !after[at + 1..].starts_with(' ')).unwrap().0;
        let pem = after[..end].lines().map(str::trim).filter(|line| !line.starts_with("---")).collect::<String>();
        let cms = STANDARD.decode(pem).unwrap();
        let contents_of_commit = format!("{before}{}", &after[end + 1..]);
        let content_info = elements(contents(&cms));
        let signed_data = elements(contents(contents(content_info[1])));
        let [certificates] = signed_data.iter().filter(|part| part[0] == 0xa0).collect::<Vec<_>>()[..] else {
            panic!("no certificates")
        };
        let leaf = elements(contents(certificates))[0];
        let signer = elements(contents(elements(contents(signed_data.last().unwrap()))[0]));
        let tagged = |tag: u8| *signer.iter().find(|part| part[0] == tag).unwrap();
        let (attributes, signature, unsigned) = (tagged(0xa0), contents(tagged(0x04)), tagged(0xa1));
        // They are signed under the tag that a SET has.
        let attributes = [&[0x31], &attributes[1..]].concat();
        let mut entry = log_entry(attribute(unsigned, &LOG_ENTRY));
        entry["canonicalizedBody"] = STANDARD.encode(body(&attributes, signature, leaf)).into();
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(leaf)},
                "tlogEntries": [entry],
            },
            "messageSignature": {"signature": STANDARD.encode(signature)},
        });
        Self { contents: contents_of_commit.into_bytes(), attributes, bundle }
    }

    /// Whether the signed attributes are about these contents of a commit.
    pub fn attributes_are_about(&self, commit: &[u8]) -> bool {
        attribute(&self.attributes, &MESSAGE_DIGEST) == sha256(commit)
    }
}

/// What was logged, which gitsign leaves out since it follows from the rest.
fn body(attributes: &[u8], signature: &[u8], leaf: &[u8]) -> String {
    let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, leaf).unwrap();
    let hash = json!({"algorithm": "sha256", "value": hex::encode(sha256(attributes))});
    let public_key = json!({"content": STANDARD.encode(pem)});
    let signature = json!({"content": STANDARD.encode(signature), "publicKey": public_key});
    let spec = json!({"data": {"hash": hash}, "signature": signature});
    json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}).to_string()
}

/// A field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next number in base 128.
fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = message[0];
        *message = &message[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The fields of a protobuf message, with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let value = varint(&mut message);
        all.push(match tag & 7 {
            0 => (tag >> 3, Field::Number(value)),
            2 => {
                let (bytes, rest) = message.split_at(usize::try_from(value).unwrap());
                message = rest;
                (tag >> 3, Field::Bytes(bytes))
            }
            other => panic!("wire type {other}"),
        });
    }
    all
}

/// A message's fields as JSON under these names; `read` makes the values of those that are bytes.
fn object(message: &[u8], read: impl Fn(u64, &[u8]) -> (&'static str, Value), numbers: &[(u64, &str)]) -> Value {
    let mut object = json!({});
    for (number, field) in fields(message) {
        match field {
            Field::Number(value) => {
                let (_, name) = numbers.iter().find(|(known, _)| *known == number).expect("a known field");
                object[*name] = value.to_string().into();
            }
            Field::Bytes(bytes) => {
                let (name, value) = read(number, bytes);
                if let (Value::Array(new), Some(Value::Array(list))) = (&value, object.get_mut(name)) {
                    list.extend(new.iter().cloned());
                } else {
                    object[name] = value;
                }
            }
        }
    }
    object
}

fn text(bytes: &[u8]) -> Value {
    str::from_utf8(bytes).unwrap().into()
}

fn log_entry(message: &[u8]) -> Value {
    let base64 = |bytes: &[u8]| Value::from(STANDARD.encode(bytes));
    let kind = |number, bytes: &[u8]| (["kind", "version"][usize::from(number == 2)], text(bytes));
    let proof = |number, bytes: &[u8]| match number {
        2 => ("rootHash", base64(bytes)),
        4 => ("hashes", json!([base64(bytes)])),
        5 => ("checkpoint", object(bytes, |_, envelope| ("envelope", text(envelope)), &[])),
        other => panic!("field {other}"),
    };
    let read = |number, bytes: &[u8]| match number {
        2 => ("logId", object(bytes, |_, id| ("keyId", base64(id)), &[])),
        3 => ("kindVersion", object(bytes, kind, &[])),
        5 => ("inclusionPromise", object(bytes, |_, promise| ("signedEntryTimestamp", base64(promise)), &[])),
        6 => ("inclusionProof", object(bytes, proof, &[(1, "logIndex"), (3, "treeSize")])),
        7 => ("canonicalizedBody", base64(bytes)),
        other => panic!("field {other}"),
    };
    object(message, read, &[(1, "logIndex"), (4, "integratedTime")])
}
