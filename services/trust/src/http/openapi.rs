//! The description of the trust files and of the TUF repository.

use crate::files::FileName;
use chancery_daemon::http::openapi::{Content, Document, Operation, text};
use serde_json::json;

/// Describes every path of the trust root.
pub fn describe(document: &mut Document) {
    let mut group = document.group(
        "Trust root",
        "What clients believe: the TUF repository, and the same files for clients that fetch their trust once. Answers have \
         a strong `ETag`. Another method than GET and HEAD is answered 405 without a body.",
    );
    for name in FileName::ALL {
        let file = match name.content_type() {
            "application/json" => Content::written_json(json!({ "type": "object" })),
            other => Content::text(other),
        };
        let read = Operation::get(format!("getTrust{name:?}"), sentence(name.about()));
        group.add(&path(name), cached(read.answer(200, "The file of this moment.", [file])));
    }
    let json = Content::written_json(json!({ "type": "object" }));
    let read = Operation::get("getTufFile", "A file of the TUF repository.")
        .describe("Clients start from `root.json`, the first root, which never changes.")
        .path("path", text(), "Name of the file, such as `timestamp.json`. Its slashes are sent as they are.")
        .answer(200, "The file.", [json, Content::bytes("application/octet-stream")]);
    let read = cached(read).answer(400, "The path is not UTF-8.", [Content::text("text/plain; charset=utf-8")]).answer(
        404,
        "There is no such file. A client that asks for the next root learns that it has the newest.",
        [Content::text("text/plain; charset=utf-8")],
    );
    group.add("/tuf/{path}", read);
}

/// Where a file is.
pub(super) fn path(name: FileName) -> String {
    format!("/trust/{}", name.as_str())
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}

fn cached(operation: Operation) -> Operation {
    operation
        .answer_header("etag", "SHA-256 of the file.")
        .readable_anywhere()
        .optional_request_header("if-none-match", "Tags of the copies that the client has.")
        .answer(304, "The client has the file.", [])
}
