-- Several servers may share a database, and one that was started before version 10 goes on to keep statements without what they are
-- about. They are noted for the other servers, which read them in the background. Visible to the trigger is all that the statement
-- has written: one that adds the rows of attestation_subjects with its own notes nothing.
--
-- With the rights of the owner, because older servers may not write the table.
CREATE FUNCTION note_unread_attestation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO unread_attestations (digest) SELECT NEW.digest
        WHERE NOT EXISTS (SELECT 1 FROM attestation_subjects WHERE attestation_subjects.digest = NEW.digest)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_unread_attestation() FROM PUBLIC;

-- Temporary tables come last. Where they are not named they come first: a role that may only append could make one of the same name,
-- and a trigger on that would run with the rights of the owner.
DO $$
BEGIN
    EXECUTE (
        SELECT format('ALTER FUNCTION note_unread_attestation() SET search_path = %s, pg_temp', relnamespace::regnamespace)
        FROM pg_class WHERE oid = 'attestations'::regclass
    );
END $$;

CREATE TRIGGER attestations_are_read AFTER INSERT ON attestations
    FOR EACH ROW EXECUTE FUNCTION note_unread_attestation();
