//! Rows that only a check reads: the tables that lead to entries, how many rows there are, and rows of no log.

use super::super::convert::{self, CensusRow, LookupRow, to_i64};
use super::super::{Indexed, StoreError};
use chancery_daemon::database::Connections;

pub(super) async fn lookups(
    connections: &Connections,
    log_id: i64,
    entries: &[Indexed],
) -> Result<Vec<LookupRow>, StoreError> {
    let query = sqlx::query_as(
        "/* lookups */
         SELECT (SELECT leaf_index FROM identities WHERE log_id = $1 AND identity_hash = wanted.identity_hash),
                EXISTS (SELECT FROM leaf_indices
                    WHERE log_id = $1 AND leaf_hash = wanted.leaf_hash AND leaf_index = wanted.leaf_index)
         FROM unnest($2::bytea[], $3::bytea[], $4::bigint[])
             WITH ORDINALITY AS wanted (identity_hash, leaf_hash, leaf_index, position) ORDER BY position",
    );
    Ok(query
        .bind(log_id)
        .bind(entries.iter().map(|entry| entry.identity_hash.as_slice()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.leaf_hash.as_slice()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| to_i64(entry.index)).collect::<Result<Vec<_>, _>>()?)
        .fetch_all(connections)
        .await?)
}

pub(super) async fn census(connections: &Connections, log_id: i64) -> Result<Option<CensusRow>, StoreError> {
    let query = sqlx::query_as(concat!(
        "/* census */ ",
        convert::census!(
            "octet_length",
            "SELECT log_id, tree_size FROM heads WHERE log_id = $1 ORDER BY previous_size DESC LIMIT 1"
        )
    ));
    Ok(query.bind(log_id).fetch_optional(connections).await?)
}

pub(super) async fn issuers(connections: &Connections, log_id: i64) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let query = sqlx::query_as("/* issuers */ SELECT fingerprint, certificate FROM issuers WHERE log_id = $1");
    Ok(query.bind(log_id).fetch_all(connections).await?)
}

pub(super) async fn unlisted(connections: &Connections) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(convert::unlisted!("heads")).fetch_all(connections).await?)
}
