-- Transparency logs. Invariants are stated here as well as in code: a program with a bug, or a person with a shell,
-- cannot shrink a tree, change an entry or reuse an index without first dropping a trigger.

-- One row per log. Immutable, except that a head only grows.
CREATE TABLE logs (
    log_id          INTEGER PRIMARY KEY,        -- our own number; names the log in every other table
    name            TEXT    NOT NULL UNIQUE,    -- role of the log in this instance, e.g. 'rekor' or 'ct'
    origin          TEXT    NOT NULL UNIQUE,    -- first line of its checkpoints; never changes
    tree_id         INTEGER NOT NULL UNIQUE CHECK (tree_id > 0),  -- random; prefix of Rekor v1 entry ids
    key_fingerprint BLOB    NOT NULL CHECK (length(key_fingerprint) = 32),  -- SHA-256 of the log key's SPKI
    created_ms      INTEGER NOT NULL            -- when the log was made, ms since the epoch
) STRICT;

CREATE TRIGGER logs_are_immutable BEFORE UPDATE ON logs
BEGIN SELECT RAISE(ABORT, 'logs are immutable'); END;
CREATE TRIGGER logs_are_kept BEFORE DELETE ON logs
BEGIN SELECT RAISE(ABORT, 'logs are never deleted'); END;

-- The committed tree head of each log: what the next batch extends by compare-and-swap.
CREATE TABLE tree_heads (
    log_id       INTEGER PRIMARY KEY REFERENCES logs (log_id),
    tree_size    INTEGER NOT NULL CHECK (tree_size >= 0),  -- number of leaves
    root_hash    BLOB    NOT NULL CHECK (length(root_hash) = 32),  -- RFC 6962 root hash
    timestamp_ms INTEGER NOT NULL               -- when the last batch was integrated; never goes back
) STRICT;

CREATE TRIGGER tree_heads_only_grow BEFORE UPDATE ON tree_heads
WHEN NEW.log_id <> OLD.log_id OR NEW.tree_size <= OLD.tree_size OR NEW.timestamp_ms < OLD.timestamp_ms
BEGIN SELECT RAISE(ABORT, 'tree heads only grow'); END;
CREATE TRIGGER tree_heads_are_kept BEFORE DELETE ON tree_heads
BEGIN SELECT RAISE(ABORT, 'tree heads are never deleted'); END;

-- What was logged. Append-only.
CREATE TABLE entries (
    log_id        INTEGER NOT NULL REFERENCES logs (log_id),
    leaf_index    INTEGER NOT NULL CHECK (leaf_index >= 0),  -- position in the tree, without gaps
    timestamp_ms  INTEGER NOT NULL,             -- when it was integrated
    identity_hash BLOB    NOT NULL CHECK (length(identity_hash) = 32),  -- full SHA-256; equal means duplicate
    leaf_hash     BLOB    NOT NULL CHECK (length(leaf_hash) = 32),      -- SHA-256(0x00 || leaf)
    leaf          BLOB    NOT NULL,             -- the leaf's bytes: a Rekor body, a CT MerkleTreeLeaf
    extra         BLOB    NOT NULL,             -- beside the leaf and not hashed: a CT entry's certificate chain, else empty
    PRIMARY KEY (log_id, leaf_index)
) STRICT;

CREATE UNIQUE INDEX entries_logged_once ON entries (log_id, identity_hash);
-- Where the identity is the leaf hash (Rekor), the index above finds the leaf as well, and this one stays empty.
CREATE INDEX entries_by_leaf_hash ON entries (log_id, leaf_hash) WHERE leaf_hash <> identity_hash;

CREATE TRIGGER entries_are_immutable BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;

-- Hash tiles (C2SP tlog-tiles). A partial tile is rewritten with more hashes until it is full, never with fewer.
CREATE TABLE tiles (
    log_id     INTEGER NOT NULL REFERENCES logs (log_id),
    level      INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),   -- tile level; 0 holds leaf hashes
    tile_index INTEGER NOT NULL CHECK (tile_index >= 0),         -- position within the level
    hashes     BLOB    NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (log_id, level, tile_index)
) STRICT;

CREATE TRIGGER tiles_only_grow BEFORE UPDATE ON tiles
WHEN substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
BEGIN SELECT RAISE(ABORT, 'tiles only grow'); END;
CREATE TRIGGER tiles_are_kept BEFORE DELETE ON tiles
BEGIN SELECT RAISE(ABORT, 'tiles are never deleted'); END;

-- Checkpoints that were published, one per tree size. Append-only.
CREATE TABLE checkpoints (
    log_id    INTEGER NOT NULL REFERENCES logs (log_id),
    tree_size INTEGER NOT NULL CHECK (tree_size >= 0),  -- number of leaves it covers
    note      TEXT    NOT NULL,                          -- the signed note
    PRIMARY KEY (log_id, tree_size)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER checkpoints_are_immutable BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are immutable'); END;
CREATE TRIGGER checkpoints_are_kept BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;

-- Certificates that issued what a CT log holds, by fingerprint (static-ct-api names them so instead of repeating them).
CREATE TABLE issuers (
    log_id      INTEGER NOT NULL REFERENCES logs (log_id),
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),  -- SHA-256 of the certificate
    certificate BLOB    NOT NULL,                                    -- in DER
    PRIMARY KEY (log_id, fingerprint)
) STRICT;

CREATE TRIGGER issuers_are_immutable BEFORE UPDATE ON issuers
BEGIN SELECT RAISE(ABORT, 'issuers are immutable'); END;
CREATE TRIGGER issuers_are_kept BEFORE DELETE ON issuers
BEGIN SELECT RAISE(ABORT, 'issuers are never deleted'); END;
