//! `POST /api/search/digests`: which of up to ten thousand digests are in a log.

use super::error::{Failure, respond};
use super::receive_json;
use super::response::{CompleteTo, Reference};
use crate::answer::Asking;
use crate::answer::digests::{MAX_DIGESTS, MAX_ENTRIES, OfDigest, of_digests};
use crate::answer::newest::newest;
use crate::query::{Digest, Unusable};
use crate::source::LogKind;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chancery_daemon::http::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest body: the digests, each as long as `sha512:` and its digits in JSON.
pub(super) const MAX_BODY_BYTES: usize = MAX_DIGESTS * 160;

/// Digests that are looked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DigestsQuestion")]
pub(super) struct Question {
    /// Each `algorithm:hex`, or the digits alone of SHA-1 and SHA-2.
    #[schemars(length(min = 1, max = MAX_DIGESTS))]
    digests: Vec<String>,
    /// Entries of each digest in the answer: the newest ones.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = MAX_ENTRIES))]
    entries: usize,
}

const fn one() -> usize {
    1
}

/// What the logs of signatures have of each digest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DigestsAnswer")]
pub(super) struct Answer {
    /// In the order of the question.
    digests: Vec<Known>,
    complete_to: Vec<CompleteTo>,
}

/// What the logs have of one digest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KnownDigest")]
struct Known {
    /// `algorithm:hex`, in lower case.
    digest: String,
    /// The newest entries about it. Empty if no log has one.
    entries: Vec<Reference>,
    /// Whether there may be more.
    more: bool,
}

pub(super) async fn digests(State(asking): State<Asking>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    respond(answer(&asking, request).await, request_id.as_ref())
}

async fn answer(asking: &Asking, request: Request) -> Result<Response, Failure> {
    let received = receive_json(request, MAX_BODY_BYTES).await?;
    let (digests, entries) = received.run(|json| read(json)).await??;
    newest(asking, Some(LogKind::Rekor), None).await;
    let _place = asking.admit()?;
    let (found, logs) = of_digests(asking, digests, entries).await?;
    let known = |OfDigest { digest, found, more }: OfDigest| Known {
        digest: digest.to_string(),
        entries: found.iter().map(Reference::of).collect(),
        more,
    };
    let digests = found.into_iter().map(known).collect();
    Ok(Json(Answer { digests, complete_to: CompleteTo::of_all(&logs) }).into_response())
}

/// Whether a body is a question.
pub(super) fn can_be_asked(json: &[u8]) -> bool {
    read(json).is_ok()
}

fn read(json: &[u8]) -> Result<(Vec<Digest>, usize), Failure> {
    // serde also reads a list as the members in their order.
    let object = json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten();
    let malformed = Failure::Json("the body must be {\"digests\": [\"sha256:…\"], \"entries\": 1}");
    let Question { digests, entries } = object.ok_or(malformed)?;
    if !(1..=MAX_DIGESTS).contains(&digests.len()) {
        return Err(Unusable::new("digests", format!("ask for 1 to {MAX_DIGESTS} digests at once")).into());
    }
    if !(1..=MAX_ENTRIES).contains(&entries) {
        return Err(Unusable::new("entries", format!("write a number from 1 to {MAX_ENTRIES}")).into());
    }
    let digest = |(number, text): (usize, &String)| {
        Digest::parse(text).map_err(|error| Unusable::new(&format!("digests[{number}]"), error.to_string()))
    };
    Ok((digests.iter().enumerate().map(digest).collect::<Result<_, _>>()?, entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(json: &str) -> Result<(usize, usize), String> {
        let read = read(json.as_bytes());
        read.map(|(digests, entries)| (digests.len(), entries)).map_err(|failure| failure.told().message)
    }

    #[test]
    fn a_question_has_digests_and_a_number() {
        let digest = format!("\"{}\"", "ab".repeat(32));
        let asked = |rest: &str| read_text(&format!("{{\"digests\": [{digest}, {digest}]{rest}}}"));
        assert_eq!(asked(""), Ok((2, 1)));
        assert_eq!(asked(", \"entries\": 10"), Ok((2, 10)));
        for wrong in [", \"entries\": 0", ", \"entries\": 11", ", \"entry\": 1", ", \"entries\": \"1\""] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
        for json in ["", "[]", "{}", "{\"digests\": []}", "{\"digests\": [1]}", "{\"digests\": null}"] {
            assert!(read_text(json).is_err(), "{json}");
        }
        assert!(read_text(&format!("[[{digest}], 1]")).is_err(), "a list of the members");
        let wrong = read_text("{\"digests\": [\"sha256:12\"]}").unwrap_err();
        assert!(wrong.starts_with("digests[0]: "), "{wrong}");
    }
}
