//! Why something is not true: one closed list, one stable code each.
//!
//! The code is what metrics, audit logs and scripts match on and never changes; the sentence is for a person.
//! Sentences that clients of Fulcio or Rekor are known to match on are those servers' own words.

use std::fmt;

macro_rules! rejections {
    ($( $(#[doc = $doc:literal])* $variant:ident $({ $($field:ident : $ty:ty),* })? => $code:literal, $text:literal; )*) => {
        /// The one reason a check failed. Variants stand in the order in which the checks run.
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
            /// Every reason, in order: its code, what it means, and its sentence with the names of its fields in braces.
            pub const ALL: &'static [(&'static str, &'static str, &'static str)] =
                &[$( ($code, concat!($($doc),*).trim_ascii(), $text), )*];

            /// Stable, dotted, lower-case name of this reason.
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

rejections! {
    /// Not PEM, or not the label asked for.
    Pem => "pem.malformed", "failure decoding PEM";
    /// More certificates in one PEM chain than [`crate::certificate::MAX_CHAIN`].
    PemTooMany { limit: usize } => "pem.too_many", "too many PEM blocks, at most {limit} are allowed";
    /// Not standard base64.
    Base64 => "base64.malformed", "illegal base64 data";

    /// Not a `SubjectPublicKeyInfo` in DER.
    KeyMalformed => "key.malformed", "the public key is not a SubjectPublicKeyInfo in DER";
    /// An algorithm or curve no client of ours uses.
    KeyUnsupported => "key.unsupported", "the public key's algorithm is not supported";
    /// A key that is too small, too large, not on its curve, or a known bad point.
    KeyWeak => "key.weak", "the public key is insecure";
    /// The signature does not verify.
    SignatureInvalid => "signature.invalid", "invalid signature when validating ASN.1 encoded signature";
    /// Digest length and hash algorithm disagree.
    DigestLength => "digest.length", "the digest has the wrong length for its algorithm";
    /// This key cannot sign a digest made with this hash.
    AlgorithmNotAllowed => "algorithm.not_allowed", "entry algorithms are not allowed";

    /// Index at or past the size.
    IndexBeyondTree { index: u64, size: u64 } => "proof.index", "index {index} is not below the tree size {size}";
    /// A proof of this length cannot belong to this index and size.
    ProofLength => "proof.length", "the proof has the wrong number of hashes";
    /// The proof leads to another root.
    RootMismatch => "proof.root", "the proof does not lead to the root hash";
    /// Asked to prove that a larger tree is a prefix of a smaller one.
    TreeShrinks { old: u64, new: u64 } => "proof.shrinks", "a tree of {new} leaves cannot extend one of {old}";

    /// Not a tile path.
    TilePath => "tile.path", "not a tile path";
    /// A tile or entry bundle of the wrong length.
    TileLength => "tile.length", "the tile has the wrong length";

    /// Not a signed note.
    NoteMalformed => "note.malformed", "malformed signed note";
    /// No signature by a key that is known.
    NoteUnsigned => "note.unsigned", "the note is not signed by a known key";
    /// A signature line by a known key that does not verify.
    NoteSignature => "note.signature", "a signature of a known key on the note does not verify";
    /// The text of the note is not a checkpoint.
    CheckpointMalformed => "checkpoint.malformed", "malformed checkpoint";
    /// A checkpoint of another log.
    CheckpointOrigin => "checkpoint.origin", "the checkpoint names another origin";
    /// Proof and checkpoint speak of different trees.
    CheckpointMismatch => "checkpoint.mismatch", "the checkpoint and the proof disagree on size or root hash";

    /// Not a verifier key, or one whose key id is not that of its name and key.
    VerifierKey => "verifier_key.malformed", "malformed verifier key";
    /// Not what a log asks a witness.
    WitnessRequest => "witness.request", "malformed request for a cosignature";
    /// Not what a witness answers.
    WitnessAnswer => "witness.answer", "malformed answer of a witness";
    /// Two witnesses of one name or key, or a quorum that says nothing or cannot be had.
    WitnessPolicy => "witness.policy", "names and keys of witnesses must differ, and the quorum be between 1 and their number";
    /// The witness has not cosigned.
    CosignatureMissing => "cosignature.missing", "the witness has not cosigned the checkpoint";
    /// A cosignature that does not verify, or without a time.
    CosignatureInvalid => "cosignature.invalid", "the cosignature does not verify";
    /// Fewer witnesses than the policy asks for.
    CosignaturesTooFew { found: usize, quorum: usize } => "cosignature.too_few", "{found} of {quorum} witnesses have cosigned";

    /// Not a certificate in DER.
    CertificateMalformed => "certificate.malformed", "the certificate is not DER";
    /// The chain is empty or lacks an issuer.
    ChainIncomplete => "chain.incomplete", "the certificate chain is incomplete";
    /// Issuer name and subject name of neighbours differ.
    ChainName => "chain.name", "issuer and subject names in the chain do not match";
    /// The last certificate is not one that is trusted.
    ChainUntrusted => "chain.untrusted", "the chain does not end in a trusted root";
    /// A certificate's signature does not verify under its issuer.
    ChainSignature => "chain.signature", "a certificate in the chain is not signed by its issuer";
    /// `now` is outside a certificate's validity.
    ChainExpired => "chain.expired", "a certificate in the chain is not valid at this time";
    /// An issuer is not a CA, or its path length is exceeded.
    ChainNotCa => "chain.not_ca", "an issuer in the chain is not allowed to issue";
    /// Key usage or extended key usage forbids what the chain is for: code signing, or timestamps.
    ChainUsage => "chain.usage", "a certificate in the chain is not for this use";
    /// A critical extension nobody here understands.
    ChainCritical => "chain.critical", "a certificate has an unknown critical extension";
    /// Field of the leaf that differs from the certificate profile.
    Profile { field: &'static str } => "certificate.profile", "the certificate departs from the profile: {field}";

    /// Not an SCT, or not a list of them.
    SctMalformed => "sct.malformed", "malformed signed certificate timestamp";
    /// The certificate carries no SCT.
    SctMissing => "sct.missing", "the certificate carries no signed certificate timestamp";
    /// SCT by a log that is not trusted.
    SctUnknownLog => "sct.unknown_log", "the signed certificate timestamp is by an unknown log";
    /// SCT whose signature does not verify.
    SctSignature => "sct.signature", "the signed certificate timestamp does not verify";
    /// Poison missing where it must be, or present where it must not.
    SctPoison => "sct.poison", "cert / precert mismatch";

    /// Not a `TimeStampReq` in DER, or one over the limits.
    TimestampRequest => "timestamp.request", "the timestamp request is malformed";
    /// SHA-1 or MD5.
    TimestampHashWeak => "timestamp.hash_weak", "the hash algorithm of the timestamp is weak";
    /// Neither SHA-256, SHA-384 nor SHA-512.
    TimestampHash => "timestamp.hash", "the hash algorithm of the timestamp is not supported";
    /// An extension nobody here understands.
    TimestampExtension => "timestamp.extension", "the timestamp has an extension that is not supported";
    /// Another policy than the one asked for, or one the authority does not have.
    TimestampPolicy => "timestamp.policy", "the timestamp policy is not the one asked for";
    /// Not a `TimeStampResp` or token in DER.
    TimestampMalformed => "timestamp.malformed", "malformed timestamp";
    /// The authority has answered that there is no timestamp.
    TimestampRefused { status: u64 } => "timestamp.refused", "the timestamp authority has refused with status {status}";
    /// A timestamp of something else.
    TimestampImprint => "timestamp.imprint", "the timestamp is of something else";
    /// The nonce is missing, another one, or was not sent.
    TimestampNonce => "timestamp.nonce", "the timestamp does not repeat the nonce";
    /// Certificates that were not asked for, or none where they were.
    TimestampCertificates => "timestamp.certificates", "the timestamp's certificates are not as asked for";
    /// The signed hash is not that of what the timestamp says.
    TimestampDigest => "timestamp.digest", "the timestamp's contents are not what was signed";
    /// The signer is not the authority's certificate.
    TimestampSigner => "timestamp.signer", "the timestamp is by another authority";
    /// A time at which a certificate of the authority is not valid.
    TimestampTime => "timestamp.time", "a certificate of the timestamp authority is not valid at the time of the timestamp";
    /// The signature does not verify.
    TimestampSignature => "timestamp.signature", "the timestamp does not verify";

    /// JSON that is not a proposed entry.
    EntryMalformed { field: &'static str } => "entry.malformed", "malformed entry: {field}";
    /// A field a proposed entry must have.
    EntryMissing { field: &'static str } => "entry.missing", "missing {field}";
    /// The key of an entry does not parse.
    EntryKey => "entry.key", "invalid public key: failure decoding PEM";
    /// The signature of a hashedrekord does not verify over its digest.
    EntrySignature => "entry.signature", "verifying signature: invalid signature when validating ASN.1 encoded signature";
    /// The hash value is not hexadecimal, or of another length than its algorithm's.
    EntryHash => "entry.hash", "invalid value for hash";
    /// A number that names no kind of key that Rekor v2 takes; pure Ed25519 is among them.
    EntryKeyDetails { number: i32 } => "entry.key_details", "keyDetails {number} is not a supported signing algorithm";
    /// The kind of key that an entry names is not that of its key.
    EntryKeyMismatch => "entry.key_mismatch", "keyDetails names another kind of key than the one given";
    /// A digest that is not as long as the hash the key signs with.
    EntryDigest { length: usize, expected: usize } => "entry.digest", "digest length ({length}) does not match expected size ({expected})";
    /// More of a thing than one entry may have.
    EntryTooMany { what: &'static str, limit: usize } => "entry.too_many", "too many {what}, at most {limit} are allowed";
    /// The canonical body is over the limit.
    EntryTooLarge { limit: usize } => "entry.too_large", "the canonical entry is larger than {limit} bytes";
    /// `proposedContent` is missing, or given together with its canonical form.
    DsseContent => "dsse.content", "either proposedContent or envelopeHash, payloadHash, and signatures must be present";
    /// An envelope without signatures.
    DsseUnsigned => "dsse.unsigned", "DSSE envelope must contain 1 or more signatures";
    /// A verifier that verifies none of the signatures, or a signature no verifier verifies.
    DsseSignature => "dsse.signature", "could not verify envelope: accepted signatures do not match threshold, Found: 0, Expected 1";
    /// A signature that no given key verifies.
    DsseUncovered => "dsse.uncovered", "all signatures must have a key that verifies it";
    // bundle.*, and what a bundle must carry whatever it proves
    /// A bundle over the limit on its size.
    BundleTooLarge { limit: usize } => "bundle.too_large", "the bundle is larger than {limit} bytes";
    /// Not JSON, or not the JSON of a bundle: an unknown or doubled field, a value of another type or out of range.
    BundleMalformed => "bundle.malformed", "malformed bundle";
    /// A media type that is none of a bundle's.
    BundleMediaType => "bundle.media_type", "not a bundle's media type";
    /// A field that bundles of this version do not have, or that entries of this version do not have.
    BundleVersion => "bundle.version", "not allowed in this version";
    /// Something every bundle of this kind has.
    BundleMissing => "bundle.missing", "missing from the bundle";
    /// Two of which only one may be given.
    BundleAmbiguous => "bundle.ambiguous", "given twice in different ways";
    /// More of a thing than a bundle may have.
    BundleTooMany { what: &'static str, limit: usize } => "bundle.too_many", "too many {what}, at most {limit} are allowed";
    /// The same thing twice.
    BundleDuplicate => "bundle.duplicate", "the same thing twice";
    /// The bundle's hint and the envelope's key id name different keys.
    BundleKeyHint => "bundle.key_hint", "the bundle names another key";
    /// A chain with a root, or whose certificates do not issue one another.
    BundleChain => "bundle.chain", "the bundle's certificates are not a chain below a root";
    /// An envelope without exactly one signature.
    DsseSignatures { count: usize } => "dsse.signatures", "the envelope must have exactly one signature, and has {count}";
    /// A log entry without an inclusion proof where there must be one.
    ProofMissing => "proof.missing", "the log entry has no inclusion proof";
    /// An inclusion proof without a checkpoint.
    CheckpointMissing => "checkpoint.missing", "the inclusion proof has no checkpoint";
    /// A log entry without an inclusion promise where there must be one.
    PromiseMissing => "promise.missing", "the log entry has no inclusion promise";
    /// The same log and index twice.
    LogDuplicate => "log.duplicate", "two log entries have the same log and index";

    // root.*
    /// A trust root over the limit on its size.
    RootTooLarge { limit: usize } => "root.too_large", "the trust root is larger than {limit} bytes";
    /// More of a thing than a trust root may have.
    RootTooMany { what: &'static str, limit: usize } => "root.too_many", "too many {what}, at most {limit} are allowed";
    /// Not JSON, or not the JSON of a trust root.
    RootMalformed => "root.malformed", "malformed trust root";
    /// A media type that is none of a trust root's.
    RootMediaType => "root.media_type", "not a trust root's media type";
    /// A window without a start, or one that ends before it starts.
    RootWindow => "root.window", "not a window of validity";
    /// A key that cannot be read, or is insecure.
    RootKey => "root.key", "unusable public key";
    /// Key details that are not those of the key, or that no log here may have.
    RootKeyDetails => "root.key_details", "key details that do not fit";
    /// A log id that is not that of the log's key and name.
    RootLogId => "root.log_id", "the log id is not that of the key";
    /// Two logs with one id.
    RootDuplicate => "root.duplicate", "two logs have the same id";
    /// A chain that is empty, or whose certificates do not issue one another.
    RootChain => "root.chain", "not a certificate chain";
    /// A trust root that trusts nobody.
    RootEmpty => "root.empty", "the trust root names no authority and no log";

    /// An inclusion promise (SET) that does not verify.
    PromiseSignature => "promise.signature", "the signed entry timestamp does not verify";

    // What a verifier finds wrong with evidence whose parts are well formed.
    /// A kind or version of entry that cannot vouch for a signature.
    EntryKind => "entry.kind", "no verifiable kind and version of log entry";
    /// The log entry is about something else.
    EntryMismatch { field: &'static str } => "entry.mismatch", "the log entry is about something else: {field}";
    /// An entry of a log that is not trusted.
    LogUnknown => "log.unknown", "the log is not trusted";
    /// A time at which the log is not trusted.
    LogWindow => "log.window", "the log is not trusted at this time";
    /// Fewer logs of different operators than asked for.
    LogTooFew { found: usize, required: usize } => "log.too_few", "{found} of {required} logs of different operators vouch for the signature";
    /// Nothing says when the signature was made.
    TimeNone => "time.none", "nothing establishes when the signature was made";
    /// Fewer sources of time than asked for.
    TimeTooFew { found: usize, required: usize } => "time.too_few", "{found} of {required} sources of different operators establish the time";
    /// A time that has not come yet.
    TimeFuture => "time.future", "the time lies in the future";
    /// A time at which the signer's certificate is not valid.
    TimeCertificate => "time.certificate", "the signer's certificate is not valid at this time";
    /// A time at which the timestamp authority is not trusted.
    TimestampWindow => "timestamp.window", "the timestamp authority is not trusted at this time";
    /// A time at which the certificate authority is not trusted.
    ChainWindow => "chain.window", "the certificate authority is not trusted at this time";
    /// A time at which the certificate transparency log is not trusted.
    SctWindow => "sct.window", "the certificate transparency log is not trusted at this time";
    /// The same SCT twice.
    SctDuplicate => "sct.duplicate", "the same signed certificate timestamp twice";
    /// Fewer certificate transparency logs than asked for.
    SctTooFew { found: usize, required: usize } => "sct.too_few", "{found} of {required} certificate transparency logs of different operators vouch for the certificate";
    /// An envelope that holds no in-toto statement.
    DssePayloadType => "dsse.payload_type", "not the payload type of an in-toto statement";
    /// The digest that the bundle states is not that of the artifact.
    ArtifactDigest => "artifact.digest", "the bundle states another digest than the artifact's";

    // What a certificate says of its signer
    /// The two extensions that name the issuer disagree.
    CertificateIssuerConflict => "certificate.issuer_conflict", "the certificate names two issuers";
    /// The old and the new form of a claim disagree.
    CertificateClaimConflict { name: &'static str } => "certificate.claim_conflict", "the certificate has two values of {name}";

    // statement.*, subject.*, predicate.*
    /// Not a statement in JSON.
    StatementMalformed => "statement.malformed", "malformed in-toto statement";
    /// A `_type` that is no version of a statement.
    StatementType => "statement.type", "not the type of an in-toto statement";
    /// No predicate type, or not the one asked for.
    StatementPredicateType => "statement.predicate_type", "not the predicate type";
    /// A statement about nothing.
    SubjectMissing => "subject.missing", "the statement has no subject";
    /// A statement about something else.
    SubjectMismatch => "subject.mismatch", "no subject of the statement is the artifact";
    /// A subject without a digest, or with one that is not lower-case hexadecimal of its length.
    SubjectMalformed => "subject.malformed", "malformed subject of the statement";
    /// Subjects that have only digests that do not count.
    SubjectWeak => "subject.weak", "no subject of the statement has a SHA-2 digest";
    /// A predicate without what its type has, or that contradicts the certificate.
    PredicateMalformed { field: &'static str } => "predicate.malformed", "malformed predicate: {field}";

    // policy.*
    /// Not TOML, or a key or a value that policies do not have.
    PolicyMalformed => "policy.malformed", "malformed policy";
    /// A policy, or a rule of one, that asks for nothing.
    PolicyEmpty => "policy.empty", "the policy asks for nothing";
    /// Not a pattern, or one over the limits.
    PolicyPattern => "policy.pattern", "unusable pattern in the policy";
    /// A key that cannot be read, or another signer than that key.
    PolicyKey => "policy.key", "not the key that the policy names";
    /// Another signer than the policy names.
    PolicyIdentity => "policy.identity", "not the identity that the policy names";
    /// Another issuer than the policy names.
    PolicyIssuer => "policy.issuer", "not the issuer that the policy names";
    /// Another value of a claim than the policy asks for, or none.
    PolicyClaim { name: &'static str } => "policy.claim", "not the value of {name} that the policy asks for";
    /// Another predicate than the policy asks for, or none.
    PolicyPredicate => "policy.predicate", "not the predicate that the policy asks for";
    /// Another annotation than the policy asks for, or none.
    PolicyAnnotation => "policy.annotation", "not the annotation that the policy asks for";
    /// Signed outside the time the policy allows, or at no known time.
    PolicyTime => "policy.time", "not signed in the time that the policy allows";
    /// Signed by an identity, key, certificate or issuer that the policy distrusts.
    PolicyDistrusted => "policy.distrusted", "the policy distrusts this signature";
    /// Fewer signers than the policy asks for.
    PolicyQuorum { found: usize, needed: usize } => "policy.quorum", "{found} of {needed} signers that the policy asks for have signed";

    /// Only a digest is known, and another one is needed, or the artifact itself.
    ArtifactBytesNeeded => "artifact.bytes_needed", "the artifact itself is needed, or its digest by another algorithm";
}
