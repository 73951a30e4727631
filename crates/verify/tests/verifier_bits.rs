//! A changed bit anywhere in a bundle is refused.

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::Bundle;
use chancery_verify::timestamping::asn1::{INTEGER, SEQUENCE, write};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Verifier};
use made::document::{bytes, envelope, with};
use made::{ARTIFACT, NOW, Spec, World};
use serde_json::Value;

const STAMP: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";

/// The places of all strings and numbers of a document.
fn scalars(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| scalars(value, &format!("{place}/{name}"), found));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(index, value)| scalars(value, &format!("{place}/{index}"), found));
        }
        _ => found.push(place.to_owned()),
    }
}

/// The document with one bit of the scalar at `place` changed: in the decoded bytes if it is base64, else in the text.
fn bit_changed(document: &Value, place: &str, position: usize) -> Option<Value> {
    let text = document.pointer(place)?.as_str()?;
    let binary = [
        "mediaType",
        "kind",
        "version",
        "envelope",
        "algorithm",
        "logIndex",
        "treeSize",
        "integratedTime",
        "payloadType",
    ];
    let is_text = binary.iter().any(|name| place.ends_with(&format!("/{name}")));
    if is_text {
        let mut contents = text.as_bytes().to_vec();
        *contents.get_mut(position)? ^= 1 << (position % 7);
        return Some(with(document, place, String::from_utf8(contents).ok()?));
    }
    let mut contents = bytes(document, place);
    *contents.get_mut(position)? ^= 1 << (position % 8);
    Some(with(document, place, STANDARD.encode(contents)))
}

#[test]
fn a_changed_bit_anywhere_is_refused() {
    for envelope in [None, envelope(|_| ())] {
        let world = World::new(Spec { envelope, ..Spec::default() });
        let verifier =
            Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default());
        for bundle in [world.bundle_v1(), world.bundle_v2()] {
            let mut places = Vec::new();
            scalars(&bundle, "", &mut places);
            let mut changes = 0;
            for place in places {
                let changed =
                    (0..).map_while(|position| bit_changed(&bundle, &place, position).map(|one| (position, one)));
                for (position, changed) in changed {
                    let verdict = Bundle::parse(changed.to_string().as_bytes())
                        .and_then(|bundle| verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW));
                    // The status of a timestamp is not signed: granted, and granted with modifications.
                    let is_status = place == STAMP && bytes(&bundle, STAMP)[..=position].ends_with(&[0x30, 3, 2, 1, 0]);
                    assert_eq!(verdict.is_err(), !is_status, "{place}, bit of byte {position}");
                    changes += 1;
                }
            }
            assert!(changes > 2000, "{changes}");
        }
    }
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature that verifies wherever this one does: with `n - s` in the place of `s`.
fn twin(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature[4..].split_at(usize::from(signature[3]));
    let s: Vec<u8> = s[2..].iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut difference = ORDER;
    let mut borrow = false;
    for (position, byte) in difference.iter_mut().rev().enumerate() {
        let taken = s.len().checked_sub(position + 1).map_or(0, |index| s[index]);
        let (once, first) = byte.overflowing_sub(taken);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        (*byte, borrow) = (twice, first || second);
    }
    assert!(!borrow);
    // A positive INTEGER in DER: without leading zeros, except before a high bit.
    let mut other: Vec<u8> = difference.into_iter().skip_while(|byte| *byte == 0).collect();
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    write(SEQUENCE, &[&write(INTEGER, &[r]), &write(INTEGER, &[&other])])
}

/// The holder of an ECDSA signature can make a second one over the same artifact. Timestamp and log entry are of the first.
#[test]
fn the_twin_of_a_signature_verifies_and_has_no_evidence() {
    let world = World::new(Spec::default());
    let twin = twin(&world.signature);
    assert_ne!(twin, world.signature);
    assert!(world.signer.public.verify(ARTIFACT, &twin).is_ok());
    let verifier = Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default());
    for (bundle, expected) in [(world.bundle_v1(), "entry.mismatch"), (world.bundle_v2(), "timestamp.imprint")] {
        let changed = with(&bundle, "/messageSignature/signature", STANDARD.encode(&twin));
        let bundle = Bundle::parse(changed.to_string().as_bytes()).unwrap();
        let verdict = verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW);
        assert_eq!(verdict.unwrap_err().code(), expected);
    }
}
