//! Attestations, in `SQLite`.

use super::super::{Answer, Attestations, StoreError, convert};
use super::SqliteStore;
use bytes::Bytes;
use chancery_verify::Hash;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Terms or hashes in one query; far below `SQLite`'s 32,766 parameters.
const TERMS_PER_QUERY: usize = 512;

async fn insert_subjects(
    connection: &mut SqliteConnection,
    digest: &Hash,
    subjects: &[Vec<u8>],
) -> Result<(), StoreError> {
    for chunk in subjects.chunks(TERMS_PER_QUERY) {
        let mut query = QueryBuilder::new("INSERT INTO attestation_subjects (subject, digest) ");
        query.push_values(chunk, |mut row, subject| {
            row.push_bind(subject.as_slice()).push_bind(digest.as_slice());
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A query that begins like this, of these hashes.
fn of_hashes(text: &str, digests: &[Hash]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(text);
    query.push(" WHERE digest IN (");
    let mut list = query.separated(", ");
    for digest in digests {
        list.push_bind(digest.as_slice());
    }
    query.push(")");
    query
}

impl Attestations for SqliteStore {
    fn put_attestation(&self, digest: Hash, data: Bytes, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let insert = sqlx::query("INSERT INTO attestations (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING");
            insert.bind(digest.as_slice()).bind(data.as_ref()).execute(&mut *transaction).await?;
            insert_subjects(&mut transaction, &digest, &subjects).await?;
            transaction.commit().await?;
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

    fn attestations_with(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for chunk in digests.chunks(TERMS_PER_QUERY) {
                let mut query = of_hashes("SELECT digest, data FROM attestations", chunk);
                let query = query.build_query_as().persistent(false);
                found.extend(convert::by_hash(query.fetch_all(&self.database.readers).await?)?);
            }
            Ok(found)
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

    fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        Box::pin(async move {
            let (count, mut found) = (usize::try_from(count).unwrap_or(usize::MAX), Vec::new());
            for chunk in subjects.chunks(TERMS_PER_QUERY) {
                let left = count.saturating_sub(found.len());
                let mut query =
                    QueryBuilder::new("SELECT subject, digest FROM attestation_subjects WHERE subject IN (");
                let mut list = query.separated(", ");
                for subject in chunk {
                    list.push_bind(subject.as_slice());
                }
                query.push(") LIMIT ").push_bind(i64::try_from(left).unwrap_or(i64::MAX));
                let query = query.build_query_as().persistent(false);
                let rows: Vec<(Vec<u8>, Vec<u8>)> = query.fetch_all(&self.database.readers).await?;
                found.extend(convert::to_hashes(rows)?);
            }
            Ok(found)
        })
    }

    fn attestation_subjects(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for chunk in digests.chunks(TERMS_PER_QUERY) {
                let mut query = of_hashes("SELECT subject, digest FROM attestation_subjects", chunk);
                query.push(" ORDER BY digest, subject");
                let query = query.build_query_as().persistent(false);
                found.extend(convert::to_hashes(query.fetch_all(&self.database.readers).await?)?);
            }
            Ok(found)
        })
    }

    fn unread_attestations(&self, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let query =
                sqlx::query_as("SELECT digest, data FROM unread_attestations JOIN attestations USING (digest) LIMIT ?");
            convert::by_hash(query.bind(i64::from(count)).fetch_all(&self.database.readers).await?)
        })
    }

    fn is_unread(&self, digest: Hash) -> Answer<'_, bool> {
        Box::pin(async move {
            let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM unread_attestations WHERE digest = ?)");
            Ok(query.bind(digest.as_slice()).fetch_one(&self.database.readers).await?)
        })
    }

    fn put_subjects(&self, digest: Hash, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let delete = sqlx::query("DELETE FROM unread_attestations WHERE digest = ?").bind(digest.as_slice());
            if delete.execute(&mut *transaction).await?.rows_affected() > 0 {
                insert_subjects(&mut transaction, &digest, &subjects).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
    }
}
