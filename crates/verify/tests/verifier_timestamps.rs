//! Timestamps of other authorities: by which hash they name their certificate, and what they sign along.

mod made;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chancery_verify::bundle::Bundle;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Unknown, Verified, Verifier};
use chancery_verify::{Refusal, Timestamp};
use made::token::{Named, Order, foreign_attributes};
use made::{ARTIFACT, NOW, Spec, Stamp, T, World};
use serde_json::Value;

fn verify(root: &Value, bundle: &Value, unknown: Unknown) -> Result<Verified, Refusal> {
    let options = Options { unknown, ..Options::default() };
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes())?, options);
    let bundle = Bundle::parse(bundle.to_string().as_bytes())?;
    verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW)
}

fn code(world: &World, stamp: &Stamp) -> &'static str {
    let bundle = world.bundle(&[world.entry_v2(&world.body_v2())], &[stamp.response(&world.tsa, &world.tsa_key)]);
    verify(&world.root(), &bundle, Unknown::Refuse).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

fn sha1(der: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec()
}

#[test]
fn a_certificate_is_named_by_either_hash_and_by_no_wrong_one() {
    let known = World::new(Spec::default());
    let embedded = World::new(Spec { tsa_leaf_is_known: false, ..Spec::default() });
    for world in [&known, &embedded] {
        let [leaf, issuer] = [0, 1].map(|at| world.tsa[at].der());
        let short = sha1(leaf)[..19].to_vec();
        for (older, newer, expected) in [
            (None, true, "accepted"),
            (Some(sha1(leaf)), false, "accepted"),
            (Some(sha1(leaf)), true, "accepted"),
            (Some(sha1(issuer)), true, "timestamp.signer"),
            (Some(sha1(issuer)), false, "timestamp.signer"),
            (Some(vec![0; 20]), false, "timestamp.signer"),
            (Some(short), false, "timestamp.malformed"),
            (Some(leaf[..32].to_vec()), false, "timestamp.malformed"),
            (None, false, "timestamp.malformed"),
        ] {
            let named = Named { sha1: older.clone(), sha256: newer };
            let stamp = Stamp { named, certificates: vec![leaf.to_vec()], ..Stamp::of(&world.signature, T) };
            assert_eq!(code(world, &stamp), expected, "{older:?} {newer}");
        }
    }
}

#[test]
fn what_is_signed_along_and_carried_along_changes_nothing() {
    let world = World::new(Spec::default());
    let other = World::new(Spec::default());
    let certificates = [&other.tsa[0], &world.tsa[0], &world.tsa[1], &other.tsa[1]].map(|one| one.der().to_vec());
    let named = Named { sha1: Some(sha1(world.tsa[0].der())), sha256: false };
    let stamp = Stamp {
        named,
        certificates: certificates.to_vec(),
        attributes: foreign_attributes(),
        ..Stamp::of(&world.signature, T)
    };
    assert_eq!(code(&world, &stamp), "accepted");
    // Twice the same attribute is none that is known.
    let twice = Stamp { attributes: [foreign_attributes(), foreign_attributes()].concat(), ..stamp };
    assert_eq!(code(&world, &twice), "timestamp.malformed");
}

/// RFC 5652 §5.3: signed attributes must be DER, whose sets are sorted. Other verifiers differ: sigstore-go sorts what it
/// got before it verifies, OpenSSL verifies the order that it got. So each accepts a token that the other refuses.
#[test]
fn attributes_in_another_order_than_that_of_der_are_malformed() {
    for tsa_leaf_is_known in [true, false] {
        let world = World::new(Spec { tsa_leaf_is_known, ..Spec::default() });
        let certificates = vec![world.tsa[0].der().to_vec()];
        for attributes in [Vec::new(), foreign_attributes()] {
            let stamp = Stamp { certificates: certificates.clone(), attributes, ..Stamp::of(&world.signature, T) };
            assert_eq!(code(&world, &stamp), "accepted");
            let sent = Stamp { order: Order::SentOtherwise, ..stamp };
            assert_eq!(code(&world, &sent), "timestamp.malformed");
            let signed = Stamp { order: Order::SentAndSignedOtherwise, ..sent };
            assert_eq!(code(&world, &signed), "timestamp.malformed");
        }
    }
}

#[test]
fn a_token_of_an_unknown_authority_is_read_and_named_as_such() {
    let (world, other) = (World::new(Spec::default()), World::new(Spec::default()));
    let named = Named { sha1: Some(sha1(other.tsa[0].der())), sha256: false };
    let stamp = Stamp { named, ..Stamp::of(&world.signature, T) };
    let foreign = stamp.response(&other.tsa, &other.tsa_key);
    let bundle = world.bundle(&[world.entry_v1(&world.body_v1())], &[foreign, world.timestamp()]);
    let refusal = verify(&world.root(), &bundle, Unknown::Refuse).unwrap_err();
    assert_eq!(refusal.code(), "timestamp.signer");
    let verified = verify(&world.root(), &bundle, Unknown::Report).unwrap();
    assert_eq!(verified.times.len(), 2, "the promise, and the timestamp of the authority that is known");
    assert!(verified.warnings[0].contains("unknown timestamp authority"), "{:?}", verified.warnings);
    assert!(verified.times.iter().all(|time| time.time() == Timestamp::from_seconds(T)));
}
