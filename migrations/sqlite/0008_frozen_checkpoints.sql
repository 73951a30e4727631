-- The last checkpoint of each frozen Rekor v2 log, which says since when the log is frozen. The log's key signs it after the
-- row of `frozen_logs` is there; it is of the same tree as the newest row of `checkpoints`, which stays as it was published.
CREATE TABLE frozen_checkpoints (
    log_id INTEGER PRIMARY KEY REFERENCES frozen_logs (log_id),
    note   TEXT    NOT NULL                    -- the signed note, without cosignatures
) STRICT;

CREATE TRIGGER frozen_checkpoints_are_immutable BEFORE UPDATE ON frozen_checkpoints
BEGIN SELECT RAISE(ABORT, 'a frozen log stays frozen'); END;
CREATE TRIGGER frozen_checkpoints_are_kept BEFORE DELETE ON frozen_checkpoints
BEGIN SELECT RAISE(ABORT, 'a frozen log stays frozen'); END;
