//! A batch that is written and undone: it shows whether the next one would be taken.

use super::super::{Batch, Extension, StoreError};
use super::require_settled;
use super::rows::write_extension;
use chancery_daemon::database::Postgres;
use sqlx::Connection as _;

/// Writes the extension and rolls back. Also fine where another replica has added a head meanwhile, and nothing is written:
/// then the database takes writes.
pub(super) async fn rehearse(database: &Postgres, log_id: i64, extension: &Extension) -> Result<(), StoreError> {
    let mut connection = database.writers.acquire().await?;
    require_settled(database)?;
    let mut transaction = connection.begin().await?;
    let identities = extension.identities();
    let batch = Batch { log_id, known: None, identities: &identities, published: None };
    write_extension(&mut transaction, &batch, extension).await?;
    transaction.rollback().await?;
    connection.give_back();
    Ok(())
}
