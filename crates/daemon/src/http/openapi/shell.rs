//! The shell's own part of a description: health, readiness, metrics, and the answers that any path may give.

use super::super::{MAX_HEADER_BYTES, MAX_HEADERS, deadline, measure, request_id};
use super::{Content, Document, Operation, PATH, SWAGGER_PATH, status_schemas, text};
use serde_json::json;

/// Media type of the texts here.
const TEXT: &str = "text/plain; charset=utf-8";
/// That of the one that upstream has as well.
const PING: &str = "text/plain";

/// Describes the answers of every listener for clients, independent of its roles.
pub fn describe_shell(document: &mut Document) {
    document.schemas(status_schemas());
    about(document);
    let status = || [Content::of_json("Status")];
    let host = "The request names no host, several hosts, or one with a user (`user@host`); or what the path says of this \
                status.";
    document.everywhere(400, "BadRequest", host, status());
    document.wherever_a_body_is(403, "Forbidden", "A web page of another origin tries to write.", status());
    let late = format!("The request's body took more than {} seconds.", deadline::BODY_DEADLINE.as_secs());
    document.wherever_a_body_is(408, "RequestTimeout", &late, status());
    document.everywhere(500, "InternalError", "A defect of the server.", status());
    let late = format!("There was no answer within {} seconds.", deadline::REQUEST_DEADLINE.as_secs());
    document.everywhere(504, "GatewayTimeout", &late, status());
    let mut group = document.group("Operations", "Another method than GET and HEAD is answered 405 without a body.");
    let serving =
        json!({ "type": "object", "properties": { "status": { "const": "SERVING" } }, "required": ["status"] });
    let health = Operation::get("getHealth", "Whether the process runs.");
    group.add("/healthz", health.answer(200, "It runs.", [Content::written_json(serving)]));
    let live =
        Operation::get("getLiveness", "Whether the process answers, independent of everything else: for restarts.");
    group.add("/livez", live.answer(200, "It does.", [Content::text(TEXT)]));
    group.add("/readyz", readiness());
    let ping = Operation::get("getPing", "As `/livez`, for probes of Rekor v1 and of Sigstore's timestamp authority.");
    group.add("/ping", ping.answer(200, "A dot.", [Content::text(PING)]));
    let document = || [Content::written_json(json!({ "type": "object" }))];
    let description = Operation::get("getDescription", "This description.");
    group.add(PATH, description.answer(200, "OpenAPI 3.1, about the roles of this process.", document()));
    let swagger = Operation::get("getSwagger", "The paths of Rekor v1 and of the timestamp authority, in Swagger 2.0.");
    group.add(SWAGGER_PATH, swagger.answer(200, "Swagger 2.0, about those of the two that are here.", document()));
}

fn readiness() -> Operation {
    Operation::get("getReadiness", "Whether every role does all of its work. `chancery health` asks it.")
        .describe(
            "The verdict of the last checks: a request causes none. It is at most two seconds old, and gRPC's health has the \
             same. A line for each check with `?verbose`: `[+]log rekor ok`, `[!]log mirror warning: …`, \
             `[-]log database failed: …`. The last line is `readyz check passed` or `readyz check failed`.",
        )
        .optional_query("verbose", text(), "Whether to list every check; with or without a value.")
        .answer(200, "It does. Warnings follow, a line for each.", [Content::text(TEXT)])
        .answer(503, "It does not; the body has a line for each reason.", [Content::text(TEXT)])
}

fn about(document: &mut Document) {
    document.about(format!(
        "A path that answers GET answers HEAD with the same status and headers. Repeated slashes in a path count as one, \
         and one at its end does not count, so a client may be given a URL with a slash at its end. Only below `tile/` \
         nothing is changed: each tile has exactly one path below its log. A request has at most {MAX_HEADERS} header fields of together {MAX_HEADER_BYTES} \
         bytes; a larger header is answered 431. HTTP/1.1 and HTTP/2 are on one port."
    ));
    document.about(format!(
        "Every answer of a path has an `x-request-id`, which is also in the audit log. The one that a client sends is \
         kept, if it is made of at most {} letters, digits, `-`, `_` and `.`.",
        request_id::MAX_LENGTH
    ));
    document.about(
        "Web pages of every origin may read checkpoints, hash tiles, consistency proofs, keys and certificates of the \
         services, `/trust/` and `/tuf/`: these answers have `access-control-allow-origin: *`. Everything else, entries \
         among it, a browser shows only to pages of the server itself and of the origins in `[listen] origins` \
         (`chancery dev --origin`). A page of any other origin that wants to write is answered 403, with or without a \
         preflight. Programs that are not browsers send no `Origin`, and nothing of this concerns them.",
    );
    document.about(
        "An unknown path is answered 404: with a page if the request accepts `text/html` and there is a console, else \
         with a `Status` of code 5.",
    );
}

/// Describes the listener for metrics.
pub fn describe_metrics(document: &mut Document) {
    let mut group = document.group("Metrics", "A listener of its own, which only Prometheus should reach.");
    let metrics = Operation::get("getMetrics", "Every metric, in Prometheus' text format.")
        .on_another_listener("`[listen] metrics` of the configuration.")
        .answer(200, "All samples.", [Content::text(measure::MEDIA_TYPE)])
        .answer(500, "The metrics could not be written.", []);
    group.add("/metrics", metrics);
}
