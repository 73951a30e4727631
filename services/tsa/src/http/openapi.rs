//! The description of the authority's HTTP API.

use super::json::{JsonRequest, MAX_JSON_BYTES};
use super::{CHAIN_PATH, PATH, PEM_CHAIN, QUERY, REPLY};
use chancery_daemon::http::openapi::{Content, Document, Operation};
use chancery_verify::timestamping::{MAX_NONCE_BYTES, MAX_REQUEST_BYTES};
use serde_json::json;

/// Describes every path of the authority.
pub fn describe(document: &mut Document) {
    document.schemas(json!({
        "TimestampError": {
            "type": "object",
            "properties": {
                "code": { "type": "integer", "description": "The HTTP status." },
                "message": { "type": "string", "description": "The text of Sigstore's timestamp authority." },
                "reason": { "type": "string", "description": "Stable name of the reason, such as `request.too_large`." },
            },
            "required": ["code", "message"],
        },
    }));
    let mut group = document.group(
        "Timestamp authority",
        "RFC 3161, as Sigstore's timestamp authority serves it. Every path also answers with a slash at its end. Another \
         method than the path's is answered 405 with a `TimestampError`, and `Allow` says which one there is.",
    );
    group.also_in_swagger();
    let error = || [Content::of_json("TimestampError")];
    let timestamp = Operation::post("getTimestampResponse", "A timestamp.")
        .describe(format!(
            "A nonce has at most {MAX_NONCE_BYTES} bytes. The answer has certificates if the request asks for them: the \
             signing one, or the whole chain, as configured. A request with extensions is refused unless the configuration \
             allows them; one with a critical extension always is."
        ))
        .body([
            Content::bytes(QUERY).max_bytes(MAX_REQUEST_BYTES),
            Content::json::<JsonRequest<'_>>().max_bytes(MAX_JSON_BYTES),
        ])
        .answer(200, "The timestamp, always in DER.", [Content::bytes(REPLY)])
        .answer(400, "The request is malformed or refused, or a request in JSON is larger than its limit.", error())
        .answer(413, "A request in DER is larger than its limit.", error())
        .answer(415, "The content type is not one of the two.", error())
        .answer(500, "A fault of the authority.", error())
        .answer(
            503,
            "The clock cannot be trusted, the key or its certificates cannot be used now, or the server has too many \
             requests in flight.",
            error(),
        )
        .retry_after();
    group.add(PATH, timestamp);
    let chain = Operation::get("getTimestampCertChain", "Certificates of the signing key.");
    group.add(CHAIN_PATH, chain.answer(200, "Leaf first.", [Content::text(PEM_CHAIN)]).readable_anywhere());
}
