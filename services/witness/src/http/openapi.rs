//! The description of a witness's paths.

use super::{SIZE_TYPE, TEXT_TYPE};
use chancery_daemon::http::openapi::{Content, Document, Operation, pattern};
use chancery_verify::witness::MAX_BYTES;

/// Describes every path of a witness.
pub fn describe(document: &mut Document) {
    let mut group = document.group(
        "Witness",
        "C2SP tlog-witness, in a process of its own (`chancery witness serve`). Another method than the path's is answered \
         405 without a body.",
    );
    let text = || [Content::text(TEXT_TYPE)];
    let add = Operation::post("addCheckpoint", "Cosigns a checkpoint of a log.")
        .body([Content::text("text/plain").max_bytes(MAX_BYTES)])
        .answer(200, "The cosignature, as lines of a signed note.", text())
        .answer(400, "The body is not a request of C2SP tlog-witness, or not UTF-8.", text())
        .answer(403, "The log's key has not signed this checkpoint.", text())
        .answer(404, "No log of this origin is witnessed here.", text())
        .answer(
            409,
            "The old size is not that of the checkpoint cosigned last, which the body says.",
            [Content::text(SIZE_TYPE)],
        )
        .answer(413, "The body is larger than the limit.", text())
        .answer(422, "The tree is not shown to extend the one cosigned last.", text())
        .answer(500, "The witness cannot cosign at the moment.", text())
        .answer(503, "The clock cannot be trusted, or the server has too many requests in flight.", text())
        .retry_after();
    group.add("/add-checkpoint", add);
    let origin = pattern("^[0-9a-f]{64}$");
    let checkpoint = Operation::get("getCosignedCheckpoint", "The checkpoint of a log that was cosigned last.")
        .path("origin", origin, "SHA-256 of the log's origin, in hexadecimal.")
        .answer(200, "A signed note.", text())
        .readable_anywhere()
        .answer(400, "The path is not UTF-8.", text())
        .answer(404, "Nothing was cosigned for such a log.", text());
    group.add("/{origin}/checkpoint", checkpoint);
    let about = Operation::get("getWitness", "The verifier key, and the logs with the sizes cosigned last.");
    group.add("/", about.answer(200, "Lines of text.", text()));
}
