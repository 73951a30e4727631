-- The statements that were kept before version 10, which began to keep what they are about. A server reads them in the background, a few
-- at a time: it deletes a row together with adding those of attestation_subjects. Nothing is added later.
CREATE TABLE unread_attestations (
    digest BLOB NOT NULL PRIMARY KEY   -- the statement
) STRICT, WITHOUT ROWID;

INSERT INTO unread_attestations SELECT digest FROM attestations
    WHERE NOT EXISTS (SELECT 1 FROM attestation_subjects WHERE attestation_subjects.digest = attestations.digest);

CREATE TRIGGER unread_attestations_go_with_it AFTER DELETE ON attestations
BEGIN DELETE FROM unread_attestations WHERE digest = OLD.digest; END;
