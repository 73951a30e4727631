-- Logs whose stored state is in doubt. A server that finds a fault writes the row, so that every other server over the
-- database stops as well. A start that proves the state deletes it.
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

-- As before, and for quarantined logs as well: a server that has not heard of the row yet cannot add a head either.
CREATE OR REPLACE FUNCTION refuse_wrong_head() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    is_locked   boolean := lock_head(NEW.log_id);
    is_frozen   boolean;
    is_in_doubt boolean;
    newest_size bigint;
    newest_ms   bigint;
BEGIN
    SELECT tree_size, timestamp_ms,
            EXISTS (SELECT 1 FROM frozen_logs WHERE frozen_logs.log_id = heads.log_id),
            EXISTS (SELECT 1 FROM quarantined_logs WHERE quarantined_logs.log_id = heads.log_id)
        INTO newest_size, newest_ms, is_frozen, is_in_doubt
        FROM heads WHERE log_id = NEW.log_id ORDER BY previous_size DESC LIMIT 1;
    IF is_frozen THEN
        RAISE EXCEPTION 'the log is frozen' USING ERRCODE = 'integrity_constraint_violation';
    ELSIF is_in_doubt THEN
        RAISE EXCEPTION 'the log is quarantined' USING ERRCODE = 'integrity_constraint_violation';
    ELSIF NEW.previous_size = newest_size AND NEW.timestamp_ms >= newest_ms THEN
        RETURN NEW;
    -- Another server was faster: the primary key decides, and the statement that comes too late adds nothing.
    ELSIF NEW.previous_size < newest_size
        AND EXISTS (SELECT 1 FROM heads WHERE log_id = NEW.log_id AND previous_size = NEW.previous_size) THEN
        RETURN NEW;
    -- The first head comes with its log.
    ELSIF NEW.previous_size = -1 AND newest_size IS NULL
        AND EXISTS (SELECT 1 FROM logs WHERE log_id = NEW.log_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'tree heads only grow' USING ERRCODE = 'integrity_constraint_violation';
END $$;
