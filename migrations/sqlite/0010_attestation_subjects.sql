-- What the kept statements are about: the digests of their subjects and inputs, so that entries are found by them. Derived from the
-- statement alone (`chancery log check` derives it again), and gone with it.
CREATE TABLE attestation_subjects (
    subject BLOB NOT NULL CHECK (length(subject) > 0),   -- a term of the search index: the digest of a subject or of an input
    digest  BLOB NOT NULL,                               -- the statement that names it
    PRIMARY KEY (subject, digest)
) STRICT, WITHOUT ROWID;

-- Finds the rows of a statement that is deleted or checked.
CREATE INDEX attestation_subjects_by_digest ON attestation_subjects (digest);

-- A trigger and no foreign key, because SQLite heeds that only where a connection asks for it.
CREATE TRIGGER attestation_subjects_go_with_it AFTER DELETE ON attestations
BEGIN DELETE FROM attestation_subjects WHERE digest = OLD.digest; END;
