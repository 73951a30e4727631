-- Entries packed by entry bundle instead of one row each: what one batch adds to one bundle (256 entries) is a part. Every
-- entry that is there becomes a part of its own; indices, times and hashes stay what they are.

-- What was logged. Append-only.
CREATE TABLE bundle_parts (
    log_id          INTEGER NOT NULL REFERENCES logs (log_id),
    first_index     INTEGER NOT NULL CHECK (first_index >= 0),  -- position in the tree of its first entry
    timestamp_ms    INTEGER NOT NULL,           -- when its entries were integrated
    leaf_hashes     BLOB    NOT NULL            -- SHA-256(0x00 || leaf) of each entry; as many as there are entries
        CHECK (length(leaf_hashes) % 32 = 0 AND length(leaf_hashes) > 0
               AND first_index % 256 + length(leaf_hashes) / 32 <= 256),
    identity_hashes BLOB                        -- full SHA-256 of each; equal means duplicate. Null: the leaf hashes
        CHECK (length(identity_hashes) = length(leaf_hashes)),
    ends            BLOB    NOT NULL            -- where each entry's leaf and extra end in contents, 4 bytes big-endian each
        CHECK (length(ends) = length(leaf_hashes) / 4),
    contents        BLOB    NOT NULL,           -- per entry its leaf (a Rekor body, a CT MerkleTreeLeaf) and, not hashed,
                                                -- its extra (a CT entry's certificate chain, else empty)
    PRIMARY KEY (log_id, first_index)
) STRICT;

-- Where each identity is logged: nothing is logged twice. Append-only.
CREATE TABLE identities (
    log_id        INTEGER NOT NULL,
    identity_hash BLOB    NOT NULL CHECK (length(identity_hash) = 32),
    leaf_index    INTEGER NOT NULL CHECK (leaf_index >= 0),
    PRIMARY KEY (log_id, identity_hash)
) STRICT, WITHOUT ROWID;

-- Where each leaf is, for logs whose identities are not the leaf hashes (CT). Append-only.
CREATE TABLE leaf_indices (
    log_id     INTEGER NOT NULL,
    leaf_hash  BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    leaf_index INTEGER NOT NULL CHECK (leaf_index >= 0),
    PRIMARY KEY (log_id, leaf_hash, leaf_index)
) STRICT, WITHOUT ROWID;

INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents)
SELECT log_id, leaf_index, timestamp_ms, leaf_hash, nullif(identity_hash, leaf_hash),
       unhex(printf('%08x%08x', length(leaf), length(leaf) + length(extra))), CAST(leaf || extra AS BLOB)
FROM entries ORDER BY log_id, leaf_index;
INSERT INTO identities (log_id, identity_hash, leaf_index)
SELECT log_id, identity_hash, leaf_index FROM entries ORDER BY log_id, identity_hash;
INSERT INTO leaf_indices (log_id, leaf_hash, leaf_index)
SELECT log_id, leaf_hash, leaf_index FROM entries WHERE leaf_hash <> identity_hash ORDER BY log_id, leaf_hash;

DROP TABLE entries;

CREATE TRIGGER bundle_parts_are_immutable BEFORE UPDATE ON bundle_parts
BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
CREATE TRIGGER bundle_parts_are_kept BEFORE DELETE ON bundle_parts
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER identities_are_immutable BEFORE UPDATE ON identities
BEGIN SELECT RAISE(ABORT, 'identities are immutable'); END;
CREATE TRIGGER identities_are_kept BEFORE DELETE ON identities
BEGIN SELECT RAISE(ABORT, 'identities are never deleted'); END;
CREATE TRIGGER leaf_indices_are_immutable BEFORE UPDATE ON leaf_indices
BEGIN SELECT RAISE(ABORT, 'leaf indices are immutable'); END;
CREATE TRIGGER leaf_indices_are_kept BEFORE DELETE ON leaf_indices
BEGIN SELECT RAISE(ABORT, 'leaf indices are never deleted'); END;
