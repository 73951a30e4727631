//! The description of Rekor v1's API, with the texts of Rekor's own OpenAPI document where they are true here.

use super::entries::ID;
use super::error::ErrorBody;
use super::info::PEM;
use super::response::{ConsistencyProof, LogEntry, LogInfo, RekorVersion};
use super::retrieve::{MAX_ENTRIES, SearchLogQuery};
use super::{MAX_BODY_BYTES, proposal};
use crate::read::tiles::http::openapi::{Place, describe_files};
use chancery_daemon::http::openapi::{Content, Document, Group, Operation, integer, pattern, text};
use chancery_verify::rekor::EntryKind;
use serde_json::{Value, json};

/// Description of the parameter that names a shard.
const TREE: &str = "Number of the shard's tree, as in `treeID`. Default: the shard that accepts entries.";

/// Describes the API and the files of every shard.
pub fn describe(document: &mut Document) {
    document.schemas(json!({ "ProposedEntry": proposed_entry() }));
    document.token_scheme();
    let mut group = document.group(
        "Rekor v1",
        "Rekor's API. Clients see all shards as one log. Every path also answers with a slash at its end. Another method \
         than the path's is answered 405 with a `RekorError`, and `Allow` says which one there is; an unknown path below \
         `/api/v1/log/` is answered 404 with a `RekorError`. JSON ends with a line break, as Go writes it. Its search, \
         `/api/v1/index/retrieve`, is described with the other searches.\n\nThe files of a shard (C2SP tlog-tiles) are below \
         `/tlog/<shard>`: `rekor` for the first one, `rekor-2` for the next, and so on.",
    );
    group.also_in_swagger();
    reads(&mut group);
    writes(&mut group);
    let shard = ("shard", "Name of the shard: `rekor`, `rekor-2` and so on.");
    describe_files(
        &mut group,
        &Place { prefix: "/tlog/{shard}", id: "RekorV1", entries: "entries", shard: Some(shard) },
    );
}

fn reads(group: &mut Group<'_>) {
    let info = Operation::get(
        "getLogInfo",
        "Size, root hash and checkpoint of the shard that accepts entries, and of the shards before it.",
    );
    let info = info.answer(200, "The heads.", [Content::json::<LogInfo>()]).readable_anywhere();
    group.add("/api/v1/log", faults(read(info)));
    let key = Operation::get("getPublicKey", "Public key of the log.")
        .optional_query("treeID", text(), TREE)
        .answer(
            200,
            "The key in PEM. A client whose `Accept` prefers JSON gets it as a JSON string.",
            [Content::text(PEM), Content::written_json(text())],
        )
        .readable_anywhere()
        .answer(400, "There is no such tree.", error())
        .answer(422, "The parameter is not a number.", error());
    group.add("/api/v1/log/publicKey", faults(read(key)));
    let proof = Operation::get("getLogProof", "Proof that one tree extends another.")
        .optional_query("firstSize", integer(1), "Size of the smaller tree. Default: 1.")
        .query("lastSize", integer(1), "Size of the larger tree.")
        .optional_query("treeID", text(), TREE)
        .answer(200, "The proof.", [Content::json::<ConsistencyProof>()])
        .readable_anywhere()
        .answer(400, "There is no such tree, the sizes are not in order, or the tree is not that large yet.", error())
        .answer(422, "A parameter is missing, or not an allowed number.", error());
    group.add("/api/v1/log/proof", faults(read(proof)));
    let by_index = Operation::get("getLogEntryByIndex", "The entry at an index.")
        .query("logIndex", integer(0), "Counts over all shards.")
        .answer(200, "The entry, by its id.", [Content::json::<LogEntry>()])
        .answer(404, "There is no entry at this index.", [])
        .answer(422, "The parameter is missing, or not an allowed number.", error());
    group.add("/api/v1/log/entries", faults(read(by_index.for_readers(error))));
    let by_id = Operation::get("getLogEntryByUUID", "The entry with an id.")
        .path("entryUUID", pattern(ID), "The leaf hash (64 hexadecimal digits), or tree and leaf hash (80).")
        .answer(200, "The entry, by its id.", [Content::json::<LogEntry>()])
        .answer(400, "The first 16 digits of 80 are not the id of a tree: zero, or over 63 bits.", error())
        .answer(404, "There is no such entry.", [])
        .answer(422, "The parameter is not an id.", error());
    group.add("/api/v1/log/entries/{entryUUID}", faults(read(by_id.for_readers(error))));
    let version = Operation::get("getRekorVersion", "The version of the server.")
        .describe("Upstream has removed this path in Rekor 0.12. Scripts that wait for a server still ask it.");
    group.add("/api/v1/version", read(version.answer(200, "The version.", [Content::json::<RekorVersion>()])));
}

