-- An index of the logs, for questions by digest, identity, key and so on (services/search). Everything here is derived from
-- entries: it may be dropped and is built again, so that no trigger keeps it, and no log depends on it. `chancery search check`
-- derives it once more and compares.

-- How far the index of each log has come. A step of the index is one transaction. It begins with a compare-and-swap on the
-- version, so that two servers may build one index.
CREATE TABLE search_logs (
    log_id     bigint PRIMARY KEY,
    name       text   NOT NULL,
    version    bigint NOT NULL CHECK (version >= 0),
    tree_size  bigint NOT NULL CHECK (tree_size >= 0),
    subtrees   bytea  NOT NULL CHECK (octet_length(subtrees) % 32 = 0),
    checkpoint text   CHECK (checkpoint IS NOT NULL OR tree_size = 0),
    problems   bigint NOT NULL CHECK (problems >= 0)
);
COMMENT ON TABLE search_logs IS 'how far the index of each log has come';
COMMENT ON COLUMN search_logs.log_id IS 'which log; not always one of this database';
COMMENT ON COLUMN search_logs.name IS 'name of the log';
COMMENT ON COLUMN search_logs.version IS 'changes with every step';
COMMENT ON COLUMN search_logs.tree_size IS 'entries that are indexed: all from the first one on';
COMMENT ON COLUMN search_logs.subtrees IS 'hashes of the complete subtrees over these entries, left to right: one for each bit of tree_size';
COMMENT ON COLUMN search_logs.checkpoint IS 'signed note of a tree that was proven to begin with these entries';
COMMENT ON COLUMN search_logs.problems IS 'rows in search_problems';

-- Runs: postings (a term, and an entry that has it) of entries that follow each other, sorted. Never changed: several are merged
-- into a larger one, which replaces them.
CREATE TABLE search_runs (
    run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_id      bigint   NOT NULL,
    first_index bigint   NOT NULL CHECK (first_index >= 0),
    end_index   bigint   NOT NULL CHECK (end_index > first_index),
    state       smallint NOT NULL CHECK (state BETWEEN 0 AND 2),
    first_ms    bigint,
    last_ms     bigint   CHECK ((first_ms IS NULL) = (last_ms IS NULL) AND first_ms <= last_ms)
);
COMMENT ON TABLE search_runs IS 'sorted postings of entries that follow each other';
COMMENT ON COLUMN search_runs.run_id IS 'names the run in search_pages';
COMMENT ON COLUMN search_runs.log_id IS 'which log';
COMMENT ON COLUMN search_runs.first_index IS 'the first entry that it covers';
COMMENT ON COLUMN search_runs.end_index IS 'the first entry after these';
COMMENT ON COLUMN search_runs.state IS '0: it answers questions; 1: it is being merged; 2: it is replaced, and its pages are being deleted';
COMMENT ON COLUMN search_runs.first_ms IS 'time of the oldest of its entries, ms since the epoch; null if unknown';
COMMENT ON COLUMN search_runs.last_ms IS 'time of the newest of its entries, ms since the epoch; null if unknown';

-- Those that answer cover each entry once: no two begin with the same one. Finds them, too.
CREATE UNIQUE INDEX search_runs_that_answer ON search_runs (log_id, first_index) WHERE state = 0;

-- The pages of the runs; their form is in services/search/src/page.rs. A row is not above two kilobytes, so that it is kept in the
-- table. No foreign key: PostgreSQL would check it for every row, and rows are written by the transaction that writes their run.
CREATE TABLE search_pages (
    run_id    bigint NOT NULL,
    first_key bytea  NOT NULL CHECK (octet_length(first_key) > 0),
    page      bytea  NOT NULL CHECK (octet_length(page) > 0),
    PRIMARY KEY (run_id, first_key)
);
COMMENT ON TABLE search_pages IS 'postings of the runs, packed';
COMMENT ON COLUMN search_pages.run_id IS 'which run';
COMMENT ON COLUMN search_pages.first_key IS 'not above the postings of the page, and above those of the page before';
COMMENT ON COLUMN search_pages.page IS 'the postings';

-- Pages of merged runs are deleted all the time. A fifth of a large table would be much to wait for.
ALTER TABLE search_pages SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

-- Entries that may have terms by which they are not found. One that cannot be parsed at all is indexed by its leaf hash alone.
CREATE TABLE search_problems (
    log_id     bigint NOT NULL,
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    reason     text   NOT NULL,
    PRIMARY KEY (log_id, leaf_index)
);
COMMENT ON TABLE search_problems IS 'entries that may have terms by which they are not found';
COMMENT ON COLUMN search_problems.log_id IS 'which log';
COMMENT ON COLUMN search_problems.leaf_index IS 'position in the tree';
COMMENT ON COLUMN search_problems.reason IS 'why they cannot be derived';
