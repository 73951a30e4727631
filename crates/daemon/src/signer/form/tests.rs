//! Every form of a key, and what is said of those that are not read. `tests/tests/keys.rs` has OpenSSL make them.

use super::*;
use crate::signer::Signer;
use chancery_verify::PublicKey;
use chancery_verify::key::KeyKind;

/// Contents of a PKCS#8 key: the key in the form of its algorithm.
fn inner(text: &str) -> Vec<u8> {
    let der = pem::decode(text.as_bytes()).unwrap().der;
    PrivateKeyInfoRef::try_from(der.as_slice()).unwrap().private_key.as_bytes().to_vec()
}

/// The parameters of a PKCS#8 key, in DER.
fn parameters(text: &str) -> Vec<u8> {
    use pkcs8::der::Encode as _;
    let der = pem::decode(text.as_bytes()).unwrap().der;
    PrivateKeyInfoRef::try_from(der.as_slice()).unwrap().algorithm.parameters.unwrap().to_der().unwrap()
}

fn public_half(text: &[u8]) -> Result<PublicKey, SignerError> {
    let purpose = crate::signer::Use::Any;
    Signer::from_pem(purpose, Path::new("/keys/a key.pem"), text, None).map(|signer| signer.public_key().clone())
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for kind in [KeyKind::P256, KeyKind::P384] {
        let (signer, text) = Signer::generate(kind).unwrap();
        let sec1 = pem::encode(SEC1, &inner(&text));
        let with_parameters = pem::encode(EC_PARAMETERS, &parameters(&text)) + &sec1;
        let certificate = pem::encode(pem::CERTIFICATE, b"not read");
        let mut latin1 = b"Bag Attributes\n    friendlyName: Schl\xfcssel\nKey Attributes: <No Attributes>\n".to_vec();
        latin1.extend_from_slice(text.as_bytes());
        for form in [
            text.clone().into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            format!("{certificate}{text}{certificate}trailing").into_bytes(),
            with_parameters.replace('\n', "\r\n").into_bytes(),
            with_parameters.into_bytes(),
            latin1,
        ] {
            assert_eq!(&public_half(&form).unwrap(), signer.public_key(), "{}", String::from_utf8_lossy(&form));
        }
    }
    let (signer, text) = Signer::generate(KeyKind::Rsa(2048)).unwrap();
    assert_eq!(&public_half(pem::encode(PKCS1, &inner(&text)).as_bytes()).unwrap(), signer.public_key());
}

#[test]
fn what_is_not_read_is_told_with_the_command_that_converts_it() {
    let (_, text) = Signer::generate(KeyKind::P256).unwrap();
    let legacy = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
         -----END EC PRIVATE KEY-----\n";
    // SEQUENCE { SEQUENCE { pbeWithMD5AndDES-CBC, NULL }, OCTET STRING }.
    let pbes1 = pem::encode(
        ENCRYPTED_PRIVATE_KEY,
        &[0x30, 17, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 5, 3, 5, 0, 4, 0],
    );
    let explicit = pem::encode(EC_PARAMETERS, &[0x30, 0]) + &pem::encode(SEC1, &[0x30, 6, 2, 1, 1, 4, 1, 1]);
    let encrypt =
        "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in '/keys/a key.pem' -out '/keys/a key.pem.new'";
    for (form, said, command) in [
        (legacy.as_bytes(), "Proc-Type: 4,ENCRYPTED", encrypt),
        (
            pem::decode(text.as_bytes()).unwrap().der.as_slice(),
            "is not PEM",
            "openssl pkey -inform DER -in '/keys/a key.pem' -out '/keys/a key.pem.new'",
        ),
        (
            explicit.as_bytes(),
            "has no name",
            "openssl ec -in '/keys/a key.pem' -param_enc named_curve -out '/keys/a key.pem.new'",
        ),
        (pem::encode(OPENSSH, b"x").as_bytes(), "OpenSSH's own form", "ssh-keygen -p -m PKCS8 -f '/keys/a key.pem'"),
    ] {
        let error = public_half(form).unwrap_err().to_string();
        assert!(error.contains(said) && error.ends_with(&format!("convert it: {command}")), "{error}");
    }
    let path = Path::new("/keys/a key.pem");
    let der = pem::decode(text.as_bytes()).unwrap().der;
    let error = pkcs8(path, &der, Some(b"secret")).unwrap_err().to_string();
    assert!(error.ends_with("-inform DER -in '/keys/a key.pem' -aes256 -out '/keys/a key.pem.new'"), "{error}");
    let error = pkcs8(path, pbes1.as_bytes(), Some(b"secret")).unwrap_err().to_string();
    assert!(error.contains("is not encrypted with PBES2") && error.ends_with(encrypt), "{error}");
}

#[test]
fn what_is_no_key_or_more_than_one_is_refused() {
    let (_, text) = Signer::generate(KeyKind::P256).unwrap();
    for bad in [
        String::new(),
        "no key".to_owned(),
        pem::encode(pem::PUBLIC_KEY, b"x"),
        pem::encode(SEC1, &[0x30, 0]),
        pem::encode(SEC1, b"x"),
        pem::encode("DSA PRIVATE KEY", b"x"),
        pem::encode("ENCRYPTED SIGSTORE PRIVATE KEY", b"x"),
        text.replace("END PRIVATE", "END PUBLIC"),
    ] {
        assert!(matches!(public_half(bad.as_bytes()), Err(SignerError::Malformed)), "{bad}");
    }
    let two = public_half((text.clone() + &text).as_bytes()).unwrap_err();
    assert!(two.to_string().contains("2 private keys"), "{two}");
    assert!(matches!(pkcs8(Path::new("k"), text.as_bytes(), Some(b"secret")), Err(SignerError::NotEncrypted)));
}

#[test]
fn no_damaged_file_is_another_key_or_brings_the_reader_down() {
    let (signer, text) = Signer::generate(KeyKind::P256).unwrap();
    let sec1 = pem::encode(EC_PARAMETERS, &parameters(&text)) + &pem::encode(SEC1, &inner(&text));
    for whole in [text, sec1] {
        for at in 0..whole.len() {
            let mut changed = whole.clone().into_bytes();
            changed[at] ^= 0x04;
            // A bit of the public half alone, or of the text around, changes nothing that is checked here.
            for damaged in [&changed[..], &whole.as_bytes()[..at]] {
                if let Ok(key) = public_half(damaged) {
                    let is_own = key == *signer.public_key();
                    assert!(is_own || damaged.len() == whole.len(), "a shorter file is no key: {at}");
                }
            }
        }
    }
}
