//! The state of an instance as people read it: a line for each thing, and one more for what is wrong with it.

use crate::{
    cli::{foreign::sentence, keys, trust},
    instance::{CertificateStatus, CheckResult, InstanceStatus, LogStatus, ServerStatus, Source},
    rotation::State,
};
use chancery_trust::tuf::Urgency;
use chancery_verify::entries;
use std::fmt::Write as _;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The page. Writing to a String cannot fail.
pub(super) fn page(status: &InstanceStatus) -> String {
    let from = match status.source {
        Source::Server => "as the server says it",
        Source::Directory => "from the data directory and the database",
    };
    let mut text = format!("{}, {from}\n", sentence(&status.at));
    section(&mut text, "Servers", status.servers.iter().flat_map(server));
    section(&mut text, "Logs", status.logs.iter().flat_map(log));
    section(&mut text, "Keys", status.keys.iter().map(|key| line("", &keys::line(key))));
    let waiting = status.targets_waiting_for_signatures.map(|version| {
        let told = format!("version {version} of the targets metadata waits for signatures");
        line(YELLOW, &format!("{told}: chancery trust metadata export --role targets"))
    });
    let roles = status.tuf.iter().map(|role| line(colour_of(role.urgency), &trust::line(role)));
    section(&mut text, "TUF", roles.chain(waiting));
    section(&mut text, "Certificates", status.certificates.iter().map(certificate));
    section(&mut text, "Not read", status.unread.iter().map(|reason| line(RED, reason)));
    text
}

/// A headline and its lines, if there are any.
fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{BOLD}{title}{PLAIN}");
        text.extend(lines);
    }
}

fn line(colour: &str, text: &str) -> String {
    coloured(colour, "  ", text)
}

/// What is wrong with the thing of the line above.
fn below(colour: &str, text: &str) -> String {
    coloured(colour, "    ", text)
}

/// One line, whatever a server has put into it.
fn coloured(colour: &str, indent: &str, text: &str) -> String {
    let (text, plain) = (sentence(text), if colour.is_empty() { "" } else { PLAIN });
    format!("{indent}{colour}{text}{plain}\n")
}

fn server(server: &ServerStatus) -> Vec<String> {
    let ServerStatus { url, roles, version, ready, checks, unknown_because } = server;
    let (colour, state) = match ready {
        Some(true) => (GREEN, "ready"),
        Some(false) => (RED, "not ready"),
        None => (YELLOW, "not known"),
    };
    let (roles, version) = (roles.join(","), version.as_deref().unwrap_or("-"));
    let mut lines = vec![line(colour, &format!("{url}  {roles}  version {version}  {state}"))];
    lines.extend(unknown_because.as_ref().map(|reason| below("", reason)));
    for check in checks {
        let colour = match check.result {
            CheckResult::Passed => continue,
            CheckResult::Warning => YELLOW,
            CheckResult::Failed => RED,
        };
        let message = check.message.as_deref().unwrap_or_default();
        lines.push(below(colour, &format!("{} {}: {message}", check.role, check.check)));
    }
    lines
}

fn log(log: &LogStatus) -> Vec<String> {
    let colour = match log.state.as_str() {
        "active" if log.reason.is_none() => GREEN,
        "frozen" | "ended" => "",
        _ => RED,
    };
    let mut text = format!("{:10} {:12}", log.name, log.state);
    text.push_str(&log.size.map_or_else(|| "size not known".to_owned(), entries));
    if let Some(age) = log.head_age_seconds {
        let _ = write!(text, ", head {} old", span(age));
    }
    if let Some(waiting) = log.queued.filter(|waiting| *waiting > 0) {
        let _ = write!(text, ", {} waiting", entries(waiting));
    }
    if let Some(mirror) = &log.mirror {
        let _ = write!(text, ", copy {} behind", entries(mirror.lag_entries));
    }
    for witness in &log.witnesses {
        let _ = write!(text, ", witness {} {} behind", witness.name, entries(witness.lag_entries));
    }
    let mut lines = vec![line(colour, &text)];
    let since = log.since.as_ref().map(|since| format!(" (since {since})")).unwrap_or_default();
    let code = log.code.as_ref().map(|code| format!("{code}: ")).unwrap_or_default();
    match &log.reason {
        Some(reason) => lines.push(below(colour, &format!("{code}{reason}{since}"))),
        None if !since.is_empty() => lines.push(below(colour, &format!("{}{since}", log.state))),
        None => {}
    }
    lines.extend(
        log.mirror.iter().filter_map(|mirror| Some(below(YELLOW, &format!("copy: {}", mirror.fault.as_ref()?)))),
    );
    let witnesses = log.witnesses.iter();
    lines.extend(
        witnesses.filter_map(|witness| {
            Some(below(YELLOW, &format!("witness {}: {}", witness.name, witness.fault.as_ref()?)))
        }),
    );
    lines
}

