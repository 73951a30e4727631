//! The TUF repository: when its metadata expires, and what a client gets that knows nothing but the first root.

use super::finding::Finding;
use crate::cli::{trust, verify::fetch_anew};
use anyhow::Context as _;
use chancery_address::{BaseUrl, is_protected};
use chancery_trust::{
    FileName,
    tuf::{Role, Urgency, repository::RoleStatus},
};
use chancery_verify::Timestamp;
use std::{fs, path::Path};
use url::Url;

const CHECK: &str = "tuf";

/// The metadata of each role in the data directory.
pub(super) fn metadata(data: &Path, now: Timestamp) -> Vec<Finding> {
    match trust::statuses(data, now) {
        Ok(statuses) => statuses.iter().map(|status| role(data, status)).collect(),
        Err(error) => vec![Finding::note(
            CHECK,
            &data.display().to_string(),
            &format!("there is no TUF repository to look at: {error:#}"),
            "run chancery doctor on the machine whose process has the role trust",
        )],
    }
}

fn role(data: &Path, RoleStatus { role, version, expires, urgency, .. }: &RoleStatus) -> Finding {
    let (subject, date) = (format!("{} {version}", role.as_str()), expires.rfc3339());
    let renew = format!("chancery trust renew --data {}", data.display());
    let action = match role {
        Role::Root | Role::Targets => {
            format!("{renew}; if its keys are offline: chancery trust metadata export --role {}", role.as_str())
        }
        Role::Snapshot | Role::Timestamp => format!("{renew}; a running server does it by itself, so see its log"),
    };
    match urgency {
        Urgency::None => Finding::ok(CHECK, &subject, &format!("expires on {date}")),
        Urgency::Notice => Finding::note(CHECK, &subject, &format!("expires on {date}"), &action),
        Urgency::Warning => Finding::warning(CHECK, &subject, &format!("expires soon, on {date}"), &action),
        Urgency::Alarm => {
            let message = format!("expires very soon, on {date}; clients refuse everything after that");
            Finding::error(CHECK, &subject, &message, &action)
        }
        Urgency::Expired => {
            Finding::error(CHECK, &subject, &format!("has expired on {date}, so clients refuse it"), &action)
        }
    }
}

/// What a client gets from the repository below `url`, which begins with the first root of the data directory. Returns the trusted
/// root, if it is verified.
pub(super) async fn as_a_client(
    data: &Path,
    url: &BaseUrl,
    authorities: Option<&Path>,
) -> (Vec<Finding>, Option<Vec<u8>>) {
    let subject = format!("{url}/tuf");
    let root = data.join("tuf/1.root.json");
    if !root.exists() {
        let message = format!("the first root is not here ({}), so a client's way was not tried", root.display());
        let action = "run chancery doctor on the machine whose process has the role trust";
        return (vec![Finding::note(CHECK, &subject, &message, action)], None);
    }
    if !is_protected(url.url()) {
        let message = "clients take trust over https only, so this URL was not tried";
        let action = "serve it by https: set [trust] url (or url) to an https URL";
        return (vec![Finding::warning(CHECK, &subject, message, action)], None);
    }
    match fetch(&subject, &root, authorities).await {
        Ok(fetched) => (vec![compare(data, &subject, &fetched)], Some(fetched)),
        Err(error) => {
            let text = format!("{error:#}");
            let message = format!("a client that begins with the first root gets no trust: {text}");
            (vec![Finding::error(CHECK, &subject, &message, advice(&text))], None)
        }
    }
}

async fn fetch(url: &str, root: &Path, authorities: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    fetch_anew((&Url::parse(url)?, root), directory.path(), authorities).await
}

fn advice(text: &str) -> &'static str {
    if text.to_ascii_lowercase().contains("expired") {
        "chancery trust renew --data DIR; if a cache or a copy is in front, have it fetch again"
    } else {
        "see the findings about this URL; if it answers, a proxy or a cache changes or mixes files: serve /tuf/ unchanged"
    }
}

/// What is fetched and what the server wrote last should be one file.
fn compare(data: &Path, subject: &str, fetched: &[u8]) -> Finding {
    let file = data.join("trust").join(FileName::TrustedRoot.as_str());
    match fs::read(&file) {
        Ok(own) if own != fetched => {
            let message = format!("clients get another trusted root than {}", file.display());
            let action =
                "see whether new targets wait for signatures (chancery trust status), or a cache in front is old";
            Finding::warning(CHECK, subject, &message, action)
        }
        _ => Finding::ok(CHECK, subject, "a client that begins with the first root gets the trusted root"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn the_end_of_metadata_is_told_as_its_urgency_says() {
        for (urgency, severity) in [
            (Urgency::None, Severity::Ok),
            (Urgency::Notice, Severity::Note),
            (Urgency::Warning, Severity::Warning),
            (Urgency::Alarm, Severity::Error),
            (Urgency::Expired, Severity::Error),
        ] {
            let expires = Timestamp::from_seconds(1_800_000_000);
            let status = RoleStatus { role: Role::Root, version: 3, expires, keys: 1, threshold: 1, urgency };
            let found = role(Path::new("/d"), &status);
            assert_eq!(found.severity, severity);
            let action = found.action.unwrap_or_default();
            assert!(severity == Severity::Ok || action.starts_with("chancery trust renew --data /d;"), "{action}");
        }
        assert!(advice("Timestamp metadata is Expired").contains("renew"));
    }
}
