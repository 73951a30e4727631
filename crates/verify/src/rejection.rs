//! The reasons why a check fails: one closed list, each with a stable code.
//!
//! Metrics, audit logs and scripts match on the code, so it never changes. The sentence is for people. Where clients of
//! Fulcio or Rekor match on a sentence, it is that server's own, word for word.

mod comparison;

use std::fmt;

macro_rules! rejections {
    ($( $(#[doc = $doc:literal])* $variant:ident $({ $($field:ident : $ty:ty),* })? => $code:literal, $text:literal; )*) => {
        /// The reason why a check failed. Variants are in the order of the checks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rejection {
            $(
                $(#[doc = $doc])*
                #[doc = ""]
                #[doc = concat!("Code `", $code, "`.")]
                $variant $({ $(#[doc = concat!("The ", stringify!($field), " found.")] $field: $ty),* })?,
            )*
        }

        impl Rejection {
            /// Every reason, in order: its code, its meaning, and its sentence with the names of its fields in braces.
            pub const ALL: &'static [(&'static str, &'static str, &'static str)] =
                &[$( ($code, concat!($($doc),*).trim_ascii(), $text), )*];

            /// The stable, dotted, lower-case code of this reason.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $( Self::$variant $({ $($field: _),* })? => $code, )* }
            }
        }

        impl fmt::Display for Rejection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $( Self::$variant $({ $($field),* })? => write!(f, $text), )* }
            }
        }
    };
}

impl std::error::Error for Rejection {}

impl Rejection {
    /// Whether the sentence has the number that was required and the one that was found, so that it is the whole comparison.
    pub(crate) const fn counts(self) -> bool {
        matches!(
            self,
            Self::CosignaturesTooFew { .. } | Self::LogTooFew { .. } | Self::TimeTooFew { .. } | Self::SctTooFew { .. }
        )
    }
}

