-- Logs that take no more entries. A log is frozen once and for ever: `chancery log freeze` writes the row, and from then on
-- no process, of whatever version, can move the log's head.
CREATE TABLE frozen_logs (
    log_id    INTEGER PRIMARY KEY REFERENCES logs (log_id),
    frozen_ms INTEGER NOT NULL                 -- when, ms since the epoch
) STRICT;

CREATE TRIGGER frozen_logs_are_immutable BEFORE UPDATE ON frozen_logs
BEGIN SELECT RAISE(ABORT, 'a frozen log stays frozen'); END;
CREATE TRIGGER frozen_logs_are_kept BEFORE DELETE ON frozen_logs
BEGIN SELECT RAISE(ABORT, 'a frozen log stays frozen'); END;

CREATE TRIGGER tree_heads_of_frozen_logs_stay BEFORE UPDATE ON tree_heads
WHEN EXISTS (SELECT 1 FROM frozen_logs WHERE log_id = OLD.log_id)
BEGIN SELECT RAISE(ABORT, 'the log is frozen'); END;
