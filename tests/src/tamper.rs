//! Changes to the database of a stopped instance, one at a time: a bit of a stored value, a row that is missing, a row that is
//! added. Knows the tables of the logs and nothing of what they mean.

use crate::program::{Outcome, Program};
use std::{env, fmt, path::Path};

/// Functions for [`Change::sql`] in PostgreSQL; a script defines the same in Python for SQLite.
pub const FLIP_FUNCTIONS: &str = "
    CREATE FUNCTION flip(value bytea, place int, nth int) RETURNS bytea LANGUAGE sql AS $$
        SELECT set_byte(value, place % octet_length(value), get_byte(value, place % octet_length(value)) # (1 << nth % 8))
    $$;
    CREATE FUNCTION flip(value text, place int, nth int) RETURNS text LANGUAGE sql AS $$
        SELECT convert_from(flip(convert_to(value, 'UTF8'), place, 0), 'UTF8')
    $$;
    CREATE FUNCTION flip(value bigint, place int, nth int) RETURNS bigint LANGUAGE sql AS $$
        SELECT value # (1::bigint << nth % 40)
    $$;";

/// Runs SQL, of one statement or several, over an SQLite database as somebody would who does not care for triggers; the same
/// functions are there. Prints the number of rows that it changed, and ends with 3 where the database refuses.
const SQLITE: &str = "
import sqlite3, sys
def flip(value, place, bit):
    if isinstance(value, int):
        return value ^ 1 << bit % 40
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    data[place % len(data)] ^= 1 << bit % 8 if isinstance(value, bytes) else 1
    return bytes(data) if isinstance(value, bytes) else data.decode()
database = sqlite3.connect(sys.argv[1])
database.create_function('flip', 3, flip)
for (name,) in database.execute(\"SELECT name FROM sqlite_master WHERE type = 'trigger'\").fetchall():
    database.execute(f'DROP TRIGGER {name}')
try:
    print(sum(max(database.execute(statement).rowcount, 0) for statement in sys.argv[2].split(';')))
except sqlite3.IntegrityError:
    sys.exit(3)
database.commit()
";

/// Runs SQL over the SQLite database `file`, without its triggers. Returns how many rows it changed; `None` where the database
/// refuses it.
pub fn sqlite(file: &Path, sql: &str) -> Option<u64> {
    let directory = file.parent().unwrap();
    let python = Program::new("/usr/bin/env", directory).env("PATH", env::var_os("PATH").unwrap());
    let outcome: Outcome = python.arg("python3").arg("-c").arg(SQLITE).arg(file).arg(sql).run();
    if outcome.code() == 3 {
        return None;
    }
    Some(outcome.succeeds().trim().parse().unwrap())
}

/// A table, what names a row, and its columns.
type Table = (&'static str, &'static str, &'static [&'static str]);

/// Where heads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    /// In SQLite: with the entries.
    WithEntries,
    /// In PostgreSQL: in a table of their own.
    Apart,
}

impl Heads {
    /// The tables with entries and heads.
    const fn tables(self) -> &'static [Table] {
        match self {
            Self::WithEntries => &[(
                "bundle_parts",
                "log_id, first_index",
                &[
                    "log_id",
                    "first_index",
                    "timestamp_ms",
                    "leaf_hashes",
                    "identity_hashes",
                    "ends",
                    "contents",
                    "root_hash",
                ],
            )],
            Self::Apart => &[
                (
                    "bundle_parts",
                    "log_id, first_index",
                    &["log_id", "first_index", "timestamp_ms", "leaf_hashes", "identity_hashes", "ends", "contents"],
                ),
                (
                    "heads",
                    "log_id, previous_size",
                    &["log_id", "previous_size", "tree_size", "root_hash", "timestamp_ms"],
                ),
            ],
        }
    }
}

