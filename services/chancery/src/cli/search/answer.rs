//! Answers of the search API, as they are read and shown. What is foreign in them stays on its line.

use crate::cli::foreign::escaped;
use chancery_verify::terms::{SignerSummary, Summary};
use serde::Deserialize;
use std::fmt::{self, Write as _};

/// A page of entries.
#[derive(Deserialize)]
pub(super) struct Page {
    entries: Vec<Entry>,
    cursor: Option<String>,
    complete_to: Vec<CompleteTo>,
}

/// A page of certificates.
#[derive(Deserialize)]
pub(super) struct Certificates {
    #[serde(rename = "certificates")]
    found: Vec<Certificate>,
    cursor: Option<String>,
    complete_to: Vec<CompleteTo>,
}

/// The number of entries.
#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) count: u64,
    at_least: bool,
    logs: Vec<LogCount>,
}

#[derive(Deserialize)]
struct LogCount {
    log: String,
    count: u64,
    at_least: bool,
}

#[derive(Deserialize)]
struct Entry {
    log: String,
    index: u64,
    time: Option<String>,
    summary: Option<Summary>,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Certificate {
    entry: Entry,
    unused: bool,
    used_in: Vec<Reference>,
    key_used_in: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    log: String,
    index: u64,
}

#[derive(Deserialize)]
struct CompleteTo {
    log: String,
    size: u64,
    /// Servers before this one told every time.
    #[serde(default = "yes")]
    tells_times: bool,
}

const fn yes() -> bool {
    true
}

/// A page as text.
pub(super) struct Shown {
    /// A line for each entry.
    pub(super) lines: String,
    pub(super) count: u64,
    pub(super) cursor: Option<String>,
    /// How far the answer is complete.
    pub(super) complete_to: String,
}

impl Shown {
    fn new(lines: &[String], cursor: Option<String>, complete_to: &[CompleteTo]) -> Self {
        let logs = complete_to.iter().map(|log| format!("{} {}", escaped(&log.log), log.size));
        let logs = logs.collect::<Vec<_>>().join(", ");
        let untold: String = complete_to.iter().filter(|log| !log.tells_times).map(CompleteTo::untold).collect();
        Self {
            lines: lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect(),
            count: lines.len() as u64,
            cursor,
            complete_to: format!("complete up to these sizes, by the server's word: {logs}\n{untold}"),
        }
    }
}

impl CompleteTo {
    /// The line about a log that tells no times.
    fn untold(&self) -> String {
        format!(
            "{} does not tell when it took its entries: --from and --to leave out only those whose certificates were not valid \
             then\n",
            escaped(&self.log)
        )
    }
}

impl From<Page> for Shown {
    fn from(Page { entries, cursor, complete_to }: Page) -> Self {
        let lines: Vec<String> = entries.iter().map(Entry::line).collect();
        Self::new(&lines, cursor, &complete_to)
    }
}

impl From<Certificates> for Shown {
    fn from(Certificates { found, cursor, complete_to }: Certificates) -> Self {
        let lines: Vec<String> = found.iter().map(Certificate::line).collect();
        Self::new(&lines, cursor, &complete_to)
    }
}

impl Entry {
    fn line(&self) -> String {
        let Some(summary) = &self.summary else {
            let problem = self.problem.as_deref().unwrap_or("it cannot be read");
            return format!("{}  {}", self.place(), escaped(problem));
        };
        let signers = summary.signers.iter().map(signer).collect::<Vec<_>>().join(", ");
        let digest = summary.digests.first().map(|digest| escaped(digest)).unwrap_or_default();
        format!("{}  {:14}  {}  {}", self.place(), escaped(&summary.kind), signers, digest).trim_end().to_owned()
    }

