//! The least-privilege role of `migrations/postgres/roles.sql`: it can extend a log, and nothing else.

use crate::bench::{Bench, Database, Place, entry};
use bytes::Bytes;
use chancery_daemon::database::open_postgres;
use chancery_log::Outcome;
use chancery_verify::hash::sha256;

const ROLES: &str = include_str!("../../../../migrations/postgres/roles.sql");

/// Statements the role must be refused by privilege, before any trigger is asked.
const FORBIDDEN: [&str; 28] = [
    "UPDATE bundle_parts SET contents = ''",
    "DELETE FROM bundle_parts",
    "TRUNCATE bundle_parts",
    "UPDATE identities SET leaf_index = 0",
    "DELETE FROM leaf_indices",
    "UPDATE checkpoints SET note = ''",
    "DELETE FROM checkpoints",
    "DELETE FROM tiles",
    "TRUNCATE tiles",
    "DELETE FROM heads",
    "UPDATE heads SET tree_size = 1",
    "INSERT INTO logs (name, origin, tree_id, key_fingerprint, created_ms) VALUES ('x', 'x', 1, '', 0)",
    "INSERT INTO frozen_logs (log_id, frozen_ms) VALUES (1, 0)",
    "DELETE FROM frozen_logs",
    "UPDATE frozen_checkpoints SET note = ''",
    "DELETE FROM frozen_checkpoints",
    "UPDATE quarantined_logs SET code = ''",
    "INSERT INTO ended_logs (log_id, ended_ms, tree_size, root_hash, published_size) VALUES (1, 0, 0, '', 0)",
    "UPDATE attestations SET data = ''",
    "DELETE FROM attestations",
    "DELETE FROM event_cursors",
    "UPDATE attestation_subjects SET subject = ''",
    "DELETE FROM attestation_subjects",
    "INSERT INTO unread_attestations (digest) VALUES ('')",
    "UPDATE _sqlx_migrations SET version = 0",
    "ALTER TABLE bundle_parts DISABLE TRIGGER ALL",
    "DROP TRIGGER bundle_parts_are_immutable ON bundle_parts",
    "CREATE TABLE other (number int)",
];

/// Keeps a statement as an older server does, in a session with a temporary table in the place of the one that notes it.
const DISGUISED: &str = "DO $$ BEGIN
    CREATE TEMPORARY TABLE unread_attestations (digest bytea PRIMARY KEY);
    INSERT INTO attestations (digest, data) VALUES (sha256('kept'::bytea), 'kept');
    DROP TABLE pg_temp.unread_attestations;
END $$";

#[tokio::test]
async fn the_least_role_can_append_and_nothing_else() {
    let bench = Bench::postgres();
    let owner = bench.start().await;
    owner.log.append(entry("by the owner")).await.unwrap();
    owner.stop().await;
    bench.administer(ROLES);
    bench.administer(ROLES);
    let user = "chancery_log_test";
    bench.administer(&format!("DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN IN ROLE chancery_log"));

    let Place::Postgres { server, database } = &bench.place else { unreachable!() };
    let least = Database::Postgres(open_postgres(&server.url(database, Some(user))).await.unwrap());
    let running = bench.start_over(least.clone(), least.store(), bench.signer.clone(), "log.example").await.unwrap();
    for number in 1..300 {
        let outcome = running.log.append(entry(&number.to_string())).await.unwrap();
        assert!(matches!(outcome, Outcome::Logged(receipt) if receipt.index == number));
    }
    for statement in FORBIDDEN {
        let refused = least.execute(statement).await.unwrap_err();
        let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        assert_eq!(code, "42501", "insufficient privilege for {statement}: {refused}");
    }
    // Tables of its own are not those that the owner's functions read and write.
    least.execute(DISGUISED).await.unwrap();
    assert_eq!(least.store().unread_attestations(9).await.unwrap(), [(sha256(b"kept"), Bytes::from_static(b"kept"))]);
    assert_eq!(bench.check(&running).await.unwrap(), 300);
    running.stop().await;
}
