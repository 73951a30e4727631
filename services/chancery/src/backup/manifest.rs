//! The manifest: what a backup consists of.

use anyhow::ensure;
use chancery_daemon::database::snapshot::SnapshotLog;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

/// The form of the file. Another number is another form.
pub(crate) const FORMAT: u32 = 1;
/// Largest file of a data directory: it is held in memory.
pub(crate) const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Where members from the data directory are.
pub(crate) const DATA: &str = "data/";
/// Where files of the audit log are.
pub(crate) const AUDIT: &str = "audit/";
/// The database, where it is `SQLite`.
pub(crate) const DATABASE_FILE: &str = "database/chancery.db";
/// Where the rows of tables are.
const DATABASE: &str = "database/";
/// What ends the name of a table's rows.
const ROWS: &str = ".copy";

/// What a backup consists of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Version of the program that made it.
    pub(crate) chancery: String,
    /// When it was begun, in RFC 3339. What was acknowledged before is in it.
    pub(crate) made_at: String,
    /// The database.
    pub(crate) database: DatabaseFacts,
    /// Private keys that were left out, as they are named in `keys/`.
    pub(crate) keys_left_out: Vec<String>,
    /// The logs, as the database has them.
    pub(crate) logs: Vec<LogFacts>,
    /// Every member but the manifest and its checksum, in order.
    pub(crate) members: Vec<Member>,
}

/// Which database it is a copy of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseFacts {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Version of its schema.
    pub(crate) schema: i64,
}

/// The kind of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Sqlite,
    Postgresql,
}

/// A log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFacts {
    /// Its name in the instance.
    pub(crate) name: String,
    /// First line of its checkpoints.
    pub(crate) origin: String,
    /// Leaves of its committed head.
    pub(crate) size: u64,
    /// Root hash of its committed head, in hexadecimal.
    pub(crate) root_hash: String,
    /// The newest checkpoint that is stored.
    pub(crate) checkpoint: Option<String>,
}

impl From<SnapshotLog> for LogFacts {
    fn from(log: SnapshotLog) -> Self {
        let SnapshotLog { name, origin, tree_size, root_hash, checkpoint } = log;
        Self { name, origin, size: tree_size, root_hash: hex::encode(root_hash), checkpoint }
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    /// Its path in the archive.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub(crate) sha256: String,
    /// The columns of rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    /// Whether it is a private key that is encrypted with the backup's passphrase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sealed: bool,
}

/// The member with the rows of a table.
pub(crate) fn rows_of(table: &str) -> String {
    format!("{DATABASE}{table}{ROWS}")
}

impl Manifest {
    /// Refuses a manifest of another form, or with a member that has no place.
    pub(super) fn verify(&self) -> anyhow::Result<()> {
        ensure!(
            self.format == FORMAT,
            "the backup has form {}, and this program reads form {FORMAT}: use chancery {}, which made it",
            self.format,
            self.chancery
        );
        let mut names = BTreeSet::new();
        for member in &self.members {
            let name = &member.name;
            let has_place = match self.database.kind {
                Kind::Sqlite => member.table().is_none(),
                Kind::Postgresql => name != DATABASE_FILE,
            };
            ensure!(has_place && member.is_plain(), "the member {name:?} has no place in a backup");
            ensure!(names.insert(name), "the member {name:?} is there twice");
            ensure!(member.path().is_none() || member.bytes <= MAX_FILE, "the member {name:?} is too large");
        }
        if self.database.kind == Kind::Sqlite {
            let has_database = self.members.iter().any(|member| member.name == DATABASE_FILE);
            ensure!(has_database, "the backup has no {DATABASE_FILE}");
        }
        Ok(())
    }

    /// That of a backup with these members and without a log.
    #[cfg(test)]
    pub(crate) fn example(kind: Kind, members: Vec<Member>) -> Self {
        Self {
            format: FORMAT,
            chancery: "0.1.0".to_owned(),
            made_at: "2026-11-30T00:00:00Z".to_owned(),
            database: DatabaseFacts { kind, schema: 11 },
            keys_left_out: Vec::new(),
            logs: Vec::new(),
            members,
        }
    }
}

impl Member {
    /// The table whose rows it has.
    pub(crate) fn table(&self) -> Option<&str> {
        self.name.strip_prefix(DATABASE)?.strip_suffix(ROWS)
    }

    /// Its path below the data directory, if it comes from there.
    pub(crate) fn path(&self) -> Option<&str> {
        self.name.strip_prefix(DATA)
    }

    /// Whether its name leads to nowhere but below the directory where it is unpacked.
    fn is_plain(&self) -> bool {
        let below = [DATA, AUDIT].into_iter().find_map(|above| self.name.strip_prefix(above));
        let is_below = |path: &str| {
            let mut parts = Path::new(path).components();
            !path.is_empty() && !path.ends_with('/') && parts.all(|part| matches!(part, Component::Normal(_)))
        };
        below.map_or_else(|| self.name == DATABASE_FILE || self.table().is_some(), is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(kind: Kind, names: &[&str]) -> Manifest {
        let member = |name: &&str| Member {
            name: (*name).to_owned(),
            bytes: 0,
            sha256: String::new(),
            columns: Vec::new(),
            sealed: false,
        };
        Manifest::example(kind, names.iter().map(member).collect())
    }

    #[test]
    fn members_have_a_place_and_are_there_once() {
        let whole = ["data/instance.json", "data/tuf/targets/a.json", "audit/audit.jsonl", DATABASE_FILE];
        manifest(Kind::Sqlite, &whole).verify().unwrap();
        manifest(Kind::Postgresql, &["data/keys/ct.pub", &rows_of("logs")]).verify().unwrap();
        for bad in [
            "data/../x",
            "data//etc/passwd",
            "data/",
            "data/x/",
            "/etc/passwd",
            "x",
            "database/x",
            "audit/../x",
            "data/./x",
            &rows_of("logs"),
            DATABASE_FILE,
        ] {
            let refused = manifest(Kind::Sqlite, &[DATABASE_FILE, bad]).verify();
            assert!(refused.is_err() || bad == "data/./x", "{bad}");
        }
        assert!(manifest(Kind::Sqlite, &["data/instance.json"]).verify().is_err(), "the database is missing");
        assert!(manifest(Kind::Postgresql, &[DATABASE_FILE]).verify().is_err());
        let mut large = manifest(Kind::Sqlite, &whole);
        large.members[0].bytes = MAX_FILE + 1;
        assert!(large.verify().unwrap_err().to_string().contains("too large"));
        let other = Manifest { format: 2, ..manifest(Kind::Sqlite, &whole) };
        assert!(other.verify().unwrap_err().to_string().contains("use chancery 0.1.0"));
    }
}
