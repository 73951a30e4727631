//! Entries of certificate transparency logs, and checkpoints, by themselves.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod made;

use chancery_verify::certificate::{Certificate, with_extension};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{TreeHead, leaf_hash, node_hash};
use chancery_verify::note::KeyName;
use chancery_verify::sct::{ExtraData, LogEntry, MerkleTreeLeaf};
use chancery_verify::trust_root::{Section, TrustRoot};
use chancery_verify::verifier::{IssuedEntry, Options, Signer, VerifiedIssued, Verifier};
use chancery_verify::{Hash, Refusal, Step, Timestamp};
use made::{HOST_V1, HOST_V2, IDENTITY, Key, NOW, Spec, T, World, signed_certificate};
use serde_json::json;

/// Critical, with a NULL inside (RFC 6962 §3.1).
const POISON: [u8; 21] = [
    0x30, 0x13, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x03, 0x01, 0x01, 0xff, 0x04, 0x02,
    0x05, 0x00,
];

fn verifier(world: &World) -> Verifier {
    Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default())
}

fn scheme() -> Scheme {
    Scheme::StaticCt { origin: KeyName::new("ct.test/2026").unwrap() }
}

/// An entry of a log of two, in its parts.
#[derive(Clone)]
struct Logged {
    leaf: MerkleTreeLeaf,
    extra: ExtraData,
    sibling: Hash,
}

impl Logged {
    /// The precertificate of the world's leaf.
    fn precertificate(world: &World) -> Self {
        let tbs = world.leaf.tbs_without_sct_list().unwrap();
        let precertificate = signed_certificate(&with_extension(&tbs, &POISON).unwrap(), &world.intermediate_key);
        let issuer_key_hash = world.intermediate_key.public.fingerprint();
        Self {
            leaf: MerkleTreeLeaf {
                timestamp: Timestamp::from_seconds(T),
                entry: LogEntry::Precert { issuer_key_hash, tbs },
                extensions: Vec::new(),
            },
            extra: ExtraData::Precert { precertificate: precertificate.der().to_vec(), chain: chain(world) },
            sibling: leaf_hash(b"another"),
        }
    }

    /// The tree that has it, signed by this key.
    fn checkpoint(&self, key: &Key) -> String {
        let root = node_hash(&self.sibling, &leaf_hash(&self.leaf.to_bytes().unwrap()));
        World::checkpoint(&TreeHead { size: 2, root }, key, &scheme())
    }

    /// What is proven of it, with this checkpoint.
    fn verify(&self, verifier: &Verifier, checkpoint: &str, now: Timestamp) -> Result<VerifiedIssued, Refusal> {
        let (leaf, extra) = (self.leaf.to_bytes().unwrap(), self.extra.to_bytes().unwrap());
        let hashes = [self.sibling];
        let entry = IssuedEntry { leaf: &leaf, extra: &extra, index: 1, hashes: &hashes, checkpoint };
        verifier.verify_issued(&entry, now)
    }

    /// The same in a log that has it like this.
    fn logged(&self, world: &World) -> Result<VerifiedIssued, Refusal> {
        self.verify(&verifier(world), &self.checkpoint(&world.ct), NOW)
    }
}

fn chain(world: &World) -> Vec<Vec<u8>> {
    [&world.intermediate, &world.anchor].map(|certificate: &Certificate| certificate.der().to_vec()).to_vec()
}

