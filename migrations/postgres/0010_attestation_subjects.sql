-- What the kept statements are about: the digests of their subjects and inputs, so that entries are found by them. Derived from the
-- statement alone (`chancery log check` derives it again), and gone with it.
CREATE TABLE attestation_subjects (
    subject bytea NOT NULL CHECK (octet_length(subject) > 0),
    digest  bytea NOT NULL REFERENCES attestations (digest) ON DELETE CASCADE,
    PRIMARY KEY (subject, digest)
);
COMMENT ON TABLE attestation_subjects IS 'digests that kept statements name';
COMMENT ON COLUMN attestation_subjects.subject IS 'a term of the search index: the digest of a subject or of an input';
COMMENT ON COLUMN attestation_subjects.digest IS 'the statement that names it';

-- Finds the rows of a statement that is deleted or checked.
CREATE INDEX attestation_subjects_by_digest ON attestation_subjects (digest);
