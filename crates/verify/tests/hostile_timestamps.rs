//! Requests for timestamps that must be refused (S-19, S-29), and unusual ones that must be accepted.

use chancery_verify::timestamping::asn1::{self, write};
use chancery_verify::timestamping::{MAX_NONCE_BYTES, Request};
use chancery_verify::{HashAlgorithm, Rejection};

const VERSION: &[u8] = &[2, 1, 1];
const TRUE: &[u8] = &[1, 1, 0xff];
const SHA256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const NULL: &[u8] = &[5, 0];

fn imprint_of(algorithm: &[&[u8]], digest: &[u8]) -> Vec<u8> {
    write(asn1::SEQUENCE, &[&write(asn1::SEQUENCE, algorithm), &write(asn1::OCTET_STRING, &[digest])])
}

fn imprint() -> Vec<u8> {
    imprint_of(&[SHA256, NULL], &[7; 32])
}

fn request(fields: &[&[u8]]) -> Vec<u8> {
    write(asn1::SEQUENCE, fields)
}

fn long_policy(arcs: usize) -> Vec<u8> {
    write(asn1::OBJECT_IDENTIFIER, &[&vec![1; arcs]])
}

/// A list of one extension.
fn extension(critical: &[u8]) -> Vec<u8> {
    let extension = write(asn1::SEQUENCE, &[&[6, 1, 0x2a], critical, &[4, 0]]);
    write(asn1::constructed(0), &[&extension])
}

#[test]
fn what_clients_send_is_read() {
    let imprint = imprint();
    let bare = imprint_of(&[SHA256], &[7; 32]);
    let nonce = write(asn1::INTEGER, &[&[1; MAX_NONCE_BYTES]]);
    for fields in [
        &[VERSION, &imprint][..],
        &[VERSION, &bare],
        &[VERSION, &imprint, &[6, 1, 0x2a]],
        &[VERSION, &imprint, &long_policy(1000)],
        &[VERSION, &imprint, &nonce, TRUE],
        &[VERSION, &imprint, &[2, 1, 0x80]],
        &[VERSION, &imprint, &[6, 1, 0x2a], &[2, 1, 0], TRUE],
        &[VERSION, &imprint, &extension(&[])],
        &[VERSION, &imprint, TRUE, &extension(&[])],
    ] {
        let der = request(fields);
        let read = Request::from_der(&der).unwrap();
        assert_eq!(read.to_der(), der);
        assert_eq!((read.imprint.hash, read.imprint.digest), (HashAlgorithm::Sha256, &[7; 32][..]));
    }
}

#[test]
fn whatever_has_another_form_is_refused() {
    let imprint = imprint();
    let good = request(&[VERSION, &imprint]);
    let malformed = Rejection::TimestampRequest;
    let with = |field: &[u8]| request(&[VERSION, &imprint, field]);
    let table: Vec<(&str, Vec<u8>, Rejection)> = vec![
        ("nothing", vec![], malformed),
        ("trailing bytes", [&good[..], &[0]].concat(), malformed),
        ("indefinite length", [&[0x30, 0x80], &good[2..], &[0, 0]].concat(), malformed),
        ("a length that is longer than need be", [&[0x30, 0x81, good[1]], &good[2..]].concat(), malformed),
        ("cut short", good[..good.len() - 1].to_vec(), malformed),
        ("version 2", request(&[&[2, 1, 2], &imprint]), malformed),
        ("a version with a leading zero", request(&[&[2, 2, 0, 1], &imprint]), malformed),
        ("no imprint", request(&[VERSION]), malformed),
        ("a nonce with a leading zero", with(&[2, 2, 0, 1]), malformed),
        ("a negative nonce that is longer than need be", with(&[2, 2, 0xff, 0x80]), malformed),
        ("an empty nonce", with(&[2, 0]), malformed),
        ("a nonce that is too long", with(&write(asn1::INTEGER, &[&[1; MAX_NONCE_BYTES + 1]])), malformed),
        ("a nonce of a megabyte", with(&write(asn1::INTEGER, &[&vec![1; 1 << 20]])), malformed),
        ("a policy of a million arcs", with(&long_policy(1_000_000)), malformed),
        ("a policy with an arc that is longer than need be", with(&[6, 3, 0x2a, 0x80, 1]), malformed),
        ("a policy that ends within an arc", with(&[6, 2, 0x2a, 0x81]), malformed),
        ("an empty policy", with(&[6, 0]), malformed),
        ("certReq FALSE, which is the default", with(&[1, 1, 0]), malformed),
        ("certReq with another TRUE than DER's", with(&[1, 1, 1]), malformed),
        ("fields in another order", request(&[VERSION, &imprint, TRUE, &[2, 1, 5]]), malformed),
        ("a field twice", request(&[VERSION, &imprint, TRUE, TRUE]), malformed),
        ("an unknown field", with(&[0xa1, 0]), malformed),
        ("an empty list of extensions", with(&[0xa0, 0]), malformed),
        ("an extension without contents", with(&[0xa0, 2, 0x30, 0]), malformed),
        ("a critical extension", with(&extension(TRUE)), Rejection::TimestampExtension),
        (
            "SHA-1",
            request(&[VERSION, &imprint_of(&[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], NULL], &[7; 20])]),
            Rejection::TimestampHashWeak,
        ),
        (
            "MD5",
            request(&[VERSION, &imprint_of(&[&[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], NULL], &[7; 16])]),
            Rejection::TimestampHashWeak,
        ),
        (
            "SHA3-256",
            request(&[VERSION, &imprint_of(&[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8]], &[7; 32])]),
            Rejection::TimestampHash,
        ),
        ("a short digest", request(&[VERSION, &imprint_of(&[SHA256, NULL], &[7; 31])]), Rejection::DigestLength),
        ("a long digest", request(&[VERSION, &imprint_of(&[SHA256, NULL], &[7; 64])]), Rejection::DigestLength),
        ("other parameters than NULL", request(&[VERSION, &imprint_of(&[SHA256, &[2, 1, 1]], &[7; 32])]), malformed),
        ("a NULL with contents", request(&[VERSION, &imprint_of(&[SHA256, &[5, 1, 0]], &[7; 32])]), malformed),
    ];
    for (what, der, rejection) in table {
        assert_eq!(Request::from_der(&der), Err(rejection), "{what}");
    }
}
