//! Several statements, run with one command: what a batch writes.
//!
//! sqlx has a thread for each connection. Every command crosses to it and back, which costs as much as a small statement
//! itself. A command may have several statements in its text. Their arguments are one list, from which each statement takes
//! as many as it has placeholders, in order: placeholders MUST be plain `?`, never numbered. The first statement that fails
//! is the last one that runs; above all, a `COMMIT` after it does not.
//!
//! sqlx knows nothing of a `BEGIN` in such a text. The caller ends the transaction, or closes the connection.
//!
//! Only this driver of sqlx has several statements with arguments, and its authors may give that up. [`Script::run`] counts
//! the statements that have run, so that a script of which only a part runs is an error and never a success.

use super::super::convert::to_i64;
use super::super::parts::{self, Part};
use super::super::{Extension, StoreError, Tiles};
use super::ROWS_PER_STATEMENT;
use crate::Corrupt;
use chancery_verify::tile;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{Executor as _, QueryBuilder, Sqlite, SqliteConnection};

/// Statements in order.
#[derive(Default)]
pub(super) struct Script {
    query: QueryBuilder<Sqlite>,
    statements: usize,
}

impl Script {
    /// Adds a statement; what is pushed to the builder belongs to it.
    pub(super) fn statement(&mut self, sql: &'static str) -> &mut QueryBuilder<Sqlite> {
        if self.statements > 0 {
            self.query.push("; ");
        }
        self.statements += 1;
        self.query.push(sql)
    }

    /// Adds what writes a checkpoint.
    pub(super) fn checkpoint(&mut self, log_id: i64, size: u64, note: &str) -> Result<(), StoreError> {
        let query = self.statement("INSERT INTO checkpoints (log_id, tree_size, note) VALUES (");
        let mut row = query.separated(", ");
        row.push_bind(log_id).push_bind(to_i64(size)?).push_bind(note);
        query.push(") ON CONFLICT DO NOTHING");
        Ok(())
    }

    /// Adds what writes an extension. It fails where the head is not the one that the extension extends, and where one of
    /// its entries is logged already.
    pub(super) fn extension(&mut self, log_id: i64, extension: &Extension) -> Result<(), StoreError> {
        let Extension { entries, tiles, head, .. } = extension;
        // That is how it is read again: the head is where the last part ends.
        let end = entries.last().map(|last| (last.index + 1, last.timestamp));
        if end != Some((head.tree.size, head.timestamp)) {
            return Err(Corrupt::new("a head is that of its last entry").into());
        }
        let parts = parts::pack(entries)?;
        self.parts(log_id, extension, &parts)?;
        // Their indices follow each other.
        if let Some(first) = entries.first() {
            let identities: Vec<u8> = entries.iter().flat_map(|entry| entry.identity_hash).collect();
            let insert = "INSERT INTO identities (log_id, identity_hash, leaf_index) ";
            self.indices(insert, log_id, to_i64(first.index)?, &identities)?;
        }
        for part in parts.iter().filter(|part| part.identity_hashes.is_some()) {
            let insert = "INSERT INTO leaf_indices (log_id, leaf_hash, leaf_index) ";
            self.indices(insert, log_id, part.first_index, &part.leaf_hashes)?;
        }
        self.tiles(log_id, tiles)
    }

    /// The first row compares the head: where it is another one, the row has no `log_id`, and the statement fails. The last
    /// row states the root hash of the new head.
    fn parts(&mut self, log_id: i64, extension: &Extension, parts: &[Part]) -> Result<(), StoreError> {
        let (from, root) = (&extension.from.tree, &extension.head.tree.root);
        let size = to_i64(from.size)?;
        let rows: Vec<(usize, &Part)> = parts.iter().enumerate().collect();
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let query = self.statement(
                "INSERT INTO bundle_parts (
                     log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents, root_hash
                 ) ",
            );
            query.push_values(chunk, |mut row, (position, part)| {
                if *position == 0 {
                    row.push("(SELECT log_id FROM tree_heads WHERE log_id = ").push_bind_unseparated(log_id);
                    row.push_unseparated(" AND tree_size = ").push_bind_unseparated(size);
                    row.push_unseparated(" AND root_hash = ").push_bind_unseparated(from.root.as_slice());
                    row.push_unseparated(")");
                } else {
                    row.push_bind(log_id);
                }
                row.push_bind(part.first_index).push_bind(part.timestamp_ms);
                row.push_bind(part.leaf_hashes.as_slice()).push_bind(part.identity_hashes.as_deref());
                row.push_bind(part.ends.as_slice()).push_bind(part.contents.as_slice());
                row.push_bind((*position + 1 == parts.len()).then_some(root.as_slice()));
            });
        }
        Ok(())
    }

    /// One row for each of `hashes` (32 bytes each), with indices from `first` on. The text is the same for every number of
    /// hashes, so that it is compiled once.
    fn indices(&mut self, insert: &'static str, log_id: i64, first: i64, hashes: &[u8]) -> Result<(), StoreError> {
        let count =
            i64::try_from(hashes.len() / 32).map_err(|_| Corrupt::new("a batch has fewer than 2^63 entries"))?;
        let query = self.statement(insert);
        query.push(
            "WITH RECURSIVE positions (position) AS (
                 SELECT 0 UNION ALL SELECT position + 1 FROM positions WHERE position + 1 < ",
        );
        query.push_bind(count).push(") SELECT ").push_bind(log_id);
        query.push(", substr(").push_bind(hashes).push(", 32 * position + 1, 32), ");
        query.push_bind(first).push(" + position FROM positions");
        Ok(())
    }

    fn tiles(&mut self, log_id: i64, tiles: &Tiles) -> Result<(), StoreError> {
        let rows: Vec<_> = tiles.0.iter().map(|(id, hashes)| (id, tile::hashes_to_bytes(hashes))).collect();
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let query = self.statement("INSERT INTO tiles (log_id, level, tile_index, hashes) VALUES ");
            let mut values = query.separated(", ");
            for (id, hashes) in chunk {
                values.push("(").push_bind_unseparated(log_id).push_unseparated(", ");
                values.push_bind_unseparated(i64::from(id.level)).push_unseparated(", ");
                values.push_bind_unseparated(to_i64(id.index)?).push_unseparated(", ");
                values.push_bind_unseparated(hashes.as_slice()).push_unseparated(")");
            }
            query.push(" ON CONFLICT (log_id, level, tile_index) DO UPDATE SET hashes = excluded.hashes");
        }
        Ok(())
    }

    /// Runs all of it, or up to the statement that fails.
    pub(super) async fn run(mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let all = self.statements;
        // Never `fetch_one` or `fetch_optional`: these end a script at its first row. Waiting for more than the last result
        // would be one more change of threads.
        let results = connection.execute_many(self.query.build()).take(all);
        let results: Vec<SqliteQueryResult> = results.try_collect().await?;
        let ran = results.len();
        if ran == all {
            Ok(())
        } else {
            Err(sqlx::Error::Protocol(format!("{ran} of {all} statements of a batch have run")).into())
        }
    }
}
