//! The body of a refusal in the form of `google.rpc.Status`, as [`crate::http::grpc::Refusal`] writes it.

use super::super::grpc::{DOMAIN, TYPE_URL};
use super::{list_of, reference, text};
use serde_json::{Value, json};

/// `Status` and the types of its details: `ErrorInfo`, `RequestInfo`.
#[must_use]
pub fn schemas() -> Value {
    let details = list_of(json!({ "oneOf": [reference("ErrorInfo"), reference("RequestInfo")] }));
    json!({
        "Status": {
            "type": "object",
            "description": "`google.rpc.Status`.",
            "properties": {
                "code": { "type": "integer", "description": "gRPC's code." },
                "message": { "type": "string", "description": "Text for a person: that of Sigstore's server where it has one." },
                "details": details,
            },
            "required": ["code", "message", "details"],
        },
        "ErrorInfo": {
            "type": "object",
            "description": "`google.rpc.ErrorInfo`.",
            "properties": {
                "@type": { "const": format!("{TYPE_URL}/google.rpc.ErrorInfo") },
                "reason": { "type": "string", "description": "Stable name of the reason, such as `token.expired`." },
                "domain": { "const": DOMAIN },
                "metadata": { "type": "object", "description": "Empty." },
            },
            "required": ["@type", "reason", "domain", "metadata"],
        },
        "RequestInfo": {
            "type": "object",
            "description": "`google.rpc.RequestInfo`.",
            "properties": {
                "@type": { "const": format!("{TYPE_URL}/google.rpc.RequestInfo") },
                "requestId": { "type": "string", "description": "As in the header `x-request-id`." },
                "servingData": text(),
            },
            "required": ["@type", "requestId", "servingData"],
        },
    })
}