/// The other tables, which both databases have. Not among them, because no row is there in a log with nothing wrong: `frozen_logs`
/// and `quarantined_logs`, which are decisions; `ended_logs` and `frozen_checkpoints`, which the log's own tests change and the check
/// finds it; `attestations`, which no log has, and of which the log's own tests change one.
const TABLES: [Table; 6] = [
    ("logs", "log_id", &["log_id", "name", "origin", "tree_id", "key_fingerprint", "created_ms"]),
    ("identities", "log_id, identity_hash", &["log_id", "identity_hash", "leaf_index"]),
    ("leaf_indices", "log_id, leaf_hash, leaf_index", &["log_id", "leaf_hash", "leaf_index"]),
    ("tiles", "log_id, level, tile_index", &["log_id", "level", "tile_index", "hashes"]),
    ("checkpoints", "log_id, tree_size", &["log_id", "tree_size", "note"]),
    ("issuers", "log_id, fingerprint", &["log_id", "fingerprint", "certificate"]),
];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flip(&'static str),
    Delete,
    /// The row once more, with one bit of this column changed.
    Add(&'static str),
}

/// One change.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    table: &'static str,
    key: &'static str,
    columns: &'static [&'static str],
    kind: Kind,
    row: u32,
    place: u32,
    bit: u32,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, row, place, bit, .. } = self;
        match self.kind {
            Kind::Flip(column) => write!(f, "{table}.{column}: bit {bit} of byte {place} in row {row}"),
            Kind::Delete => write!(f, "{table}: row {row} is missing"),
            Kind::Add(column) => write!(f, "{table}: row {row} is there again with another {column}"),
        }
    }
}

impl Change {
    /// So many changes, of every column and kind in turn; rows and places from a generator with this seed.
    pub fn several(count: usize, seed: u64, heads: Heads) -> impl Iterator<Item = Self> {
        let mut state = seed;
        let mut random = move || {
            // Knuth's MMIX.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(state >> 40).unwrap()
        };
        let kinds: Vec<_> = TABLES
            .iter()
            .chain(heads.tables())
            .flat_map(|&(table, key, columns)| {
                let flips = columns.iter().map(|column| Kind::Flip(column));
                let added = matches!(table, "identities" | "leaf_indices").then_some(Kind::Add(columns[1]));
                flips.chain([Kind::Delete]).chain(added).map(move |kind| (table, key, columns, kind))
            })
            .collect();
        kinds.into_iter().cycle().take(count).map(move |(table, key, columns, kind)| Self {
            table,
            key,
            columns,
            kind,
            row: random(),
            place: random(),
            bit: random() % 64,
        })
    }

    /// The statement.
    pub fn sql(&self) -> String {
        let Self { table, key, columns, row, place, bit, .. } = self;
        let among = |condition: &str| {
            format!(
                "({key}) = (SELECT {key} FROM {table} WHERE {condition} ORDER BY {key}
                  LIMIT 1 OFFSET {row} % (SELECT count(*) FROM {table} WHERE {condition}))"
            )
        };
        match self.kind {
            Kind::Flip(column) => {
                let row = among(&format!("{column} IS NOT NULL"));
                format!("UPDATE {table} SET {column} = flip({column}, {place}, {bit}) WHERE {row}")
            }
            Kind::Delete => format!("DELETE FROM {table} WHERE {}", among("true")),
            Kind::Add(changed) => {
                let flipped = format!("flip({changed}, {place}, {bit})");
                let values: Vec<_> =
                    columns.iter().map(|column| if *column == changed { flipped.as_str() } else { column }).collect();
                let (columns, values) = (columns.join(", "), values.join(", "));
                format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE {}", among("true"))
            }
        }
    }

    /// Why a check need not find this, where that is so.
    pub fn excuse(&self) -> Option<&'static str> {
        match (self.table, self.kind) {
            ("bundle_parts", Kind::Flip("timestamp_ms")) => {
                Some("a Rekor entry's time, between those of its neighbours, is not hashed into the tree")
            }
            ("logs", Kind::Flip("created_ms")) => Some("before the first entry any time will do"),
            ("logs", Kind::Flip("tree_id")) => Some("only Rekor v1 has it in its origin; the others do not use it"),
            ("checkpoints", Kind::Delete) => Some("not every checkpoint is stored"),
            ("tiles", Kind::Delete | Kind::Flip("log_id" | "level" | "tile_index")) => {
                Some("a tile of leaf hashes that is not there is read from the entries")
            }
            _ => None,
        }
    }
}