#[test]
fn an_entry_proves_who_issued_what_to_whom() {
    let world = World::new(Spec::default());
    let issued = Logged::precertificate(&world).logged(&world).unwrap();
    let Signer::Certificate { claims, .. } = &issued.subject else { panic!() };
    assert_eq!(claims.identity().to_string(), IDENTITY);
    assert_eq!((issued.time, issued.index), (Timestamp::from_seconds(T), 1));
    assert_eq!((issued.head.section, issued.head.tree_size), (Section::CertificateTransparencyLogs, 2));
    assert_eq!(issued.authority.issuer, world.intermediate.subject().to_string());

    // A log may have the certificate itself.
    let certificate = Logged {
        leaf: MerkleTreeLeaf {
            entry: LogEntry::X509 { certificate: world.leaf.der().to_vec() },
            ..Logged::precertificate(&world).leaf
        },
        extra: ExtraData::X509 { chain: chain(&world) },
        sibling: leaf_hash(b"another"),
    };
    assert_eq!(certificate.logged(&world).unwrap().subject, {
        let Signer::Certificate { claims, key_sha256, serial, .. } = issued.subject else { panic!() };
        let sha256 = chancery_verify::hash::sha256(world.leaf.der());
        Signer::Certificate { claims, sha256, key_sha256, serial }
    });
}

#[test]
fn what_the_log_does_not_have_is_refused_at_the_log_entry() {
    let world = World::new(Spec::default());
    let good = Logged::precertificate(&world);
    let checkpoint = good.checkpoint(&world.ct);
    let refused = |logged: &Logged, checkpoint: &str, now: Timestamp| {
        let refusal = logged.verify(&verifier(&world), checkpoint, now).unwrap_err();
        assert_eq!(refusal.step(), Step::LogEntry, "{refusal}");
        refusal.code()
    };
    // By another key, or in another tree.
    assert_eq!(refused(&good, &good.checkpoint(&Key::new()), NOW), "log.unknown");
    assert_eq!(refused(&good, "no note", NOW), "note.malformed");
    let mut later = good.clone();
    later.leaf.timestamp = Timestamp::from_seconds(T + 1);
    assert_eq!(refused(&later, &checkpoint, NOW), "proof.root");
    let moved = Logged { sibling: leaf_hash(b"moved"), ..good.clone() };
    assert_eq!(refused(&moved, &checkpoint, NOW), "proof.root");
    // In the future: the entry, or the tree.
    later.leaf.timestamp = NOW.plus_seconds(1);
    assert_eq!(refused(&later, &later.checkpoint(&world.ct), NOW), "time.future");
    assert_eq!(refused(&good, &checkpoint, Timestamp::from_seconds(T)), "time.future");
    // A precertificate that is not the one of the leaf.
    let other = World::new(Spec::default());
    let swapped = Logged { extra: Logged::precertificate(&other).extra, ..good.clone() };
    assert_eq!(refused(&swapped, &checkpoint, NOW), "entry.mismatch");
}

#[test]
fn what_is_beside_a_leaf_makes_nobody_a_stranger() {
    let world = World::new(Spec::default());
    let good = Logged::precertificate(&world);
    let checkpoint = good.checkpoint(&world.ct);
    let ExtraData::Precert { precertificate, chain } = &good.extra else { panic!("a precertificate") };
    let with = |precertificate: &[u8], chain: &[Vec<u8>]| {
        let extra = ExtraData::Precert { precertificate: precertificate.to_vec(), chain: chain.to_vec() };
        Logged { extra, ..good.clone() }.verify(&verifier(&world), &checkpoint, NOW)
    };
    with(precertificate, chain).unwrap();
    // The same certificate, signed by another key: the leaf has the same bytes.
    let LogEntry::Precert { tbs, .. } = &good.leaf.entry else { panic!("a precertificate") };
    let forged = signed_certificate(&with_extension(tbs, &POISON).unwrap(), &Key::new());
    let (no_der, long) = ([b"no DER".to_vec()], chain.iter().cycle().take(40).cloned().collect::<Vec<_>>());
    for (what, changed) in [
        ("another signature", with(forged.der(), chain)),
        ("no chain", with(precertificate, &[])),
        ("no certificate in the chain", with(precertificate, &no_der)),
        ("a certificate too many", with(precertificate, &[&chain[..1], &no_der].concat())),
        ("too long a chain", with(precertificate, &long)),
    ] {
        let refusal = changed.unwrap_err();
        assert_eq!(refusal.step(), Step::LogEntry, "{what}: {refusal}");
    }
    // And nobody ours: whatever is beside a stranger's leaf, it is refused for its key.
    let theirs = Logged::precertificate(&World::new(Spec::default()));
    for extra in [theirs.extra.clone(), good.extra.clone()] {
        let refusal = Logged { extra, ..theirs.clone() }.logged(&world).unwrap_err();
        assert_eq!((refusal.step(), refusal.code()), (Step::Chain, "chain.untrusted"), "{refusal}");
    }
}

