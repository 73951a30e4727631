-- Transparency logs. Invariants are stated here as well as in code: a program with a bug, or a person with a shell,
-- cannot shrink a tree, change an entry or reuse an index without first dropping a trigger. The role that serves needs
-- not even own the tables: see roles.sql.

-- One row per log. Immutable.
CREATE TABLE logs (
    log_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- our own number; names the log in every other table
    name            text   NOT NULL UNIQUE,     -- role of the log in this instance, e.g. 'rekor' or 'ct'
    origin          text   NOT NULL UNIQUE,     -- first line of its checkpoints; never changes
    tree_id         bigint NOT NULL UNIQUE CHECK (tree_id > 0),  -- random; prefix of Rekor v1 entry ids
    key_fingerprint bytea  NOT NULL CHECK (octet_length(key_fingerprint) = 32),  -- SHA-256 of the log key's SPKI
    created_ms      bigint NOT NULL             -- when the log was made, ms since the epoch
);

-- The committed tree head of each log: what the next batch extends by compare-and-swap. Every replica that appends
-- locks this row, so that indices follow from it without gaps.
CREATE TABLE tree_heads (
    log_id       bigint PRIMARY KEY REFERENCES logs (log_id),
    tree_size    bigint NOT NULL CHECK (tree_size >= 0),  -- number of leaves
    root_hash    bytea  NOT NULL CHECK (octet_length(root_hash) = 32),  -- RFC 6962 root hash
    timestamp_ms bigint NOT NULL                -- when the last batch was integrated; never goes back
);

-- What was logged. Append-only. It has no foreign key to logs: PostgreSQL would check it for every row, and an entry is
-- only ever written by the statement that advances the log's head, which has one.
CREATE TABLE entries (
    log_id        bigint NOT NULL,
    leaf_index    bigint NOT NULL CHECK (leaf_index >= 0),  -- position in the tree, without gaps
    timestamp_ms  bigint NOT NULL,              -- when it was integrated
    identity_hash bytea  NOT NULL CHECK (octet_length(identity_hash) = 32),  -- full SHA-256; equal means duplicate
    leaf_hash     bytea  NOT NULL CHECK (octet_length(leaf_hash) = 32),      -- SHA-256(0x00 || leaf)
    leaf          bytea  NOT NULL,              -- the leaf's bytes: a Rekor body, a CT MerkleTreeLeaf
    extra         bytea  NOT NULL,              -- beside the leaf and not hashed: a CT entry's certificate chain, else empty
    PRIMARY KEY (log_id, leaf_index)
);

-- Leaves are hashes, keys and signatures: trying to compress them costs a third of an insert and saves nothing.
ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL, ALTER COLUMN extra SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX entries_logged_once ON entries (log_id, identity_hash);
-- Where the identity is the leaf hash (Rekor), the index above finds the leaf as well, and this one stays empty.
CREATE INDEX entries_by_leaf_hash ON entries (log_id, leaf_hash) WHERE leaf_hash <> identity_hash;

-- Hash tiles (C2SP tlog-tiles). A partial tile is rewritten with more hashes until it is full, never with fewer.
CREATE TABLE tiles (
    log_id     bigint   NOT NULL,
    level      smallint NOT NULL CHECK (level BETWEEN 0 AND 7),   -- tile level; 0 holds leaf hashes
    tile_index bigint   NOT NULL CHECK (tile_index >= 0),         -- position within the level
    hashes     bytea    NOT NULL CHECK (octet_length(hashes) % 32 = 0 AND octet_length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (log_id, level, tile_index)
);
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Checkpoints that were published, one per tree size. Append-only.
CREATE TABLE checkpoints (
    log_id    bigint NOT NULL REFERENCES logs (log_id),
    tree_size bigint NOT NULL CHECK (tree_size >= 0),  -- number of leaves it covers
    note      text   NOT NULL,                          -- the signed note
    PRIMARY KEY (log_id, tree_size)
);

-- Certificates that issued what a CT log holds, by fingerprint (static-ct-api names them so instead of repeating them).
CREATE TABLE issuers (
    log_id      bigint NOT NULL REFERENCES logs (log_id),
    fingerprint bytea  NOT NULL CHECK (octet_length(fingerprint) = 32),  -- SHA-256 of the certificate
    certificate bytea  NOT NULL,                                          -- in DER
    PRIMARY KEY (log_id, fingerprint)
);

-- Refuses whatever it is called for; its argument says why.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- Of a statement and not of its rows: an insert does not pay for them, and TRUNCATE is refused as well.
CREATE TRIGGER logs_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('logs are immutable');
CREATE TRIGGER entries_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('entries are immutable');
CREATE TRIGGER checkpoints_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('checkpoints are immutable');
CREATE TRIGGER issuers_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON issuers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('issuers are immutable');

CREATE TRIGGER tree_heads_only_grow BEFORE UPDATE ON tree_heads FOR EACH ROW
    WHEN (NEW.log_id <> OLD.log_id OR NEW.tree_size <= OLD.tree_size OR NEW.timestamp_ms < OLD.timestamp_ms)
    EXECUTE FUNCTION refuse('tree heads only grow');
CREATE TRIGGER tree_heads_are_kept BEFORE DELETE OR TRUNCATE ON tree_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('tree heads are never deleted');

CREATE TRIGGER tiles_only_grow BEFORE UPDATE ON tiles FOR EACH ROW
    WHEN ((NEW.log_id, NEW.level, NEW.tile_index) <> (OLD.log_id, OLD.level, OLD.tile_index)
          OR substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) <> OLD.hashes)
    EXECUTE FUNCTION refuse('tiles only grow');
CREATE TRIGGER tiles_are_kept BEFORE DELETE OR TRUNCATE ON tiles
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('tiles are never deleted');
