//! An export as CSV (RFC 4180): a row for each signer of an entry, with a header.
//!
//! Every field is quoted. A text that a spreadsheet would take for a formula gets an apostrophe before it, because names
//! in entries are foreign. An export that fails ends the connection, so that a table is never taken for whole.

use super::error::Failure;
use super::export::{Export, Part};
use super::form::Form;
use super::response::Cells;
use crate::answer::pages::Search;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chancery_daemon::http::RequestId;
use chancery_verify::terms::{SignerSummary, Summary};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

/// The columns.
pub(super) const COLUMNS: [&str; 14] = [
    "time",
    "log",
    "index",
    "id",
    "kind",
    "digests",
    "predicate_type",
    "identity",
    "issuer",
    "repository",
    "workflow",
    "certificate_serial",
    "certificate_sha256",
    "key",
];

/// Answers with at most `left` entries of a search.
pub(super) fn export(
    search: Search,
    left: u64,
    place: OwnedSemaphorePermit,
    request_id: Option<RequestId>,
) -> Response {
    let state = (Export::new(search, left, request_id, place), true);
    let parts = stream::unfold(state, |(mut export, is_first)| async move {
        let rows = match export.part(false).await? {
            Ok(part) => Ok(Bytes::from(rows(&part, is_first))),
            Err(error) => {
                Failure::from(error.clone()).log(export.request_id());
                Err(error)
            }
        };
        Some((rows, (export, false)))
    });
    let content_type = format!("{}; charset=utf-8", Form::Csv.media_type());
    ([(header::CONTENT_TYPE, content_type)], Body::from_stream(parts)).into_response()
}

fn rows(Part { entries, .. }: &Part, with_header: bool) -> String {
    let mut rows = String::new();
    if with_header {
        rows += &row(COLUMNS.map(str::to_owned));
    }
    for entry in entries {
        let cells = entry.cells();
        let signers = cells.summary.map(|summary| summary.signers.as_slice()).unwrap_or_default();
        if signers.is_empty() {
            rows += &row(of_signer(&cells, &SignerSummary::default()));
        }
        signers.iter().for_each(|signer| rows += &row(of_signer(&cells, signer)));
    }
    rows
}

fn of_signer(cells: &Cells<'_>, signer: &SignerSummary) -> [String; COLUMNS.len()] {
    let of_entry = |text: fn(&Summary) -> String| cells.summary.map(text).unwrap_or_default();
    let claim = |name: &str| signer.claims.get(name).cloned().unwrap_or_default();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let identities: Vec<&str> = signer.identities.iter().map(|identity| identity.value.as_str()).collect();
    let keys = [signer.key_sha256.iter().cloned().collect(), signer.key_ids.clone()].concat();
    [
        cells.time.to_owned(),
        cells.log.to_owned(),
        cells.index.to_string(),
        cells.id.to_owned(),
        of_entry(|summary| summary.kind.clone()),
        of_entry(|summary| summary.digests.join(" ")),
        of_entry(|summary| summary.predicate_type.clone().unwrap_or_default()),
        identities.join(" "),
        text(signer.issuer.as_ref()),
        claim("source-repository-uri"),
        claim("build-config-uri"),
        text(signer.serial.as_ref()),
        text(signer.certificate_sha256.as_ref()),
        keys.join(" "),
    ]
}

fn row(fields: [String; COLUMNS.len()]) -> String {
    fields.map(|field| quoted(&field)).join(",") + "\r\n"
}

/// A field. What a spreadsheet computes begins with one of these characters.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_and_no_formula() {
        for (text, field) in [
            ("", "\"\""),
            ("a,b \"c\"\n", "\"a,b \"\"c\"\"\n\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("a=1", "\"a=1\""),
        ] {
            assert_eq!(quoted(text), field);
        }
    }
}
