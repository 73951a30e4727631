-- The head of a log is where its newest part ends. Before, each batch also updated the log's row of tree_heads, which is a page
-- more for each commit: of a batch of one entry, a sixth of what it writes to disk. Adding the column reads all of bundle_parts
-- once, to verify the table; no row but the newest of each log changes.

-- RFC 6962 root hash of the tree that ends with this part. Null where its batch goes on in the next part, and in parts from
-- before this version.
ALTER TABLE bundle_parts ADD COLUMN root_hash BLOB CHECK (length(root_hash) = 32);

-- The heads there are.
DROP TRIGGER bundle_parts_are_immutable;
UPDATE bundle_parts
SET root_hash = (SELECT root_hash FROM tree_heads WHERE tree_heads.log_id = bundle_parts.log_id)
WHERE (log_id, first_index) IN (
    SELECT log_id, (SELECT max(first_index) FROM bundle_parts AS part WHERE part.log_id = tree_heads.log_id)
    FROM tree_heads
);
CREATE TRIGGER bundle_parts_are_immutable BEFORE UPDATE ON bundle_parts
BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
DROP TABLE tree_heads;

-- The committed tree head of each log: what the next batch extends by compare-and-swap. A log without entries has the empty tree.
-- A log whose newest part states no root hash has no head: no batch was written like that.
CREATE VIEW tree_heads (log_id, tree_size, root_hash, timestamp_ms) AS
SELECT logs.log_id,
       coalesce(newest.first_index + length(newest.leaf_hashes) / 32, 0),
       coalesce(newest.root_hash, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
       coalesce(newest.timestamp_ms, logs.created_ms)
FROM logs LEFT JOIN bundle_parts AS newest ON newest.log_id = logs.log_id
    AND newest.first_index = (SELECT max(first_index) FROM bundle_parts AS part WHERE part.log_id = logs.log_id)
WHERE newest.log_id IS NULL OR newest.root_hash IS NOT NULL;

CREATE TRIGGER tree_heads_only_grow BEFORE INSERT ON bundle_parts
WHEN NEW.first_index <> coalesce((
        SELECT first_index + length(leaf_hashes) / 32 FROM bundle_parts
        WHERE log_id = NEW.log_id ORDER BY first_index DESC LIMIT 1
    ), 0)
    OR NEW.timestamp_ms < coalesce((
        SELECT timestamp_ms FROM bundle_parts WHERE log_id = NEW.log_id ORDER BY first_index DESC LIMIT 1
    ), (SELECT created_ms FROM logs WHERE log_id = NEW.log_id))
BEGIN SELECT RAISE(ABORT, 'tree heads only grow'); END;

CREATE TRIGGER tree_heads_of_frozen_logs_stay BEFORE INSERT ON bundle_parts
WHEN EXISTS (SELECT 1 FROM frozen_logs WHERE log_id = NEW.log_id)
BEGIN SELECT RAISE(ABORT, 'the log is frozen'); END;

CREATE TRIGGER tree_heads_of_quarantined_logs_stay BEFORE INSERT ON bundle_parts
WHEN EXISTS (SELECT 1 FROM quarantined_logs WHERE log_id = NEW.log_id)
BEGIN SELECT RAISE(ABORT, 'the log is quarantined'); END;
