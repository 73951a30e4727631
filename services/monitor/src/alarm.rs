//! Alarms, for people and programs. Pure.
//!
//! An alarm has an id that depends only on what it is about, so that one that is delivered twice is recognised. Texts in it
//! that come out of entries are foreign: escaped and shortened in the message, and as JSON strings elsewhere.

use crate::scan::Finding;
use chancery_verify::merkle::TreeHead;
use chancery_verify::terms::{SignerSummary, Summary};
use chancery_verify::{Timestamp, hash, shown};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Begins what an id is the hash of. Another version would make other ids of the same alarms.
const ID_CONTEXT: &str = "chancery-monitor/1";
/// Bytes of an id.
const ID_BYTES: usize = 16;

/// Maximum bytes, as JSON, of what an entry says in an alarm. Whoever signs can write any number of names, and alarms wait in a file
/// that must stay readable.
const MAX_ENTRY_BYTES: usize = 8 << 10;
/// Signers that a message names.
const MAX_SIGNERS: usize = 4;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// An entry meets a watch, and is not expected.
    Entry,
    /// The log has signed two trees of one size.
    Fork,
    /// The log has signed two trees of which it does not prove that one extends the other.
    Inconsistent,
    /// The entries that the log shows are not those of the tree that it has signed.
    WrongEntries,
    /// Others have seen a newer tree, which the log does not prove here.
    Hidden,
    /// The log shows an older tree than before.
    Rollback,
    /// The log has not grown or signed anything new for too long.
    Stalled,
    /// The log cannot be read.
    Unreachable,
    /// Entries are added to another tree, and no longer to this one.
    Successor,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Entry,
        Self::Fork,
        Self::Inconsistent,
        Self::WrongEntries,
        Self::Hidden,
        Self::Rollback,
        Self::Stalled,
        Self::Unreachable,
        Self::Successor,
    ];

    /// The name in JSON, labels and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Fork => "fork",
            Self::Inconsistent => "inconsistent",
            Self::WrongEntries => "wrong-entries",
            Self::Hidden => "hidden",
            Self::Rollback => "rollback",
            Self::Stalled => "stalled",
            Self::Unreachable => "unreachable",
            Self::Successor => "successor",
        }
    }

    /// How bad it is: `critical` where the log has broken its promise, `warning` otherwise.
    #[must_use]
    pub const fn severity(self) -> &'static str {
        match self {
            Self::Fork | Self::Inconsistent | Self::WrongEntries | Self::Hidden => "critical",
            Self::Entry | Self::Rollback | Self::Stalled | Self::Unreachable | Self::Successor => "warning",
        }
    }
}

/// A tree head in an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Number of leaves.
    pub size: u64,
    /// Root hash in hexadecimal.
    pub root: String,
}

impl From<&TreeHead> for Tree {
    fn from(head: &TreeHead) -> Self {
        Self { size: head.size, root: hex::encode(head.root) }
    }
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The same whenever the same thing is alarmed: 32 hexadecimal digits.
    pub id: String,
    /// What it is about.
    pub kind: AlarmKind,
    /// `critical` or `warning`.
    pub severity: String,
    /// Name of the log in the monitor's configuration.
    pub log: String,
    /// One sentence for people.
    pub message: String,
    /// When the monitor found it (RFC 3339).
    pub found_at: String,
    /// Name of the watch, if it is about an entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub watch: Option<String>,
    /// Position of the entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index: Option<u64>,
    /// Leaf hash of the entry in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaf_hash: Option<String>,
    /// When the log says that the entry was logged (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logged_at: Option<String>,
    /// What the entry says, unless that is too long.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<Box<Summary>>,
    /// The signed tree in which the entry is, or that the alarm is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tree: Option<Tree>,
    /// File with the signed notes that prove it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<PathBuf>,
}

impl Alarm {
    /// The alarm about what was found in an entry of the tree `head`.
    pub(crate) fn of_entry(log: &str, finding: Finding, head: &TreeHead, now: Timestamp) -> Self {
        let leaf_hash = hex::encode(finding.leaf_hash);
        let subject = format!("{}\n{}\n{leaf_hash}", finding.watch, finding.index);
        let said = finding.summary.as_deref().map_or_else(|| "it cannot be read".to_owned(), describe);
        let message = format!("entry {} of {log} meets the watch {}: {said}", finding.index, shown(&finding.watch));
        let logged_at = finding.timestamp_ms.and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::from_millis);
        Self {
            watch: Some(finding.watch),
            index: Some(finding.index),
            leaf_hash: Some(leaf_hash),
            logged_at: logged_at.map(Timestamp::rfc3339),
            entry: finding.summary.filter(|summary| is_short(summary)),
            tree: Some(head.into()),
            ..Self::new(log, AlarmKind::Entry, &subject, message, now)
        }
    }

    /// An alarm about `subject`, which with log and kind makes the id.
    pub(crate) fn new(log: &str, kind: AlarmKind, subject: &str, message: String, now: Timestamp) -> Self {
        Self {
            id: id(log, kind, subject),
            kind,
            severity: kind.severity().to_owned(),
            log: log.to_owned(),
            message,
            found_at: now.rfc3339(),
            watch: None,
            index: None,
            leaf_hash: None,
            logged_at: None,
            entry: None,
            tree: None,
            evidence: None,
        }
    }
}

