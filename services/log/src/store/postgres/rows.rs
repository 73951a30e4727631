//! The statements, each opening with its name, so that the server's log and `pg_stat_statements` say who asks.
//!
//! Lists of keys are looked up one by one (`unnest … LATERAL … LIMIT 1`), in an index. Written as `= ANY` or as a plain
//! join they are planned while the tables are small or not yet analysed, as a scan of the whole log: the cost of a batch
//! then grows with the log, which was measured to be most of what the server did.

use super::super::convert::{self, CheckpointRow, LogRow, to_i64};
use super::super::parts::{self, PartRow};
use super::super::{Batch, CommittedHead, Extension, NewLog, StoreError, TileId};
use super::heads::NEWEST_HEAD;
use crate::Corrupt;
use bytes::Bytes;
use chancery_daemon::database::Connections;
use chancery_verify::{Hash, tile};
use sqlx::{PgConnection, PgExecutor};
use std::sync::{LazyLock, OnceLock};

/// What a write came to: all of a batch; or nothing, because the head is another than the one it extends or some of the batch
/// is logged already. Then also the head, and for each identity of the batch the index at which it is logged, of one snapshot.
pub(super) enum Written {
    Everything,
    Nothing(CommittedHead, Vec<Option<u64>>),
}

pub(super) async fn find_log(connections: &Connections, name: &str) -> Result<Option<LogRow>, StoreError> {
    let row = sqlx::query_as(
        "/* open */ SELECT log_id, name, origin, tree_id, key_fingerprint, created_ms FROM logs WHERE name = $1",
    );
    Ok(row.bind(name).fetch_optional(connections).await?)
}

pub(super) async fn all_logs(connections: &Connections) -> Result<Vec<LogRow>, StoreError> {
    let rows = sqlx::query_as(
        "/* logs */ SELECT log_id, name, origin, tree_id, key_fingerprint, created_ms FROM logs ORDER BY log_id",
    );
    Ok(rows.fetch_all(connections).await?)
}

pub(super) async fn insert_log(connection: &mut PgConnection, log: &NewLog) -> Result<LogRow, StoreError> {
    let row = sqlx::query_as(
        "/* create */ INSERT INTO logs (name, origin, tree_id, key_fingerprint, created_ms) VALUES ($1, $2, $3, $4, $5)
         RETURNING log_id, name, origin, tree_id, key_fingerprint, created_ms",
    )
    .bind(&log.name)
    .bind(&log.origin)
    .bind(log.tree_id)
    .bind(log.key_fingerprint.as_slice())
    .bind(to_i64(log.created.millis())?)
    .fetch_one(connection)
    .await?;
    Ok(row)
}

pub(super) async fn frozen(connections: &Connections, log_id: i64) -> Result<Option<i64>, StoreError> {
    let frozen = sqlx::query_scalar("/* frozen */ SELECT frozen_ms FROM frozen_logs WHERE log_id = $1");
    Ok(frozen.bind(log_id).fetch_optional(connections).await?)
}

pub(super) async fn insert_frozen_checkpoint(
    connections: &Connections,
    log_id: i64,
    note: &str,
) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "/* publish_frozen */ INSERT INTO frozen_checkpoints (log_id, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    );
    insert.bind(log_id).bind(note).execute(connections).await?;
    Ok(())
}

pub(super) async fn frozen_checkpoint(connections: &Connections, log_id: i64) -> Result<Option<String>, StoreError> {
    let note = sqlx::query_scalar("/* frozen_checkpoint */ SELECT note FROM frozen_checkpoints WHERE log_id = $1");
    Ok(note.bind(log_id).fetch_optional(connections).await?)
}

/// The columns of a head, and of an entry that is a duplicate or absent.
type FoundRow = (i64, Vec<u8>, i64, Option<Vec<u8>>, Option<i64>);
/// The same after whether the head was moved.
type WrittenRow = (bool, i64, Vec<u8>, i64, Option<Vec<u8>>, Option<i64>);

/// Selects those of the identities `$2` that are logged already.
const DUPLICATES: &str = "SELECT wanted.identity_hash, entry.leaf_index
         FROM unnest($2::bytea[]) AS wanted (identity_hash), LATERAL (
             SELECT leaf_index FROM identities
             WHERE log_id = $1 AND identity_hash = wanted.identity_hash LIMIT 1
         ) AS entry";
