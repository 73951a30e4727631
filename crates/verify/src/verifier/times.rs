//! Step 2: establishes when the signature existed, from times that timestamp authorities and logs have signed.

use super::required::Required;
use super::{Case, Material, Unknown};
use crate::bundle::TransparencyLogEntry;
use crate::rekor::Promise;
use crate::timestamping::Token;
use crate::trust_root::{TimestampAuthority, TransparencyLog};
use crate::{Refusal, Rejection, Step, Timestamp, counted};
use serde::Serialize;
use std::collections::BTreeSet;

/// A time at which the signature existed. Only this module can make one, from a signed time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedTime {
    #[serde(serialize_with = "super::verified::rfc3339")]
    time: Timestamp,
    operator: String,
    #[serde(flatten)]
    source: TimeSource,
}

/// The source of a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeSource {
    /// A timestamp (RFC 3161).
    TimestampAuthority {
        /// Position among the bundle's timestamps.
        timestamp: usize,
        /// The authority's URL in the trust root; may be empty.
        url: String,
        /// The subject of the certificate that signed it.
        subject: String,
    },
    /// A log's promise (SET).
    LogPromise {
        /// Position among the bundle's log entries.
        entry: usize,
        /// The log's URL in the trust root.
        url: String,
    },
}

impl VerifiedTime {
    /// The time.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The operator that signed it.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// Its source.
    #[must_use]
    pub const fn source(&self) -> &TimeSource {
        &self.source
    }

    /// Its place in the bundle.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            TimeSource::TimestampAuthority { timestamp, .. } => timestamp_place(*timestamp),
            TimeSource::LogPromise { entry, .. } => format!("{}.integratedTime", entry_place(*entry)),
        }
    }
}

/// A time at which certificates must be valid, and its place in the bundle.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) time: Timestamp,
    pub(super) place: String,
}

/// The times at which a certificate is checked.
pub(super) fn moments(times: &[VerifiedTime]) -> Vec<Moment> {
    times.iter().map(|verified| Moment { time: verified.time, place: verified.place() }).collect()
}

fn timestamp_place(index: usize) -> String {
    format!("verificationMaterial.timestampVerificationData.rfc3161Timestamps[{index}].signedTimestamp")
}

pub(super) fn entry_place(index: usize) -> String {
    format!("verificationMaterial.tlogEntries[{index}]")
}

/// Verifies every timestamp and every promise, and counts their operators.
pub(super) fn establish(case: &mut Case<'_>, material: &Material<'_>) -> Result<Vec<VerifiedTime>, Refusal> {
    let mut times = Vec::new();
    for (index, der) in case.bundle.timestamps().iter().enumerate() {
        times.extend(timestamp(case, index, der)?);
    }
    for (index, entry) in case.bundle.entries().iter().enumerate() {
        times.extend(promise(case, index, entry)?);
    }
    count(&case.required, material, &times)?;
    Ok(times)
}

/// Checks that enough operators establish a time.
pub(super) fn count(thresholds: &Required, material: &Material<'_>, times: &[VerifiedTime]) -> Result<(), Refusal> {
    // The validity of a certificate cannot be checked without a time.
    let required = match material {
        Material::Certificate(_) => thresholds.times.max(1),
        Material::Key(_) => thresholds.times,
    };
    let operators = |counts: &dyn Fn(&VerifiedTime) -> bool| {
        times.iter().filter(|time| counts(time)).map(VerifiedTime::operator).collect::<BTreeSet<_>>().len()
    };
    let all = operators(&|_| true);
    if all == 0 && required > 0 {
        return Err(Refusal::new(Rejection::TimeNone, Step::Times)
            .at("verificationMaterial")
            .expected("a timestamp, or a log's promise", "neither"));
    }
    let stamped = operators(&|time| matches!(time.source, TimeSource::TimestampAuthority { .. }));
    for (found, required) in [(all, required), (stamped, thresholds.timestamps)] {
        if found < required {
            return Err(Refusal::new(Rejection::TimeTooFew { found, required }, Step::Times)
                .at("verificationMaterial")
                .expected(format!("times of {}", counted(required, "operator", "operators")), found.to_string()));
        }
    }
    Ok(())
}

