//! The state of logs: of those that run in this process, and as a database has them.

use super::document::{LogStatus, MirrorStatus, WitnessedStatus};
use crate::instance::{operations, running::RunningLogs};
use chancery_log::{
    Log,
    mirror::Mirror,
    quarantine::{Obstacle, Reason},
    store::{LogRecord, Store, StoreError},
    witnessing::WitnessStatus,
};
use chancery_verify::{Timestamp, entries};
use std::collections::BTreeMap;

/// The logs of this process.
pub(super) fn running(logs: &RunningLogs, now: Timestamp) -> Vec<LogStatus> {
    let mirrors = logs.mirrors().into_iter().map(|(log, mirror)| (log.record().log_id, mirror));
    let mirrors: BTreeMap<i64, Mirror> = mirrors.collect();
    logs.logs().iter().map(|log| of(log, mirrors.get(&log.record().log_id), now)).collect()
}

fn of(log: &Log, mirror: Option<&Mirror>, now: Timestamp) -> LogStatus {
    let state = match operations::state(log) {
        "active" if log.is_ended() => "ended",
        "active" if log.is_frozen() => "frozen",
        state => state,
    };
    let mut status = LogStatus { queued: Some(log.queued()), ..new(log.record(), state) };
    if let Ok(published) = log.published() {
        status.size = Some(published.tree.size);
        dated(&mut status, published.timestamp, now);
    }
    match log.obstacle() {
        Some(Obstacle::Quarantined { reason: Reason::Recorded(recorded), .. }) => {
            quarantined(&mut status, recorded.code, recorded.reason, Some(recorded.since_ms));
        }
        Some(Obstacle::Quarantined { reason, change, .. }) => {
            let because = change.map_or_else(String::new, |change| format!("; {change}"));
            quarantined(&mut status, reason.code().to_owned(), format!("{reason}{because}"), None);
        }
        Some(obstacle) => status.reason = Some(obstacle.to_string()),
        None => status.reason = log.trouble(),
    }
    let size = status.size.unwrap_or(0);
    status.mirror = mirror.map(|mirror| mirrored(mirror, size));
    status.witnesses = log.witnesses().into_iter().map(|witness| witnessed(witness, size)).collect();
    status
}

fn mirrored(mirror: &Mirror, published: u64) -> MirrorStatus {
    let fault = mirror.fault().map(|fault| format!("{fault} ({})", fault.code()));
    MirrorStatus { size: mirror.size(), lag_entries: published.saturating_sub(mirror.size().unwrap_or(0)), fault }
}

fn witnessed(WitnessStatus { name, size, fault, .. }: WitnessStatus, published: u64) -> WitnessedStatus {
    let fault = fault.map(|fault| format!("{}: {}", fault.outcome, fault.reason));
    WitnessedStatus { name, size, lag_entries: published.saturating_sub(size), fault }
}

/// Every log in a database.
pub(super) async fn stored(store: &dyn Store, now: Timestamp) -> Result<Vec<LogStatus>, StoreError> {
    let mut found = Vec::new();
    for record in store.logs().await? {
        found.push(stored_log(store, &record, now).await?);
    }
    Ok(found)
}

async fn stored_log(store: &dyn Store, record: &LogRecord, now: Timestamp) -> Result<LogStatus, StoreError> {
    let id = record.log_id;
    if let Some(end) = store.ended(id).await? {
        let mut status = new(record, "ended");
        status.size = Some(end.tree.size);
        status.since = Some(end.at.rfc3339());
        status.reason =
            Some(format!("{} after its end cannot be proven", entries(end.published.saturating_sub(end.tree.size))));
        return Ok(status);
    }
    let frozen = store.frozen(id).await?;
    let mut status = new(record, if frozen.is_some() { "frozen" } else { "active" });
    status.since = frozen.map(Timestamp::rfc3339);
    let head = store.head(id).await?;
    status.size = Some(head.tree.size);
    dated(&mut status, head.timestamp, now);
    if let Some(recorded) = store.quarantined(id).await? {
        "quarantined".clone_into(&mut status.state);
        quarantined(&mut status, recorded.code, recorded.reason, Some(recorded.since_ms));
    }
    Ok(status)
}

fn dated(status: &mut LogStatus, head: Timestamp, now: Timestamp) {
    status.head_at = Some(head.rfc3339());
    status.head_age_seconds = Some(now.seconds().saturating_sub(head.seconds()));
}

fn quarantined(status: &mut LogStatus, code: String, reason: String, since_ms: Option<u64>) {
    status.code = Some(code);
    status.reason = Some(reason);
    status.since = since_ms.map(|millis| Timestamp::from_millis(millis).rfc3339());
}

/// A log of which nothing else is known.
fn new(record: &LogRecord, state: &str) -> LogStatus {
    LogStatus {
        name: record.name.clone(),
        origin: record.origin.clone(),
        state: state.to_owned(),
        code: None,
        reason: None,
        since: None,
        size: None,
        head_at: None,
        head_age_seconds: None,
        key_fingerprint: hex::encode(record.key_fingerprint),
        queued: None,
        mirror: None,
        witnesses: Vec::new(),
    }
}
