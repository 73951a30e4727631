//! Attestations, in `PostgreSQL`.

use super::super::{Answer, Attestations, StoreError, convert};
use super::{PostgresStore, read};
use bytes::Bytes;
use chancery_daemon::database::Connections;
use chancery_verify::Hash;

/// One statement, and so all of it or nothing. What is about nothing is noted as unread by a trigger, as that of an older server.
async fn insert(connections: &Connections, digest: &Hash, data: &[u8], subjects: &[Vec<u8>]) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "/* put_attestation */ WITH kept AS (
             INSERT INTO attestations (digest, data) VALUES ($1, $2) ON CONFLICT DO NOTHING
         )
         INSERT INTO attestation_subjects (subject, digest) SELECT named.subject, $1 FROM unnest($3::bytea[]) AS named (subject)
         ON CONFLICT DO NOTHING",
    );
    insert.bind(digest.as_slice()).bind(data).bind(subjects).execute(connections).await?;
    if subjects.is_empty() { put_subjects(connections, digest, subjects).await } else { Ok(()) }
}

async fn about(
    connections: &Connections,
    subjects: &[Vec<u8>],
    count: u32,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let select = sqlx::query_as(
        "/* attestations_about */ SELECT named.subject, named.digest
         FROM unnest($1::bytea[]) AS wanted (subject), LATERAL (
             SELECT subject, digest FROM attestation_subjects WHERE subject = wanted.subject LIMIT $2
         ) AS named LIMIT $2",
    );
    Ok(select.bind(subjects).bind(i64::from(count)).fetch_all(connections).await?)
}

async fn subjects(connections: &Connections, digests: &[Hash]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let select = sqlx::query_as(
        "/* attestation_subjects */ SELECT subject, digest FROM attestation_subjects WHERE digest = ANY($1)
         ORDER BY digest, subject",
    );
    Ok(select.bind(slices(digests)).fetch_all(connections).await?)
}

async fn find_each(connections: &Connections, digests: &[Hash]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let select = sqlx::query_as(
        "/* attestations_with */ SELECT kept.digest, kept.data
         FROM unnest($1::bytea[]) AS wanted (digest), LATERAL (
             SELECT digest, data FROM attestations WHERE digest = wanted.digest LIMIT 1
         ) AS kept",
    );
    Ok(select.bind(slices(digests)).fetch_all(connections).await?)
}

fn slices(digests: &[Hash]) -> Vec<&[u8]> {
    digests.iter().map(Hash::as_slice).collect()
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

async fn unread(connections: &Connections, count: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let select = sqlx::query_as(
        "/* unread_attestations */ SELECT digest, data FROM unread_attestations JOIN attestations USING (digest) LIMIT $1",
    );
    Ok(select.bind(i64::from(count)).fetch_all(connections).await?)
}

async fn is_unread(connections: &Connections, digest: &Hash) -> Result<bool, StoreError> {
    let select =
        sqlx::query_scalar("/* is_unread */ SELECT EXISTS (SELECT 1 FROM unread_attestations WHERE digest = $1)");
    Ok(select.bind(digest.as_slice()).fetch_one(connections).await?)
}

/// One statement, and so all of it or nothing.
async fn put_subjects(connections: &Connections, digest: &Hash, subjects: &[Vec<u8>]) -> Result<(), StoreError> {
    let put = sqlx::query(
        "/* put_subjects */ WITH was_read AS (DELETE FROM unread_attestations WHERE digest = $1 RETURNING digest)
         INSERT INTO attestation_subjects (subject, digest)
             SELECT named.subject, was_read.digest FROM was_read, unnest($2::bytea[]) AS named (subject)
         ON CONFLICT DO NOTHING",
    );
    put.bind(digest.as_slice()).bind(subjects).execute(connections).await?;
    Ok(())
}

impl Attestations for PostgresStore {
    fn put_attestation(&self, digest: Hash, data: Bytes, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("put_attestation", || insert(&self.database.writers, &digest, &data, &subjects)).await
        })
    }

    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move { read("attestation", || find(&self.database.readers, &digest)).await })
    }

    fn attestations_with(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            convert::by_hash(read("attestations_with", || find_each(&self.database.readers, &digests)).await?)
        })
    }

    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let after = after.as_ref().map_or(&[][..], Hash::as_slice);
            convert::by_hash(read("attestations", || list(&self.database.readers, after, count)).await?)
        })
    }

    fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        Box::pin(async move {
            let rows = read("attestations_about", || about(&self.database.readers, &subjects, count)).await?;
            convert::to_hashes(rows)
        })
    }

    fn attestation_subjects(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        Box::pin(async move {
            let rows = read("attestation_subjects", || subjects(&self.database.readers, &digests)).await?;
            convert::to_hashes(rows)
        })
    }

    fn unread_attestations(&self, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            convert::by_hash(read("unread_attestations", || unread(&self.database.readers, count)).await?)
        })
    }

    fn is_unread(&self, digest: Hash) -> Answer<'_, bool> {
        Box::pin(async move { read("is_unread", || is_unread(&self.database.readers, &digest)).await })
    }

    fn put_subjects(&self, digest: Hash, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        Box::pin(async move {
            // Idempotent, and so tried again like a read.
            read("put_subjects", || put_subjects(&self.database.writers, &digest, &subjects)).await
        })
    }
}
