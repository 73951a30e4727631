//! An export as NDJSON: an entry a line, as long as the reader reads.
//!
//! The status is sent before the first entry is found. So the last line says how it ended: `{"end": …}` with what the
//! export is complete to, or `{"error": …}`. An export without a last line was cut off.

use super::error::Failure;
use super::form::Form;
use super::page::page;
use super::response::{CompleteTo, Entry};
use crate::answer::AskError;
use crate::answer::pages::Search;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chancery_daemon::http::RequestId;
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use tokio::sync::OwnedSemaphorePermit;

/// Entries that are searched for at a time.
pub(super) const BATCH: u64 = 200;

/// The last line of an export that was not cut off.
#[derive(Serialize)]
struct End {
    /// Entries in the export.
    entries: u64,
    /// Where the next export begins, if this one ended at its limit.
    cursor: Option<String>,
    complete_to: Vec<CompleteTo>,
}

/// An export that runs.
pub(super) struct Export {
    search: Search,
    /// Entries that may still be written.
    left: u64,
    /// Entries that were written.
    written: u64,
    is_at_end: bool,
    request_id: Option<RequestId>,
    _place: OwnedSemaphorePermit,
}

/// A part of an export.
pub(super) struct Part {
    pub(super) entries: Vec<Entry>,
    /// The end, if this is the last part.
    end: Option<End>,
}

impl Export {
    /// At most `left` entries of a search.
    pub(super) fn new(search: Search, left: u64, request_id: Option<RequestId>, place: OwnedSemaphorePermit) -> Self {
        Self { search, left, written: 0, is_at_end: false, request_id, _place: place }
    }

    /// The next part. `None` after the last one.
    pub(super) async fn part(&mut self, with_proofs: bool) -> Option<Result<Part, AskError>> {
        if self.is_at_end {
            return None;
        }
        let wanted = usize::try_from(self.left.min(BATCH)).unwrap_or(usize::MAX);
        let (entries, cursor) = match page(&mut self.search, wanted, with_proofs).await {
            Ok(page) => page,
            Err(error) => {
                self.is_at_end = true;
                return Some(Err(error));
            }
        };
        self.written += entries.len() as u64;
        self.left = self.left.saturating_sub(entries.len() as u64);
        self.is_at_end = cursor.is_none() || self.left == 0;
        let end = self.is_at_end.then(|| End {
            entries: self.written,
            cursor,
            complete_to: CompleteTo::of_all(self.search.logs()),
        });
        Some(Ok(Part { entries, end }))
    }

    pub(super) const fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }
}

/// Answers with at most `left` entries of a search.
pub(super) fn export(
    search: Search,
    left: u64,
    with_proofs: bool,
    place: OwnedSemaphorePermit,
    request_id: Option<RequestId>,
) -> Response {
    let export = Export::new(search, left, request_id, place);
    let parts = stream::unfold(export, move |mut export| async move {
        let lines = match export.part(with_proofs).await? {
            Ok(part) => lines(&part),
            Err(error) => {
                let failure = Failure::from(error);
                failure.log(export.request_id());
                line(&failure.in_stream())
            }
        };
        Some((Ok::<Bytes, Infallible>(lines.into()), export))
    });
    ([(header::CONTENT_TYPE, Form::Ndjson.media_type())], Body::from_stream(parts)).into_response()
}

fn lines(Part { entries, end }: &Part) -> String {
    let mut lines: String = entries.iter().map(line).collect();
    if let Some(end) = end {
        lines += &line(&json!({ "end": end }));
    }
    lines
}

/// JSON on one line.
fn line(value: &impl Serialize) -> String {
    // Texts, numbers and lists can always be written.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}
