//! Attestations, in `PostgreSQL`.

use super::super::{Answer, Attestations, StoreError, convert};
use super::{PostgresStore, read};
use bytes::Bytes;
use chancery_daemon::database::Connections;
use chancery_verify::Hash;

async fn insert(connections: &Connections, digest: &Hash, data: &[u8]) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "/* put_attestation */ INSERT INTO attestations (digest, data) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    );
    insert.bind(digest.as_slice()).bind(data).execute(connections).await?;
    Ok(())
}

async fn find(connections: &Connections, digest: &Hash) -> Result<Option<Bytes>, StoreError> {
    let select = sqlx::query_scalar("/* attestation */ SELECT data FROM attestations WHERE digest = $1");
    let data: Option<Vec<u8>> = select.bind(digest.as_slice()).fetch_optional(connections).await?;
    Ok(data.map(Bytes::from))
}

async fn list(connections: &Connections, after: &[u8], count: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let select = sqlx::query_as(
        "/* attestations */ SELECT digest, data FROM attestations WHERE digest > $1 ORDER BY digest LIMIT $2",
    );
    Ok(select.bind(after).bind(i64::from(count)).fetch_all(connections).await?)
}

impl Attestations for PostgresStore {
    fn put_attestation(&self, digest: Hash, data: Bytes) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("put_attestation", || insert(&self.database.writers, &digest, &data)).await
        })
    }

    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move { read("attestation", || find(&self.database.readers, &digest)).await })
    }

    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let after = after.as_ref().map_or(&[][..], Hash::as_slice);
            convert::by_hash(read("attestations", || list(&self.database.readers, after, count)).await?)
        })
    }
}
