-- Logs whose stored state is in doubt. A server that finds a fault writes the row. A start that proves the state deletes it.
CREATE TABLE quarantined_logs (
    log_id    INTEGER PRIMARY KEY REFERENCES logs (log_id),
    since_ms  INTEGER NOT NULL,                -- when the fault was found, ms since the epoch
    code      TEXT    NOT NULL,                -- stable name of the reason
    reason    TEXT    NOT NULL,                -- the reason in words
    tree_size INTEGER NOT NULL CHECK (tree_size >= 0),  -- leaves of the largest tree that is known to have been published
    note      TEXT                             -- the newest checkpoint that the server knows; the tree must extend it
) STRICT;

-- Logs that `chancery log end` has ended: what can be proven of them stays readable, and their key signs no tree again.
CREATE TABLE ended_logs (
    log_id         INTEGER PRIMARY KEY REFERENCES logs (log_id),
    ended_ms       INTEGER NOT NULL,           -- when, ms since the epoch
    tree_size      INTEGER NOT NULL CHECK (tree_size >= 0),  -- leaves of the tree that is shown; its checkpoint is stored
    root_hash      BLOB    NOT NULL CHECK (length(root_hash) = 32),  -- of that tree
    published_size INTEGER NOT NULL CHECK (published_size >= tree_size)  -- leaves of the largest tree that was published
) STRICT;

CREATE TRIGGER ended_logs_are_immutable BEFORE UPDATE ON ended_logs
BEGIN SELECT RAISE(ABORT, 'an ended log stays ended'); END;
CREATE TRIGGER ended_logs_are_kept BEFORE DELETE ON ended_logs
BEGIN SELECT RAISE(ABORT, 'an ended log stays ended'); END;

CREATE TRIGGER tree_heads_of_quarantined_logs_stay BEFORE UPDATE ON tree_heads
WHEN EXISTS (SELECT 1 FROM quarantined_logs WHERE log_id = OLD.log_id)
BEGIN SELECT RAISE(ABORT, 'the log is quarantined'); END;
