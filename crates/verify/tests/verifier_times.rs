//! Every window of time that the verifier checks, one second before, at and after each bound.

mod made;

use chancery_verify::bundle::Bundle;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Verifier};
use chancery_verify::{Refusal, Timestamp};
use made::{ARTIFACT, NOW, Spec, T, World};
use serde_json::Value;

fn verify(root: &Value, bundle: &Value, now: Timestamp) -> Result<(), Refusal> {
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes())?, Options::default());
    let bundle = Bundle::parse(bundle.to_string().as_bytes())?;
    verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, now).map(|_| ())
}

fn code(verdict: &Result<(), Refusal>) -> &'static str {
    verdict.as_ref().map_or_else(Refusal::code, |()| "accepted")
}

#[test]
fn what_is_made_is_accepted() {
    let world = World::new(Spec::default());
    for bundle in [world.bundle_v1(), world.bundle_v2()] {
        assert_eq!(verify(&world.root(), &bundle, NOW), Ok(()));
    }
    let unknown_leaf = World::new(Spec { tsa_leaf_is_known: false, ..Spec::default() });
    let mut stamp = made::Stamp::of(&unknown_leaf.signature, T);
    let entries = [unknown_leaf.entry_v2(&unknown_leaf.body_v2())];
    let bundle = |stamp: &made::Stamp| {
        unknown_leaf.bundle(&entries, &[stamp.response(&unknown_leaf.tsa, &unknown_leaf.tsa_key)])
    };
    assert_eq!(
        code(&verify(&unknown_leaf.root(), &bundle(&stamp), NOW)),
        "timestamp.signer",
        "no certificate anywhere"
    );
    stamp.certificates = vec![unknown_leaf.tsa[0].der().to_vec()];
    assert_eq!(code(&verify(&unknown_leaf.root(), &bundle(&stamp), NOW)), "accepted");
}

/// Bounds of windows in the trust root, around the time that is compared with each.
#[test]
fn windows_of_the_trust_root_include_both_bounds() {
    let world = World::new(Spec { sct_millis: T * 1000, ..Spec::default() });
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    for (pointer, bundle, refused) in [
        ("/certificateAuthorities/0/validFor", &v1, "chain.window"),
        ("/certificateAuthorities/0/validFor", &v2, "chain.window"),
        ("/timestampAuthorities/0/validFor", &v2, "timestamp.window"),
        ("/tlogs/0/publicKey/validFor", &v1, "log.window"),
        ("/tlogs/1/publicKey/validFor", &v2, "log.window"),
        ("/ctlogs/0/publicKey/validFor", &v1, "sct.window"),
        ("/ctlogs/0/publicKey/validFor", &v2, "sct.window"),
    ] {
        let with = |start: u64, end: u64| {
            let mut root = world.root();
            let rfc3339 = |millis| Timestamp::from_millis(millis).rfc3339_millis();
            root.pointer_mut(pointer)
                .unwrap()
                .clone_from(&serde_json::json!({ "start": rfc3339(start), "end": rfc3339(end) }));
            code(&verify(&root, bundle, NOW))
        };
        let at = T * 1000;
        for unit in [1000, 1] {
            assert_eq!(with(at - 10_000, at), "accepted", "{pointer}: ends at the time");
            assert_eq!(with(at - 10_000, at + unit), "accepted", "{pointer}: ends after it");
            assert_eq!(with(at - 10_000, at - unit), refused, "{pointer}: ends before it");
            assert_eq!(with(at, at + 10_000), "accepted", "{pointer}: starts at the time");
            assert_eq!(with(at - unit, at + 10_000), "accepted", "{pointer}: starts before it");
            assert_eq!(with(at + unit, at + 10_000), refused, "{pointer}: starts after it");
        }
    }
}

/// Validities of certificates, around the time of the signature.
#[test]
fn validities_of_certificates_include_both_bounds() {
    type Set = fn(&mut Spec, (u64, u64));
    let leaf: Set = |spec, validity| spec.leaf = validity;
    let intermediate: Set = |spec, validity| spec.intermediate = validity;
    let anchor: Set = |spec, validity| spec.anchor = validity;
    let tsa: Set = |spec, validity| spec.tsa_leaf = validity;
    for (set, on_v1, on_v2) in [
        (leaf, "time.certificate", "time.certificate"),
        (intermediate, "chain.expired", "chain.expired"),
        (anchor, "chain.expired", "timestamp.time"),
        (tsa, "accepted", "timestamp.time"),
    ] {
        let verdicts = |validity: (u64, u64)| {
            let mut spec = Spec::default();
            set(&mut spec, validity);
            let world = World::new(spec);
            [world.bundle_v1(), world.bundle_v2()].map(|bundle| code(&verify(&world.root(), &bundle, NOW)))
        };
        let refused = [on_v1, on_v2];
        for (validity, expected) in [
            ((T, T + 500), ["accepted"; 2]),
            ((T - 1, T + 500), ["accepted"; 2]),
            ((T + 1, T + 500), refused),
            ((T - 500, T), ["accepted"; 2]),
            ((T - 500, T + 1), ["accepted"; 2]),
            ((T - 500, T - 1), refused),
        ] {
            assert_eq!(verdicts(validity), expected, "{validity:?}");
        }
    }
}

#[test]
fn nothing_lies_in_the_future() {
    let world = World::new(Spec::default());
    for bundle in [world.bundle_v1(), world.bundle_v2()] {
        let at = |seconds| code(&verify(&world.root(), &bundle, Timestamp::from_seconds(seconds)));
        assert_eq!((at(T - 1), at(T), at(T + 1)), ("time.future", "accepted", "accepted"));
        // A certificate that expired long ago is accepted: it was valid when it signed.
        assert_eq!(at(T + 1_000_000_000), "accepted");
    }
    let late = World::new(Spec { sct_millis: T * 1000 + 500, ..Spec::default() });
    let at = |millis| code(&verify(&late.root(), &late.bundle_v2(), Timestamp::from_millis(millis)));
    assert_eq!((at(T * 1000 + 499), at(T * 1000 + 500)), ("time.future", "accepted"), "the SCT's time");
}

#[test]
fn every_time_is_compared_with_every_window() {
    // Two sources of time. The second time is outside the certificate's validity.
    let world = World::new(Spec::default());
    let stamp = |time| made::Stamp::of(&world.signature, time).response(&world.tsa, &world.tsa_key);
    let entry = world.entry_v1(&world.body_v1());
    for (time, expected) in [(T + 300, "accepted"), (T + 301, "time.certificate"), (T - 301, "time.certificate")] {
        let bundle = world.bundle(std::slice::from_ref(&entry), &[stamp(time)]);
        assert_eq!(code(&verify(&world.root(), &bundle, NOW)), expected, "{time}");
    }
}
