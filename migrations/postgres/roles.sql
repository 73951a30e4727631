-- The role a server appends with: it can extend a log and nothing else. Not a migration: run it once as the owner of the
-- schema, after the owner has created it (`chancery` does that whenever it connects as the owner), and again after an
-- upgrade that adds tables. Whoever takes over a server then cannot change or delete an entry, drop a trigger, or make a
-- log; that needs the owner.
--
--     psql "$OWNER_URL" -v ON_ERROR_STOP=1 -f roles.sql
--     psql "$OWNER_URL" -c "ALTER ROLE chancery_log LOGIN PASSWORD '...'"    -- or GRANT chancery_log TO your login role

DO $$
BEGIN
    -- Roles belong to the cluster, so another database may have made it already.
    CREATE ROLE chancery_log NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Whatever the role may have been given before, it has only what follows.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM chancery_log;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, chancery_log;
GRANT USAGE ON SCHEMA public TO chancery_log;

GRANT SELECT ON _sqlx_migrations TO chancery_log;               -- which version the schema has
GRANT SELECT ON logs, frozen_logs, ended_logs TO chancery_log;  -- a log is made, frozen and ended by the owner
GRANT SELECT, INSERT, DELETE ON quarantined_logs TO chancery_log;   -- a server that finds a fault stops the others
GRANT SELECT, INSERT ON bundle_parts, identities, leaf_indices, checkpoints, issuers TO chancery_log;   -- append-only
GRANT SELECT, INSERT ON attestations, attestation_subjects TO chancery_log;   -- they are deleted by the owner
GRANT SELECT, DELETE ON unread_attestations TO chancery_log;    -- those that an earlier version kept are read once
GRANT SELECT, INSERT ON frozen_checkpoints TO chancery_log;     -- append-only; the server has the key that signs it
GRANT SELECT, INSERT ON heads TO chancery_log;                  -- append-only; a head extends the last one: a trigger sees to it
GRANT SELECT, INSERT, UPDATE ON tiles TO chancery_log;          -- a tile only grows, which a trigger enforces
GRANT SELECT, INSERT, UPDATE, DELETE ON search_logs, search_runs, search_pages, search_problems TO chancery_log;   -- derived
GRANT SELECT, INSERT, UPDATE ON event_cursors TO chancery_log;  -- how far events have been delivered
