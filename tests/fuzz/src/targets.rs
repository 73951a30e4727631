//! One function per format: takes any bytes, must not panic, and checks what holds for everything that parses.
//!
//! «Parses» means more than «does not crash»: whatever is accepted is written again and must come out as the same bytes,
//! because two spellings of one thing are two leaf hashes, two cache keys or two identities.

use crate::seeds;
use chancery_verify::bundle::{Bundle, Detached, Form, SignatureText, limits};
use chancery_verify::certificate::{Certificate, FinalIssuer, Request, verify_chain, verify_path, verify_profile};
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::given::{Purpose, verify_given};
use chancery_verify::note::Note;
use chancery_verify::policy::Policy;
use chancery_verify::rekor::v2::{CreateEntry, json};
use chancery_verify::rekor::{EntryKind, ProposedEntry};
use chancery_verify::sct::{self, ExtraData, LogEntry, MerkleTreeLeaf, SignedCertificateTimestamp};
use chancery_verify::tile::{self, FULL_WIDTH, TileId, TilePath};
use chancery_verify::timestamping::{Request as TimestampRequest, Token};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::AnySigner;
use chancery_verify::verifier_key::VerifierKey;
use chancery_verify::witness::{self, AddCheckpoint, Log};
use chancery_verify::{HashAlgorithm, PublicKey, Timestamp, pem as pem_text};
use std::slice;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 19] = [
    ("note", note),
    ("checkpoint", checkpoint),
    ("witness", witness),
    ("verifier_key", verifier_key),
    ("tile_path", tile_path),
    ("tile", tile),
    ("entry", entry),
    ("entry_v2", entry_v2),
    ("certificate", certificate),
    ("sct", sct),
    ("csr", csr),
    ("pem", pem),
    ("key", key),
    ("tsq", tsq),
    ("tsr", tsr),
    ("bundle", bundle),
    ("verifier", verifier),
    ("trust_root", trust_root),
    ("policy", policy),
];

/// Largest body a log takes.
const MAX_BODY_BYTES: usize = 0xffff;

/// Signed notes.
pub fn note(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(note) = Note::parse(text) else { return };
    assert_eq!(note.to_string(), text, "a note has one spelling");
    assert!(!note.signatures.is_empty());
    for line in &note.signatures {
        let asked = note.verify(&line.name, line.key_id, |text, _| {
            assert_eq!(text, note.text);
            Ok(())
        });
        assert_eq!(asked, Ok(()));
    }
}

/// Checkpoints, and whether a signature of a known key can be on anything but what it signed.
pub fn checkpoint(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        let written = checkpoint.to_string();
        assert!(text.starts_with(&written), "the first three lines have one spelling");
        assert_eq!(Checkpoint::parse(&written), Ok(checkpoint));
    }
    for scheme in seeds::schemes() {
        if let Ok(head) = scheme.open(text, &seeds::public_key()) {
            assert_eq!(head, seeds::tree_head(), "only what was signed opens");
        }
    }
}

/// Requests for cosignatures, and the answers to them.
pub fn witness(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(request) = AddCheckpoint::parse(text) {
        assert_eq!(request.to_string(), text, "a request has one spelling");
        let log = Log::new(seeds::log_key(), None).expect("the key of a log");
        for known in [None, Some(seeds::tree_head())] {
            if let Ok(head) = request.judge(&log, known.as_ref()) {
                assert_eq!(head, seeds::tree_head(), "only what was signed is cosigned");
                assert_eq!(known.map_or(0, |known| known.size), request.old);
            }
        }
    }
    if let Ok(lines) = witness::parse_lines(text) {
        let written = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
        assert_eq!(written, text, "signature lines have one spelling");
        let (known, signed) = seeds::witness();
        if let Ok((line, _)) = known.find(&seeds::checkpoint_text(), &lines) {
            assert_eq!(*line, signed, "only what was signed is a cosignature");
        }
    }
    for log in witness::parse_list(text).into_iter().flatten() {
        let parsed = Log::parse(&format!("{}={}", log.origin(), log.key()));
        let has_shortest_name = !log.key().name().as_str().contains('=');
        assert!(parsed == Ok(log) || !has_shortest_name, "a log on the command line is one of a list");
    }
    if let Ok(size) = witness::parse_size(text) {
        assert_eq!(size.to_string(), text.trim_end_matches('\n'));
    }
}

/// Verifier keys.
pub fn verifier_key(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(key) = VerifierKey::parse(text) else { return };
    assert_eq!(key.to_string(), text, "a key has one spelling");
    if let Some(scheme) = key.scheme() {
        assert_eq!(scheme.verifier_key(key.key()), Ok(key));
    }
}

