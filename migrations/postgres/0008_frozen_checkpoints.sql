-- The last checkpoint of each frozen Rekor v2 log, which says since when the log is frozen. The log's key signs it after the
-- row of `frozen_logs` is there; it is of the same tree as the newest row of `checkpoints`, which stays as it was published.
CREATE TABLE frozen_checkpoints (
    log_id bigint PRIMARY KEY REFERENCES frozen_logs (log_id),
    note   text   NOT NULL
);
COMMENT ON TABLE frozen_checkpoints IS 'last checkpoints of frozen logs; append-only';
COMMENT ON COLUMN frozen_checkpoints.log_id IS 'which log';
COMMENT ON COLUMN frozen_checkpoints.note IS 'the signed note, without cosignatures';

CREATE TRIGGER frozen_checkpoints_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON frozen_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a frozen log stays frozen');
