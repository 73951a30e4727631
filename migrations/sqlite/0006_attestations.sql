-- What entries of a Rekor log have only a hash of: payloads of envelopes, and COSE messages. Kept only where the operator has
-- said so (`[log] rekor_attestations`). They belong to no log, and no tree depends on them: a row may be deleted, e.g. because
-- somebody has a right to that, and its entry is proven as before. What is stored never becomes something else.
CREATE TABLE attestations (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),  -- SHA-256 of the data
    data   BLOB NOT NULL                       -- the payload of an envelope, or a whole COSE message
) STRICT;

CREATE TRIGGER attestations_are_immutable BEFORE UPDATE ON attestations
BEGIN SELECT RAISE(ABORT, 'attestations are immutable'); END;