/// Verifies one timestamp: (1) it parses, (2) it is over the signature, (3) an authority of the trust root made it
/// while its certificates were valid, (4) in the authority's window, (5) not in the future.
fn timestamp(case: &mut Case<'_>, index: usize, der: &[u8]) -> Result<Option<VerifiedTime>, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::Times).at(timestamp_place(index));
    // (1)
    let token = Token::from_response(der).map_err(refuse)?;
    let info = token.info();
    // (2)
    let digest = info.imprint.hash.digest(case.bundle.timestamped_bytes());
    if info.imprint.digest != digest {
        return Err(refuse(Rejection::TimestampImprint).expected(hex::encode(digest), hex::encode(info.imprint.digest)));
    }
    // (3), (4)
    let found = authority(case, &token);
    let (authority, subject) = match found {
        Ok(found) => found,
        Err((Rejection::TimestampSigner, _)) if case.verifier.options.unknown == Unknown::Report => {
            case.warnings
                .push(format!("{} is by an unknown timestamp authority and was not counted", timestamp_place(index)));
            return Ok(None);
        }
        Err((rejection, Some(authority))) => {
            let window = format!("a time in the authority's window, {}", authority.window());
            return Err(refuse(rejection).expected(window, info.time.rfc3339_millis()));
        }
        Err((rejection, None)) => return Err(refuse(rejection)),
    };
    // (5)
    if info.time > case.now {
        return Err(future(&timestamp_place(index), info.time, case.now));
    }
    let (url, operator) = (authority.url().to_owned(), authority.operator().to_owned());
    let source = TimeSource::TimestampAuthority { timestamp: index, url, subject };
    Ok(Some(VerifiedTime { time: info.time, operator, source }))
}

/// Finds the authority that made `token` and was trusted at its time. If several have the same certificate, the window
/// decides. A refusal because of the window includes the authority.
fn authority<'a>(
    case: &Case<'a>,
    token: &Token<'_>,
) -> Result<(&'a TimestampAuthority, String), (Rejection, Option<&'a TimestampAuthority>)> {
    let mut verdict = (Rejection::TimestampSigner, None);
    for (stamper, authority) in case.verifier.trusted.stampers() {
        match stamper.verify(token) {
            Ok(leaf) if authority.window().contains(token.info().time) => {
                return Ok((authority, leaf.subject().to_string()));
            }
            Ok(_) => verdict = (Rejection::TimestampWindow, Some(authority)),
            Err(rejection) if verdict.0 == Rejection::TimestampSigner => verdict = (rejection, None),
            Err(_) => {}
        }
    }
    Err(verdict)
}

/// The refusal of a time after `now`.
pub(super) fn future(place: &str, time: Timestamp, now: Timestamp) -> Refusal {
    Refusal::new(Rejection::TimeFuture, Step::Times)
        .at(place)
        .expected(format!("a time not after {}", now.rfc3339_millis()), time.rfc3339_millis())
}

/// Verifies the promise of one entry: (1) the entry's time is not in the future, even without a promise, (2) the log is
/// known, (3) the promise verifies, (4) the log was trusted at that time. An entry without a promise establishes no
/// time.
pub(super) fn promise(
    case: &mut Case<'_>,
    index: usize,
    entry: &TransparencyLogEntry,
) -> Result<Option<VerifiedTime>, Refusal> {
    let place = entry_place(index);
    let time = entry.integrated_time.unwrap_or(Timestamp::from_seconds(0));
    // (1)
    if time > case.now {
        return Err(future(&format!("{place}.integratedTime"), time, case.now));
    }
    let Some(signature) = &entry.promise else { return Ok(None) };
    // (2)
    let Some(log) = known_log(case, index, entry)? else { return Ok(None) };
    // (3)
    let body = entry.body.as_deref().ok_or_else(|| {
        let missing = Rejection::EntryMissing { field: "canonicalizedBody" };
        Refusal::new(missing, Step::Times).at(format!("{place}.canonicalizedBody"))
    })?;
    let promise = Promise { body, integrated_time: time.seconds(), log_id: &entry.log_id, log_index: entry.log_index };
    promise.verify(log.key(), signature).map_err(|rejection| {
        let place = format!("{place}.inclusionPromise.signedEntryTimestamp");
        Refusal::new(rejection, Step::Times).at(place).expected(format!("a promise by {}", log.url()), "none")
    })?;
    // (4)
    if !log.window().contains(time) {
        return Err(Refusal::new(Rejection::LogWindow, Step::Times)
            .at(format!("{place}.integratedTime"))
            .expected(format!("a time in the log's window, {}", log.window()), time.rfc3339_millis()));
    }
    let source = TimeSource::LogPromise { entry: index, url: log.url().to_owned() };
    Ok(Some(VerifiedTime { time, operator: log.operator().to_owned(), source }))
}

/// Finds the log of an entry. `None` if it is unknown and the options only report unknown logs.
pub(super) fn known_log<'a>(
    case: &mut Case<'a>,
    index: usize,
    entry: &TransparencyLogEntry,
) -> Result<Option<&'a TransparencyLog>, Refusal> {
    let place = format!("{}.logId", entry_place(index));
    if let Some((log, _)) = case.verifier.trusted.log(&entry.log_id) {
        return Ok(Some(log));
    }
    let id = hex::encode(entry.log_id);
    if case.verifier.options.unknown == Unknown::Report {
        let warning = format!("{place} is {id}, a log that is not trusted; its entry was not counted");
        if !case.warnings.contains(&warning) {
            case.warnings.push(warning);
        }
        return Ok(None);
    }
    Err(Refusal::new(Rejection::LogUnknown, Step::Times).at(place).expected("a log of the trust root", id))
}
