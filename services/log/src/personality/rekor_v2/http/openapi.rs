//! The description of Rekor v2's API: `rekor_service.proto` as JSON over HTTP, and the log's files.

use super::error::{ENTRY_TYPE, INDEX_HEADER};
use super::response::TransparencyLogEntry;
use crate::read::tiles::http::openapi::{Place, describe_files};
use chancery_daemon::http::grpc::MAX_MESSAGE_BYTES;
use chancery_daemon::http::openapi::{
    Content, Document, Group, Operation, flag, list_of, reference, status_schemas, text,
};
use serde_json::{Value, json};

/// Describes the API and the files of the log.
pub fn describe(document: &mut Document) {
    document.schemas(status_schemas());
    document.token_scheme();
    document.schemas(requests());
    document.schemas(json!({ "StatusOfDuplicate": status_of_duplicate() }));
    let mut group = document.group(
        "Rekor v2",
        "The API of rekor-tiles. gRPC (`dev.sigstore.rekor.v2.Rekor`) is on the same port. Everything but the answer to a \
         new entry is read from files (C2SP tlog-tiles), which are at the root and below `/api/v2`. A later log is at a host \
         name of its own, which leads to the same server.\n\nNames in requests may be in lowerCamelCase or snake_case, bytes \
         are base64 of either alphabet, and neither Content-Type nor Accept matters. Another method than POST is \
         answered 501 with a `Status`, and another than GET at a file 405 without a body.",
    );
    create(&mut group);
    for (prefix, id) in [("", "RekorV2"), ("/api/v2", "RekorV2Api")] {
        describe_files(&mut group, &Place { prefix, id, entries: "entries", shard: None });
    }
}

fn create(group: &mut Group<'_>) {
    let status = || [Content::of_json("Status")];
    let create = Operation::post("createEntry", "Adds an entry.")
        .body([Content::of_json("CreateEntryRequest").max_bytes(MAX_MESSAGE_BYTES)])
        .answer(
            201,
            "The entry with its proof and checkpoint, after the next commit.",
            [Content::json::<TransparencyLogEntry>()],
        )
        .answer(
            400,
            "The body is not a request, or its entry is not valid, or of a kind that is not accepted.",
            status(),
        )
        .answer(403, "With `[log.write]`: the entry is valid, and no rule of the log allows it.", status())
        .answer(405, "The log is frozen: it takes no more entries.", [Content::text("text/plain; charset=utf-8")])
        .answer(
            409,
            "The entry is in the log already. The details contain it.",
            [Content::of_json("StatusOfDuplicate")],
        )
        .answer_header(INDEX_HEADER, "Index of the existing entry.")
        .answer(413, "The body is larger than the limit.", status())
        .answer(500, "The log could not be written.", status())
        .answer(
            503,
            "Unavailable, or the server has too many requests in flight. Without `Retry-After` the log is quarantined, and \
             an operator must act.",
            status(),
        )
        .retry_after();
    group.add("/api/v2/log/entries", create);
}

/// A `Status` that has the entry beside the usual details.
fn status_of_duplicate() -> Value {
    let entry = json!({
        "type": "object",
        "description": "The existing entry, a `TransparencyLogEntry`.",
        "properties": { "@type": flag(&format!("type.googleapis.com/{ENTRY_TYPE}")) },
        "additionalProperties": true,
        "required": ["@type", "logIndex"],
    });
    let details = list_of(json!({ "oneOf": [reference("ErrorInfo"), reference("RequestInfo"), entry] }));
    json!({
        "type": "object",
        "description": "A `Status` whose details also contain the existing entry.",
        "properties": { "code": { "const": 6 }, "message": text(), "details": details },
        "required": ["code", "message", "details"],
    })
}

fn requests() -> Value {
    let base64 = |about: &str| json!({ "type": "string", "contentEncoding": "base64", "description": about });
    let raw_bytes = |about: &str| json!({ "type": "object", "properties": { "rawBytes": base64(about) } });
    json!({
        "CreateEntryRequest": {
            "type": "object",
            "description": "One of the two.",
            "properties": {
                "hashedRekordRequestV002": reference("HashedRekordRequest"),
                "dsseRequestV002": reference("DsseRequest"),
            },
        },
        "HashedRekordRequest": {
            "type": "object",
            "description": "A signature over a digest.",
            "properties": {
                "digest": base64("The digest."),
                "signature": {
                    "type": "object",
                    "properties": { "content": base64("The signature."), "verifier": reference("Verifier") },
                },
            },
        },
        "DsseRequest": {
            "type": "object",
            "description": "A signed envelope. Accepted only if `[log] rekor2_dsse` is set.",
            "properties": {
                "envelope": {
                    "type": "object",
                    "properties": {
                        "payload": base64("What is signed."),
                        "payloadType": text(),
                        "signatures": list_of(json!({
                            "type": "object",
                            "properties": { "sig": base64("The signature."), "keyid": text() },
                        })),
                    },
                },
                "verifiers": list_of(reference("Verifier")),
            },
        },
        "Verifier": {
            "type": "object",
            "description": "The verifier of a signature: a key or a certificate.",
            "properties": {
                "publicKey": raw_bytes("A key (SPKI) in DER."),
                "x509Certificate": raw_bytes("A certificate in DER."),
                "keyDetails": {
                    "type": ["string", "integer"],
                    "description": "How the key signs: a name or a number of `PublicKeyDetails` (`sigstore_common.proto`).",
                },
            },
        },
    })
}
