//! Cosign's bundle, older than Sigstore's, and the two JSON annotations that images have instead of it.
//!
//! The bundle is `{"base64Signature", "cert", "rekorBundle"}`. Its `rekorBundle` is `{"SignedEntryTimestamp",
//! "Payload"}`: a promise of Rekor v1, never a proof. The annotation `dev.sigstore.cosign/bundle` has the same form.
//! The other annotation is `{"SignedRFC3161Timestamp"}`.
//!
//! Specification: cosign's signature specification.

use super::document::{FORMAT, MAX_VALUES, open};
use super::limits::{MAX_BUNDLE_BYTES, MAX_NAME_BYTES, MAX_SIGNATURE_BYTES, MAX_TIMESTAMP_BYTES};
use super::signer::certificate_or_key;
use super::{Bundle, Content, Form, Material, TransparencyLogEntry};
use crate::certificate::MAX_CHAIN;
use crate::protojson::strict::Object;
use crate::{Hash, Refusal, Rejection, Step, Timestamp, protojson};

/// Maximum characters of `cert`: base64 of PEM of the largest chain.
const MAX_CERTIFICATE_TEXT: usize = MAX_CHAIN * 128 * 1024;

pub(super) fn parse(json: &[u8]) -> Result<Bundle, Refusal> {
    let mut document = open(json)?;
    let signature = document.content("base64Signature", MAX_SIGNATURE_BYTES)?;
    let material = match document.take("cert") {
        None => Material::PublicKey { hint: None },
        Some(node) => {
            let (path, wrong) = (node.path().to_owned(), node.unlike("PEM, or base64 of it"));
            let text = node.string(MAX_CERTIFICATE_TEXT)?;
            // The first characters distinguish them: base64 cannot start with a PEM header, which contains spaces.
            let pem = if text.starts_with("-----BEGIN ") {
                text.into_bytes()
            } else {
                protojson::decode_canonical(&text).ok_or(wrong)?
            };
            certificate_or_key(&pem, &path)?
        }
    };
    let entries = match document.take("rekorBundle") {
        None => Vec::new(),
        Some(node) => vec![entry(node.object()?)?],
    };
    document.finish()?;
    let content = Content::Message { digest: None, signature };
    Ok(Bundle { form: Form::Legacy, material, content, entries, timestamps: Vec::new(), timestamped: None })
}

/// Parses `{"SignedEntryTimestamp", "Payload"}`. Kind and version come from the body.
pub(super) fn entry(mut object: Object) -> Result<TransparencyLogEntry, Refusal> {
    let promise = object.content("SignedEntryTimestamp", MAX_SIGNATURE_BYTES)?;
    let mut payload = object.require("Payload")?.object()?;
    object.finish()?;
    let body = payload.content("body", MAX_BUNDLE_BYTES)?;
    let integrated_time = payload.int64("integratedTime")?;
    let log_index = payload.int64("logIndex")?;
    let node = payload.require("logID")?;
    let wrong = node.unlike("64 lower-case hexadecimal digits");
    let text = node.string(MAX_NAME_BYTES)?;
    let log_id = hex::decode(&text).ok().and_then(|id| Hash::try_from(id).ok());
    let log_id = log_id.filter(|id| hex::encode(id) == text).ok_or(wrong)?;
    let (kind, version) = kind_of(&body).ok_or_else(|| {
        payload
            .refuse("body", Rejection::BundleMalformed)
            .expected("a log entry with kind and apiVersion", "another value")
    })?;
    payload.finish()?;
    let integrated_time = (integrated_time != 0).then(|| Timestamp::from_seconds(integrated_time));
    let (promise, body) = (Some(promise), Some(body));
    let entry = TransparencyLogEntry { log_index, log_id, kind, version, integrated_time, promise, proof: None, body };
    if entry.is_rekor_v2() {
        let refusal = Refusal::new(Rejection::BundleVersion, Step::Formats).at("SignedEntryTimestamp");
        return Err(refusal.expected(format!("none for {} {}", entry.kind, entry.version), "one"));
    }
    Ok(entry)
}

fn kind_of(body: &[u8]) -> Option<(String, String)> {
    let body = protojson::strict::parse(body, MAX_VALUES).ok()?;
    let text = |name: &str| body.get(name)?.as_str().filter(|text| (1..=MAX_NAME_BYTES).contains(&text.len()));
    Some((text("kind")?.to_owned(), text("apiVersion")?.to_owned()))
}

/// Parses the annotation with the log's promise.
pub(super) fn entry_annotation(json: &[u8]) -> Result<TransparencyLogEntry, Refusal> {
    entry(open(json)?)
}

/// Parses the annotation with a timestamp.
pub(super) fn timestamp_annotation(json: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut object = FORMAT.document(json, MAX_VALUES)?;
    let timestamp = object.content("SignedRFC3161Timestamp", MAX_TIMESTAMP_BYTES)?;
    object.finish().map(|()| timestamp)
}
