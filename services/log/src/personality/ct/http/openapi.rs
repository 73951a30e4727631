//! The description of the certificate log's API: RFC 6962 §4, and the files of static-ct-api.

use super::MAX_CHAIN_BYTES;
use super::read::{GetEntries, GetEntryAndProof, GetProofByHash, GetRoots, GetSth, GetSthConsistency, MAX_ENTRIES};
use super::submit::{AddChain, AddChainResponse};
use crate::read::tiles::http::openapi::{Place, describe_files};
use chancery_daemon::http::openapi::{Content, Document, Group, Operation, integer, pattern, text};

/// Prefix of the paths of a log.
const PREFIX: &str = "/ct/{shard}";
/// Description of the parameter in it.
const SHARD: &str =
    "Name of the log: `main`, or `dev` in `chancery dev`; after a change of its key `main-2`, and so on.";
/// Errors are text.
const TEXT: &str = "text/plain; charset=utf-8";

/// Describes the API and the files of every certificate log.
pub fn describe(document: &mut Document) {
    document.token_scheme();
    let mut group = document.group(
        "Certificate log",
        "RFC 6962, and the files of static-ct-api. Errors are text: the words of the status, and in the next line the \
         reason. Another method than the path's is answered 405, a log that does not exist 404 with a `Status`.",
    );
    submissions(&mut group);
    heads(&mut group);
    entries(&mut group);
    let shard = Some(("shard", SHARD));
    describe_files(&mut group, &Place { prefix: PREFIX, id: "CertificateLog", entries: "data", shard });
    let issuer = Operation::get("getIssuer", "A certificate that entries name as an issuer.")
        .path("shard", text(), SHARD)
        .path("fingerprint", pattern("^[0-9a-fA-F]{64}$"), "SHA-256 of the certificate, in hexadecimal.")
        .answer(200, "The certificate in DER.", [Content::bytes("application/pkix-cert")])
        .answer(400, "The parameter is not a fingerprint.", reason())
        .answer(404, "No entry has this issuer.", reason());
    group.add(&format!("{PREFIX}/issuer/{{fingerprint}}"), faults(issuer));
}

fn submissions(group: &mut Group<'_>) {
    let chain = "The chain must end in one of the certificates of `get-roots`, which may be left out. Every issuer must be \
                 a CA.";
    let signing = "A precertificate signing certificate (RFC 6962 §3.1) may have signed the precertificate. The CA that \
                   issued it must be next in the chain: the entry is about a certificate of that CA.";
    for (path, id, what, description) in [
        ("add-chain", "addChain", "a certificate", chain.to_owned()),
        ("add-pre-chain", "addPreChain", "a precertificate", format!("{chain} {signing}")),
    ] {
        let add = at(Operation::post(id, format!("Adds {what}.")))
            .describe(description)
            .body([Content::json::<AddChain>().max_bytes(MAX_CHAIN_BYTES)])
            .answer(
                200,
                "A signed certificate timestamp with the index of the entry. If the certificate is already logged, that of \
                 the existing entry.",
                [Content::json::<AddChainResponse>()],
            )
            .answer(400, "The body is not a chain, or the chain is not accepted.", reason())
            .answer(413, "The body is larger than the limit.", reason());
        group.add(&format!("{PREFIX}/ct/v1/{path}"), faults(add));
    }
}

fn heads(group: &mut Group<'_>) {
    let sth = at(Operation::get("getSth", "Signed tree head."));
    let sth = sth.answer(200, "The newest one.", [Content::json::<GetSth>()]).readable_anywhere();
    group.add(&format!("{PREFIX}/ct/v1/get-sth"), faults(sth));
    let consistency = at(Operation::get("getSthConsistency", "Proof that one tree extends another."))
        .query("first", integer(0), "Size of the smaller tree.")
        .query("second", integer(0), "Size of the larger tree.")
        .answer(200, "The proof.", [Content::json::<GetSthConsistency>()])
        .readable_anywhere()
        .answer(
            400,
            "A parameter is missing or malformed, or the sizes are not in order, or the tree is not that large yet.",
            reason(),
        );
    group.add(&format!("{PREFIX}/ct/v1/get-sth-consistency"), faults(consistency));
    let roots = at(Operation::get("getRoots", "Certificates of the authorities whose certificates the log accepts."));
    let roots = roots.answer(200, "All certificates.", [Content::json::<GetRoots>()]).readable_anywhere();
    group.add(&format!("{PREFIX}/ct/v1/get-roots"), roots);
}

fn entries(group: &mut Group<'_>) {
    let proof = at(Operation::get("getProofByHash", "Inclusion proof of a leaf hash."))
        .query("hash", text(), "The leaf hash, in base64.")
        .query("tree_size", integer(1), "Size of the tree that the proof is for.")
        .answer(200, "The proof.", [Content::json::<GetProofByHash>()])
        .answer(400, "A parameter is missing or malformed.", reason())
        .answer(404, "The log has no tree of this size yet, or the tree has no such leaf.", reason());
    group.add(&format!("{PREFIX}/ct/v1/get-proof-by-hash"), faults(proof));
    let entries = at(Operation::get("getEntries", "Entries of a range."))
        .query("start", integer(0), "Index of the first entry.")
        .query("end", integer(0), "Index of the last entry.")
        .answer(
            200,
            format!("Entries from `start` on, at most {MAX_ENTRIES}. A longer range gives only the first of them."),
            [Content::json::<GetEntries>()],
        )
        .answer(400, "A parameter is missing or malformed, or the log has no entry at `start`.", reason());
    group.add(&format!("{PREFIX}/ct/v1/get-entries"), faults(entries.for_readers(reason)));
    let entry = at(Operation::get("getEntryAndProof", "An entry with its inclusion proof."))
        .query("leaf_index", integer(0), "Index of the entry.")
        .query("tree_size", integer(1), "Size of the tree that the proof is for.")
        .answer(200, "The entry and the proof.", [Content::json::<GetEntryAndProof>()])
        .answer(
            400,
            "A parameter is missing or malformed, or the tree has no such entry, or is not that large yet.",
            reason(),
        );
    group.add(&format!("{PREFIX}/ct/v1/get-entry-and-proof"), faults(entry.for_readers(reason)));
}

fn at(operation: Operation) -> Operation {
    operation.path("shard", text(), SHARD)
}

fn reason() -> [Content; 1] {
    [Content::text(TEXT)]
}

fn faults(operation: Operation) -> Operation {
    operation
        .answer(500, "The log could not be read or written.", reason())
        .answer(
            503,
            "Unavailable, or the server has too many requests in flight. Without `Retry-After` the log is frozen or \
             quarantined.",
            reason(),
        )
        .retry_after()
}
