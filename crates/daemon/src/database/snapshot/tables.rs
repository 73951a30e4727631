//! The tables of a `PostgreSQL` schema of the newest version, in the order in which they can be filled.
//!
//! Triggers and foreign keys set the order: heads follow their logs, and nothing may be frozen, ended or quarantined before its
//! entries are there. A test compares the list with a migrated database (`tests/tests/backup.rs`), and another one with the
//! tables of `SQLite`, which are the same but for `heads`.

use std::fmt::Write as _;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number of two, four or eight bytes.
    Integer,
    Bytes,
    Text,
}

use Kind::{Bytes, Integer, Text};

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The columns by which its rows must be sorted, where the order matters.
    order: Option<&'static str>,
    /// Whether it is derived from the others, and is built again where it is empty.
    pub(super) is_derived: bool,
}

impl Table {
    const fn new(name: &'static str, columns: &'static [(&'static str, Kind)]) -> Self {
        Self { name, columns, order: None, is_derived: false }
    }

    const fn sorted(self, order: &'static str) -> Self {
        Self { order: Some(order), ..self }
    }

    const fn derived(self) -> Self {
        Self { is_derived: true, ..self }
    }

    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    /// The columns, separated by commas.
    pub(super) fn list(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    /// The statement that prints its rows. Writing to a String cannot fail.
    pub(super) fn copy_out(&self) -> String {
        let mut query = format!("SELECT {} FROM {}", self.list(), self.name);
        if let Some(order) = self.order {
            let _ = write!(query, " ORDER BY {order}");
        }
        format!("COPY ({query}) TO STDOUT (FORMAT binary)")
    }
}

/// Every table but that of the migrations.
pub const TABLES: &[Table] = &[
    Table::new(
        "logs",
        &[
            ("log_id", Integer),
            ("name", Text),
            ("origin", Text),
            ("tree_id", Integer),
            ("key_fingerprint", Bytes),
            ("created_ms", Integer),
        ],
    ),
    Table::new(
        HEADS,
        &[
            ("log_id", Integer),
            ("previous_size", Integer),
            ("tree_size", Integer),
            ("root_hash", Bytes),
            ("timestamp_ms", Integer),
        ],
    )
    .sorted("log_id, previous_size"),
    Table::new(
        PARTS,
        &[
            ("log_id", Integer),
            ("first_index", Integer),
            ("timestamp_ms", Integer),
            ("leaf_hashes", Bytes),
            ("identity_hashes", Bytes),
            ("ends", Bytes),
            ("contents", Bytes),
        ],
    )
    .sorted("log_id, first_index"),
    Table::new("identities", &[("log_id", Integer), ("identity_hash", Bytes), ("leaf_index", Integer)]),
    Table::new("leaf_indices", &[("log_id", Integer), ("leaf_hash", Bytes), ("leaf_index", Integer)]),
    Table::new("tiles", &[("log_id", Integer), ("level", Integer), ("tile_index", Integer), ("hashes", Bytes)]),
    Table::new("checkpoints", &[("log_id", Integer), ("tree_size", Integer), ("note", Text)]),
    Table::new("issuers", &[("log_id", Integer), ("fingerprint", Bytes), ("certificate", Bytes)]),
    Table::new("attestations", &[("digest", Bytes), ("data", Bytes)]),
    Table::new("attestation_subjects", &[("subject", Bytes), ("digest", Bytes)]),
    Table::new(UNREAD, &[("digest", Bytes)]),
    Table::new("frozen_logs", &[("log_id", Integer), ("frozen_ms", Integer)]),
    Table::new("frozen_checkpoints", &[("log_id", Integer), ("note", Text)]),
    Table::new(
        "ended_logs",
        &[
            ("log_id", Integer),
            ("ended_ms", Integer),
            ("tree_size", Integer),
            ("root_hash", Bytes),
            ("published_size", Integer),
        ],
    ),
    Table::new(
        "quarantined_logs",
        &[
            ("log_id", Integer),
            ("since_ms", Integer),
            ("code", Text),
            ("reason", Text),
            ("tree_size", Integer),
            ("note", Text),
        ],
    ),
    Table::new(
        "event_cursors",
        &[("receiver", Text), ("log_id", Integer), ("version", Integer), ("next_index", Integer)],
    ),
    Table::new(
        "search_logs",
        &[
            ("log_id", Integer),
            ("name", Text),
            ("version", Integer),
            ("tree_size", Integer),
            ("subtrees", Bytes),
            ("checkpoint", Text),
            ("problems", Integer),
        ],
    )
    .derived(),
    Table::new(
        RUNS,
        &[
            ("run_id", Integer),
            ("log_id", Integer),
            ("first_index", Integer),
            ("end_index", Integer),
            ("state", Integer),
            ("first_ms", Integer),
            ("last_ms", Integer),
        ],
    )
    .derived(),
    Table::new("search_pages", &[("run_id", Integer), ("first_key", Bytes), ("page", Bytes)]).derived(),
    Table::new("search_problems", &[("log_id", Integer), ("leaf_index", Integer), ("reason", Text)]).derived(),
];

/// The committed heads, which `SQLite` keeps with the parts.
pub(super) const HEADS: &str = "heads";
/// The entries.
pub(super) const PARTS: &str = "bundle_parts";
/// A trigger fills it while statements are added.
pub(super) const UNREAD: &str = "unread_attestations";
/// A table whose rows the database numbers.
pub(super) const RUNS: &str = "search_runs";

/// The table of this name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::open_sqlite;
    use std::collections::BTreeSet;

    /// Of `SQLite`'s own, and of the migrations.
    const OTHERS: &str =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx\\_%' ESCAPE '\\'
        AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

    #[tokio::test]
    async fn every_table_of_sqlite_is_listed_with_its_columns() {
        let directory = tempfile::tempdir().unwrap();
        let database = open_sqlite(&directory.path().join("chancery.db")).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(OTHERS).fetch_all(&database.readers).await.unwrap();
        let listed: BTreeSet<&str> = TABLES.iter().map(|table| table.name).filter(|name| *name != HEADS).collect();
        assert_eq!(tables.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
        for name in tables {
            let columns: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM pragma_table_info(?) WHERE name <> 'root_hash' OR ? <> 'bundle_parts'",
            )
            .bind(&name)
            .bind(&name)
            .fetch_all(&database.readers)
            .await
            .unwrap();
            let listed: BTreeSet<&str> = table(&name).unwrap().columns().collect();
            assert_eq!(columns.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed, "{name}");
        }
        database.close().await;
    }

    #[test]
    fn rows_are_printed_in_the_order_in_which_they_were_added() {
        let heads = "COPY (SELECT log_id, previous_size, tree_size, root_hash, timestamp_ms FROM heads \
                     ORDER BY log_id, previous_size) TO STDOUT (FORMAT binary)";
        assert_eq!(table(HEADS).unwrap().copy_out(), heads);
        let unread = "COPY (SELECT digest FROM unread_attestations) TO STDOUT (FORMAT binary)";
        assert_eq!(table(UNREAD).unwrap().copy_out(), unread);
    }
}
