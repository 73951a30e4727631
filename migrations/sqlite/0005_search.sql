-- An index of the logs, for questions by digest, identity, key and so on (services/search). Everything here is derived from
-- entries: it may be dropped and is built again, so that no trigger keeps it, and no log depends on it. `chancery search check`
-- derives it once more and compares.

-- How far the index of each log has come. A step of the index is one transaction. It begins with a compare-and-swap on the
-- version, so that two processes may build one index.
CREATE TABLE search_logs (
    log_id     INTEGER PRIMARY KEY,            -- which log; not always one of this database
    name       TEXT    NOT NULL,               -- name of the log
    version    INTEGER NOT NULL CHECK (version >= 0),    -- changes with every step
    tree_size  INTEGER NOT NULL CHECK (tree_size >= 0),  -- entries that are indexed: all from the first one on
    subtrees   BLOB    NOT NULL                -- hashes of the complete subtrees over these entries, left to right: one for
        CHECK (length(subtrees) % 32 = 0),     -- each bit of tree_size
    checkpoint TEXT                            -- signed note of a tree that was proven to begin with these entries
        CHECK (checkpoint IS NOT NULL OR tree_size = 0),
    problems   INTEGER NOT NULL CHECK (problems >= 0)    -- rows in search_problems
) STRICT;

-- Runs: postings (a term, and an entry that has it) of entries that follow each other, sorted. Never changed: several are merged
-- into a larger one, which replaces them.
CREATE TABLE search_runs (
    run_id      INTEGER PRIMARY KEY AUTOINCREMENT,  -- names the run in search_pages; never used again
    log_id      INTEGER NOT NULL,              -- which log
    first_index INTEGER NOT NULL CHECK (first_index >= 0),         -- the first entry that it covers
    end_index   INTEGER NOT NULL CHECK (end_index > first_index),  -- the first entry after these
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),    -- 0: it answers questions; 1: it is being merged; 2: it is
                                               -- replaced, and its pages are being deleted
    first_ms    INTEGER,                       -- time of the oldest of its entries, ms since the epoch; null if unknown
    last_ms     INTEGER                        -- time of the newest of its entries, ms since the epoch; null if unknown
        CHECK ((first_ms IS NULL) = (last_ms IS NULL) AND first_ms <= last_ms)
) STRICT;

-- Those that answer cover each entry once: no two begin with the same one. Finds them, too.
CREATE UNIQUE INDEX search_runs_that_answer ON search_runs (log_id, first_index) WHERE state = 0;

-- The pages of the runs; their form is in services/search/src/page.rs. A row is not above two kilobytes, so that two fit on a
-- database page. Not WITHOUT ROWID: in such a table they would not.
CREATE TABLE search_pages (
    run_id    INTEGER NOT NULL,                -- which run
    first_key BLOB    NOT NULL CHECK (length(first_key) > 0),      -- not above the postings of the page, and above those of the
                                               -- page before
    page      BLOB    NOT NULL CHECK (length(page) > 0),           -- the postings, packed
    PRIMARY KEY (run_id, first_key)
) STRICT;

-- Entries that may have terms by which they are not found. One that cannot be parsed at all is indexed by its leaf hash alone.
CREATE TABLE search_problems (
    log_id     INTEGER NOT NULL,               -- which log
    leaf_index INTEGER NOT NULL CHECK (leaf_index >= 0),           -- position in the tree
    reason     TEXT    NOT NULL,               -- why they cannot be derived
    PRIMARY KEY (log_id, leaf_index)
) STRICT, WITHOUT ROWID;
