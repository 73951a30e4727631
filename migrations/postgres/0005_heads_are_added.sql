-- Each batch adds its head. Before, it updated the log's one row of tree_heads, and while any transaction of the database held
-- a snapshot (pg_dump, a report, a standby's feedback) every old version of that row stayed and was passed over by each batch:
-- 0.1 ms became 4 ms within minutes. Rows that are only added leave nothing to pass over: the newest is the first in the index.

-- Nothing may move a head between the copy and the drop.
LOCK TABLE tree_heads IN ACCESS EXCLUSIVE MODE;

-- The committed tree heads of each log, one per batch. Append-only. The newest row is the log's head. Not more than one head
-- extends another one: that is the primary key, and it is what makes a fork impossible.
CREATE TABLE heads (
    log_id        bigint NOT NULL,
    previous_size bigint NOT NULL CHECK (previous_size >= -1),
    tree_size     bigint NOT NULL CHECK (tree_size > previous_size),
    root_hash     bytea  NOT NULL CHECK (octet_length(root_hash) = 32),
    timestamp_ms  bigint NOT NULL,
    PRIMARY KEY (log_id, previous_size)
);
COMMENT ON TABLE heads IS 'committed tree heads, one per batch; append-only';
COMMENT ON COLUMN heads.log_id IS 'which log';
COMMENT ON COLUMN heads.previous_size IS 'leaves of the head that this one extends; -1 for the first row of a log';
COMMENT ON COLUMN heads.tree_size IS 'number of leaves';
COMMENT ON COLUMN heads.root_hash IS 'RFC 6962 root hash';
COMMENT ON COLUMN heads.timestamp_ms IS 'when the batch was integrated, ms since the epoch; never goes back';

-- Of the heads before this version only the newest was kept.
INSERT INTO heads SELECT log_id, -1, tree_size, root_hash, timestamp_ms FROM tree_heads;
DROP TABLE tree_heads;
DROP FUNCTION refuse_where_frozen();
-- As for the other tables that only grow: see version 3.
ALTER TABLE heads SET (autovacuum_vacuum_insert_threshold = 1000000, autovacuum_analyze_threshold = 1000000);

-- Waits until no other transaction is changing this log's head, and keeps others from it until the transaction ends. Batches of
-- two servers take turns by it, and a log is frozen under it. The first number is the word CHAN: a namespace of our own. It is
-- true, because plpgsql takes a value faster than the result of a query.
CREATE FUNCTION lock_head(log_id bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(1128808782, (log_id % 2147483648)::integer) IS NOT NULL
$$;

-- It sees what was committed while it waited for the lock: the function is volatile, so that each statement in it has a snapshot
-- of its own.
CREATE FUNCTION refuse_wrong_head() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
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
CREATE TRIGGER heads_only_grow BEFORE INSERT ON heads FOR EACH ROW EXECUTE FUNCTION refuse_wrong_head();
CREATE TRIGGER heads_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('tree heads are never changed or deleted');
