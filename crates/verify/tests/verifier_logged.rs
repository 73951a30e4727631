//! Log entries by themselves: what is established without bundle and artifact, and what is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

mod made;

use chancery_verify::bundle::{Bundle, TransparencyLogEntry};
use chancery_verify::merkle::{TreeHead, leaf_hash};
use chancery_verify::rekor::logged::DigestOf;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{Options, Signer, Undated, VerifiedLogged, Verifier};
use chancery_verify::{HashAlgorithm, Refusal, Timestamp};
use made::{ARTIFACT, HOST_V1, HOST_V2, IDENTITY, Key, NOW, Spec, T, World, document};

type Change<'a> = &'a dyn Fn(&mut TransparencyLogEntry);

fn verifier(world: &World) -> Verifier {
    let root = TrustRoot::parse(world.root().to_string().as_bytes()).unwrap();
    Verifier::new(root, Options::default())
}

/// The entry of a bundle of this world, as it was parsed.
fn entry_v1(world: &World) -> TransparencyLogEntry {
    Bundle::parse(world.bundle_v1().to_string().as_bytes()).unwrap().entries()[0].clone()
}

fn entry_v2(world: &World) -> TransparencyLogEntry {
    let bundle = world.bundle(&[world.entry_v2(&world.body_v2())], &[]);
    Bundle::parse(bundle.to_string().as_bytes()).unwrap().entries()[0].clone()
}

fn identity(verified: &VerifiedLogged) -> String {
    let Signer::Certificate { claims, .. } = &verified.signatures[0].as_ref().unwrap().signer else { panic!() };
    claims.identity().to_string()
}

fn code(verdict: &Result<VerifiedLogged, Refusal>) -> &'static str {
    match verdict {
        Err(refusal) => refusal.code(),
        Ok(verified) => verified.signatures[0].as_ref().map_or_else(Refusal::code, |_| "accepted"),
    }
}

#[test]
fn an_entry_proves_its_signer_its_digest_and_with_a_promise_its_time() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let digest = (HashAlgorithm::Sha256, HashAlgorithm::Sha256.digest(ARTIFACT));
    let verified = verifier.verify_logged(&entry_v1(&world), NOW).unwrap();
    assert_eq!(identity(&verified), IDENTITY);
    assert_eq!((&verified.digest, verified.digest_of), (&digest, DigestOf::Signed));
    assert_eq!(verified.signatures[0].as_ref().unwrap().over_digest.as_ref(), Some(&digest));
    assert_eq!(verified.time.map(|time| time.time()), Some(Timestamp::from_seconds(T)));
    let inclusion = verified.entry.inclusion.unwrap();
    assert_eq!((inclusion.index, inclusion.tree_size, verified.entry.promised), (2, 4, true));

    // An entry of Rekor v2 has no time: the one that the log states is used and not proven.
    let stated = TransparencyLogEntry { integrated_time: Some(Timestamp::from_seconds(T)), ..entry_v2(&world) };
    let verified = verifier.verify_logged(&stated, NOW).unwrap();
    assert_eq!((identity(&verified).as_str(), verified.time), (IDENTITY, None));
    assert_eq!(verified.entry.log_index, Some(2));
    assert_eq!(verified.signatures[0].as_ref().unwrap().undated, None);
}

#[test]
fn a_signature_without_any_time_is_undated_and_its_certificate_is_checked_when_it_was_issued() {
    let world = World::new(Spec::default());
    let verified = verifier(&world).verify_logged(&entry_v2(&world), NOW).unwrap();
    let attribution = verified.signatures[0].as_ref().unwrap();
    let [not_before, not_after] = [T - 300, T + 300].map(Timestamp::from_seconds);
    assert_eq!(attribution.undated, Some(Undated { not_before, not_after }));
    let json = serde_json::to_value(attribution.undated).unwrap();
    assert_eq!(json["not_before"], not_before.rfc3339_millis());
    assert!(attribution.over_digest.is_some());
    assert_eq!((identity(&verified).as_str(), &verified.time), (IDENTITY, &None));
    // Long after the certificate has expired it is the same: nothing says that it was used in time.
    let later = Timestamp::from_seconds(T + 50_000);
    assert_eq!(code(&verifier(&world).verify_logged(&entry_v2(&world), later)), "accepted");
    // A certificate that is not valid yet, or whose authority was not yet valid when it was issued.
    let early = Timestamp::from_seconds(T - 301);
    assert_eq!(code(&verifier(&world).verify_logged(&entry_v2(&world), early)), "time.future");
    let young = World::new(Spec { intermediate: (T - 200, T + 100_000), ..Spec::default() });
    assert_eq!(code(&verifier(&young).verify_logged(&entry_v2(&young), NOW)), "chain.expired");
}

