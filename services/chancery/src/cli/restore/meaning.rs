//! What a restore means for each log, in words for the operator who must decide what comes next.

use super::evidence::Evidence;
use crate::{
    backup::Manifest,
    cli::log::trust::subjects,
    command::quoted,
    instance::{mark_file, marks},
};
use anyhow::Context as _;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_log::{
    rekor_v2,
    restoring::{Meaning, Restored, settle as settle_log},
    series,
    store::Store,
};
use chancery_trust::tuf::{Directory, Repository, Role};
use chancery_verify::entries;
use std::{fmt::Write as _, path::Path};

/// A log that was restored.
#[derive(Debug)]
pub(super) struct Settled {
    name: String,
    origin: String,
    restored: Restored,
}

/// Judges every log in `store`, and writes the result where the next start finds it.
pub(super) async fn settle(data: &Path, store: &dyn Store, evidence: &Evidence) -> anyhow::Result<Vec<Settled>> {
    let mut settled = Vec::new();
    for subject in subjects(data, store).await? {
        let (name, origin) = (subject.record.name.clone(), subject.record.origin.clone());
        let mark = mark_file(&marks(data), &name);
        let restored = settle_log(store, &subject, &mark, evidence.of(&name), SystemClock.now()).await;
        let restored = restored.with_context(|| format!("log {name}"))?;
        settled.push(Settled { name, origin, restored });
    }
    Ok(settled)
}

/// All that there is to say after a restore. Writing to a String cannot fail.
pub(super) fn said(settled: &[Settled], manifest: &Manifest, data: &Path, database: Option<&str>) -> String {
    let mut text = format!("{}: restored from a backup of {}\n", data.display(), manifest.made_at);
    for log in settled {
        let _ = writeln!(text, "\n{}", of_log(log, manifest, data, database));
    }
    if let Ok(Some(repository)) = Repository::read(&Directory::new(data.join("tuf"))) {
        let versions = [Role::Timestamp, Role::Snapshot, Role::Targets, Role::Root];
        let versions = versions.map(|role| format!("{role} {}", repository.metadata(role).version));
        let _ = writeln!(
            text,
            "\nTUF: {}. Clients refuse metadata that is older than what they have seen. If newer was served after the backup, \
             restore that, or sign newer: chancery trust renew --data {}, until the versions are above those that were served.",
            versions.join(", "),
            quoted(data)
        );
    }
    if !manifest.keys_left_out.is_empty() {
        let _ = writeln!(
            text,
            "\nPrivate keys are not in the backup. No server starts before they are back in {}: {}",
            data.display(),
            manifest.keys_left_out.join(", ")
        );
    }
    let _ = writeln!(
        text,
        "\nBefore a server starts: stop every server that may still write with these keys; check the logs: chancery log check --data {}{}",
        quoted(data),
        option(database)
    );
    text
}

fn option(database: Option<&str>) -> String {
    database.map_or_else(String::new, |url| format!(" --database {}", quoted(Path::new(url))))
}

fn of_log(
    Settled { name, origin, restored }: &Settled,
    manifest: &Manifest,
    data: &Path,
    database: Option<&str>,
) -> String {
    let Restored { size, meaning } = restored;
    let (has, made_at) = (entries(*size), &manifest.made_at);
    let url = if series::split(name).0 == rekor_v2::NAME { " --url https://NEW.HOST" } else { "" };
    let end = format!("chancery log end --data {}{} --log {name}{url}", quoted(data), option(database));
    match meaning {
        Meaning::Closed => {
            format!("{origin} ({name}): {has}. It took no more entries before the backup, so nothing is missing.")
        }
        Meaning::GoesOn { published } => format!(
            "{origin} ({name}): {has}. It extends the newest checkpoint that you gave, of {}, and goes on at the next start. If a \
             larger one exists anywhere, do not start a server: restore again with that one.",
            entries(*published)
        ),
        Meaning::Behind { published } => format!(
            "{origin} ({name}): {has}. QUARANTINED: a checkpoint of {} was published, so {} that were acknowledged are missing. \
             Restore a newer backup, or the database of a server. If there is none, end the log; its successor takes new entries: {end}",
            entries(*published),
            entries(published.saturating_sub(*size))
        ),
        Meaning::Forked { published } => format!(
            "{origin} ({name}): {has}. QUARANTINED: it does not extend the checkpoint of {} that you gave, so the backup is of \
             another history than the one that was published. Do not end this log. Restore a backup from before the histories parted.",
            entries(*published)
        ),
        Meaning::Unknown => format!(
            "{origin} ({name}): {has}. QUARANTINED: the log may have signed more after this backup ({made_at}), and entries that \
             were acknowledged since are missing then. It is read, and takes no entries. If any server still has its state, use \
             that. Else find the newest checkpoint of it that exists anywhere (a monitor, a witness, a bucket, yours, the marks/ of \
             the lost server), and restore again with --from or --marks; one that is older than the backup says nothing. If none can \
             be found, end the log; its successor takes new entries: {end}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Kind;

    fn words(name: &str, meaning: Meaning) -> String {
        let manifest = Manifest::example(Kind::Sqlite, Vec::new());
        let restored = Restored { size: 7, meaning };
        let settled = Settled { name: name.to_owned(), origin: "log.example.org".to_owned(), restored };
        of_log(&settled, &manifest, Path::new("my data"), Some("postgres:///log"))
    }

    #[test]
    fn every_log_is_told_what_is_missing_and_what_to_do() {
        assert!(words("ct", Meaning::Closed).contains("nothing is missing"));
        assert!(words("ct", Meaning::GoesOn { published: 5 }).contains("of 5 entries, and goes on"));
        let behind = words("rekor2-2", Meaning::Behind { published: 9 });
        let end = "chancery log end --data 'my data' --database postgres:///log --log rekor2-2 --url https://NEW.HOST";
        assert!(
            behind.contains("so 2 entries that were acknowledged are missing") && behind.ends_with(end),
            "{behind}"
        );
        assert!(words("ct", Meaning::Forked { published: 5 }).contains("Do not end this log"));
        let unknown = words("rekor", Meaning::Unknown);
        assert!(
            unknown.contains("after this backup (2026-11-30T00:00:00Z)") && unknown.ends_with("--log rekor"),
            "{unknown}"
        );
    }
}
