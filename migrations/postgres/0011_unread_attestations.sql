-- The statements that were kept before version 10, which began to keep what they are about. A server reads them in the background, a few
-- at a time: it deletes a row together with adding those of attestation_subjects. Nothing is added later.
CREATE TABLE unread_attestations (
    digest bytea PRIMARY KEY REFERENCES attestations (digest) ON DELETE CASCADE
);
COMMENT ON TABLE unread_attestations IS 'kept statements whose rows of attestation_subjects are not made yet';
COMMENT ON COLUMN unread_attestations.digest IS 'the statement';

INSERT INTO unread_attestations SELECT digest FROM attestations
    WHERE NOT EXISTS (SELECT 1 FROM attestation_subjects WHERE attestation_subjects.digest = attestations.digest);