#[test]
fn an_envelope_is_attributed_though_its_signature_is_not_in_the_entry() {
    let world = World::new(Spec { envelope: document::envelope(|_| ()), ..Spec::default() });
    let verified = verifier(&world).verify_logged(&entry_v1(&world), NOW).unwrap();
    let (_, payload) = world.spec.envelope.as_ref().unwrap();
    assert_eq!(verified.digest_of, DigestOf::Payload);
    assert_eq!(verified.digest.1, HashAlgorithm::Sha256.digest(payload));
    assert_eq!(identity(&verified), IDENTITY);
    assert_eq!(verified.signatures[0].as_ref().unwrap().over_digest, None);
}

#[test]
fn what_is_changed_in_an_entry_is_refused() {
    let world = World::new(Spec::default());
    let (verifier, good) = (verifier(&world), entry_v1(&world));
    let judge = |change: Change<'_>| {
        let mut entry = good.clone();
        change(&mut entry);
        code(&verifier.verify_logged(&entry, NOW))
    };
    assert_eq!(judge(&|_| ()), "accepted");
    let flip = |bytes: &mut [u8]| *bytes.last_mut().unwrap() ^= 1;
    let cases: &[(Change<'_>, &str)] = &[
        (&|entry| entry.body = None, "entry.missing"),
        (&|entry| entry.kind = "dsse".to_owned(), "entry.mismatch"),
        (&|entry| entry.version = "0.0.2".to_owned(), "entry.mismatch"),
        (&|entry| entry.log_id[0] ^= 1, "log.unknown"),
        (&|entry| flip(entry.promise.as_mut().unwrap()), "promise.signature"),
        (&|entry| entry.log_index += 1, "promise.signature"),
        (&|entry| entry.integrated_time = Some(Timestamp::from_seconds(T + 1)), "promise.signature"),
        (&|entry| entry.integrated_time = Some(NOW.plus_seconds(1)), "time.future"),
        (&|entry| entry.proof = None, "accepted"),
        (&|entry| entry.proof.as_mut().unwrap().log_index = 3, "proof.root"),
        (&|entry| flip(&mut entry.proof.as_mut().unwrap().hashes[0]), "proof.root"),
        (&|entry| flip(&mut entry.proof.as_mut().unwrap().root_hash), "checkpoint.mismatch"),
        (&|entry| entry.proof.as_mut().unwrap().checkpoint = None, "checkpoint.missing"),
        // Without a promise the time that the log states must at least be one of the certificate.
        (&|entry| entry.promise = None, "accepted"),
        (
            &|entry| {
                entry.promise = None;
                entry.integrated_time = Some(Timestamp::from_seconds(T + 301));
            },
            "time.certificate",
        ),
        (
            &|entry| {
                (entry.promise, entry.integrated_time) = (None, None);
            },
            "accepted",
        ),
        (
            &|entry| {
                (entry.promise, entry.proof) = (None, None);
            },
            "proof.missing",
        ),
    ];
    for (change, refused) in cases {
        assert_eq!(judge(change), *refused);
    }
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (ours, theirs) = (World::new(Spec::default()), World::new(Spec::default()));
    // The logs and the entry are ours, the authority of the trust root is theirs.
    let mut root = ours.root();
    root["certificateAuthorities"] = theirs.root()["certificateAuthorities"].clone();
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes()).unwrap(), Options::default());
    let verified = verifier.verify_logged(&entry_v1(&ours), NOW).unwrap();
    assert!(["chain.signature", "chain.untrusted"].contains(&verified.signatures[0].as_ref().unwrap_err().code()));
}

#[test]
fn a_checkpoint_names_the_log_that_signed_it() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let head = TreeHead { size: 1, root: leaf_hash(b"0") };
    let found = |key: &Key, scheme| {
        let note = World::checkpoint(&head, key, &scheme);
        verifier.log_of_checkpoint(&note).map(|log| log.host().to_owned())
    };
    assert_eq!(found(&world.log_v1, World::scheme_v1(HOST_V1)).as_deref(), Some(HOST_V1));
    assert_eq!(found(&world.log_v2, World::scheme_v2(HOST_V2)).as_deref(), Some(HOST_V2));
    assert_eq!(found(&world.log_v1, World::scheme_v1(HOST_V2)), None);
    assert_eq!(found(&Key::new(), World::scheme_v1(HOST_V1)), None);
    assert_eq!(verifier.log_of_checkpoint("no checkpoint"), None);
}
