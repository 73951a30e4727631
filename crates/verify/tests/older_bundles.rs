//! Cosign's older bundle, and detached signatures: they give the same evidence as a bundle, and each change is refused
//! with its code.

#![expect(clippy::expect_used, reason = "a test that fails here has found something")]

mod documents;

use chancery_verify::bundle::{Bundle, CertificateText, Content, Detached, Form, Material, SignatureText};
use chancery_verify::{PublicKey, Refusal, pem};
use documents::{CERTIFICATES, V03, b64, envelope, legacy, message, with, without};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

fn parse(bundle: &Value) -> Result<Bundle, Refusal> {
    Bundle::parse(bundle.to_string().as_bytes())
}

fn parse_legacy(bundle: &Value) -> Result<Bundle, Refusal> {
    Bundle::parse_legacy(bundle.to_string().as_bytes())
}

#[test]
fn cosigns_older_bundle_becomes_the_same_evidence() {
    let old = parse_legacy(&legacy()).unwrap();
    let new = parse(&message()).unwrap();
    assert_eq!((old.form(), old.material(), old.signature()), (Form::Legacy, new.material(), new.signature()));
    let (entry, expected) = (&old.entries()[0], &new.entries()[0]);
    assert_eq!(
        (&entry.promise, entry.integrated_time, entry.log_id),
        (&expected.promise, expected.integrated_time, expected.log_id)
    );
    assert_eq!((entry.kind.as_str(), entry.version.as_str(), &entry.proof), ("hashedrekord", "0.0.1", &None));
    let text = pem::encode(pem::CERTIFICATE, &CERTIFICATES.leaf);
    assert_eq!(parse_legacy(&with(legacy(), "/cert", text.into())).unwrap(), old);
    assert_eq!(parse_legacy(&without(legacy(), "/cert")).unwrap().material(), &Material::PublicKey { hint: None });
    let key = public_key();
    let hint = Some(b64(&key.fingerprint()));
    let keyed = parse_legacy(&with(legacy(), "/cert", b64(key.to_pem().as_bytes()).into())).unwrap();
    assert_eq!(keyed.material(), &Material::PublicKey { hint });
}

