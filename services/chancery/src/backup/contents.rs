//! Which files of a data directory are in a backup, and in which order.
//!
//! Known names are taken. Names that are nobody's are told, so that nothing is left out in secret and no secret is taken that
//! somebody has put there. Marks come first: what is in them was committed before, so a database that is copied later has it.

use anyhow::Context as _;
use chancery_daemon::durable;
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

/// Directories in the order in which they are read, each with the ends of the names that are known. A repository's timestamp
/// names what was written before it.
const DIRECTORIES: [(&str, &[&str]); 6] = [
    ("marks", &[".mark", ".quarantined", ".json"]),
    ("keys", &[".pem", ".pub", ".json"]),
    ("trust", &[""]),
    ("tuf", &[".json"]),
    ("tuf/pending", &[""]),
    ("tuf/targets", &[""]),
];
/// Files of the directory itself. `served-ROLE.json` is known, too.
const FILES: [&str; 3] = ["instance.json", "tuf.json", "served.json"];
/// Directories that are known and not taken: they can be made again.
const LEFT: [&str; 1] = ["demo"];

/// The files of a data directory.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Their paths below it, in order.
    pub(crate) files: Vec<String>,
    /// What is there and is nobody's.
    pub(crate) strange: Vec<String>,
}

impl Contents {
    /// Those of `data`, whose audit log is in the file `audit`.
    pub(crate) fn of(data: &Path, audit: &Path) -> anyhow::Result<Self> {
        let mut contents = Self::default();
        for (directory, endings) in DIRECTORIES {
            let known = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
            contents.add(data, directory, known)?;
        }
        let served = |name: &str| name.starts_with("served-") && has_ending(name, "json");
        for name in names(data)? {
            if FILES.contains(&name.as_str()) || served(&name) {
                contents.files.push(name);
            } else if !is_left(&name) && !is_audit(&name, audit) && !is_directory(&name) {
                contents.strange.push(name);
            }
        }
        Ok(contents)
    }

    fn add(&mut self, data: &Path, directory: &str, known: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        for name in names(&data.join(directory))? {
            let path = format!("{directory}/{name}");
            if data.join(&path).is_dir() {
                if !is_directory(&path) {
                    self.strange.push(path);
                }
            } else if known(&name) && !is_temporary(&name) {
                self.files.push(path);
            } else if !is_temporary(&name) {
                self.strange.push(path);
            }
        }
        Ok(())
    }
}

fn is_directory(path: &str) -> bool {
    DIRECTORIES.iter().any(|(directory, _)| *directory == path)
}

/// Locks, and files that are about to be renamed.
fn is_temporary(name: &str) -> bool {
    name.starts_with('.') || name == "lock" || has_ending(name, "lock") || has_ending(name, "partial")
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// The database, which is copied otherwise, and what can be made again.
fn is_left(name: &str) -> bool {
    is_temporary(name) || name.starts_with("lock.") || name.starts_with("chancery.db") || LEFT.contains(&name)
}

/// The names in a directory, sorted; none where it is missing.
fn names(directory: &Path) -> anyhow::Result<Vec<String>> {
    let read = || -> io::Result<Vec<String>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let mut names = match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.with_context(|| format!("cannot read {}", directory.display()))?,
    };
    names.sort_unstable();
    Ok(names)
}

/// The files of the audit log at `path`: itself, and those that were full.
pub(crate) fn audit_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let directory = durable::directory_of(path);
    let names = names(directory)?.into_iter().filter(|name| is_audit(name, path));
    Ok(names.map(|name| directory.join(name)).collect())
}

/// Whether a file is the audit log at `path`, or one that was full: `audit-TIME.jsonl`, or `audit.jsonl.1` of another program.
fn is_audit(name: &str, path: &Path) -> bool {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (file, stem, extension) = (text(path.file_name()), text(path.file_stem()), text(path.extension()));
    name.starts_with(&file)
        || name.strip_prefix(&stem).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_first_and_what_is_strange_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        for name in [
            "lock",
            "lock.ca",
            "instance.json",
            "tuf.json",
            "served-tsa.json",
            "chancery.db",
            "chancery.db-wal",
            "audit.jsonl",
            "audit-20261130T000000Z.jsonl",
            "pin.txt",
            "keys/ca.pem",
            "keys/ca-chain.pem",
            "keys/ct.pub",
            "keys/ring.json",
            "keys/ring.lock",
            "keys/pin",
            "marks/ct.mark",
            "marks/ct.quarantined",
            "marks/tuf.json",
            "tuf/timestamp.json",
            "tuf/lock",
            "tuf/.new-1",
            "tuf/targets/00.trusted_root.json",
            "trust/rekor.pub",
            "demo/x",
            "other/x",
        ] {
            let path = data.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let Contents { files, strange } = Contents::of(data, &data.join("audit.jsonl")).unwrap();
        assert_eq!(
            files,
            [
                "marks/ct.mark",
                "marks/ct.quarantined",
                "marks/tuf.json",
                "keys/ca-chain.pem",
                "keys/ca.pem",
                "keys/ct.pub",
                "keys/ring.json",
                "trust/rekor.pub",
                "tuf/timestamp.json",
                "tuf/targets/00.trusted_root.json",
                "instance.json",
                "served-tsa.json",
                "tuf.json",
            ]
        );
        assert_eq!(strange, ["keys/pin", "other", "pin.txt"]);
        let audit = audit_files(&data.join("audit.jsonl")).unwrap();
        assert_eq!(audit, [data.join("audit-20261130T000000Z.jsonl"), data.join("audit.jsonl")]);
    }
}
