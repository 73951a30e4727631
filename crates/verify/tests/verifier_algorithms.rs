//! Every kind of key, and its one algorithm.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its keys has failed")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::Bundle;
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::trust_root::{TrustRoot, Window};
use chancery_verify::verifier::{Algorithm, AnySigner, Artifact, Hasher, Options, SignerKey, Thresholds, Verifier};
use chancery_verify::{HashAlgorithm, PublicKey, Rejection, Timestamp};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

const ARTIFACT: &[u8] = b"what is signed";
const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn message(signature: &[u8]) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "release" } },
        "messageSignature": { "signature": STANDARD.encode(signature) },
    })
}

fn envelope(payload: &[u8], signature: &[u8]) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "release" } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(payload), "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": STANDARD.encode(signature) }],
        },
    })
}

fn statement() -> Vec<u8> {
    let digest = hex::encode(HashAlgorithm::Sha256.digest(ARTIFACT));
    let subject = json!([{ "digest": { "sha256": digest } }]);
    json!({ "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": "x", "predicate": {} })
        .to_string()
        .into_bytes()
}

fn verdict(
    key: SignerKey,
    legacy_hash: bool,
    bundle: &Value,
    artifact: &Artifact<'_>,
) -> Result<Algorithm, &'static str> {
    let options = Options { thresholds: Thresholds::KEY_WITHOUT_LOG, legacy_hash, ..Options::default() };
    let verifier = Verifier::new(TrustRoot::default(), options).with_key(key);
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).map_err(|refusal| refusal.code())?;
    let verified = verifier.verify(&bundle, artifact, &AnySigner, NOW);
    verified.map(|verified| verified.algorithm).map_err(|refusal| refusal.code())
}

fn by_bytes(key: &PublicKey, bundle: &Value) -> Result<Algorithm, &'static str> {
    verdict(SignerKey::new(key.clone()), false, bundle, &Artifact::Bytes(ARTIFACT))
}

/// Checks that a bundle verifies with the artifact's bytes and with the one right digest, and with no other digest.
fn check(key: &PublicKey, bundle: &Value, algorithm: Algorithm) {
    assert_eq!(by_bytes(key, bundle), Ok(algorithm));
    let own = algorithm.hash().unwrap();
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        let artifact = Artifact::from_digest(hash, &hash.digest(ARTIFACT)).unwrap();
        let expected = if hash == own { Ok(algorithm) } else { Err("artifact.bytes_needed") };
        assert_eq!(verdict(SignerKey::new(key.clone()), false, bundle, &artifact), expected);
    }
    let mut hasher = Hasher::all();
    ARTIFACT.chunks(3).for_each(|piece| hasher.update(piece));
    let artifact = Artifact::Digests(hasher.finish());
    assert_eq!(verdict(SignerKey::new(key.clone()), false, bundle, &artifact), Ok(algorithm));
    assert_eq!(
        verdict(SignerKey::new(key.clone()), false, bundle, &Artifact::Bytes(b"other")),
        Err("signature.invalid")
    );
}

#[test]
fn ecdsa_signs_with_the_hash_of_its_curve() {
    for (kind, signing, hash, legacy) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, &lc::ECDSA_P256_SHA256_ASN1_SIGNING, HashAlgorithm::Sha256, None),
        (&rcgen::PKCS_ECDSA_P384_SHA384, &lc::ECDSA_P384_SHA384_ASN1_SIGNING, HashAlgorithm::Sha384, None),
        (
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &lc::ECDSA_P521_SHA512_ASN1_SIGNING,
            HashAlgorithm::Sha512,
            Some(&lc::ECDSA_P521_SHA256_ASN1_SIGNING),
        ),
    ] {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let key = PublicKey::from_pem(pair.public_key_pem().as_bytes()).unwrap();
        let sign = |algorithm, message: &[u8]| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pair.serialize_der()).unwrap();
            pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
        };
        check(&key, &message(&sign(signing, ARTIFACT)), Algorithm::Ecdsa(hash));
        let payload = statement();
        let signed = pre_authentication_encoding("application/vnd.in-toto+json", &payload);
        assert_eq!(by_bytes(&key, &envelope(&payload, &sign(signing, &signed))), Ok(Algorithm::Ecdsa(hash)));
        let Some(legacy) = legacy else { continue };
        let old = message(&sign(legacy, ARTIFACT));
        assert_eq!(by_bytes(&key, &old), Err("signature.invalid"), "never tried with another hash");
        let replaced = |bundle| verdict(SignerKey::new(key.clone()), true, bundle, &Artifact::Bytes(ARTIFACT));
        assert_eq!(replaced(&old), Ok(Algorithm::Ecdsa(HashAlgorithm::Sha256)));
        assert_eq!(replaced(&message(&sign(signing, ARTIFACT))), Err("signature.invalid"), "nor both");
    }
}