    fn place(&self) -> String {
        let time = self.time.as_deref().map(escaped).unwrap_or_default();
        format!("{time:24}  {:>16}", format!("{} {}", escaped(&self.log), self.index))
    }
}

impl Certificate {
    fn line(&self) -> String {
        let uses = self.used_in.iter().chain(&self.key_used_in);
        let uses = uses.map(|entry| format!("{} {}", escaped(&entry.log), entry.index)).collect::<Vec<_>>().join(", ");
        let used = if self.unused { "UNUSED".to_owned() } else { format!("used in {uses}") };
        let signer = self.entry.summary.iter().flat_map(|summary| &summary.signers).next();
        let serial = signer.and_then(|signer| signer.serial.as_deref()).map(escaped).unwrap_or_default();
        format!("{}  {serial}  {}  {used}", self.entry.place(), signer.map(self::signer).unwrap_or_default())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |count: u64, at_least: bool| if at_least { format!("at least {count}") } else { count.to_string() };
        for log in &self.logs {
            writeln!(f, "{:16}  {}", escaped(&log.log), number(log.count, log.at_least))?;
        }
        writeln!(f, "{:16}  {}", "all", number(self.count, self.at_least))
    }
}

/// The names of a signer with the issuer, or the key.
fn signer(signer: &SignerSummary) -> String {
    let names = signer.identities.iter().map(|identity| identity.value.as_str());
    let emails = signer.key_emails.iter().map(String::as_str);
    let key = signer.key_ids.iter().map(String::as_str).chain(signer.key_sha256.as_deref()).next();
    let mut shown = String::new();
    for name in names.chain(emails) {
        let separator = if shown.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(shown, "{separator}{}", escaped(name));
    }
    if shown.is_empty() {
        shown = key.map(|key| format!("key {}", escaped(key))).unwrap_or_default();
    }
    match &signer.issuer {
        Some(issuer) => format!("{shown} (issuer {})", escaped(issuer)),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_shows_where_when_and_by_whom() {
        let page: Page = serde_json::from_value(json!({
            "entries": [
                { "log": "rekor", "index": 7, "id": "ab", "time": "2026-11-21T07:00:00Z", "summary": {
                    "kind": "hashedrekord", "version": "0.0.1", "digests": ["sha256:ab"],
                    "signers": [{ "format": "x509", "issuer": "https://i",
                        "identities": [{ "kind": "email", "value": "a\u{1b}@b.c" }] }],
                } },
                { "log": "rekor", "index": 6, "id": "cd", "time": null, "summary": null, "problem": "no\nJSON" },
            ],
            "cursor": "next", "complete_to": [{ "log": "rekor", "holds": "signatures", "size": 9, "checkpoint": null }],
        }))
        .unwrap();
        let shown = Shown::from(page);
        assert_eq!((shown.count, shown.cursor.as_deref()), (2, Some("next")));
        let lines: Vec<&str> = shown.lines.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for part in ["2026-11-21T07:00:00Z", "rekor 7", "hashedrekord", "a\\u{1b}@b.c (issuer https://i)", "sha256:ab"]
        {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
        assert!(lines[1].ends_with("no\\nJSON"), "{}", lines[1]);
        assert!(shown.complete_to.ends_with("rekor 9\n"), "{}", shown.complete_to);
    }

    #[test]
    fn a_log_that_tells_no_times_is_named() {
        let page: Page = serde_json::from_value(json!({
            "entries": [{ "log": "log.example", "index": 6, "id": "cd", "time": null, "summary": null }], "cursor": null,
            "complete_to": [{ "log": "log.example", "size": 9, "tells_times": false, "checkpoint": null }],
        }))
        .unwrap();
        let shown = Shown::from(page);
        assert!(shown.complete_to.contains("log.example does not tell when"), "{}", shown.complete_to);
        assert_eq!(shown.count, 1);
    }

    #[test]
    fn a_certificate_is_shown_with_its_uses() {
        let certificate = |uses: serde_json::Value| {
            let read: Certificate = serde_json::from_value(json!({
                "entry": { "log": "ct", "index": 1, "id": "ab", "time": null, "summary": {
                    "kind": "precertificate", "signers": [{ "format": "x509", "serial": "0a" }] } },
                "unused": uses.as_array().unwrap().is_empty(), "used_in": uses, "key_used_in": [], "more": false,
            }))
            .unwrap();
            read.line()
        };
        assert!(certificate(json!([])).ends_with("UNUSED"));
        assert!(
            certificate(json!([{ "log": "rekor", "index": 3, "id": "cd", "time": null }])).ends_with("used in rekor 3")
        );
    }
}
