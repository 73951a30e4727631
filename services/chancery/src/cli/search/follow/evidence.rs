//! The evidence against a log: checkpoints that its key has signed, and that contradict each other or its entries.
//!
//! Other readers may never see them: a server can show one tree to one reader only. So they are written to files where the
//! database is a file, and shown in any case.

use chancery_daemon::durable;
use chancery_log::store::Location;
use chancery_verify::hash::sha256;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Checkpoints as they were signed, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli::search) struct Evidence(Vec<String>);

impl Evidence {
    /// These checkpoints.
    pub(super) fn of(checkpoints: impl IntoIterator<Item = String>) -> Self {
        let mut seen = BTreeSet::new();
        Self(checkpoints.into_iter().filter(|checkpoint| seen.insert(checkpoint.clone())).collect())
    }

    /// The checkpoints.
    pub(super) fn checkpoints(&self) -> &[String] {
        &self.0
    }

    /// Writes each checkpoint to a file beside the database, if that is a file: `rekor.db.1f2e3d4c5b6a7988.checkpoint`, by its
    /// SHA-256. A process that is killed meanwhile leaves none, or a whole one. Returns a line about each.
    pub(super) fn keep(&self, database: &Location) -> Vec<String> {
        let Location::File(database) = database else { return Vec::new() };
        let keep = |checkpoint: &String| {
            let path = place(database, checkpoint);
            match durable::write(&path, checkpoint.as_bytes()) {
                Ok(()) => format!("kept: {}", path.display()),
                Err(error) => format!("cannot write {}: {error}", path.display()),
            }
        };
        self.0.iter().map(keep).collect()
    }
}

fn place(database: &Path, checkpoint: &str) -> PathBuf {
    let hash = hex::encode(sha256(checkpoint.as_bytes()));
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".{}.checkpoint", hash.get(..16).unwrap_or(&hash)));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_checkpoint_is_kept_once_beside_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let database = Location::File(directory.path().join("log.db"));
        let evidence = Evidence::of(["one".to_owned(), "two".to_owned(), "one".to_owned()]);
        assert_eq!(evidence.checkpoints(), ["one", "two"]);
        let told = evidence.keep(&database);
        assert_eq!(told, evidence.keep(&database), "again");
        // What others may have left there is no evidence.
        fs::write(place(&directory.path().join("log.db"), "one"), "").unwrap();
        assert_eq!(told, evidence.keep(&database), "and once more");
        let mut kept: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        kept.sort();
        assert_eq!(kept, ["one", "two"]);
        assert!(told.iter().all(|line| line.starts_with("kept: ") && line.ends_with(".checkpoint")), "{told:?}");
        assert!(evidence.keep(&Location::Server("postgres://db.example/log".to_owned())).is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let told = Evidence::of(["one".to_owned()]).keep(&Location::File("/nonexistent/log.db".into()));
        assert!(told.iter().all(|line| line.starts_with("cannot write /nonexistent/log.db.")), "{told:?}");
    }
}
