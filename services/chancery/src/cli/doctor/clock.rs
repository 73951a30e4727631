//! The clock, compared with the time servers of the configuration. The questions and the verdict are a server's own.

use super::finding::Finding;
use chancery_daemon::clock::{
    ClockFault, ClockGuard, SourceReport, SourceSettings, Sources, SystemClock, SystemUptime, Uptime as _,
};
use chancery_verify::Timestamp;
use std::{sync::Arc, time::Duration};

const CHECK: &str = "clock";
/// What each role does while the clock is not trusted.
const MEANS: &str = "No role signs or dates anything";

/// Asks each time server once.
pub(super) async fn examine(settings: Option<SourceSettings>) -> Vec<Finding> {
    match settings {
        Some(settings) => servers(settings).await,
        None => vec![Finding::note(
            CHECK,
            "this machine",
            "no time server is configured, so only the system watches over the clock, and a server cannot notice that it is wrong",
            "name at least three time servers under [tsa] ntp, and see what the system says: timedatectl status",
        )],
    }
}

async fn servers(settings: SourceSettings) -> Vec<Finding> {
    let max_offset = settings.max_offset;
    // Made before the servers are asked: their answers confirm it from then on.
    let guard = ClockGuard::new(Arc::new(SystemClock), Arc::new(SystemUptime), Timestamp::from_seconds(0));
    let sources = Arc::new(Sources::new(settings));
    sources.round(&|| SystemUptime.elapsed()).await;
    let mut findings: Vec<Finding> = sources.reports().iter().map(|report| server(report, max_offset)).collect();
    findings.push(match guard.confirmed_by(sources).check() {
        Ok(_) => Finding::ok(CHECK, "this machine", "a quorum of the time servers agrees with it"),
        Err(fault) => {
            let message = format!("{MEANS}: {fault} ({})", fault.code());
            Finding::error(CHECK, "this machine", &message, advice(fault))
        }
    });
    findings
}

/// What one server says. It decides nothing alone.
fn server(report: &SourceReport, max_offset: Duration) -> Finding {
    let SourceReport { server, offset_ms, .. } = report;
    match offset_ms {
        None => Finding::warning(
            CHECK,
            server,
            "the time server does not answer",
            "correct its name in [tsa] ntp, and open UDP port 123 to it",
        ),
        Some(offset) if u128::from(offset.unsigned_abs()) > max_offset.as_millis() => Finding::warning(
            CHECK,
            server,
            &format!("the clock is {offset} ms behind this time server (ahead, if negative)"),
            "set the clock, or name another time server in [tsa] ntp if this one is wrong",
        ),
        Some(offset) => Finding::ok(CHECK, server, &format!("the clock is {offset} ms behind it")),
    }
}

const fn advice(fault: ClockFault) -> &'static str {
    match fault {
        ClockFault::Unconfirmed | ClockFault::Stale { .. } => {
            "open UDP port 123 to the servers in [tsa] ntp, or name others there"
        }
        _ => "set the clock: timedatectl set-ntp true, or chronyc makestep; then restart the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn a_server_that_is_silent_or_shows_another_time_is_a_warning() {
        for (offset_ms, severity) in [
            (None, Severity::Warning),
            (Some(0), Severity::Ok),
            (Some(-1000), Severity::Ok),
            (Some(1001), Severity::Warning),
            (Some(i64::MIN), Severity::Warning),
        ] {
            let report = SourceReport { server: "ntp.example.org".to_owned(), offset_ms, ..SourceReport::default() };
            assert_eq!(server(&report, Duration::from_secs(1)).severity, severity, "{offset_ms:?}");
        }
        assert!(advice(ClockFault::Wrong { offset_ms: 5000 }).contains("chronyc"));
        assert!(advice(ClockFault::Unconfirmed).contains("UDP port 123"));
    }
}
