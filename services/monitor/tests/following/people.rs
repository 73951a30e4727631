//! People who sign: certificates of an authority, and entries that they make.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_verify::certificate::Certificate;
use chancery_verify::sct::{ExtraData, LogEntry, MerkleTreeLeaf};
use chancery_verify::{Timestamp, hash, pem};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _, SanType,
};

/// Claims of the issuer, in the older form: the text itself.
const ISSUER: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 1];
/// The poison of a precertificate.
const POISON: [u64; 10] = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 3];

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

impl Authority {
    /// One with the name that every authority of these tests has.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Acme");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), der }
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::from_der(&self.der).unwrap()
    }

    fn leaf(&self, email: &str, issuer: &str, is_poisoned: bool) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&ISSUER, issuer.as_bytes().to_vec())];
        if is_poisoned {
            let mut poison = CustomExtension::from_oid_content(&POISON, vec![5, 0]);
            poison.set_criticality(true);
            params.custom_extensions.push(poison);
        }
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().to_vec()
    }

    /// An entry of Rekor v1: this person has signed this artifact.
    pub(crate) fn signed(&self, email: &str, issuer: &str, artifact: &str) -> Bytes {
        let certificate = self.leaf(email, issuer, false);
        hashedrekord(&pem::encode(pem::CERTIFICATE, &certificate), artifact)
    }

    /// An entry of a certificate log, and what is beside it.
    pub(crate) fn issued(&self, email: &str) -> (Bytes, Bytes) {
        let precertificate = self.leaf(email, "https://issuer.example", true);
        let parsed = Certificate::from_der(&precertificate).unwrap();
        let issuer_key_hash = self.certificate().public_key().fingerprint();
        let entry = LogEntry::Precert { issuer_key_hash, tbs: parsed.precertificate_tbs().unwrap() };
        let leaf = MerkleTreeLeaf { timestamp: Timestamp::from_seconds(1), entry, extensions: Vec::new() };
        let extra = ExtraData::Precert { precertificate, chain: vec![self.der.clone()] };
        (leaf.to_bytes().unwrap().into(), extra.to_bytes().unwrap().into())
    }
}

/// An entry that a plain key has signed, and the key's fingerprint.
pub(crate) fn signed_with_a_key(artifact: &str) -> (Bytes, String) {
    let spki = KeyPair::generate().unwrap().subject_public_key_info();
    (hashedrekord(&pem::encode(pem::PUBLIC_KEY, &spki), artifact), hex::encode(hash::sha256(&spki)))
}

/// The digest of an artifact, as people write it.
pub(crate) fn digest(artifact: &str) -> String {
    format!("sha256:{}", hex::encode(hash::sha256(artifact.as_bytes())))
}

fn hashedrekord(key: &str, artifact: &str) -> Bytes {
    let (key, digest) = (STANDARD.encode(key), hex::encode(hash::sha256(artifact.as_bytes())));
    let body = format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{digest}"}}}},"signature":{{"content":"AA==","publicKey":{{"content":"{key}"}}}}}}}}"#
    );
    body.into()
}
