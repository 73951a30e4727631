//! What is known of the logs from outside a backup: checkpoints that were saved elsewhere, and the marks of the server that is
//! lost. Each counts only with the signature of a key in the backup's trust files.

use super::Arguments;
use crate::{
    backup::{LogFacts, Manifest},
    cli::log::trust::{self, TrustedLog},
    instance::{mark_file, marks},
    output,
};
use anyhow::{Context as _, bail, ensure};
use chancery_log::{check::open_checkpoint, restoring::checkpoints_of};
use std::{collections::BTreeMap, fs, path::Path};

/// The file of the newest versions of TUF metadata, among the marks.
const TUF: &str = "tuf.json";

/// Checkpoints of each log, by its name.
#[derive(Debug, Default)]
pub(super) struct Evidence(BTreeMap<String, Vec<String>>);

impl Evidence {
    /// Reads what was given, for the instance that was unpacked into `data`. The newest versions of TUF metadata are put there.
    pub(super) fn read(arguments: &Arguments, manifest: &Manifest, data: &Path) -> anyhow::Result<Self> {
        let mut evidence = Self::default();
        for path in &arguments.from {
            let note = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let log = manifest.logs.iter().find(|log| is_of(&note, log, data));
            let Some(log) = log else {
                bail!(
                    "{} is not a checkpoint of any log in the backup: it is of another log, signed with another key, or changed \
                     since it was saved",
                    path.display()
                )
            };
            evidence.add(&log.name, note);
        }
        if let Some(directory) = &arguments.marks {
            let found = evidence.read_marks(directory, manifest, data)?;
            ensure!(
                found > 0,
                "{} has no mark of a log in the backup; name the directory marks of the lost server",
                directory.display()
            );
            tell_younger(directory, manifest);
        }
        Ok(evidence)
    }

    /// How many logs have a mark there.
    fn read_marks(&mut self, directory: &Path, manifest: &Manifest, data: &Path) -> anyhow::Result<usize> {
        let mut found = 0;
        for log in &manifest.logs {
            let file = mark_file(directory, &log.name);
            let notes = checkpoints_of(&file)?;
            found += usize::from(!notes.is_empty());
            for note in notes.into_iter().filter(|note| is_of(note, log, data)) {
                self.add(&log.name, note);
            }
        }
        let served = directory.join(TUF);
        if served.exists() {
            fs::copy(&served, marks(data).join(TUF)).with_context(|| format!("cannot copy {}", served.display()))?;
        }
        Ok(found)
    }

    fn add(&mut self, log: &str, note: String) {
        self.0.entry(log.to_owned()).or_default().push(note);
    }

    /// The checkpoints of the log of this name.
    pub(super) fn of(&self, log: &str) -> &[String] {
        self.0.get(log).map_or(&[][..], Vec::as_slice)
    }
}

/// Names the logs of the lost server that were begun after the backup. Nothing else knows that their keys have signed.
fn tell_younger(marks: &Path, manifest: &Manifest) {
    for entry in fs::read_dir(marks).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(log) = name.strip_suffix(".mark") else { continue };
        if manifest.logs.iter().all(|known| known.name != log) {
            output::note(&format!(
                "the log {log} was begun after the backup, and is lost: never use its key for a log again, because it has signed"
            ));
        }
    }
}

/// Whether a key that is trusted for this log has signed the checkpoint.
fn is_of(note: &str, log: &LogFacts, data: &Path) -> bool {
    let opened = trust::of_instance(data, &log.name).ok().and_then(|TrustedLog { published, .. }| {
        open_checkpoint(note.as_bytes(), &published.keys, published.personality).ok()
    });
    opened.is_some_and(|opened| opened.origin == log.origin)
}