/// Selects the columns of [`FoundRow`]s: of one where nothing is known, with the head in it; otherwise of one for each
/// duplicate.
const FOUND: &str = "head.tree_size, head.root_hash, head.timestamp_ms, known.identity_hash, known.leaf_index
         FROM head LEFT JOIN known ON true";

/// The head, and for each identity the index at which it is logged already, of one snapshot.
pub(super) async fn read_found(
    connection: &mut PgConnection,
    log_id: i64,
    identities: &[Hash],
) -> Result<(CommittedHead, Vec<Option<u64>>), StoreError> {
    static READ: LazyLock<String> = LazyLock::new(|| {
        format!("/* integrate: read */ WITH known AS ({DUPLICATES}), head AS ({NEWEST_HEAD}) SELECT {FOUND}")
    });
    let rows = sqlx::query_as(READ.as_str());
    let rows = rows.bind(log_id).bind(identities.iter().map(Hash::as_slice).collect::<Vec<_>>());
    found(identities, rows.fetch_all(connection).await?)
}

fn found(identities: &[Hash], rows: Vec<FoundRow>) -> Result<(CommittedHead, Vec<Option<u64>>), StoreError> {
    let head = rows.first().map(|(size, root, timestamp, ..)| (*size, root.clone(), *timestamp));
    let found = rows.into_iter().filter_map(|(_, _, _, identity, index)| identity.zip(index));
    Ok((convert::committed_head(head)?, convert::duplicates(identities, found)?))
}

/// What was found at which position, from one on, in the order of the `count` that were asked for.
fn in_order<T>(rows: impl IntoIterator<Item = (i64, T)>, count: usize) -> Result<Vec<Option<T>>, StoreError> {
    let mut found: Vec<_> = std::iter::repeat_with(|| None).take(count).collect();
    for (position, value) in rows {
        let place = usize::try_from(position - 1).ok().and_then(|place| found.get_mut(place));
        *place.ok_or(Corrupt::new("a query answers what was asked"))? = Some(value);
    }
    Ok(found)
}

/// The hashes of these tiles of these logs, of those that there are. A tile of leaf hashes that is not full is in the parts of
/// its bundle.
pub(super) async fn tiles(
    executor: impl PgExecutor<'_>,
    wanted: &[(i64, TileId)],
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_as(
        "/* tiles */
         SELECT position, coalesce((
             SELECT hashes FROM tiles
             WHERE log_id = wanted.log_id AND level = wanted.level AND tile_index = wanted.tile_index
         ), CASE WHEN wanted.level = 0 THEN (
             SELECT string_agg(leaf_hashes, ''::bytea ORDER BY first_index) FROM bundle_parts
             WHERE log_id = wanted.log_id
                 AND first_index >= wanted.tile_index * 256 AND first_index < (wanted.tile_index + 1) * 256
         ) END)
         FROM unnest($1::bigint[], $2::smallint[], $3::bigint[])
             WITH ORDINALITY AS wanted (log_id, level, tile_index, position)",
    );
    let rows: Vec<(i64, Option<Vec<u8>>)> = query
        .bind(wanted.iter().map(|(log_id, _)| *log_id).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, id)| i16::from(id.level)).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, id)| to_i64(id.index)).collect::<Result<Vec<_>, _>>()?)
        .fetch_all(executor)
        .await?;
    in_order(rows.into_iter().filter_map(|(position, hashes)| Some((position, hashes?))), wanted.len())
}

/// What a batch writes beside its entries. Each combination is a statement of its own: a table that is named costs a statement
/// its time, even where nothing is inserted.
#[derive(Debug, Clone, Copy)]
struct Beside {
    leaf_indices: bool,
    tiles: bool,
    checkpoint: bool,
}