/// One line for people.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found_at, severity, kind, message, id, evidence, .. } = self;
        write!(f, "{found_at} {severity} {}: {message}", kind.name())?;
        if let Some(evidence) = evidence {
            write!(f, "; the evidence is in {}", evidence.display())?;
        }
        write!(f, " [{id}]")
    }
}

/// The id of an alarm.
pub(crate) fn id(log: &str, kind: AlarmKind, subject: &str) -> String {
    let whole = hash::sha256(format!("{ID_CONTEXT}\n{log}\n{}\n{subject}", kind.name()).as_bytes());
    hex::encode(whole.get(..ID_BYTES).unwrap_or_default())
}

fn is_short(summary: &Summary) -> bool {
    serde_json::to_vec(summary).is_ok_and(|json| json.len() <= MAX_ENTRY_BYTES)
}

/// Signers and digest, as the entry says.
fn describe(summary: &Summary) -> String {
    let mut signers: Vec<String> = summary.signers.iter().take(MAX_SIGNERS).map(signer).collect();
    let more = summary.signers.len() - signers.len();
    if more > 0 {
        signers.push(format!("{more} more"));
    }
    let signers = if signers.is_empty() { "no signer".to_owned() } else { signers.join(" and ") };
    let about = summary.digests.first().or(summary.attestation_digests.first());
    match about {
        Some(digest) => format!("{signers}, {} of {}", shown(&summary.kind), shown(digest)),
        None => format!("{signers}, {}", shown(&summary.kind)),
    }
}

fn signer(signer: &SignerSummary) -> String {
    let identity = signer.identities.first().map(|identity| shown(&identity.value));
    match (identity, &signer.issuer, &signer.key_sha256, signer.key_ids.first()) {
        (Some(identity), Some(issuer), ..) => format!("{identity} ({})", shown(issuer)),
        (Some(identity), None, ..) => identity,
        (None, _, Some(key), _) => format!("the key {key}"),
        (None, _, None, Some(id)) => format!("the key {}", shown(id)),
        (None, _, None, None) => "an unreadable signer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(index: u64, watch: &str) -> Finding {
        Finding { index, leaf_hash: [7; 32], timestamp_ms: Some(1000), watch: watch.to_owned(), summary: None }
    }

    #[test]
    fn an_id_depends_on_what_an_alarm_is_about_and_on_nothing_else() {
        let head = TreeHead { size: 9, root: [1; 32] };
        let alarm = |log, index, watch, now| {
            Alarm::of_entry(log, finding(index, watch), &head, Timestamp::from_seconds(now)).id
        };
        assert_eq!(alarm("a", 1, "w", 1), alarm("a", 1, "w", 99));
        for other in [alarm("b", 1, "w", 1), alarm("a", 2, "w", 1), alarm("a", 1, "v", 1)] {
            assert_ne!(alarm("a", 1, "w", 1), other);
        }
        assert_eq!(alarm("a", 1, "w", 1).len(), 32);
    }

    #[test]
    fn a_line_is_one_line_whatever_an_entry_says() {
        let said = json!({ "kind": "rekord", "signers": [{ "key_ids": ["\u{1b}[31m\nforged"] }] });
        let summary: Summary = serde_json::from_value(said).unwrap();
        let finding = Finding { summary: Some(Box::new(summary)), ..finding(3, "a\nb") };
        let alarm = Alarm::of_entry("rekor", finding, &TreeHead { size: 9, root: [1; 32] }, Timestamp::from_seconds(0));
        let line = alarm.to_string();
        assert!(!line.contains(['\n', '\u{1b}']) && line.contains("forged"), "{line}");
        let json = serde_json::to_string(&alarm).unwrap();
        assert_eq!(serde_json::from_str::<Alarm>(&json).unwrap(), alarm);
        assert!(!json.contains('\n'));
    }

    #[test]
    fn an_alarm_is_short_whatever_an_entry_says() {
        let name = |text: &str| json!({ "kind": "email", "value": text.repeat(512) });
        let signer = |text: &str| json!({ "identities": vec![name(text); 8], "issuer": text.repeat(512) });
        for text in ["a", "\u{1}", "\"", "\u{10ffff}"] {
            let said = json!({ "kind": "rekord", "signers": vec![signer(text); 32] });
            let summary: Summary = serde_json::from_value(said).unwrap();
            let finding = Finding { summary: Some(Box::new(summary)), ..finding(3, "w") };
            let head = TreeHead { size: 9, root: [1; 32] };
            let alarm = Alarm::of_entry("rekor", finding, &head, Timestamp::from_seconds(0));
            assert!(alarm.message.contains("and 28 more") && alarm.entry.is_none(), "{}", alarm.message);
            let length = serde_json::to_vec(&alarm).unwrap().len();
            assert!(length < 16 << 10, "{length}");
        }
    }

    #[test]
    fn names_in_json_are_those_of_labels() {
        for kind in AlarmKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
