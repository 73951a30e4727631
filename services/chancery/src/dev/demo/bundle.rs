//! JSON of a Sigstore bundle (version 0.3), a DSSE envelope and an in-toto statement. Values only: nothing is sent here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::Certificate;
use serde_json::{Value, json};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What shows that a signature was made while the certificate was valid.
pub(super) struct Evidence<'a> {
    pub(super) certificate: &'a Certificate,
    /// A `TransparencyLogEntry`.
    pub(super) entry: Value,
    /// A `TimeStampResp`, in DER.
    pub(super) timestamp: Vec<u8>,
}

/// The bundle around `content`, a member with its name.
pub(super) fn bundle((name, content): (&str, Value), evidence: &Evidence<'_>) -> Value {
    let Evidence { certificate, entry, timestamp } = evidence;
    json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "certificate": {"rawBytes": STANDARD.encode(certificate.der())},
            "tlogEntries": [entry],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": STANDARD.encode(timestamp)}]},
        },
        name: content,
    })
}

/// The member for a signed file.
pub(super) fn message_signature(digest: &[u8], signature: &[u8]) -> (&'static str, Value) {
    let digest = json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)});
    ("messageSignature", json!({"messageDigest": digest, "signature": STANDARD.encode(signature)}))
}

/// An in-toto statement (v1) with SLSA provenance (v1) of the file.
pub(super) fn statement(artifact: &str, digest: &[u8]) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": artifact, "digest": {"sha256": hex::encode(digest)}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://example.test/chancery-demo/v1",
                "externalParameters": {"artifact": artifact},
            },
            "runDetails": {"builder": {"id": "https://example.test/builder"}},
        },
    })
}

/// What a DSSE signature signs (PAE).
pub(super) fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The envelope of a signed statement.
pub(super) fn envelope(payload: &[u8], signature: &[u8]) -> Value {
    json!({
        "payload": STANDARD.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": STANDARD.encode(signature)}],
    })
}