impl Beside {
    /// Adds the extension's head after the one that it extends, and writes everything that makes it true. `advanced` is empty
    /// where the head is another by now, or one of the new entries is logged already; then so is every other part. The primary
    /// key has one place for a head that extends this one: whatever else goes wrong, this cannot fork the tree.
    fn statement(self) -> String {
        let mut statement = format!(
            "/* integrate: write */
    WITH known AS ({DUPLICATES}), head AS ({NEWEST_HEAD}), advanced AS (
        INSERT INTO heads (log_id, previous_size, tree_size, root_hash, timestamp_ms)
        SELECT $1, $3, $5, $6, $7 FROM head
        WHERE tree_size = $3 AND root_hash = $4 AND NOT EXISTS (SELECT FROM known)
        ON CONFLICT DO NOTHING
        RETURNING log_id
    ), new_parts AS (
        INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents)
        SELECT advanced.log_id, new.*
        FROM advanced, unnest($8::bigint[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[]) AS new
    ), new_identities AS (
        INSERT INTO identities (log_id, identity_hash, leaf_index)
        SELECT advanced.log_id, new.* FROM advanced, unnest($2::bytea[], $14::bigint[]) AS new
    )"
        );
        if self.leaf_indices {
            statement.push_str(
                ", new_leaf_indices AS (
        INSERT INTO leaf_indices (log_id, leaf_hash, leaf_index)
        SELECT advanced.log_id, new.* FROM advanced, unnest($15::bytea[], $16::bigint[]) AS new
    )",
            );
        }
        if self.tiles {
            statement.push_str(
                ", new_tiles AS (
        INSERT INTO tiles (log_id, level, tile_index, hashes)
        SELECT advanced.log_id, new.* FROM advanced, unnest($17::smallint[], $18::bigint[], $19::bytea[]) AS new
        ON CONFLICT (log_id, level, tile_index) DO UPDATE SET hashes = excluded.hashes
    )",
            );
        }
        if self.checkpoint {
            statement.push_str(
                ", new_checkpoint AS (
        INSERT INTO checkpoints (log_id, tree_size, note)
        SELECT advanced.log_id, $20::bigint, $21::text FROM advanced
        ON CONFLICT DO NOTHING
    )",
            );
        }
        statement + " SELECT EXISTS (SELECT FROM advanced), " + FOUND
    }

    /// The same, made once: a connection finds what it has prepared by the text.
    fn prepared(self) -> &'static str {
        static STATEMENTS: [[[OnceLock<String>; 2]; 2]; 2] =
            [const { [const { [const { OnceLock::new() }; 2] }; 2] }; 2];
        let Self { leaf_indices, tiles, checkpoint } = self;
        let place = &STATEMENTS[usize::from(leaf_indices)][usize::from(tiles)][usize::from(checkpoint)];
        place.get_or_init(|| self.statement())
    }
}

pub(super) async fn write_extension(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<Written, StoreError> {
    let Extension { from, entries, tiles, head } = extension;
    let parts = parts::pack(entries)?;
    let leaf_indices = parts::leaf_indices(&parts)?;
    let checkpoint_size = batch.published.as_ref().map(|(size, _)| to_i64(*size)).transpose()?;
    let beside = Beside {
        leaf_indices: !leaf_indices.is_empty(),
        tiles: !tiles.0.is_empty(),
        checkpoint: checkpoint_size.is_some(),
    };
    let rows: Vec<WrittenRow> = sqlx::query_as(beside.prepared())
        .bind(batch.log_id)
        .bind(entries.iter().map(|entry| entry.identity_hash.as_slice()).collect::<Vec<_>>())
        .bind(to_i64(from.tree.size)?)
        .bind(from.tree.root.as_slice())
        .bind(to_i64(head.tree.size)?)
        .bind(head.tree.root.as_slice())
        .bind(to_i64(head.timestamp.millis())?)
        .bind(parts.iter().map(|part| part.first_index).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.timestamp_ms).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.leaf_hashes.as_slice()).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.identity_hashes.as_deref()).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.ends.as_slice()).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| part.contents.as_slice()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| to_i64(entry.index)).collect::<Result<Vec<_>, _>>()?)
        .bind(leaf_indices.iter().map(|(hash, _)| hash.as_slice()).collect::<Vec<_>>())
        .bind(leaf_indices.iter().map(|(_, index)| *index).collect::<Vec<_>>())
        .bind(tiles.0.keys().map(|id| i16::from(id.level)).collect::<Vec<_>>())
        .bind(tiles.0.keys().map(|id| to_i64(id.index)).collect::<Result<Vec<_>, _>>()?)
        .bind(tiles.0.values().map(|hashes| tile::hashes_to_bytes(hashes)).collect::<Vec<_>>())
        .bind(checkpoint_size)
        .bind(batch.published.as_ref().map(|(_, note)| note))
        .fetch_all(connection)
        .await?;
    if rows.first().is_some_and(|(advanced, ..)| *advanced) {
        return Ok(Written::Everything);
    }
    let rows =
        rows.into_iter().map(|(_, size, root, timestamp, identity, index)| (size, root, timestamp, identity, index));
    let (head, duplicates) = found(batch.identities, rows.collect())?;
    Ok(Written::Nothing(head, duplicates))
}