#[test]
fn the_table_of_changes_to_cosigns_older_bundle() {
    let payload = "/rekorBundle/Payload";
    for (changed, code) in [
        (message(), "bundle.missing"),
        (without(legacy(), "/base64Signature"), "bundle.missing"),
        (with(legacy(), "/base64Signature", "".into()), "bundle.missing"),
        (with(legacy(), "/cert", "!".into()), "bundle.malformed"),
        (with(legacy(), "/cert", b64(b"x").into()), "pem.malformed"),
        (with(legacy(), "/mediaType", V03.into()), "bundle.malformed"),
        (without(legacy(), "/rekorBundle/SignedEntryTimestamp"), "bundle.missing"),
        (
            with(legacy(), &format!("{payload}/logID"), hex::encode([0xab; 32]).to_uppercase().into()),
            "bundle.malformed",
        ),
        (with(legacy(), &format!("{payload}/logID"), hex::encode([1; 31]).into()), "bundle.malformed"),
        (with(legacy(), &format!("{payload}/body"), b64(b"{}").into()), "bundle.malformed"),
        (
            with(legacy(), &format!("{payload}/body"), b64(br#"{"kind":"dsse","apiVersion":"0.0.2"}"#).into()),
            "bundle.version",
        ),
        (
            with(legacy(), &format!("{payload}/body"), b64(br#"{"kind":"a","kind":"b","apiVersion":"0"}"#).into()),
            "bundle.malformed",
        ),
        (without(legacy(), &format!("{payload}/body")), "bundle.missing"),
        (with(legacy(), &format!("{payload}/logIndex"), (-1).into()), "bundle.malformed"),
        (with(legacy(), &format!("{payload}/extra"), 1.into()), "bundle.malformed"),
    ] {
        let refusal = parse_legacy(&changed).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
    }
    // A document is never tried as another form.
    assert_eq!(parse(&legacy()).unwrap_err().code(), "bundle.media_type");
}

#[test]
fn detached_parts_become_the_same_evidence() {
    let certificate = pem::encode(pem::CERTIFICATE, &CERTIFICATES.leaf);
    let chain =
        pem::encode(pem::CERTIFICATE, &CERTIFICATES.intermediate) + &pem::encode(pem::CERTIFICATE, &CERTIFICATES.root);
    let annotation = legacy()["rekorBundle"].to_string();
    let timestamp = json!({"SignedRFC3161Timestamp": b64(b"token")}).to_string();
    let signature = b64(b"signature") + "\n";
    let parts = Detached {
        signature: Some(SignatureText::Base64(signature.as_bytes())),
        certificate: Some(CertificateText::Pem(certificate.as_bytes())),
        chain: Some(chain.as_bytes()),
        entry: Some(annotation.as_bytes()),
        timestamp: Some(timestamp.as_bytes()),
        envelope: None,
    };
    let bundle = parts.into_bundle().unwrap();
    assert_eq!((bundle.form(), bundle.entries()), (Form::Detached, parse_legacy(&legacy()).unwrap().entries()));
    assert_eq!((bundle.signature(), bundle.timestamps()), (&b"signature"[..], &[b"token".to_vec()][..]));
    // As `base64` writes it, with LF or CRLF.
    let wrapped: String = b64(certificate.as_bytes())
        .as_bytes()
        .chunks(76)
        .fold(String::new(), |wrapped, line| wrapped + std::str::from_utf8(line).unwrap() + "\r\n");
    for same in [
        Detached { signature: Some(SignatureText::Raw(b"signature")), ..parts },
        Detached { signature: Some(SignatureText::Base64(b"c2ln\nbmF0dXJl\n")), ..parts },
        Detached { certificate: Some(CertificateText::Base64(wrapped.as_bytes())), ..parts },
        Detached { certificate: Some(CertificateText::Der(&CERTIFICATES.leaf)), ..parts },
        Detached { certificate: Some(CertificateText::Base64(b64(certificate.as_bytes()).as_bytes())), ..parts },
        Detached { chain: None, ..parts },
    ] {
        assert_eq!(same.into_bundle().unwrap(), bundle);
    }
    let envelope = envelope()["dsseEnvelope"].to_string();
    let attestation = Detached { signature: None, envelope: Some(envelope.as_bytes()), ..parts }.into_bundle().unwrap();
    assert_eq!(attestation.timestamped_bytes(), envelope.as_bytes());
    assert!(matches!(attestation.content(), Content::Envelope(_)));
    let foreign = pem::encode(pem::CERTIFICATE, &CERTIFICATES.leaf);
    let long = vec![0; 20_000];
    for (bad, code) in [
        (Detached { envelope: Some(envelope.as_bytes()), ..parts }, "bundle.ambiguous"),
        (Detached { signature: None, ..parts }, "bundle.missing"),
        (Detached { signature: Some(SignatureText::Base64(b"!")), ..parts }, "bundle.malformed"),
        (Detached { signature: Some(SignatureText::Raw(b"")), ..parts }, "bundle.missing"),
        (Detached { signature: Some(SignatureText::Raw(&long)), ..parts }, "bundle.malformed"),
        (Detached { certificate: None, ..parts }, "bundle.missing"),
        (
            Detached { certificate: Some(CertificateText::Der(certificate.as_bytes())), ..parts },
            "certificate.malformed",
        ),
        (Detached { certificate: Some(CertificateText::Pem(&CERTIFICATES.leaf)), ..parts }, "pem.malformed"),
        (Detached { chain: Some(foreign.as_bytes()), ..parts }, "bundle.chain"),
        (Detached { entry: Some(b"{}"), ..parts }, "bundle.missing"),
        (Detached { timestamp: Some(annotation.as_bytes()), ..parts }, "bundle.missing"),
    ] {
        let refusal = bad.into_bundle().unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
    }
}

fn public_key() -> PublicKey {
    let key = KeyPair::generate().expect("a key");
    PublicKey::from_spki_der(&key.subject_public_key_info()).expect("a key")
}