/// Tile paths.
pub fn tile_path(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    for entries in ["entries", "data"] {
        let Ok(path) = TilePath::parse(text, entries) else { continue };
        let written = path.to_string();
        let bundles = if path.level.is_none() { written.replacen("entries", entries, 1) } else { written };
        assert_eq!(bundles, format!("tile/{text}"), "a path has one spelling");
        let id = TileId { level: path.level.unwrap_or(0), index: path.index };
        assert!((1..=FULL_WIDTH).contains(&path.width));
        let size = id.size_for(path.width);
        if size < u64::MAX {
            assert!(id.width(size) >= path.width, "a tree of that size has the tile");
        }
    }
}

/// Hash tiles, entry bundles and data tiles.
pub fn tile(input: &[u8]) {
    if let Ok(hashes) = tile::hashes_from_bytes(input) {
        assert_eq!(tile::hashes_to_bytes(&hashes), input);
    }
    if let Ok(leaves) = tile::leaves_from_bundle(input) {
        let written: Option<Vec<_>> = leaves.iter().map(|leaf| tile::bundle_entry(leaf)).collect();
        assert_eq!(written.expect("a leaf that was read can be written").concat(), input);
    }
    if let Ok(leaves) = sct::tile_leaves(input) {
        assert!((1..=FULL_WIDTH as usize).contains(&leaves.len()));
        for leaf in leaves {
            let bytes = leaf.leaf.to_bytes().expect("a leaf that was read can be written");
            assert_eq!(MerkleTreeLeaf::from_bytes(&bytes), Ok(leaf.leaf.clone()));
            assert!(input.windows(bytes.len() - 2).any(|window| window == &bytes[2..]), "it stands in the tile");
            let _ = leaf.submitted_hash();
        }
    }
}

/// The kinds of Rekor v1 whose bodies are proposals of themselves. The others have targets of their own.
const SELF_PROPOSED: [EntryKind; 4] =
    [EntryKind::HashedRekord, EntryKind::Dsse, EntryKind::IntotoV001, EntryKind::IntotoV002];

/// Proposed entries of Rekor v1, and the bodies they become.
pub fn entry(input: &[u8]) {
    let Ok(proposal) = ProposedEntry::parse(input) else { return };
    for kind in SELF_PROPOSED {
        let admitted = kind.admit(&proposal);
        let canonical = kind.canonicalize(&proposal);
        if admitted.is_ok() {
            assert_eq!(admitted, canonical, "an entry is looked up under the body it is logged under");
        }
        let Ok(body) = canonical else { continue };
        let bytes = body.as_bytes();
        assert!(bytes.len() <= MAX_BODY_BYTES);
        let value: serde_json::Value = serde_json::from_slice(bytes).expect("a body is JSON");
        let canonical = serde_json_canonicalizer::to_vec(&value).expect("JSON has a canonical form");
        assert_eq!(bytes, canonical, "a body is RFC 8785");
        let again = ProposedEntry::parse(bytes).expect("a body is a proposal");
        assert_eq!(kind.canonicalize(&again).as_ref(), Ok(&body), "a body is its own canonical form");
    }
}

/// Requests of Rekor v2, and the leaves they become.
pub fn entry_v2(input: &[u8]) {
    let request = match json::parse(input) {
        Ok(Some(request)) => request,
        Ok(None) => return,
        Err(malformed) => {
            let text = malformed.to_string();
            assert!(text.starts_with("proto: ") && text.len() < 2048, "{text}");
            return;
        }
    };
    let Ok(body) = request.admit() else { return };
    let bytes = body.as_bytes();
    assert!(bytes.len() <= MAX_BODY_BYTES);
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("a leaf is JSON");
    let canonical = serde_json_canonicalizer::to_vec(&value).expect("JSON has a canonical form");
    assert_eq!(bytes, canonical, "a leaf is RFC 8785");
    assert_eq!(value["kind"], request.kind().name());
    if let CreateEntry::HashedRekord(request) = request {
        // What a client rebuilds from the leaf is the request.
        let entry = &value["spec"]["hashedRekordV002"];
        let rebuilt = serde_json::json!({
            "hashedRekordRequestV002": { "digest": entry["data"]["digest"], "signature": entry["signature"] }
        });
        let rebuilt = json::parse(rebuilt.to_string().as_bytes()).expect("a leaf's parts are a request");
        assert_eq!(rebuilt, Some(CreateEntry::HashedRekord(request)));
    }
}

