//! Certificates that people made for their own keys, as OpenSSL makes them (`golden/openssl-foreign/make`): both versions of Rekor
//! take the key out of each, and nothing else believes any of them that is not as it should be.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::Certificate;
use chancery_verify::rekor::v2::{KeyDetails, json as v2};
use chancery_verify::rekor::{Body, EntryKind, ProposedEntry};
use chancery_verify::{Rejection, hash, pem};
use serde_json::json;

const ARTIFACT: &[u8] = b"artifact";
const SIGNATURE: &[u8] = include_bytes!("golden/openssl-foreign/artifact.sig");
const ISSUER: &str = include_str!("golden/openssl-foreign/ca.pem");
const USUAL: &str = include_str!("golden/openssl-foreign/usual.pem");
const VERSION_1: &str = include_str!("golden/openssl-foreign/version1.pem");
const PSS: &str = include_str!("golden/openssl-foreign/pss.pem");
const SHA1: &str = include_str!("golden/openssl-foreign/sha1.pem");
const SHA224: &str = include_str!("golden/openssl-foreign/sha224.pem");
const SERIAL_32: &str = include_str!("golden/openssl-foreign/serial32.pem");

fn admit_v1(verifier: &str) -> Result<Body, Rejection> {
    let proposal = json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": hex::encode(hash::sha256(ARTIFACT))}},
        "signature": {"content": STANDARD.encode(SIGNATURE), "publicKey": {"content": STANDARD.encode(verifier)}},
    }});
    EntryKind::HashedRekord.admit(&ProposedEntry::parse(proposal.to_string().as_bytes())?)
}

fn admit_v2(der: &[u8]) -> Result<Body, Rejection> {
    let verifier =
        json!({"x509Certificate": {"rawBytes": STANDARD.encode(der)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"});
    let request = json!({"hashedRekordRequestV002": {
        "digest": STANDARD.encode(hash::sha256(ARTIFACT)),
        "signature": {"content": STANDARD.encode(SIGNATURE), "verifier": verifier},
    }});
    v2::parse(request.to_string().as_bytes()).unwrap().unwrap().admit()
}

fn der(pem: &str) -> Vec<u8> {
    pem::decode(pem.as_bytes()).unwrap().der
}

#[test]
fn both_versions_of_rekor_take_the_key_out_of_each() {
    assert!(KeyDetails::number_of("PKIX_ECDSA_P256_SHA_256").is_some());
    for (name, certificate) in [
        ("usual", USUAL),
        ("version 1", VERSION_1),
        ("RSA-PSS", PSS),
        ("SHA-1", SHA1),
        ("SHA-224", SHA224),
        ("32 bytes of serial number", SERIAL_32),
    ] {
        let body = admit_v1(certificate).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            String::from_utf8_lossy(body.as_bytes()).contains(&STANDARD.encode(certificate)),
            "{name}: logged as it is"
        );
        let body = admit_v2(&der(certificate)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(String::from_utf8_lossy(body.as_bytes()).contains(&STANDARD.encode(der(certificate))), "{name}");
    }
}

#[test]
fn certificates_that_are_to_be_believed_are_as_strict_as_ever() {
    assert!(Certificate::from_der(&der(USUAL)).is_ok());
    let rfc5280 = "a field of it is not as RFC 5280 requires, for example a serial number of more than 20 bytes";
    for (certificate, why) in [
        (VERSION_1, Rejection::CertificateForm { fault: "it is not of X.509 version 3" }),
        (SERIAL_32, Rejection::CertificateForm { fault: rfc5280 }),
        (PSS, Rejection::AlgorithmNotAllowed),
        (SHA1, Rejection::AlgorithmNotAllowed),
        (SHA224, Rejection::AlgorithmNotAllowed),
    ] {
        assert_eq!(Certificate::from_der(&der(certificate)), Err(why));
    }
}

#[test]
fn in_a_chain_each_must_be_issued_by_the_next_with_an_algorithm_that_can_be_checked() {
    for certificate in [USUAL, VERSION_1, SERIAL_32, PSS] {
        assert!(admit_v1(&format!("{certificate}{ISSUER}")).is_ok());
    }
    for certificate in [SHA1, SHA224] {
        assert_eq!(admit_v1(&format!("{certificate}{ISSUER}")).unwrap_err(), Rejection::AlgorithmNotAllowed);
    }
    assert_eq!(admit_v1(&format!("{VERSION_1}{USUAL}")).unwrap_err(), Rejection::ChainName);
}

#[test]
fn what_is_no_certificate_or_has_been_changed_is_refused() {
    let sound = der(VERSION_1);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut der = sound.clone();
        change(&mut der);
        admit_v2(&der).unwrap_err()
    };
    assert_eq!(with(&|der| der.push(0)), Rejection::CertificateMalformed);
    assert_eq!(with(&|der| der.truncate(100)), Rejection::CertificateMalformed);
    assert_eq!(with(&|der| der.clear()), Rejection::EntryMissing { field: "X.509 certificate raw bytes" });
    // Of two signature algorithms: the last identifier is the outer one, and ends in the number of its hash and NULL.
    let inner = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];
    let at = sound.windows(inner.len()).rposition(|window| window == inner).unwrap();
    let two = Rejection::CertificateForm { fault: "it names two signature algorithms" };
    assert_eq!(with(&|der| der[at + 8] = 0x0c), two);
}
