-- What the server need not do for tables that only grow.

-- It would look for the log at every batch; rows are written for logs that exist, and none is ever deleted.
ALTER TABLE checkpoints DROP CONSTRAINT checkpoints_log_id_fkey;

-- A young table grows by a fifth within seconds, and would be vacuumed and analysed every minute, to the harm of whoever
-- waits for a batch meanwhile. Nothing in it is ever dead, and every statement finds its rows by key: from a million new
-- rows on is soon enough.
ALTER TABLE bundle_parts SET (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000000,
    toast.autovacuum_vacuum_insert_threshold = 1000000);
ALTER TABLE identities SET (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000000);
ALTER TABLE leaf_indices SET (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000000);
ALTER TABLE checkpoints SET (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000000);
