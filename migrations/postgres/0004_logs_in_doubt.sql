-- Logs whose stored state is in doubt. A server that finds a fault writes the row, so that every other server over the
-- database stops as well: no head is added to the log (see version 5). A start that proves the state deletes it.
CREATE TABLE quarantined_logs (
    log_id    bigint PRIMARY KEY REFERENCES logs (log_id),
    since_ms  bigint NOT NULL,
    code      text   NOT NULL,
    reason    text   NOT NULL,
    tree_size bigint NOT NULL CHECK (tree_size >= 0),
    note      text
);
COMMENT ON TABLE quarantined_logs IS 'logs that are quarantined';
COMMENT ON COLUMN quarantined_logs.log_id IS 'which log';
COMMENT ON COLUMN quarantined_logs.since_ms IS 'when the fault was found, ms since the epoch';
COMMENT ON COLUMN quarantined_logs.code IS 'stable name of the reason';
COMMENT ON COLUMN quarantined_logs.reason IS 'the reason in words';
COMMENT ON COLUMN quarantined_logs.tree_size IS 'leaves of the largest tree that is known to have been published';
COMMENT ON COLUMN quarantined_logs.note IS 'the newest checkpoint that the server knows; the tree must extend it';

-- Logs that `chancery log end` has ended: what can be proven of them stays readable, and their key signs no tree again.
CREATE TABLE ended_logs (
    log_id         bigint PRIMARY KEY REFERENCES logs (log_id),
    ended_ms       bigint NOT NULL,
    tree_size      bigint NOT NULL CHECK (tree_size >= 0),
    root_hash      bytea  NOT NULL CHECK (octet_length(root_hash) = 32),
    published_size bigint NOT NULL CHECK (published_size >= tree_size)
);
COMMENT ON TABLE ended_logs IS 'logs that were ended at what can be proven; append-only';
COMMENT ON COLUMN ended_logs.log_id IS 'which log';
COMMENT ON COLUMN ended_logs.ended_ms IS 'when, ms since the epoch';
COMMENT ON COLUMN ended_logs.tree_size IS 'leaves of the tree that is shown from then on; its checkpoint is stored';
COMMENT ON COLUMN ended_logs.root_hash IS 'root hash of that tree';
COMMENT ON COLUMN ended_logs.published_size IS 'leaves of the largest tree that is known to have been published';

CREATE TRIGGER ended_logs_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ended_logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('an ended log stays ended');