fn certificate(certificate: &CertificateStatus) -> String {
    let CertificateStatus { role, subject, expires, seconds_left, urgency, .. } = certificate;
    // A generation that does not sign any more does not have to be replaced.
    let is_past = matches!(certificate.state, Some(State::Retired | State::Outgoing));
    let colour = match urgency.as_str() {
        "expired" if !is_past => RED,
        "warning" if !is_past => YELLOW,
        _ => "",
    };
    let generation = certificate.generation.map(|generation| generation.to_string()).unwrap_or_default();
    let state = certificate.state.map_or("", State::name);
    let left = if *seconds_left == 0 { "expired".to_owned() } else { format!("{} left", span(*seconds_left)) };
    line(colour, &format!("{role:4} {generation:2} {state:9} {expires}  {left:>14}  {subject}"))
}

const fn colour_of(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::None => "",
        Urgency::Notice | Urgency::Warning => YELLOW,
        Urgency::Alarm | Urgency::Expired => RED,
    }
}

/// A time in its largest unit of which there are two.
fn span(seconds: u64) -> String {
    match seconds {
        seconds if seconds >= 2 * DAY => format!("{} days", seconds / DAY),
        seconds if seconds >= 2 * HOUR => format!("{} hours", seconds / HOUR),
        seconds if seconds >= 2 * MINUTE => format!("{} min", seconds / MINUTE),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(log: &serde_json::Value) -> InstanceStatus {
        let status = json!({
            "version": 1, "at": "2026-11-30T12:00:00Z", "source": "server", "servers": [], "logs": [log], "keys": [], "tuf": [],
            "targets_waiting_for_signatures": null, "certificates": [], "unread": [],
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_log_is_one_line_and_another_one_for_what_is_wrong() {
        let mut log = json!({
            "name": "rekor", "origin": "sign.example.org - 1", "state": "active", "code": null, "reason": null, "since": null,
            "size": 4, "head_at": "2026-11-30T11:57:00Z", "head_age_seconds": 180, "key_fingerprint": "00", "queued": 0,
            "mirror": { "size": 3, "lag_entries": 1, "fault": null }, "witnesses": [],
        });
        let shown = page(&status(&log));
        let plain = "  \x1b[32mrekor      active      4 entries, head 3 min old, copy 1 entry behind\x1b[0m\n";
        assert!(shown.ends_with(&format!("\n\x1b[1mLogs\x1b[0m\n{plain}")), "{shown:?}");
        log["state"] = "quarantined".into();
        log["code"] = "quarantine.edge".into();
        log["reason"] = "the tiles\u{1b}[2J do not".into();
        let shown = page(&status(&log));
        assert!(shown.ends_with("    \x1b[31mquarantine.edge: the tiles\\u{1b}[2J do not\x1b[0m\n"), "{shown:?}");
        assert!(
            !shown.contains("Keys") && !shown.contains("Not read"),
            "nothing is said of what is not there: {shown}"
        );
    }

    #[test]
    fn a_time_has_the_largest_unit_of_which_there_are_two() {
        for (seconds, shown) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 hours"), (2 * DAY, "2 days")]
        {
            assert_eq!(span(seconds), shown);
        }
    }
}
