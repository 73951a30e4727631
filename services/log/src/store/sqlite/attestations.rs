//! Attestations, in `SQLite`.

use super::super::{Answer, Attestations, convert};
use super::SqliteStore;
use bytes::Bytes;
use chancery_verify::Hash;

impl Attestations for SqliteStore {
    fn put_attestation(&self, digest: Hash, data: Bytes) -> Answer<'_, ()> {
        Box::pin(async move {
            let insert = sqlx::query("INSERT INTO attestations (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING");
            insert.bind(digest.as_slice()).bind(data.as_ref()).execute(&self.database.writer).await?;
            Ok(())
        })
    }

    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            let query = sqlx::query_scalar("SELECT data FROM attestations WHERE digest = ?");
            let data: Option<Vec<u8>> = query.bind(digest.as_slice()).fetch_optional(&self.database.readers).await?;
            Ok(data.map(Bytes::from))
        })
    }

    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let query =
                sqlx::query_as("SELECT digest, data FROM attestations WHERE digest > ? ORDER BY digest LIMIT ?");
            let after = after.as_ref().map_or(&[][..], Hash::as_slice);
            let rows = query.bind(after).bind(i64::from(count)).fetch_all(&self.database.readers).await?;
            convert::by_hash(rows)
        })
    }
}
