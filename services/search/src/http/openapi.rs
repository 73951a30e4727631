//! The description of the search API, and of Rekor v1's search.

use super::artifacts;
use super::certificates;
use super::consistency;
use super::csv::COLUMNS;
use super::digests;
use super::entry_ids::{self, KEY_FORMATS};
use super::form::Form;
use super::response::{Answer, SUMMARY};
use super::search::{MAX_EXPORT, MAX_PAGE, USUAL_PAGE};
use crate::answer::digests::MAX_DIGESTS;
use crate::answer::entry_ids::MAX_IDS;
use crate::query::filters::Filter;
use chancery_daemon::http::openapi::{
    Content, Document, Group, Operation, flag, integer, list_of, pattern, status_schemas, text,
};
use serde_json::{Value, json};

/// Media type of a table.
const CSV: &str = "text/csv; charset=utf-8";

/// Describes search.
pub fn describe(document: &mut Document) {
    document.schemas(status_schemas());
    document.token_scheme();
    document.schemas(json!({ SUMMARY: entry_summary() }));
    let mut group = document.group(
        "Search",
        "Every log of this instance, by what its entries say: Rekor v1 and v2, and the certificate logs. The index is derived \
         from the logs. Each entry of an answer was read from its log and met every filter then, so a damaged index can hide \
         an entry but cannot invent one. An answer waits up to a second until the index has what its logs show at that moment; \
         a page that follows another one does not wait. `complete_to` says for each log how many of its first entries were \
         searched, and has a checkpoint of a tree that has them.\n\nNames in entries are what their authors wrote. Search \
         verifies no signature; only `/api/artifacts` does. Every path also answers with a slash at its end. Another method \
         than the path's is answered 501 with a `Status`.",
    );
    searches(&mut group);
    audits(&mut group);
    let mut group = document.group(
        "Rekor v1 search",
        "As Rekor has it, over all shards of Rekor v1. Both forms of keys and hashes are looked up: with the prefix of the \
         algorithm and without. Another method than POST is answered 405 with a `SearchIndexError`.",
    );
    rekor(&mut group);
}

fn searches(group: &mut Group<'_>) {
    let search = Operation::get("search", "Entries that match every filter.").describe(
        "Newest first, over all logs by the log's own time. Values of one filter are alternatives, several filters must all \
         hold. Without a filter every entry matches.\n\nAs JSON it is a page: go on with `cursor` until it is `null`, also \
         after a page with fewer entries than its limit, which may be empty. Cursors stay right while logs grow. NDJSON and \
         CSV are exports of everything. The last line of NDJSON is `{\"end\": …}` with `entries`, `cursor` and \
         `complete_to`, or `{\"error\": …}`; a CSV that fails ends the connection.",
    );
    let search = paged(filtered(search), MAX_PAGE, USUAL_PAGE)
        .optional_query("proof", flag("1"), "Adds to every entry its leaf and its inclusion proof to the checkpoint.")
        .optional_query("count", flag("1"), "Answers with the number of entries instead.")
        .optional_query(
            "format",
            json!({ "enum": Form::ALL.map(Form::name) }),
            format!("Default: the first known media type in `Accept`, else `json`. Exports have at most {MAX_EXPORT} entries."),
        )
        .answer(
            200,
            format!("A page or the number of entries; or an export. Columns of CSV: {}.", COLUMNS.join(", ")),
            [Content::json::<Answer>(), Content::text(Form::Ndjson.media_type()), Content::text(CSV)],
        );
    group.add("/api/search", faults(search));
    let digests = Operation::post("searchDigests", format!("Which of up to {MAX_DIGESTS} digests are in a log."))
        .body([Content::json::<digests::Question>().max_bytes(digests::MAX_BODY_BYTES)])
        .answer(
            200,
            "For each digest the newest entries about it in the logs of signatures.",
            [Content::json::<digests::Answer>()],
        )
        .answer(413, "The body is larger than the limit.", status())
        .answer(415, "The content type is not JSON. A request may leave it out.", status());
    group.add("/api/search/digests", faults(digests));
}

fn audits(group: &mut Group<'_>) {
    let artifact = Operation::get("getArtifact", "The signers of an artifact.")
        .describe(
            "Each entry about the digest in a log of signatures, newest first, with each of its signers, its inclusion proof \
             and what was verified with the trust root of this server: the checkpoint of the log, the chain and the SCTs of \
             the certificate, and the signature if it is over the digest. An empty list is an answer, too. Do not \
             believe the server: `chancery artifact` verifies the same again.",
        )
        .path("digest", pattern("^[A-Za-z0-9_-]+:([0-9a-fA-F]{2})+$"), "`sha256:` and 64 digits, or another algorithm.");
    let artifact = paged(artifact, artifacts::MAX_PAGE, artifacts::USUAL_PAGE).answer(
        200,
        "The signatures.",
        [Content::json::<artifacts::Answer>()],
    );
    group.add("/api/artifacts/{digest}", faults(artifact));
    let certificates = Operation::get("getCertificates", "Certificates that were issued, and their uses.").describe(
        "From the certificate logs, with the filters of a search. Each certificate with the entries of signatures in which \
         it, or its key, was used.",
    );
    let certificates = paged(filtered(certificates), certificates::MAX_PAGE, certificates::USUAL_PAGE)
        .optional_query(
            "unused",
            flag("1"),
            "Only certificates for which no log of signatures has an entry, by the certificate or by its key.",
        )
        .answer(200, "A page of certificates.", [Content::json::<certificates::Answer>()]);
    group.add("/api/certificates", faults(certificates));
    let consistency = Operation::get("getConsistency", "That one tree of a log extends another.")
        .describe(
            "For checkpoints of two answers: their trees are trees of one log if the proof leads from root to root.",
        )
        .query("log", text(), "Name of the log.")
        .query("first", integer(0), "Size of the smaller tree.")
        .query("second", integer(0), "Size of the larger tree.")
        .answer(200, "The proof.", [Content::json::<consistency::Answer>()]);
    group.add("/api/search/consistency", faults(consistency));
}