pub(super) async fn insert_checkpoint(
    connections: &Connections,
    log_id: i64,
    size: u64,
    note: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "/* publish */ INSERT INTO checkpoints (log_id, tree_size, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(log_id)
    .bind(to_i64(size)?)
    .bind(note)
    .execute(connections)
    .await?;
    Ok(())
}

/// The parts in which the entries from `start` on lie, up to `end`.
pub(super) async fn parts(
    connections: &Connections,
    log_id: i64,
    start: i64,
    end: i64,
) -> Result<Vec<PartRow>, StoreError> {
    let rows = sqlx::query_as(
        "/* entries */
         SELECT first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents FROM bundle_parts
         WHERE log_id = $1 AND first_index < $3 AND first_index >= coalesce((
             SELECT first_index FROM bundle_parts WHERE log_id = $1 AND first_index <= $2
             ORDER BY first_index DESC LIMIT 1
         ), $2)
         ORDER BY first_index",
    );
    Ok(rows.bind(log_id).bind(start).bind(end).fetch_all(connections).await?)
}

/// The parts in which these entries of these logs lie, of their contents only what is the entry's: the others are not even
/// read.
pub(super) async fn entries(
    connections: &Connections,
    wanted: &[(i64, i64)],
) -> Result<Vec<Option<PartRow>>, StoreError> {
    // The numbers in `ends` are big-endian; the eight bytes of an entry begin at its `place`.
    let query = sqlx::query_as(
        "/* entry */
         SELECT position, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends,
                substring(contents FROM from_byte + 1 FOR to_byte - from_byte)
         FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS wanted (log_id, leaf_index, position),
         LATERAL (
             SELECT *, 8 * (wanted.leaf_index - first_index)::integer AS place FROM bundle_parts
             WHERE log_id = wanted.log_id AND first_index <= wanted.leaf_index ORDER BY first_index DESC LIMIT 1
         ) AS part, LATERAL (
             SELECT CASE WHEN place = 0 THEN 0 ELSE
                        (get_byte(ends, place - 4) << 24) | (get_byte(ends, place - 3) << 16)
                        | (get_byte(ends, place - 2) << 8) | get_byte(ends, place - 1)
                    END AS from_byte,
                    (get_byte(ends, place + 4) << 24) | (get_byte(ends, place + 5) << 16)
                    | (get_byte(ends, place + 6) << 8) | get_byte(ends, place + 7) AS to_byte
         ) AS slice
         WHERE place < octet_length(ends)",
    );
    let (log_ids, indices): (Vec<_>, Vec<_>) = wanted.iter().copied().unzip();
    let rows: Vec<SingleRow> = query.bind(log_ids).bind(indices).fetch_all(connections).await?;
    let part = |(position, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents): SingleRow| {
        (position, (first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents))
    };
    in_order(rows.into_iter().map(part), wanted.len())
}

/// A position, and the columns of a part.
type SingleRow = (i64, i64, i64, Vec<u8>, Option<Vec<u8>>, Vec<u8>, Vec<u8>);

/// Selects the index of the leaf that is `wanted` (`log_id`, `leaf_hash`). An identity is a leaf hash where its part says so.
const FOUND_LEAF: &str = "SELECT coalesce((
             SELECT min(leaf_index) FROM leaf_indices
             WHERE log_id = wanted.log_id AND leaf_hash = wanted.leaf_hash
         ), (
             SELECT leaf_index FROM identities
             WHERE log_id = wanted.log_id AND identity_hash = wanted.leaf_hash AND (
                 SELECT identity_hashes IS NULL FROM bundle_parts
                 WHERE log_id = wanted.log_id AND first_index <= identities.leaf_index
                 ORDER BY first_index DESC LIMIT 1
             )
         )) AS leaf_index";

/// The indices of the leaves with these hashes in these logs, in their order.
pub(super) async fn indices(connections: &Connections, wanted: &[(i64, Hash)]) -> Result<Vec<Option<i64>>, StoreError> {
    static INDICES: LazyLock<String> = LazyLock::new(|| {
        format!(
            "/* index_of */
         SELECT position, leaf_index
         FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS wanted (log_id, leaf_hash, position),
         LATERAL ({FOUND_LEAF}) AS found WHERE leaf_index IS NOT NULL"
        )
    });
    let query = sqlx::query_as(INDICES.as_str());
    let log_ids: Vec<i64> = wanted.iter().map(|(log_id, _)| *log_id).collect();
    let hashes: Vec<&[u8]> = wanted.iter().map(|(_, hash)| hash.as_slice()).collect();
    let rows: Vec<(i64, i64)> = query.bind(log_ids).bind(hashes).fetch_all(connections).await?;
    in_order(rows, wanted.len())
}

