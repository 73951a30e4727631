-- Logs that take no more entries. A log is frozen once and for ever: `chancery log freeze` writes the row, and from then on
-- no process, of whatever version, can move the log's head.
CREATE TABLE frozen_logs (
    log_id    bigint PRIMARY KEY REFERENCES logs (log_id),
    frozen_ms bigint NOT NULL
);
COMMENT ON TABLE frozen_logs IS 'logs that take no more entries; append-only';
COMMENT ON COLUMN frozen_logs.log_id IS 'which log';
COMMENT ON COLUMN frozen_logs.frozen_ms IS 'when, ms since the epoch';

CREATE TRIGGER frozen_logs_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON frozen_logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a frozen log stays frozen');

-- It sees a row that was committed while it waited for the head's lock: the function is volatile, so that each statement
-- in it has a snapshot of its own.
CREATE FUNCTION refuse_where_frozen() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM frozen_logs WHERE log_id = OLD.log_id) THEN
        RAISE EXCEPTION 'the log is frozen' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tree_heads_of_frozen_logs_stay BEFORE UPDATE ON tree_heads
    FOR EACH ROW EXECUTE FUNCTION refuse_where_frozen();