/// Certificates, alone and as a chain with themselves, and what only looks like one.
pub fn certificate(input: &[u8]) {
    let entries = seeds::final_issuers().each_ref().map(|issuer| issuer.unverified_entry(input));
    let Ok(certificate) = Certificate::from_der(input) else { return };
    assert_eq!(certificate.der(), input);
    assert_eq!(Certificate::from_pem(certificate.to_pem().as_bytes()).expect("PEM reads back").der(), input);
    assert!(input.windows(certificate.tbs_der().len()).any(|window| window == certificate.tbs_der()));
    let _ = certificate.identity();
    let _ = certificate.issuer_claim();
    let _ = certificate.scts();
    let _ = certificate.is_precertificate();
    let _ = certificate.subject_key_identifier();
    let _ = certificate.authority_key_identifier();
    let _ = certificate.tbs_without_sct_list();
    if let Ok(tbs) = certificate.precertificate_tbs() {
        let [entry, below_signing_certificate] = &entries;
        assert!(matches!(entry, Ok(LogEntry::Precert { tbs: cut, .. }) if *cut == tbs));
        assert!(below_signing_certificate.is_ok());
    }
    let _ = certificate.precert_entry(certificate.public_key());
    let own = slice::from_ref(&certificate);
    let _ = FinalIssuer::among(own);
    let _ = verify_path(&certificate, own, own);
    let _ = verify_chain(&certificate, own, own, Timestamp::from_seconds(1_800_000_000));
    let _ = verify_profile(&certificate, &certificate);
    let text = certificate.to_pem();
    for purpose in [Purpose::CodeSigning, Purpose::Timestamping] {
        // A root alone is never a chain of somebody else's.
        let given =
            verify_given(purpose, text.as_bytes(), certificate.public_key(), Timestamp::from_seconds(1_800_000_000));
        assert!(!given.expect_err("one certificate").to_string().is_empty());
    }
}

/// SCT lists, SCTs, leaves and what is kept beside them.
pub fn sct(input: &[u8]) {
    if let Ok(list) = sct::list_from_bytes(input) {
        assert_eq!(sct::list_to_bytes(&list).as_deref(), Ok(input));
        for sct in list {
            let _ = sct::leaf_index(&sct.extensions);
        }
    }
    if let Ok(list) = sct::list_from_extension(input) {
        assert_eq!(sct::list_to_extension(&list).as_deref(), Ok(input));
    }
    if let Ok(sct) = SignedCertificateTimestamp::from_bytes(input) {
        assert_eq!(sct.to_bytes().as_deref(), Ok(input));
    }
    if let Ok(signature) = sct::decode_digitally_signed(input) {
        assert_eq!(sct::encode_digitally_signed(&signature), input);
    }
    if let Ok(leaf) = MerkleTreeLeaf::from_bytes(input) {
        assert_eq!(leaf.to_bytes().as_deref(), Ok(input));
        let _ = sct::leaf_index(&leaf.extensions);
    }
    for entry in seeds::log_entries() {
        if let Ok(extra) = ExtraData::from_bytes(input, &entry) {
            assert_eq!(extra.to_bytes().as_deref(), Ok(input));
        }
    }
}

/// Certificate signing requests.
pub fn csr(input: &[u8]) {
    let Ok(request) = Request::from_der(input) else { return };
    let _ = request.signature_oid();
    let _ = request.verify();
    let key = request.public_key();
    assert_eq!(PublicKey::from_spki_der(key.spki_der()).as_ref(), Ok(key));
}

/// PEM texts.
pub fn pem(input: &[u8]) {
    let Ok(blocks) = pem_text::decode_all(input, 16) else { return };
    let written: String = blocks.iter().map(|block| pem_text::encode(&block.label, &block.der)).collect();
    assert_eq!(pem_text::decode_all(written.as_bytes(), 16).as_ref(), Ok(&blocks), "what was read can be written");
    assert_eq!(pem_text::decode(input).as_ref().ok(), blocks.first());
}

/// Public keys.
pub fn key(input: &[u8]) {
    if let Ok(key) = PublicKey::from_pem(input) {
        assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()), Ok(key));
    }
    let Ok(key) = PublicKey::from_spki_der(input) else { return };
    assert_eq!(key.spki_der(), input);
    assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()).as_ref(), Ok(&key));
    let _ = key.key_identifier();
    assert!(key.verify(b"message", &input[..input.len().min(64)]).is_err(), "no key signs itself");
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        assert!(key.verify_digest(hash, &hash.digest(b"message"), &[0x30, 6, 2, 1, 1, 2, 1, 1]).is_err());
    }
    let _ = key.rsa_components();
}

/// Requests for timestamps.
pub fn tsq(input: &[u8]) {
    let Ok(request) = TimestampRequest::from_der(input) else { return };
    assert_eq!(request.to_der(), input, "a request has one spelling");
    assert_eq!(request.imprint.digest.len(), request.imprint.hash.size_bytes());
}