/// A leaf's index, and the hashes of its tile once that is stored.
pub(super) type LeafRow = (i64, Option<Vec<u8>>);

/// The leaves with these hashes in these logs, in their order.
pub(super) async fn leaves(
    connections: &Connections,
    wanted: &[(i64, Hash)],
) -> Result<Vec<Option<LeafRow>>, StoreError> {
    static LEAVES: LazyLock<String> = LazyLock::new(|| {
        format!(
            "/* leaves */
         SELECT position, leaf_index, (
             SELECT hashes FROM tiles WHERE log_id = wanted.log_id AND level = 0 AND tile_index = leaf_index >> 8
         )
         FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS wanted (log_id, leaf_hash, position),
         LATERAL ({FOUND_LEAF}) AS found WHERE leaf_index IS NOT NULL"
        )
    });
    let query = sqlx::query_as(LEAVES.as_str());
    let log_ids: Vec<i64> = wanted.iter().map(|(log_id, _)| *log_id).collect();
    let hashes: Vec<&[u8]> = wanted.iter().map(|(_, hash)| hash.as_slice()).collect();
    let rows: Vec<(i64, i64, Option<Vec<u8>>)> = query.bind(log_ids).bind(hashes).fetch_all(connections).await?;
    in_order(rows.into_iter().map(|(position, index, hashes)| (position, (index, hashes))), wanted.len())
}

pub(super) async fn insert_issuers(
    connections: &Connections,
    log_id: i64,
    issuers: &[(Hash, Bytes)],
) -> Result<(), StoreError> {
    let fingerprints: Vec<&[u8]> = issuers.iter().map(|(fingerprint, _)| fingerprint.as_slice()).collect();
    let certificates: Vec<&[u8]> = issuers.iter().map(|(_, certificate)| certificate.as_ref()).collect();
    let insert = sqlx::query(
        "/* put_issuers */ INSERT INTO issuers (log_id, fingerprint, certificate)
         SELECT $1, * FROM unnest($2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING",
    );
    insert.bind(log_id).bind(fingerprints).bind(certificates).execute(connections).await?;
    Ok(())
}

pub(super) async fn issuer(
    connections: &Connections,
    log_id: i64,
    fingerprint: &Hash,
) -> Result<Option<Bytes>, StoreError> {
    let select =
        sqlx::query_scalar("/* issuer */ SELECT certificate FROM issuers WHERE log_id = $1 AND fingerprint = $2");
    let certificate: Option<Vec<u8>> =
        select.bind(log_id).bind(fingerprint.as_slice()).fetch_optional(connections).await?;
    Ok(certificate.map(Bytes::from))
}

pub(super) async fn newest_checkpoint(
    connections: &Connections,
    log_id: i64,
) -> Result<Option<CheckpointRow>, StoreError> {
    let row = sqlx::query_as(
        "/* newest_checkpoint */ SELECT tree_size, note FROM checkpoints WHERE log_id = $1
         ORDER BY tree_size DESC LIMIT 1",
    );
    Ok(row.bind(log_id).fetch_optional(connections).await?)
}

pub(super) async fn checkpoint_below(
    connections: &Connections,
    log_id: i64,
    size: i64,
) -> Result<Option<CheckpointRow>, StoreError> {
    let row = sqlx::query_as(
        "/* checkpoint_below */ SELECT tree_size, note FROM checkpoints WHERE log_id = $1 AND tree_size < $2
         ORDER BY tree_size DESC LIMIT 1",
    );
    Ok(row.bind(log_id).bind(size).fetch_optional(connections).await?)
}

pub(super) async fn checkpoints(
    connections: &Connections,
    log_id: i64,
    after: i64,
    count: u32,
) -> Result<Vec<CheckpointRow>, StoreError> {
    let rows = sqlx::query_as(
        "/* checkpoints */ SELECT tree_size, note FROM checkpoints WHERE log_id = $1 AND tree_size > $2
         ORDER BY tree_size LIMIT $3",
    );
    Ok(rows.bind(log_id).bind(after).bind(i64::from(count)).fetch_all(connections).await?)
}
