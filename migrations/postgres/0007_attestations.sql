-- What entries of a Rekor log have only a hash of: payloads of envelopes, and COSE messages. Kept only where the operator has
-- said so (`[log] rekor_attestations`). They belong to no log, and no tree depends on them: a row may be deleted, e.g. because
-- somebody has a right to that, and its entry is proven as before. What is stored never becomes something else.
CREATE TABLE attestations (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    data   bytea NOT NULL
);
COMMENT ON TABLE attestations IS 'what entries have only a hash of';
COMMENT ON COLUMN attestations.digest IS 'SHA-256 of the data';
COMMENT ON COLUMN attestations.data IS 'the payload of an envelope, or a whole COSE message';

CREATE TRIGGER attestations_are_immutable BEFORE UPDATE ON attestations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('attestations are immutable');