#[test]
fn what_is_logged_of_a_stranger_is_refused_at_its_chain() {
    let (ours, theirs) = (World::new(Spec::default()), World::new(Spec::default()));
    // Their certificate in our log.
    let logged = Logged::precertificate(&theirs);
    let refusal = logged.logged(&ours).unwrap_err();
    assert_eq!(refusal.step(), Step::Chain, "{refusal}");
    assert!(["chain.signature", "chain.untrusted"].contains(&refusal.code()), "{refusal}");
    // Ours, seen by the log while it was valid, and not.
    for (seconds, expected) in [
        (T - 301, Some("time.certificate")),
        (T - 300, None),
        (T - 299, None),
        (T + 299, None),
        (T + 300, None),
        (T + 301, Some("time.certificate")),
    ] {
        let mut seen = Logged::precertificate(&ours);
        seen.leaf.timestamp = Timestamp::from_seconds(seconds);
        let refusal = seen.logged(&ours).err();
        assert_eq!(refusal.as_ref().map(Refusal::code), expected, "{seconds}");
        assert!(refusal.is_none_or(|refusal| refusal.step() == Step::Chain));
    }
}

#[test]
fn a_log_is_believed_in_its_window_only() {
    let world = World::new(Spec::default());
    let logged = Logged::precertificate(&world);
    for (start, end, expected) in [
        (T - 10, T - 1, "log.window"),
        (T - 10, T, "accepted"),
        (T - 10, T + 1, "accepted"),
        (T - 1, T + 10, "accepted"),
        (T, T + 10, "accepted"),
        (T + 1, T + 10, "log.window"),
    ] {
        let mut root = world.root();
        let [start, end] = [start, end].map(|seconds| Timestamp::from_seconds(seconds).rfc3339());
        root["ctlogs"][0]["publicKey"]["validFor"] = json!({ "start": start, "end": end });
        let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes()).unwrap(), Options::default());
        let verdict = logged.verify(&verifier, &logged.checkpoint(&world.ct), NOW);
        assert_eq!(verdict.map_or_else(|refusal| refusal.code(), |_| "accepted"), expected, "{start} to {end}");
    }
}

#[test]
fn checkpoints_of_every_kind_of_log_are_opened() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let head = TreeHead { size: 1, root: leaf_hash(b"0") };
    for (key, scheme, section) in [
        (&world.log_v1, World::scheme_v1(HOST_V1), Section::TransparencyLogs),
        (&world.log_v2, World::scheme_v2(HOST_V2), Section::TransparencyLogs),
        (&world.ct, self::scheme(), Section::CertificateTransparencyLogs),
    ] {
        let note = World::checkpoint(&head, key, &scheme);
        let opened = verifier.verify_checkpoint(&note, NOW).unwrap();
        assert_eq!((opened.section, opened.tree_size, opened.root_hash), (section, 1, head.root));
        assert_eq!((opened.log_id, opened.origin), (scheme.log_id(&key.public), scheme.origin()));
        // Another size is not signed.
        let changed = note.replacen("\n1\n", "\n2\n", 1);
        assert_eq!(verifier.verify_checkpoint(&changed, NOW).unwrap_err().code(), "log.unknown");
    }
    // A log's key does not sign under another name, nor as another kind of log.
    for scheme in [World::scheme_v1(HOST_V2), self::scheme()] {
        let note = World::checkpoint(&head, &world.log_v1, &scheme);
        assert_eq!(verifier.verify_checkpoint(&note, NOW).unwrap_err().code(), "log.unknown");
    }
}