rejections! {
    /// The text is not PEM, or has another label than required.
    Pem => "pem.malformed", "failure decoding PEM";
    /// A PEM chain has more certificates than [`crate::certificate::MAX_CHAIN`].
    PemTooMany { limit: usize } => "pem.too_many", "too many PEM blocks, at most {limit} are allowed";
    /// The text is not standard base64.
    Base64 => "base64.malformed", "illegal base64 data";
    /// The text is base64 with line ends, where one line is required.
    Base64LineEnds => "base64.line_ends",
        "illegal base64 data: the text has line ends; write it on one line, as `base64 -w0` does";

    /// The key is not a `SubjectPublicKeyInfo` in DER.
    KeyMalformed => "key.malformed", "the public key is not a SubjectPublicKeyInfo in DER";
    /// The key has an algorithm that no supported client uses.
    KeyUnsupported => "key.unsupported", "the public key's algorithm is not supported";
    /// The key is too small or too large, on a curve that is not supported, not a point of its curve, or a known weak
    /// point.
    KeyWeak => "key.weak", "the public key is insecure";
    /// The signature does not verify.
    SignatureInvalid => "signature.invalid", "invalid signature when validating ASN.1 encoded signature";
    /// The digest does not have the length of its hash algorithm.
    DigestLength => "digest.length", "the digest has the wrong length for its algorithm";
    /// The algorithm is not allowed here, or the key cannot sign with this hash.
    AlgorithmNotAllowed => "algorithm.not_allowed", "entry algorithms are not allowed";

    /// The index is not below the tree size.
    IndexBeyondTree { index: u64, size: u64 } => "proof.index", "index {index} is not below the tree size {size}";
    /// The proof has another number of hashes than this index and tree size require.
    ProofLength => "proof.length", "the proof has the wrong number of hashes";
    /// The proof leads to another root hash.
    RootMismatch => "proof.root", "the proof does not lead to the root hash";
    /// The new tree has fewer leaves than the old one.
    TreeShrinks { old: u64, new: u64 } => "proof.shrinks", "a tree of size {new} cannot extend one of size {old}";

    /// The path is not one of a tile or entry bundle.
    TilePath => "tile.path", "not a tile path";
    /// The tile or entry bundle has the wrong length.
    TileLength => "tile.length", "the tile has the wrong length";

    /// The text is not a signed note.
    NoteMalformed => "note.malformed", "malformed signed note";
    /// The note has no signature by a known key.
    NoteUnsigned => "note.unsigned", "the note is not signed by a known key";
    /// A signature line of a known key does not verify.
    NoteSignature => "note.signature", "a signature of a known key on the note does not verify";
    /// The text of the note is not a checkpoint.
    CheckpointMalformed => "checkpoint.malformed", "malformed checkpoint";
    /// The checkpoint is of another log.
    CheckpointOrigin => "checkpoint.origin", "the checkpoint names another origin";
    /// Proof and checkpoint are of different trees.
    CheckpointMismatch => "checkpoint.mismatch", "the checkpoint and the proof disagree on size or root hash";

    /// The text is not a verifier key, or its key id does not match its name and key.
    VerifierKey => "verifier_key.malformed", "malformed verifier key";
    /// The body is not a log's request for a cosignature.
    WitnessRequest => "witness.request", "malformed request for a cosignature";
    /// The origin of a log is empty, longer than 255 bytes, or not a line of text.
    WitnessLog => "witness.log", "the origin of a log must be a line of at most 255 bytes, the first one of its checkpoints";
    /// The text is not a list of logs in the format of the witness network.
    WitnessList { line: usize, fault: &'static str } => "witness.list", "line {line} of the list of logs: {fault}";
    /// The body is not a witness's answer.
    WitnessAnswer => "witness.answer", "malformed answer of a witness";
    /// Two witnesses have the same name or key, or the quorum is zero or larger than the number of witnesses.
    WitnessPolicy => "witness.policy", "witnesses must have different names and keys, and the quorum must be between 1 and their number";
    /// The note has no cosignature by this witness.
    CosignatureMissing => "cosignature.missing", "the witness has not cosigned the checkpoint";
    /// The cosignature does not verify, or has no time.
    CosignatureInvalid => "cosignature.invalid", "the cosignature does not verify";
    /// Fewer witnesses have cosigned than the policy requires.
    CosignaturesTooFew { found: usize, quorum: usize } => "cosignature.too_few", "too few witnesses have cosigned: {found} of {quorum}";

    /// The certificate is not DER.
    CertificateMalformed => "certificate.malformed", "the certificate is not DER";
    /// The certificate is DER, and a field of it is not accepted.
    CertificateForm { fault: &'static str } => "certificate.form", "the certificate is not accepted: {fault}";
    /// The chain is empty or lacks an issuer.
    ChainIncomplete => "chain.incomplete", "the certificate chain is incomplete";
    /// The issuer name of a certificate is not the subject name of the next.
    ChainName => "chain.name", "issuer and subject names in the chain do not match";
    /// The chain ends in a certificate that is not trusted.
    ChainUntrusted => "chain.untrusted", "the chain does not end in a trusted root";
    /// A certificate's signature does not verify with its issuer's key.
    ChainSignature => "chain.signature", "a certificate in the chain is not signed by its issuer";
    /// A certificate is not valid at the time of the check.
    ChainExpired => "chain.expired", "a certificate in the chain is not valid at this time";
    /// An issuer is not a CA, may not sign certificates, or its path length is exceeded.
    ChainNotCa => "chain.not_ca", "an issuer in the chain is not allowed to issue";
    /// Key usage or extended key usage does not allow the purpose of the chain: code signing, or timestamps.
    ChainUsage => "chain.usage", "a certificate in the chain does not allow this use";
    /// A certificate has a critical extension that is not supported.
    ChainCritical => "chain.critical", "a certificate has an unknown critical extension";
    /// A field of the leaf differs from the certificate profile.
    Profile { field: &'static str } => "certificate.profile", "the certificate does not match the profile: {field}";

    /// The bytes are not an SCT, or not a list of SCTs.
    SctMalformed => "sct.malformed", "malformed signed certificate timestamp";
    /// The certificate carries no SCT.
    SctMissing => "sct.missing", "the certificate carries no signed certificate timestamp";
    /// No SCT is by a trusted log.
    SctUnknownLog => "sct.unknown_log", "the signed certificate timestamp is by an unknown log";
    /// The signature of an SCT does not verify.
    SctSignature => "sct.signature", "the signed certificate timestamp does not verify";
    /// The poison extension is missing from a precertificate, malformed, or present in a final certificate.
    SctPoison => "sct.poison", "cert / precert mismatch";

    /// The request is not a `TimeStampReq` in DER, or over the limits.
    TimestampRequest => "timestamp.request", "the timestamp request is malformed";
    /// The hash algorithm is SHA-1 or MD5.
    TimestampHashWeak => "timestamp.hash_weak", "the hash algorithm of the timestamp is weak";
    /// The hash algorithm is not SHA-256, SHA-384 or SHA-512.
    TimestampHash => "timestamp.hash", "the hash algorithm of the timestamp is not supported";
    /// Request or timestamp has an extension that is not supported.
    TimestampExtension => "timestamp.extension", "the timestamp has an extension that is not supported";
    /// The policy is not the requested one, or the authority does not have it.
    TimestampPolicy => "timestamp.policy", "the timestamp policy is not the requested one";
    /// The bytes are not a `TimeStampResp` or token in DER.
    TimestampMalformed => "timestamp.malformed", "malformed timestamp";
    /// The authority answered without a timestamp.
    TimestampRefused { status: u64 } => "timestamp.refused", "the timestamp authority refused the request with status {status}";
    /// The timestamp is over other data.
    TimestampImprint => "timestamp.imprint", "the timestamp is over other data";
    /// The nonce is missing, differs from the request's, or was not in the request.
    TimestampNonce => "timestamp.nonce", "the timestamp does not have the nonce of the request";
    /// The timestamp has certificates that were not requested, or lacks requested ones.
    TimestampCertificates => "timestamp.certificates", "the timestamp has certificates that were not requested, or lacks requested ones";
    /// The signed hash is not the hash of the timestamp's contents.
    TimestampDigest => "timestamp.digest", "the timestamp's signature is over other contents";
    /// The timestamp was not signed by the authority's certificate.
    TimestampSigner => "timestamp.signer", "the timestamp is by another authority";
    /// A certificate of the authority is not valid at the time of the timestamp.
    TimestampTime => "timestamp.time", "a certificate of the timestamp authority is not valid at the time of the timestamp";
    /// The signature does not verify.
    TimestampSignature => "timestamp.signature", "the timestamp does not verify";

    /// The JSON is not a proposed entry.
    EntryMalformed { field: &'static str } => "entry.malformed", "malformed entry: {field}";
    /// The entry lacks a required field.
    EntryMissing { field: &'static str } => "entry.missing", "missing {field}";
    /// The entry lacks a member that Rekor's schema requires.
    EntryRequired { path: &'static str } => "entry.required", "{path} in body is required";
    /// A list of the entry has no item, and Rekor's schema requires one.
    EntryEmpty { path: &'static str } => "entry.empty", "{path} in body should have at least 1 items";
    /// A member of the entry has a value that Rekor's schema does not list.
    EntryValue { rule: &'static str } => "entry.value", "{rule}";
    /// The entry is in its logged form, which cannot be verified: it lacks a member that only a proposal has.
    EntryNotInsertable { field: &'static str } => "entry.not_insertable", "entry not insertable into log: missing {field}";
    /// The key of an entry does not parse.
    EntryKey => "entry.key", "invalid public key: failure decoding PEM";
    /// The signature of a hashedrekord does not verify over its digest.
    EntrySignature => "entry.signature", "verifying signature: invalid signature when validating ASN.1 encoded signature";
    /// The hash value is not hexadecimal, or does not have the length of its algorithm.
    EntryHash => "entry.hash", "invalid value for hash";
    /// The number does not name a kind of key that Rekor v2 accepts. Rekor v2 does not accept pure Ed25519.
    EntryKeyDetails { number: i32 } => "entry.key_details", "keyDetails {number} is not a supported signing algorithm";
    /// The entry names another kind of key than its key has.
    EntryKeyMismatch => "entry.key_mismatch", "keyDetails names another kind of key than the one given";
    /// The digest does not have the length of the hash that the key signs with.
    EntryDigest { length: usize, expected: usize } => "entry.digest", "digest length ({length}) does not match expected size ({expected})";
    /// The entry has too many items of one kind.
    EntryTooMany { what: &'static str, limit: usize } => "entry.too_many", "too many {what}, at most {limit} are allowed";
    /// The canonical body is over the limit.
    EntryTooLarge { limit: usize } => "entry.too_large", "the canonical entry is larger than {limit} bytes";
    /// A part of the entry lacks its content, and a log fetches none.
    EntryContent { field: &'static str } => "entry.content", "'content' must be specified for {field}";
    /// The given hash is not the hash of the given content, in lower case.
    EntryDigestMismatch => "entry.digest_mismatch", "SHA mismatch: the given hash is not that of the given content";
    /// The key is not one of its format.
    EntryKeyFormat { format: &'static str } => "entry.key_format", "invalid {format} public key";
    /// The signature is not one of its format.
    EntrySignatureFormat { format: &'static str } => "entry.signature_format", "invalid {format} signature";
    /// The signature names another key than the one given.
    EntrySigner => "entry.signer", "the signature is not by the given key";
    /// Key or signature had expired or was revoked at the time that the signature states.
    EntryExpired => "entry.expired", "the key or the signature had expired or was revoked when the signature was made";
    /// A package, archive or message is not of its format, over a limit, or not wholly signed.
    EntryPackage { fault: &'static str } => "entry.package", "cannot use this artifact: {fault}";
    /// The entry has neither `proposedContent` nor all of its logged form.
    DsseContent => "dsse.content", "either proposedContent or envelopeHash, payloadHash, and signatures must be present";
    /// The entry has `proposedContent` and a member of its logged form.
    DsseBoth => "dsse.both", "either proposedContent or envelopeHash, payloadHash, and signatures must be present but not both";
    /// The envelope has no signature.
    DsseUnsigned => "dsse.unsigned", "DSSE envelope must contain 1 or more signatures";
    /// A verifier of the envelope is `null`.
    DsseNullVerifier => "dsse.null_verifier", "an invalid null verifier was provided in ProposedContent";
    /// A verifier of the envelope is not PEM.
    DsseKey => "dsse.key", "could not parse public key as x509: invalid public key: failure decoding PEM";
    /// The key did not make any of the envelope's signatures.
    DsseThreshold => "dsse.threshold", "accepted signatures do not match threshold, Found: 0, Expected 1";
    /// A key verifies none of the signatures, or no key verifies one of them.
    DsseSignature => "dsse.signature", "could not verify envelope: accepted signatures do not match threshold, Found: 0, Expected 1";
    /// No given key verifies one of the signatures.
    DsseUncovered => "dsse.uncovered", "all signatures must have a key that verifies it";
    // bundle.*, and the required parts of every bundle
    /// The bundle is larger than the limit.
    BundleTooLarge { limit: usize } => "bundle.too_large", "the bundle is larger than {limit} bytes";
    /// The file is not the JSON of a bundle: it has a syntax error, an unknown or repeated field, or a value of the
    /// wrong type or out of range.
    BundleMalformed => "bundle.malformed", "malformed bundle";
    /// The media type is not one of a bundle.
    BundleMediaType => "bundle.media_type", "not the media type of a bundle";
    /// Bundles or entries of this version do not have this field, or the bundle's form is older than the minimum.
    BundleVersion => "bundle.version", "not allowed in this version";
    /// The bundle lacks a required field.
    BundleMissing => "bundle.missing", "missing from the bundle";
    /// The bundle has two fields of which only one is allowed.
    BundleAmbiguous => "bundle.ambiguous", "given in two ways; only one is allowed";
    /// The bundle has too many items of one kind.
    BundleTooMany { what: &'static str, limit: usize } => "bundle.too_many", "too many {what}, at most {limit} are allowed";
    /// The bundle has the same item twice.
    BundleDuplicate => "bundle.duplicate", "the same item twice";
    /// The hint names a key that is not trusted, or another key than the envelope's key id.
    BundleKeyHint => "bundle.key_hint", "the bundle names another key";
    /// The chain contains a root, or a certificate is not issued by the next.
    BundleChain => "bundle.chain", "the bundle's certificates are not a chain below a root";
    /// The envelope has no signature, or more than one.
    DsseSignatures { count: usize } => "dsse.signatures", "the envelope must have exactly one signature, and has {count}";
    /// The log entry lacks a required inclusion proof.
    ProofMissing => "proof.missing", "the log entry has no inclusion proof";
    /// The inclusion proof has no checkpoint.
    CheckpointMissing => "checkpoint.missing", "the inclusion proof has no checkpoint";
    /// The log entry lacks a required inclusion promise.
    PromiseMissing => "promise.missing", "the log entry has no inclusion promise";
    /// Two log entries have the same log and index.
    LogDuplicate => "log.duplicate", "two log entries have the same log and index";

    // root.*
    /// The trust root is larger than the limit.
    RootTooLarge { limit: usize } => "root.too_large", "the trust root is larger than {limit} bytes";
    /// The trust root has too many items of one kind.
    RootTooMany { what: &'static str, limit: usize } => "root.too_many", "too many {what}, at most {limit} are allowed";
    /// The file is not the JSON of a trust root.
    RootMalformed => "root.malformed", "malformed trust root";
    /// The media type is not one of a trust root.
    RootMediaType => "root.media_type", "not the media type of a trust root";
    /// The window of trust has no start, or ends before it starts.
    RootWindow => "root.window", "not a valid window of trust";
    /// The key cannot be parsed, or is insecure.
    RootKey => "root.key", "unusable public key";
    /// The key details do not match the key, or are not supported.
    RootKeyDetails => "root.key_details", "the key details do not match the key, or are not supported";
    /// The log id does not match the log's key and name.
    RootLogId => "root.log_id", "the log id does not match the log's key";
    /// Two logs have the same id.
    RootDuplicate => "root.duplicate", "two logs have the same id";
    /// The chain is empty, or a certificate is not issued by the next.
    RootChain => "root.chain", "not a certificate chain";
    /// The trust root has no authority and no log.
    RootEmpty => "root.empty", "the trust root names no authority and no log";

    /// The inclusion promise (SET) does not verify.
    PromiseSignature => "promise.signature", "the signed entry timestamp does not verify";

    // Faults that the verifier finds in well-formed evidence.
    /// Log entries of this kind and version cannot be verified.
    EntryKind => "entry.kind", "log entries of this kind and version cannot be verified";
    /// The entry lacks what its signature is over, so that the signature cannot be verified by the entry alone. It is in the
    /// log all the same.
    EntryUnverifiable { missing: &'static str } => "entry.unverifiable", "the entry alone does not prove its signature: {missing}";
    /// The log entry is about another signature, key or artifact.
    EntryMismatch { field: &'static str } => "entry.mismatch", "the log entry does not match the bundle: {field}";
    /// The entry is of a log that is not trusted.
    LogUnknown => "log.unknown", "the log is not trusted";
    /// The log is not trusted at the time of the signature.
    LogWindow => "log.window", "the log is not trusted at this time";
    /// Entries of fewer log operators are present than required.
    LogTooFew { found: usize, required: usize } => "log.too_few", "too few log operators have an entry for the signature: {found} of {required}";
    /// No evidence shows when the signature was made.
    TimeNone => "time.none", "no evidence shows when the signature was made";
    /// Fewer operators establish the time than required.
    TimeTooFew { found: usize, required: usize } => "time.too_few", "too few operators establish the time: {found} of {required}";
    /// The time is in the future.
    TimeFuture => "time.future", "the time is in the future";
    /// The signer's certificate is not valid at the time of the signature.
    TimeCertificate => "time.certificate", "the signer's certificate is not valid at this time";
    /// The timestamp authority is not trusted at the time of its timestamp.
    TimestampWindow => "timestamp.window", "the timestamp authority is not trusted at this time";
    /// The certificate authority is not trusted at the time of the signature.
    ChainWindow => "chain.window", "the certificate authority is not trusted at this time";
    /// The certificate transparency log is not trusted at the time of its SCT.
    SctWindow => "sct.window", "the certificate transparency log is not trusted at this time";
    /// The certificate has the same SCT twice.
    SctDuplicate => "sct.duplicate", "the certificate has the same signed certificate timestamp twice";
    /// SCTs of fewer log operators are present than required.
    SctTooFew { found: usize, required: usize } => "sct.too_few", "too few operators of certificate transparency logs have given the certificate an SCT: {found} of {required}";
    /// The envelope does not hold an in-toto statement.
    DssePayloadType => "dsse.payload_type", "not the payload type of an in-toto statement";
    /// The digest in the bundle is not the artifact's.
    ArtifactDigest => "artifact.digest", "the digest in the bundle is not the artifact's";

    // Claims of a certificate
    /// The two extensions with the issuer have different values.
    CertificateIssuerConflict => "certificate.issuer_conflict", "the certificate names two issuers";
    /// The old and the new extension of a claim have different values.
    CertificateClaimConflict { name: &'static str } => "certificate.claim_conflict", "the certificate has two values of {name}";

    // statement.*, subject.*, predicate.*
    /// The payload is not the JSON of a statement.
    StatementMalformed => "statement.malformed", "malformed in-toto statement";
    /// The `_type` is not a known version of a statement.
    StatementType => "statement.type", "not the type of an in-toto statement";
    /// The statement has no predicate type, or not the required one.
    StatementPredicateType => "statement.predicate_type", "not the required predicate type";
    /// The statement has no subject.
    SubjectMissing => "subject.missing", "the statement has no subject";
    /// The artifact is not a subject of the statement.
    SubjectMismatch => "subject.mismatch", "the artifact is not a subject of the statement";
    /// A subject has no digest, or one that is not lower-case hexadecimal of the right length.
    SubjectMalformed => "subject.malformed", "malformed subject of the statement";
    /// No subject has a digest by SHA-256, SHA-384 or SHA-512.
    SubjectWeak => "subject.weak", "no subject of the statement has a SHA-2 digest";
    /// The predicate lacks a field of its type, or contradicts the certificate.
    PredicateMalformed { field: &'static str } => "predicate.malformed", "malformed predicate: {field}";

    // policy.*
    /// The policy is not TOML, or has an unknown key or a wrong value.
    PolicyMalformed => "policy.malformed", "malformed policy";
    /// The policy, or one of its rules, requires nothing.
    PolicyEmpty => "policy.empty", "the policy requires nothing";
    /// The value is not a pattern, or over the limits of patterns.
    PolicyPattern => "policy.pattern", "unusable pattern in the policy";
    /// The policy's key cannot be parsed, or is not the signer's.
    PolicyKey => "policy.key", "not the key that the policy names";
    /// The signer is not the identity that the policy names.
    PolicyIdentity => "policy.identity", "not the identity that the policy names";
    /// The issuer is not the one that the policy names.
    PolicyIssuer => "policy.issuer", "not the issuer that the policy names";
    /// The claim is missing, or has another value than the policy requires.
    PolicyClaim { name: &'static str } => "policy.claim", "not the value of {name} that the policy requires";
    /// The predicate is missing, or is not the one that the policy requires.
    PolicyPredicate => "policy.predicate", "not the predicate that the policy requires";
    /// The annotation is missing, or is not the one that the policy requires.
    PolicyAnnotation => "policy.annotation", "not the annotation that the policy requires";
    /// The signature was made outside the period that the policy allows, or at an unknown time.
    PolicyTime => "policy.time", "not signed in the period that the policy allows";
    /// The policy distrusts the identity, key, certificate or issuer of the signature.
    PolicyDistrusted => "policy.distrusted", "the policy distrusts this signature";
    /// Fewer signers have signed than the policy requires.
    PolicyQuorum { found: usize, needed: usize } => "policy.quorum", "too few of the signers that the policy requires have signed: {found} of {needed}";

    /// The check needs the artifact itself, or its digest by another algorithm.
    ArtifactBytesNeeded => "artifact.bytes_needed", "the artifact itself is needed, or its digest by another algorithm";
}
