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

-- What was logged, in parts: what one batch adds to one entry bundle (256 entries), packed. Append-only. Packed, an entry
-- costs a third of what a row of its own costs, and no page stays half empty. No foreign key to logs here and below:
-- PostgreSQL would check it for every row, and rows are only ever written by the statement that advances the log's head,
-- which has one.
CREATE TABLE bundle_parts (
    log_id          bigint NOT NULL,
    first_index     bigint NOT NULL CHECK (first_index >= 0),  -- position in the tree of its first entry
    timestamp_ms    bigint NOT NULL,            -- when its entries were integrated
    leaf_hashes     bytea  NOT NULL             -- SHA-256(0x00 || leaf) of each entry; as many as there are entries
        CHECK (octet_length(leaf_hashes) % 32 = 0 AND octet_length(leaf_hashes) > 0
               AND first_index % 256 + octet_length(leaf_hashes) / 32 <= 256),
    identity_hashes bytea                       -- full SHA-256 of each; equal means duplicate. Null: the leaf hashes
        CHECK (octet_length(identity_hashes) = octet_length(leaf_hashes)),
    ends            bytea  NOT NULL             -- where each entry's leaf and extra end in contents, 4 bytes big-endian each
        CHECK (octet_length(ends) = octet_length(leaf_hashes) / 4),
    contents        bytea  NOT NULL,            -- per entry its leaf (a Rekor body, a CT MerkleTreeLeaf) and, not hashed,
                                                -- its extra (a CT entry's certificate chain, else empty)
    PRIMARY KEY (log_id, first_index)
);

-- Leaves are hashes, keys and signatures: trying to compress them costs a third of an insert and saves nothing.
ALTER TABLE bundle_parts ALTER COLUMN contents SET STORAGE EXTERNAL, ALTER COLUMN leaf_hashes SET STORAGE EXTERNAL,
    ALTER COLUMN identity_hashes SET STORAGE EXTERNAL;

-- Where each identity is logged: nothing is logged twice. Append-only.
CREATE TABLE identities (
    log_id        bigint NOT NULL,
    identity_hash bytea  NOT NULL CHECK (octet_length(identity_hash) = 32),
    leaf_index    bigint NOT NULL CHECK (leaf_index >= 0),
    PRIMARY KEY (log_id, identity_hash)
);

-- Where each leaf is, for logs whose identities are not the leaf hashes (CT). Append-only.
CREATE TABLE leaf_indices (
    log_id     bigint NOT NULL,
    leaf_hash  bytea  NOT NULL CHECK (octet_length(leaf_hash) = 32),
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    PRIMARY KEY (log_id, leaf_hash, leaf_index)
);

-- Hash tiles (C2SP tlog-tiles). A tile of leaf hashes is here once it is full: until then it is in bundle_parts. A partial
-- tile above is rewritten with more hashes until it is full, never with fewer.
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
CREATE TRIGGER bundle_parts_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON bundle_parts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('entries are immutable');
CREATE TRIGGER identities_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON identities
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('identities are immutable');
CREATE TRIGGER leaf_indices_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON leaf_indices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('leaf indices are immutable');
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
