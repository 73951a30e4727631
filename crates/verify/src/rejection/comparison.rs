//! What is expected and what is found where a reason applies, for refusals that know no more.
//!
//! A `Refusal` with the values themselves says these instead. The words here are the least that every
//! refusal says.

use super::Rejection;

/// For each code, in the order of [`Rejection::ALL`]: the expected and the found value.
const USUAL: &[(&str, &str, &str)] = &[
    ("pem.malformed", "PEM", "another text"),
    ("pem.too_many", "fewer PEM blocks", "more than the limit"),
    ("base64.malformed", "standard base64", "another text"),
    ("base64.line_ends", "base64 on one line", "line ends"),
    ("key.malformed", "a SubjectPublicKeyInfo in DER", "other bytes"),
    ("key.unsupported", "a key of ECDSA P-256, P-384 or P-521, of RSA, or of Ed25519", "another kind of key"),
    ("key.weak", "a key that is secure", "one that is not"),
    ("signature.invalid", "a signature by this key over this content", "another one"),
    ("digest.length", "a digest of the length of its algorithm", "another length"),
    ("algorithm.not_allowed", "an algorithm that is allowed", "another one"),
    ("proof.index", "an index below the size of the tree", "a larger one"),
    ("proof.length", "the number of hashes that index and size require", "another number"),
    ("proof.root", "a proof that leads to the root hash", "one that leads elsewhere"),
    ("proof.shrinks", "a tree that is not smaller", "a smaller one"),
    ("tile.path", "the path of a tile", "another path"),
    ("tile.length", "the length of this tile", "another length"),
    ("note.malformed", "a signed note", "another text"),
    ("note.unsigned", "a line signed by this log's key, under its name", "only lines of others"),
    ("note.signature", "a signature by this key over the note", "another one"),
    ("checkpoint.malformed", "an origin, a size and a root hash", "other lines"),
    ("checkpoint.origin", "the origin of this log", "another one"),
    ("checkpoint.mismatch", "the size and root hash of the checkpoint", "others"),
    ("verifier_key.malformed", "a verifier key", "another text"),
    ("witness.request", "a request for a cosignature", "another text"),
    ("witness.log", "a line of at most 255 bytes", "another text"),
    ("witness.list", "a line of a list of logs", "another line"),
    ("witness.answer", "the answer of a witness", "another text"),
    ("witness.policy", "a quorum of different witnesses", "another policy"),
    ("cosignature.missing", "a cosignature of this witness", "none"),
    ("cosignature.invalid", "a cosignature by this witness over the checkpoint", "another one"),
    ("cosignature.too_few", "cosignatures of a quorum", "fewer"),
    ("certificate.malformed", "a certificate in DER", "other bytes"),
    ("certificate.form", "a certificate of a usual form", "another one"),
    ("chain.incomplete", "every certificate of the chain", "a part of it"),
    ("chain.name", "the subject of the issuer as the name of the issuer", "another name"),
    ("chain.untrusted", "a certificate by an authority of the trust root", "another issuer"),
    ("chain.signature", "a signature by the issuer", "another one"),
    ("chain.expired", "a time in the validity of every certificate", "another time"),
    ("chain.not_ca", "an issuer that may issue", "one that may not"),
    ("chain.usage", "a certificate for this use", "one for another use"),
    ("chain.critical", "only known critical extensions", "an unknown one"),
    ("certificate.profile", "the field as the profile has it", "another value, or none"),
    ("sct.malformed", "a list of SCTs", "other bytes"),
    ("sct.missing", "an SCT", "none"),
    ("sct.unknown_log", "an SCT by a log of the trust root", "only SCTs of other logs"),
    ("sct.signature", "a signature by the log for this certificate", "another one"),
    ("sct.poison", "a precertificate, or a certificate", "the other one"),
    ("timestamp.request", "a timestamp request", "other bytes"),
    ("timestamp.hash_weak", "SHA-256, SHA-384 or SHA-512", "a weak hash algorithm"),
    ("timestamp.hash", "SHA-256, SHA-384 or SHA-512", "another hash algorithm"),
    ("timestamp.extension", "no critical extension", "one"),
    ("timestamp.policy", "the requested policy", "another one"),
    ("timestamp.malformed", "a timestamp in DER", "other bytes"),
    ("timestamp.refused", "status 0 or 1, granted", "another status"),
    ("timestamp.imprint", "the digest of the signature", "another one"),
    ("timestamp.nonce", "the nonce of the request", "another one, or none"),
    ("timestamp.certificates", "the requested certificates", "more, or fewer"),
    ("timestamp.digest", "the digest of the signed contents", "another one"),
    ("timestamp.signer", "a timestamp by an authority of the trust root", "one by another signer"),
    ("timestamp.time", "a time in the validity of every certificate of the authority", "another time"),
    ("timestamp.signature", "a signature by the authority", "another one"),
    ("entry.malformed", "an entry of this kind and version", "another value"),
    ("entry.missing", "the member", "none"),
    ("entry.required", "the member", "none"),
    ("entry.empty", "at least one item", "none"),
    ("entry.value", "a value that the schema allows", "another one"),
    ("entry.not_insertable", "a proposal", "the logged form"),
    ("entry.key", "a public key in PEM", "another text"),
    ("entry.signature", "a signature by the key over the digest", "another one"),
    ("entry.hash", "a digest in hexadecimal, of the length of its algorithm", "another text"),
    ("entry.key_details", "a supported signing algorithm", "another number"),
    ("entry.key_mismatch", "the kind of the given key", "another one"),
    ("entry.digest", "a digest of the length that the key signs", "another length"),
    ("entry.too_many", "fewer items", "more than the limit"),
    ("entry.too_large", "a smaller entry", "more bytes than the limit"),
    ("entry.content", "the content", "none"),
    ("entry.digest_mismatch", "the hash of the content, in lower case", "another one"),
    ("entry.key_format", "a public key of this format", "another value"),
    ("entry.signature_format", "a signature of this format", "another value"),
    ("entry.signer", "a signature by the given key", "one that names another key"),
    ("entry.expired", "a key and a signature that were valid", "one that had expired or was revoked"),
    ("entry.package", "an artifact of this format, wholly signed", "another one"),
    ("dsse.content", "a proposal, or the whole logged form", "a part of it"),
    ("dsse.both", "a proposal, or the logged form", "both"),
    ("dsse.unsigned", "at least one signature", "none"),
    ("dsse.null_verifier", "a verifier", "null"),
    ("dsse.key", "a public key in PEM", "another text"),
    ("dsse.threshold", "a signature by every key", "none by one of them"),
    ("dsse.signature", "a key for every signature", "none for one of them"),
    ("dsse.uncovered", "a key for every signature", "none for one of them"),
    ("bundle.too_large", "a smaller bundle", "more bytes than the limit"),
    ("bundle.malformed", "a bundle as Sigstore's protobuf files define it", "another value"),
    ("bundle.media_type", "the media type of a bundle", "another one"),
    ("bundle.version", "a field of this version", "one of another version"),
    ("bundle.missing", "a value", "none"),
    ("bundle.ambiguous", "one of the two", "both"),
    ("bundle.too_many", "fewer items", "more than the limit"),
    ("bundle.duplicate", "different items", "the same one twice"),
    ("bundle.key_hint", "the hint of a trusted key", "another one"),
    ("bundle.chain", "a chain below a root", "other certificates"),
    ("dsse.signatures", "exactly one signature", "another number"),
    ("proof.missing", "an inclusion proof", "none"),
    ("checkpoint.missing", "a checkpoint", "none"),
    ("promise.missing", "an inclusion promise", "none"),
    ("log.duplicate", "entries of different logs or indices", "the same one twice"),
    ("root.too_large", "a smaller trust root", "more bytes than the limit"),
    ("root.too_many", "fewer items", "more than the limit"),
    ("root.malformed", "a trust root as Sigstore's protobuf files define it", "another value"),
    ("root.media_type", "the media type of a trust root", "another one"),
    ("root.window", "a start, and no end before it", "another window"),
    ("root.key", "a public key that is usable", "another one"),
    ("root.key_details", "the key details of the key", "others"),
    ("root.log_id", "the id of the log's key", "another one"),
    ("root.duplicate", "logs with different ids", "two with the same"),
    ("root.chain", "a chain of certificates, each issued by the next", "other certificates"),
    ("root.empty", "an authority or a log", "none"),
    ("promise.signature", "a promise by this log about this entry", "another one"),
    ("entry.kind", "hashedrekord 0.0.1 or 0.0.2, dsse 0.0.1 or 0.0.2, or intoto 0.0.2", "another kind"),
    ("entry.unverifiable", "what the signature is over", "an entry without it"),
    ("entry.mismatch", "this bundle's value", "another one"),
    ("log.unknown", "a log of the trust root", "another log"),
    ("log.window", "a time in the log's window", "another time"),
    ("log.too_few", "entries of more log operators", "fewer"),
    ("time.none", "a timestamp, or a log's promise", "neither"),
    ("time.too_few", "times of more operators", "fewer"),
    ("time.future", "a time that is not after now", "a later one"),
    ("time.certificate", "a time in the validity of the signer's certificate", "another time"),
    ("timestamp.window", "a time in the authority's window", "another time"),
    ("chain.window", "a time in the authority's window", "another time"),
    ("sct.window", "a time in the log's window", "another time"),
    ("sct.duplicate", "different SCTs", "the same one twice"),
    ("sct.too_few", "SCTs of more log operators", "fewer"),
    ("dsse.payload_type", "the payload type of an in-toto statement", "another one"),
    ("artifact.digest", "the artifact's digest", "another one"),
    ("certificate.issuer_conflict", "one issuer", "two"),
    ("certificate.claim_conflict", "one value", "two"),
    ("statement.malformed", "an in-toto statement in JSON", "another text"),
    ("statement.type", "the type of an in-toto statement", "another one"),
    ("statement.predicate_type", "the required predicate type", "another one, or none"),
    ("subject.missing", "at least one subject", "none"),
    ("subject.mismatch", "the artifact's digest", "only digests of others"),
    ("subject.malformed", "a digest in lower-case hexadecimal", "another value"),
    ("subject.weak", "a digest by SHA-256, SHA-384 or SHA-512", "only others"),
    ("predicate.malformed", "the field, of its type", "none, or another type"),
    ("policy.malformed", "a policy in TOML", "another text"),
    ("policy.empty", "a rule", "none"),
    ("policy.pattern", "a pattern", "another text"),
    ("policy.key", "the key that the policy names", "another one"),
    ("policy.identity", "the identity that the policy names", "another one"),
    ("policy.issuer", "the issuer that the policy names", "another one"),
    ("policy.claim", "the value that the policy requires", "another one, or none"),
    ("policy.predicate", "the predicate that the policy requires", "another one, or none"),
    ("policy.annotation", "the annotation that the policy requires", "another one, or none"),
    ("policy.time", "a time in the policy's period", "another one, or none"),
    ("policy.distrusted", "a signature that no rule distrusts", "one that a rule distrusts"),
    ("policy.quorum", "signatures of more signers", "fewer"),
    ("artifact.bytes_needed", "the artifact itself, or its digest by another algorithm", "neither"),
];

impl Rejection {
    /// What is expected and what is found where this reason applies, in words for people.
    #[must_use]
    pub fn comparison(&self) -> (&'static str, &'static str) {
        let usual = USUAL.iter().find(|(code, ..)| *code == self.code());
        usual.map_or(("another value", "this one"), |&(_, expected, found)| (expected, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_says_what_is_expected_and_found() {
        let codes: Vec<_> = Rejection::ALL.iter().map(|(code, ..)| *code).collect();
        let compared: Vec<_> = USUAL.iter().map(|(code, ..)| *code).collect();
        assert_eq!(codes, compared);
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "a code twice");
        for (code, expected, found) in USUAL {
            assert!(!expected.is_empty() && !found.is_empty() && expected != found, "{code}");
            let part = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
            };
            assert!(code.split('.').count() == 2 && code.split('.').all(part), "{code}");
        }
        assert_eq!(Rejection::RootMismatch.comparison().0, "a proof that leads to the root hash");
    }
}
