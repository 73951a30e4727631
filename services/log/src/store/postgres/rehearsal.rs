//! A batch that is written and undone: it shows whether the next one would be taken.

use super::super::{Batch, CommittedHead, Extension, Found, StoreError};
use super::rows::write_extension;
use crate::Corrupt;
use chancery_daemon::database::Postgres;
use chancery_verify::Hash;
use sqlx::Connection as _;

/// Writes the extension of `from` and rolls back. Also fine where another replica has added a head meanwhile, and nothing is
/// written: then the database takes writes.
pub(super) async fn rehearse(
    database: &Postgres,
    log_id: i64,
    from: &CommittedHead,
    extension: &Extension,
) -> Result<(), StoreError> {
    let mut connection = database.writers.acquire().await?;
    if !database.is_settled() {
        return Err(StoreError::Settling);
    }
    let mut transaction = connection.begin().await?;
    let identities: Vec<Hash> = extension.entries.iter().map(|entry| entry.identity_hash).collect();
    let mut extend = |_: Found| -> Result<Option<Extension>, Corrupt> { Ok(None) };
    let (known, published) = (None, None);
    let mut batch = Batch { log_id, known, identities: &identities, published, extend: &mut extend };
    write_extension(&mut transaction, &mut batch, from, extension).await?;
    transaction.rollback().await?;
    connection.give_back();
    Ok(())
}