/// Timestamps, and whether a signature of a known authority can be on anything but what it signed.
pub fn tsr(input: &[u8]) {
    for token in [Token::from_response(input), Token::from_der(input)].into_iter().flatten() {
        let _ = seeds::timestamp_authority().verify_contents(&token);
        if seeds::timestamp_authority().verify(&token).is_ok() {
            let signed = seeds::timestamps();
            let signed = signed.iter().filter_map(|response| Token::from_response(response).ok());
            assert!(signed.into_iter().any(|signed| signed.info() == token.info()), "only what was signed verifies");
        }
    }
}

/// Bundles in every form, and the annotations of images: within the limits, and no document of two forms.
pub fn bundle(input: &[u8]) {
    let readings = [Bundle::parse(input), Bundle::parse_legacy(input)];
    assert!(readings.iter().filter(|reading| reading.is_ok()).count() <= 1, "a document has one form");
    let chained = Bundle::parse_allowing_chain(input);
    let attestation = Detached { envelope: Some(input), ..Detached::default() }.into_bundle();
    let [new, old] = readings;
    if let Ok(new) = &new {
        assert_eq!(chained.as_ref(), Ok(new), "allowing more takes nothing away");
    }
    for bundle in [new, old, chained, attestation].into_iter().flatten() {
        assert!(!bundle.signature().is_empty() && !bundle.timestamped_bytes().is_empty());
        assert!(bundle.timestamps().len() <= limits::MAX_TIMESTAMPS && bundle.entries().len() <= limits::MAX_ENTRIES);
        for (index, entry) in bundle.entries().iter().enumerate() {
            let mut others = bundle.entries().iter().take(index);
            assert!(others.all(|other| (other.log_id, other.log_index) != (entry.log_id, entry.log_index)));
            assert!(!entry.is_rekor_v2() || entry.promise.is_none() && entry.integrated_time.is_none());
            assert!(bundle.form() < Form::V02 || entry.proof.is_some());
            if let Some(proof) = &entry.proof {
                assert!(proof.log_index < proof.tree_size && proof.checkpoint.is_some());
                assert!(proof.hashes.len() <= limits::MAX_PROOF_HASHES);
            }
        }
    }
    for annotation in [
        Detached { entry: Some(input), ..Detached::default() },
        Detached { timestamp: Some(input), ..Detached::default() },
    ] {
        let signed = Detached { signature: Some(SignatureText::Raw(b"signature")), ..annotation };
        let _ = signed.into_bundle();
    }
}

/// Bundles before a verifier: no bundle makes it panic, and it accepts nothing but what its trust root's authorities signed.
pub fn verifier(input: &[u8]) {
    let (artifact, signed) = seeds::signed_artifact();
    for bundle in [Bundle::parse(input), Bundle::parse_legacy(input)].into_iter().flatten() {
        for now in [0, seeds::NOW_SECONDS] {
            let now = Timestamp::from_seconds(now);
            let verdict = seeds::verifier().verify(&bundle, &artifact, &AnySigner, now);
            if let Ok(verified) = verdict {
                assert_eq!(verified.signature, signed, "only what was signed verifies");
            }
            let _ = seeds::verifier().verify_envelope_of_unknown_artifact(&bundle, &AnySigner, now);
        }
    }
}

/// Trust roots: ids of their own, windows that are some, chains that end in an anchor.
pub fn trust_root(input: &[u8]) {
    let Ok(root) = TrustRoot::parse(input) else { return };
    for (index, log) in root.logs().iter().enumerate() {
        assert!(root.logs().iter().take(index).all(|known| known.log_id() != log.log_id()));
        assert!(!log.names().is_empty() && log.window().contains(log.window().start));
    }
    for log in root.ct_logs() {
        assert_eq!(*log.log_id(), log.key().fingerprint());
    }
    for authority in root.certificate_authorities() {
        assert_eq!(authority.intermediates().len() + authority.anchor().len(), authority.chain().len());
    }
    for authority in root.timestamp_authorities() {
        assert!(!authority.issuers().is_empty());
    }
    assert_eq!(root.clone().combine(root.clone()), Ok(root), "a root adds nothing to itself");
}

/// Policy files: an error has a code and a place; what is accepted decides over what is there, and asks for something.
pub fn policy(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match Policy::parse(text) {
        Ok(policy) => {
            let _ = policy.warnings();
            let _ = policy.keys();
            assert!(!policy.evaluate(&[]).accepted(), "no policy is met by nothing");
            let decision = policy.evaluate(&seeds::evidence());
            assert_eq!(decision.accepted(), decision.refusal().is_none());
            assert_eq!(decision.accepted(), !decision.counted().is_empty());
            let _ = decision.to_string();
        }
        Err(error) => {
            assert!(error.code().starts_with("policy."));
            let lines = text.matches('\n').count() + 1;
            assert!(error.position().is_none_or(|(line, column)| (1..=lines).contains(&line) && column > 0), "{error}");
        }
    }
}