fn rekor(group: &mut Group<'_>) {
    let error = || [Content::json::<entry_ids::ErrorBody>()];
    let retrieve = Operation::post("searchIndex", "Ids of entries of Rekor v1.")
        .describe(format!(
            "The ids have 80 digits and are in no order. The answer waits up to a second until the index has what the logs \
             show at that moment. A query without a member finds nothing. More than {MAX_IDS} are answered 422: ask \
             `/api/search`, which answers in pages. Formats of keys: {}.",
            KEY_FORMATS.join(", ")
        ))
        .body([Content::json::<entry_ids::Question>().max_bytes(entry_ids::MAX_BODY_BYTES)])
        .for_readers(error)
        .answer(200, "The ids. None is an empty list.", [Content::written_json(list_of(text()))])
        .answer(400, "The body is not a query, or the key cannot be parsed.", error())
        .answer(413, "The body is larger than the limit.", error())
        .answer(415, "The content type is not JSON. A request may leave it out.", error())
        .answer(422, "A member has a value that is not allowed, or more entries match than can be answered with.", error())
        .answer(500, "The index could not be read.", error())
        .answer(503, "Unavailable, or the server has too many searches in flight.", error())
        .retry_after();
    group.add("/api/v1/index/retrieve", retrieve);
}

/// Adds the filters.
fn filtered(operation: Operation) -> Operation {
    let filter = |operation: Operation, filter: Filter| {
        operation.optional_query(&filter.name(), list_of(text()), filter.about())
    };
    Filter::all()
        .fold(operation, filter)
        .optional_query("log", list_of(text()), "Names of logs, for example `rekor`, `rekor2`, `ct`. Default: all.")
        .optional_query(
            "from",
            text(),
            "At or after this time (RFC 3339), or from this day on (`2026-11-21`, UTC). An entry whose log does not tell its time \
             (`tells_times`) is left out only if its certificates were not valid in the period.",
        )
        .optional_query("to", text(), "Before this time (RFC 3339), or up to the end of this day.")
        .optional_query("first-index", integer(0), "In each log only entries from this index on.")
        .optional_query("end-index", integer(0), "In each log only entries before this index.")
        .optional_query("order", json!({ "enum": ["newest", "oldest"] }), "Default: `newest`.")
}

/// Adds the parameters of pages.
fn paged(operation: Operation, most: u64, usual: u64) -> Operation {
    operation
        .optional_query("limit", integer(1), format!("Entries of one page, at most {most}. Default: {usual}."))
        .optional_query("cursor", text(), "`cursor` of the page before. Everything else must be as it was.")
}

fn status() -> [Content; 1] {
    [Content::of_json("Status")]
}

/// What every search is answered with instead.
fn faults(operation: Operation) -> Operation {
    operation
        .for_readers(status)
        .answer(400, "A parameter cannot be used; the message says which one and what would be right.", status())
        .answer(500, "The index or a log is damaged.", status())
        .answer(
            503,
            "The index or a log cannot be read at the moment, or the server has too many searches in flight.",
            status(),
        )
        .retry_after()
}

/// The schema of `chancery-verify`'s summaries.
fn entry_summary() -> Value {
    let texts = || list_of(text());
    let about = |about: &str, mut schema: Value| {
        schema["description"] = about.into();
        schema
    };
    let claims = json!({
        "type": "object",
        "additionalProperties": text(),
        "description": "Fulcio's claims by name, for example `source-repository-uri`.",
    });
    let identity = json!({
        "type": "object",
        "properties": { "kind": about("`email`, `uri`, `username`, `dns` or `ip`.", text()), "value": text() },
        "required": ["kind", "value"],
    });
    let signer = json!({
        "type": "object",
        "properties": {
            "format": about("`x509`, `pgp`, `ssh`, `minisign` or `tuf`.", text()),
            "identities": about("Subject alternative names of the certificate.", list_of(identity)),
            "issuer": about("OIDC issuer of the identity.", text()),
            "claims": claims,
            "subject": about("Name of the certificate's subject. Certificates of Fulcio have none.", text()),
            "certificate_sha256": about("In hexadecimal.", text()),
            "serial": about("In hexadecimal, without leading zeros.", text()),
            "not_before": about("RFC 3339.", text()),
            "not_after": about("RFC 3339.", text()),
            "key_sha256": about("SHA-256 of the `SubjectPublicKeyInfo`, in hexadecimal.", text()),
            "key_ids": about("Ids of a key that is not X.509.", texts()),
            "key_emails": about("E-mail addresses in a key. They are not verified.", texts()),
        },
        "required": ["format"],
    });
    json!({
        "type": "object",
        "description": "What an entry says. Its author wrote it, and nothing of it is verified. Absent members are left out.",
        "properties": {
            "kind": about("Kind of the entry. `certificate` or `precertificate` in a certificate log.", text()),
            "version": text(),
            "digests": about("Of artifacts, each `algorithm:hex`.", texts()),
            "attestation_digests": about("Of payload and envelope of an attestation, or of a timestamp.", texts()),
            "payload_type": text(),
            "predicate_type": text(),
            "signers": about("Of a certificate log: the subject of the certificate.", list_of(signer)),
            "incomplete": json!({ "type": "boolean", "description": "Whether a part could not be read or was left out." }),
        },
        "required": ["kind"],
    })
}