/// What every read answers to a client that accepts nothing that there is.
fn read(operation: Operation) -> Operation {
    operation.answer(406, "`Accept` does not allow for any form of the answer.", error())
}

fn writes(group: &mut Group<'_>) {
    let create = Operation::post("createLogEntry", "Adds an entry.")
        .body([Content::of_json("ProposedEntry").max_bytes(MAX_BODY_BYTES)])
        .answer(201, "The entry, by its id, with proof, checkpoint and promise.", [Content::json::<LogEntry>()])
        .answer_header("etag", "The entry's id, without quotes.")
        .answer_header("location", "Path of the entry.")
        .answer(400, "The body is not JSON, or not a valid entry of a kind that this log takes.", error())
        .answer(403, "With `[log.write]`: the entry is valid, and no rule of the log allows it.", error())
        .answer(409, "The entry is in the log already.", error())
        .answer_header("location", "Path of the existing entry.")
        .answer(501, "The log is frozen: it takes no more entries.", error());
    group.add("/api/v1/log/entries", faults(refusals(create)));
    let retrieve = Operation::post("searchLogQuery", format!("Up to {MAX_ENTRIES} entries by index, id or body."))
        .describe("With `[log.read]` a request that gives every entry whole, in `entries`, needs no token.")
        .body([Content::json::<SearchLogQuery<'_>>().max_bytes(MAX_BODY_BYTES)])
        .answer(200, "The entries that exist, each by its id.", [Content::json::<Vec<LogEntry>>()])
        .answer(400, "The body is not JSON, or an id or an entry in it is not valid.", error());
    group.add("/api/v1/log/entries/retrieve", faults(refusals(retrieve.for_readers(error))));
}

fn error() -> [Content; 1] {
    [Content::json::<ErrorBody>()]
}

/// Refusals of a body, the same for every operation.
fn refusals(operation: Operation) -> Operation {
    operation
        .answer(413, "The body is larger than the limit.", error())
        .answer(415, "The content type is not JSON. A request may leave it out.", error())
        .answer(422, "A required member is missing, or a member has a value that is not allowed.", error())
}

/// Faults of the log.
fn faults(operation: Operation) -> Operation {
    operation
        .answer(500, "The log could not be read or written.", error())
        .answer(
            503,
            "Unavailable, or the server has too many requests in flight. Without `Retry-After` the log is quarantined, and \
             an operator must act.",
            error(),
        )
        .retry_after()
}

/// The schema of proposed entries.
fn proposed_entry() -> Value {
    let mut names: Vec<&str> = EntryKind::ALL.into_iter().map(EntryKind::name).collect();
    names.dedup();
    let kinds: Vec<String> =
        EntryKind::ALL.into_iter().map(|kind| format!("`{}` {}", kind.name(), kind.version())).collect();
    json!({
        "type": "object",
        "description": format!(
            "An entry of one of these kinds: {}. Which of them clients may add is a setting; by default all but `jar`, `rpm` and \
             `alpine`. Unknown members are ignored.",
            kinds.join(", ")
        ),
        "properties": {
            "kind": { "type": "string", "enum": names },
            "apiVersion": { "type": "string", "pattern": proposal::VERSION, "description": "Version of the kind." },
            "spec": { "type": "object", "description": "As Rekor's schema of the kind and version says." },
        },
        "required": ["kind", "apiVersion", "spec"],
    })
}
