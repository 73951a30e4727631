//! Fulcio: requests for a certificate, and a look at what is in one.

use crate::key::Key;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use const_oid::ObjectIdentifier;
use der::{Decode as _, DecodePem as _, Encode as _};
use serde_json::{Value, json};
use x509_cert::{Certificate, ext::pkix::SubjectAltName};

/// Where version 2 of the API takes requests.
pub const SIGNING_CERT_V2: &str = "/api/v2/signingCert";
/// Where version 1 does.
pub const SIGNING_CERT_V1: &str = "/api/v1/signingCert";
/// The arc of Fulcio's certificate extensions.
const FULCIO_ARC: &str = "1.3.6.1.4.1.57264.1";

/// A request by public key, as cosign 3 makes it: token in the header, proof over `challenge`.
pub fn key_request(key: &Key, challenge: &str) -> Value {
    json!({
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": key.public_pem()},
            "proofOfPossession": key.sign_base64(challenge.as_bytes())
        }
    })
}

/// The same with the token in the body, as sigstore-js makes it.
pub fn key_request_with_token(key: &Key, challenge: &str, token: &str) -> Value {
    let mut request = key_request(key, challenge);
    request["credentials"] = json!({"oidcIdentityToken": token});
    request
}

/// A version 1 request: the key is base64 of `key_content`, PEM or DER.
pub fn v1_request(key: &Key, key_content: &[u8], challenge: &str) -> Value {
    json!({
        "publicKey": {"algorithm": "ecdsa", "content": STANDARD.encode(key_content)},
        "signedEmailAddress": key.sign_base64(challenge.as_bytes()),
        "certificateSigningRequest": null
    })
}

/// Fulcio's error body: its message, and our stable reason in the details.
pub fn refusal(message: &str, reason: &str) -> Value {
    let detail = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "chancery", "metadata": {}, "reason": reason
    });
    json!({"code": 3, "message": message, "details": [detail]})
}

/// The chain in a version 2 answer, leaf first.
#[track_caller]
pub fn chain(answer: &Value) -> Vec<String> {
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["signedCertificateEmbeddedSct"], "exactly one variant");
    let certificates = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array().unwrap();
    certificates.iter().map(|pem| pem.as_str().unwrap().to_owned()).collect()
}

/// Splits concatenated PEM.
pub fn split_pem(text: &str) -> Vec<String> {
    let end = "-----END CERTIFICATE-----";
    text.split_inclusive(end).filter(|block| block.contains(end)).map(|block| block.trim().to_owned()).collect()
}

/// A parsed certificate.
pub struct Leaf(pub Certificate);

impl Leaf {
    #[track_caller]
    pub fn from_pem(pem: &str) -> Self {
        Self(Certificate::from_pem(pem).expect("a certificate in PEM"))
    }

    /// The value of an extension, and whether it is critical.
    pub fn extension(&self, oid: &str) -> Option<(Vec<u8>, bool)> {
        let oid = ObjectIdentifier::new_unwrap(oid);
        let extensions = self.0.tbs_certificate().extensions()?;
        let mut found = extensions.iter().filter(|extension| extension.extn_id == oid);
        let extension = found.next()?;
        assert!(found.next().is_none(), "{oid} is there twice");
        Some((extension.extn_value.as_bytes().to_vec(), extension.critical))
    }

    /// The value of one of Fulcio's own extensions that are DER strings.
    pub fn fulcio_string(&self, number: u8) -> Option<String> {
        let (value, _) = self.extension(&format!("{FULCIO_ARC}.{number}"))?;
        Some(String::from_utf8(der::asn1::Utf8StringRef::from_der(&value).unwrap().as_bytes().to_vec()).unwrap())
    }

    /// The raw value of one of Fulcio's own extensions from before they were DER.
    pub fn fulcio_raw(&self, number: u8) -> Option<String> {
        self.extension(&format!("{FULCIO_ARC}.{number}")).map(|(value, _)| String::from_utf8(value).unwrap())
    }

    /// The subject alternative names, and whether the extension is critical.
    pub fn names(&self) -> (SubjectAltName, bool) {
        let (value, critical) = self.extension("2.5.29.17").expect("a subject alternative name");
        (SubjectAltName::from_der(&value).unwrap(), critical)
    }

    /// Seconds since 1970 between which it counts.
    pub fn validity(&self) -> (u64, u64) {
        let validity = self.0.tbs_certificate().validity();
        (validity.not_before.to_unix_duration().as_secs(), validity.not_after.to_unix_duration().as_secs())
    }

    /// The `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> Vec<u8> {
        self.0.tbs_certificate().subject_public_key_info().to_der().unwrap()
    }
}