#[test]
fn rsa_signs_with_pkcs1_unless_its_key_is_said_to_use_pss() {
    for size in [KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096] {
        let pair = RsaKeyPair::generate(size).unwrap();
        let key = PublicKey::from_pkcs1_der(pair.public_key().as_ref()).unwrap();
        let sign = |padding: &'static dyn lc::RsaEncoding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), ARTIFACT, &mut signature).unwrap();
            message(&signature)
        };
        let (pkcs1, pss) = (sign(&lc::RSA_PKCS1_SHA256), sign(&lc::RSA_PSS_SHA256));
        check(&key, &pkcs1, Algorithm::RsaPkcs1(HashAlgorithm::Sha256));
        assert_eq!(by_bytes(&key, &pss), Err("signature.invalid"));
        let with_pss = |bundle: &Value| {
            let key = SignerKey::new(key.clone()).with_pss().unwrap();
            verdict(key, false, bundle, &Artifact::Bytes(ARTIFACT))
        };
        assert_eq!(with_pss(&pss), Ok(Algorithm::RsaPss(HashAlgorithm::Sha256)));
        assert_eq!(with_pss(&pkcs1), Err("signature.invalid"));
        assert_eq!(SignerKey::new(key).with_pure_ed25519(), Err(Rejection::AlgorithmNotAllowed));
    }
}

#[test]
fn ed25519_signs_artifacts_prehashed_and_envelopes_as_they_are() {
    let pair = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey::from_ed25519(pair.verifying_key().as_bytes()).unwrap();
    let prehashed = pair.sign_prehashed(Sha512::new().chain_update(ARTIFACT), None).unwrap();
    check(&key, &message(&prehashed.to_bytes()), Algorithm::Ed25519ph);
    let pure = message(&pair.sign(ARTIFACT).to_bytes());
    assert_eq!(by_bytes(&key, &pure), Err("signature.invalid"));
    let pure_key = || SignerKey::new(key.clone()).with_pure_ed25519().unwrap();
    assert_eq!(verdict(pure_key(), false, &pure, &Artifact::Bytes(ARTIFACT)), Ok(Algorithm::Ed25519));
    let digest = Artifact::from_digest(HashAlgorithm::Sha512, &HashAlgorithm::Sha512.digest(ARTIFACT)).unwrap();
    assert_eq!(verdict(pure_key(), false, &pure, &digest), Err("artifact.bytes_needed"));
    let payload = statement();
    let signed = pre_authentication_encoding("application/vnd.in-toto+json", &payload);
    let bundle = envelope(&payload, &pair.sign(&signed).to_bytes());
    assert_eq!(by_bytes(&key, &bundle), Ok(Algorithm::Ed25519));
    assert_eq!(SignerKey::new(key).with_pss(), Err(Rejection::AlgorithmNotAllowed));
}

#[test]
fn a_hint_means_one_key_and_none_is_tried_after_another() {
    let pair = SigningKey::from_bytes(&[7; 32]);
    let key = PublicKey::from_ed25519(pair.verifying_key().as_bytes()).unwrap();
    let other = PublicKey::from_ed25519(SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes()).unwrap();
    let signature = pair.sign_prehashed(Sha512::new().chain_update(ARTIFACT), None).unwrap().to_bytes();
    let hinted = |hint: Option<&str>| {
        let mut bundle = message(&signature);
        match hint {
            Some(hint) => bundle["verificationMaterial"]["publicKey"]["hint"] = hint.into(),
            None => drop(bundle["verificationMaterial"]["publicKey"].as_object_mut().unwrap().remove("hint")),
        }
        bundle
    };
    let verdict = |keys: &[SignerKey], hint: Option<&str>| {
        let options = Options { thresholds: Thresholds::KEY_WITHOUT_LOG, ..Options::default() };
        let verifier = Verifier::new(TrustRoot::default(), options);
        let verifier = keys.iter().cloned().fold(verifier, Verifier::with_key);
        let bundle = Bundle::parse(hinted(hint).to_string().as_bytes()).unwrap();
        let verified = verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW);
        verified.map_or_else(|refusal| refusal.code(), |_| "accepted")
    };
    let (own, others) = (SignerKey::new(key.clone()), SignerKey::new(other.clone()));
    let fingerprint = STANDARD.encode(key.fingerprint());
    let theirs = STANDARD.encode(other.fingerprint());
    for (keys, hint, expected) in [
        (&[][..], Some("release"), "policy.key"),
        (std::slice::from_ref(&own), None, "accepted"),
        (std::slice::from_ref(&own), Some("release"), "accepted"),
        (std::slice::from_ref(&others), Some("release"), "signature.invalid"),
        (&[own.clone(), others.clone()], Some("release"), "policy.key"),
        // One key that is trusted twice is one key.
        (&[own.clone(), own.clone()], Some("release"), "accepted"),
        (&[own.clone(), own.clone()], None, "accepted"),
        (&[own.clone(), own.clone(), others.clone()], None, "policy.key"),
        (&[others.clone(), own.clone()], Some(&fingerprint), "accepted"),
        (&[own.clone(), others.clone()], Some(&theirs), "signature.invalid"),
        (std::slice::from_ref(&own), Some(&theirs), "bundle.key_hint"),
        (&[others.clone(), own.clone().with_hint("release")], Some("release"), "accepted"),
        (&[own.clone(), others.clone().with_hint("release")], Some("release"), "signature.invalid"),
    ] {
        assert_eq!(verdict(keys, hint), expected, "{hint:?}");
    }
    let window = Window { start: NOW, end: None };
    assert_eq!(verdict(&[own.during(window)], None), "time.none", "a window needs a time");
}
