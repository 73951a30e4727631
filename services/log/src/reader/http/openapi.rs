//! What a restriction to readers adds to the description of an operation.

use chancery_daemon::http::openapi::{Content, Operation};
use serde_json::json;

/// Describes an operation that answers with entries; `form` is the body of its protocol's errors. The document needs the scheme
/// of tokens.
pub(crate) fn for_readers(operation: Operation, form: impl Fn() -> [Content; 1]) -> Operation {
    operation
        .security(json!([{ "token": [] }, {}]))
        .answer(401, "With `[log.read]`: there is no token, or it is not accepted.", form())
        .answer_header("www-authenticate", "`Bearer`, and what is wrong with the token.")
        .answer(403, "With `[log.read]`: the token does not give the right to read entries.", form())
        .answer_header("www-authenticate", "`Bearer`, and what is wrong with the token.")
}
