//! What a log of Rekor v1 says about an entry beside its place in the tree: its promise, and the payload that it keeps. Nothing
//! of it is verified here.
//!
//! A request that fails is tried again, and then the command fails: an answer that lacks a promise because of a fault looks like
//! one of a log that has promised nothing. A log that answers and has none is [`Beside::default`].

use super::server::{AskError, Server, not_understood};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::Timestamp;
use futures_util::future::try_join_all;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

/// Where Rekor v1 has its entries.
const ENTRIES: &str = "/api/v1/log/entries";
/// Digits of an entry id of Rekor v1. Other logs name their entries by less.
const ID_DIGITS: usize = 80;
/// Requests at the same time.
const AT_ONCE: usize = 8;
/// Requests for one entry until it is given up.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(300);
/// An entry with its payload in base64. Logs keep payloads of 100 KiB, or what their operators say.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What a log has beside an entry.
#[derive(Debug, Default)]
pub(in crate::cli) struct Beside {
    pub(in crate::cli) promise: Option<Promise>,
    /// The payload of its envelope.
    pub(in crate::cli) attestation: Option<Vec<u8>>,
}

/// A promise of Rekor v1, and what it is about.
#[derive(Debug)]
pub(in crate::cli) struct Promise {
    pub(in crate::cli) log_index: u64,
    pub(in crate::cli) integrated_time: Timestamp,
    pub(in crate::cli) signature: Vec<u8>,
}

/// An entry of Rekor v1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    integrated_time: u64,
    log_index: u64,
    verification: Verification,
    attestation: Option<Attestation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    signed_entry_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Attestation {
    data: Option<String>,
}

/// What is beside each of these entries, in their order. `None` for one that is not of Rekor v1.
pub(in crate::cli) async fn beside(server: &Server, ids: &[String]) -> Result<Vec<Option<Beside>>, AskError> {
    let mut all = Vec::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let asked: Vec<_> = ids.iter().map(|id| of_one(server, id)).collect();
        all.extend(try_join_all(asked).await?);
    }
    Ok(all)
}

async fn of_one(server: &Server, id: &str) -> Result<Option<Beside>, AskError> {
    if id.len() != ID_DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let path = format!("{ENTRIES}/{id}");
    let mut failed = 0;
    loop {
        match server.file(&path, MAX_BYTES).await {
            Ok(Some(body)) => return read(&body).map(Some).ok_or_else(not_understood),
            // The server searches this log, and is not asked for its entries by this protocol.
            Ok(None) => return Ok(Some(Beside::default())),
            Err(AskError::Unanswered(_)) if failed + 1 < ATTEMPTS => {
                failed += 1;
                sleep(PAUSE * failed).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn read(body: &[u8]) -> Option<Beside> {
    let entries: BTreeMap<String, LogEntry> = serde_json::from_slice(body).ok()?;
    let LogEntry { integrated_time, log_index, verification, attestation } = entries.into_values().next()?;
    let decoded = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| STANDARD.decode(text));
    let signature = decoded(verification.signed_entry_timestamp).transpose().ok()?;
    let attestation = decoded(attestation.and_then(|attestation| attestation.data)).transpose().ok()?;
    let promise = signature.map(|signature| Promise {
        log_index,
        integrated_time: Timestamp::from_seconds(integrated_time),
        signature,
    });
    Some(Beside { promise, attestation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_lacks_is_told_from_what_cannot_be_read() {
        let entry = |rest: &str| format!(r#"{{"id":{{"body":"","integratedTime":7,"logIndex":9,"logID":"",{rest}}}}}"#);
        let whole = entry(r#""attestation":{"data":"e30="},"verification":{"signedEntryTimestamp":"AQI="}"#);
        let Beside { promise, attestation } = read(whole.as_bytes()).unwrap();
        let promise = promise.unwrap();
        assert_eq!(
            (promise.log_index, promise.integrated_time, &promise.signature[..]),
            (9, Timestamp::from_seconds(7), &[1, 2][..])
        );
        assert_eq!(attestation.as_deref(), Some(&b"{}"[..]));
        for bare in [r#""verification":{}"#, r#""attestation":{},"verification":{"signedEntryTimestamp":""}"#] {
            let Beside { promise, attestation } = read(entry(bare).as_bytes()).unwrap();
            assert!(promise.is_none() && attestation.is_none(), "{bare}");
        }
        for broken in ["", "{}", "[]", &entry(r#""verification":{"signedEntryTimestamp":"!"}"#)] {
            assert!(read(broken.as_bytes()).is_none(), "{broken}");
        }
    }
}
