//! A small Sigstore for tests: authority, logs, timestamp authority, signer. rcgen makes the certificates, this file
//! the tokens and bundles. So every part can be changed and signed again.

#![allow(dead_code, reason = "each test binary uses what it needs")]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its world has failed")]

pub(crate) mod document;
pub(crate) mod token;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::{Certificate, with_extension};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{TreeHead, leaf_hash, node_hash};
use chancery_verify::note::KeyName;
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::rekor::v2::{self, CreateEntry, HashedRekordRequest};
use chancery_verify::rekor::{EntryKind, Promise, ProposedEntry};
use chancery_verify::sct::{LogEntry, SignedCertificateTimestamp, list_to_extension, sct_signed_bytes};
use chancery_verify::timestamping::asn1::{OCTET_STRING, SEQUENCE, write};
use chancery_verify::{Hash, HashAlgorithm, PublicKey, Timestamp, hash};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
pub(crate) use token::Stamp;

/// Time of the signature.
pub(crate) const T: u64 = 1_795_000_000;
/// Time of the verification.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(T + 1000);
pub(crate) const ARTIFACT: &[u8] = b"what is signed";
pub(crate) const HOST_V1: &str = "rekor.example.test";
pub(crate) const HOST_V2: &str = "log.example.test";
pub(crate) const IDENTITY: &str = "https://ci.example.test/acme/app";
pub(crate) const ISSUER: &str = "https://issuer.example.test";

pub(crate) type Validity = (u64, u64);

/// The specification of a world.
pub(crate) struct Spec {
    pub(crate) leaf: Validity,
    pub(crate) intermediate: Validity,
    pub(crate) anchor: Validity,
    pub(crate) tsa_leaf: Validity,
    pub(crate) gen_time: u64,
    pub(crate) integrated_time: u64,
    pub(crate) sct_millis: u64,
    pub(crate) scts: Scts,
    pub(crate) edit_leaf: fn(&mut CertificateParams),
    /// Payload type and payload of an envelope. Without it the artifact is signed.
    pub(crate) envelope: Option<(&'static str, Vec<u8>)>,
    /// Whether the trust root has the timestamp authority's signing certificate.
    pub(crate) tsa_leaf_is_known: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scts {
    Good,
    Twice,
    /// So many, each with a time of its own.
    Many(u64),
    Missing,
    Flipped,
    OtherLog,
    OtherTime,
    Cut,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            leaf: (T - 300, T + 300),
            intermediate: (T - 100_000, T + 100_000),
            anchor: (T - 200_000, T + 200_000),
            tsa_leaf: (T - 100_000, T + 100_000),
            gen_time: T,
            integrated_time: T,
            sct_millis: T * 1000 - 1,
            scts: Scts::Good,
            edit_leaf: |_| (),
            envelope: None,
            tsa_leaf_is_known: true,
        }
    }
}

/// A signing key, in the forms that rcgen and this file need.
pub(crate) struct Key {
    pub(crate) pair: KeyPair,
    signing: EcdsaKeyPair,
    pub(crate) public: PublicKey,
}

impl Key {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate().unwrap();
        let signing = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pair.serialize_der()).unwrap();
        let public = PublicKey::from_spki_der(&pair.subject_public_key_info()).unwrap();
        Self { pair, signing, public }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signing.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

trait PublicKeyInfo {
    fn subject_public_key_info(&self) -> Vec<u8>;
}

impl PublicKeyInfo for KeyPair {
    fn subject_public_key_info(&self) -> Vec<u8> {
        PublicKey::from_pem(self.public_key_pem().as_bytes()).unwrap().spki_der().to_vec()
    }
}

/// Authority, logs, timestamp authority and one signature.
pub(crate) struct World {
    pub(crate) spec: Spec,
    pub(crate) anchor: Certificate,
    pub(crate) intermediate: Certificate,
    pub(crate) leaf: Certificate,
    pub(crate) tsa: Vec<Certificate>,
    pub(crate) signer: Key,
    pub(crate) intermediate_key: Key,
    pub(crate) ct: Key,
    pub(crate) log_v1: Key,
    pub(crate) log_v2: Key,
    pub(crate) tsa_key: Key,
    pub(crate) signature: Vec<u8>,
}

fn moment(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
}

fn parameters(name: &str, (start, end): Validity) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    if !name.is_empty() {
        parameters.distinguished_name.push(DnType::CommonName, name);
    }
    parameters.not_before = moment(start);
    parameters.not_after = moment(end);
    parameters
}

fn authority(name: &str, validity: Validity, purpose: Option<ExtendedKeyUsagePurpose>) -> CertificateParams {
    let mut parameters = parameters(name, validity);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.extended_key_usages = purpose.into_iter().collect();
    parameters
}

fn parsed(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

fn claim(arc: u64, value: &str) -> CustomExtension {
    let contents = [&[0x0c, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat();
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 1, arc], contents)
}

/// The leaf with the specified SCTs, signed by the intermediate.
fn leaf(spec: &Spec, signer: &Key, issuer: &Issuer<'_, &KeyPair>, issuer_key: &Key, ct: &Key) -> Certificate {
    let mut leaf = parameters("", spec.leaf);
    leaf.is_ca = IsCa::NoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    leaf.subject_alt_names = vec![SanType::URI(IDENTITY.try_into().unwrap())];
    leaf.custom_extensions = vec![claim(8, ISSUER)];
    (spec.edit_leaf)(&mut leaf);
    let without = parsed(leaf.signed_by(&signer.pair, issuer).unwrap().der());
    if spec.scts == Scts::Missing {
        return without;
    }
    let tbs = without.tbs_der().to_vec();
    let entry = LogEntry::Precert { issuer_key_hash: issuer_key.public.fingerprint(), tbs: tbs.clone() };
    let timestamp = Timestamp::from_millis(spec.sct_millis);
    let log = if spec.scts == Scts::OtherLog { &Key::new() } else { ct };
    let signed_at = |timestamp: Timestamp| SignedCertificateTimestamp {
        log_id: log.public.fingerprint(),
        timestamp,
        extensions: Vec::new(),
        signature: log.sign(&sct_signed_bytes(timestamp, &entry, &[]).unwrap()),
    };
    let mut sct = signed_at(timestamp);
    match spec.scts {
        Scts::Flipped => *sct.signature.last_mut().unwrap() ^= 1,
        Scts::OtherTime => sct.timestamp = Timestamp::from_millis(spec.sct_millis + 1),
        _ => {}
    }
    let list = match spec.scts {
        Scts::Twice => vec![sct.clone(), sct],
        Scts::Many(count) => {
            (0..count).map(|number| signed_at(Timestamp::from_millis(spec.sct_millis - number))).collect()
        }
        _ => vec![sct],
    };
    let mut contents = list_to_extension(&list).unwrap();
    if spec.scts == Scts::Cut {
        contents.pop();
    }
    let oid = [0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
    let extension = write(SEQUENCE, &[&oid, &write(OCTET_STRING, &[&contents])]);
    signed_certificate(&with_extension(&tbs, &extension).unwrap(), issuer_key)
}

/// A certificate with this `TBSCertificate`, signed with ECDSA over SHA-256.
pub(crate) fn signed_certificate(tbs: &[u8], issuer: &Key) -> Certificate {
    parsed(&certificate_der(tbs, &issuer.sign(tbs)))
}

pub(crate) fn certificate_der(tbs: &[u8], signature: &[u8]) -> Vec<u8> {
    let algorithm = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    write(SEQUENCE, &[tbs, &algorithm, &write(0x03, &[&[0], signature])])
}

impl World {
    pub(crate) fn new(spec: Spec) -> Self {
        let [root_key, intermediate_key, signer, ct, log_v1, log_v2, tsa_root_key, tsa_key] =
            [(); 8].map(|()| Key::new());
        let root = authority("root", spec.anchor, None);
        let below = authority("intermediate", spec.intermediate, Some(ExtendedKeyUsagePurpose::CodeSigning));
        let anchor = parsed(root.self_signed(&root_key.pair).unwrap().der());
        let root = Issuer::from_params(&root, &root_key.pair);
        let intermediate = parsed(below.signed_by(&intermediate_key.pair, &root).unwrap().der());
        let issuer = Issuer::from_params(&below, &intermediate_key.pair);
        let leaf = leaf(&spec, &signer, &issuer, &intermediate_key, &ct);
        let tsa_root = authority("tsa root", spec.anchor, None);
        let tsa_anchor = parsed(tsa_root.self_signed(&tsa_root_key.pair).unwrap().der());
        let tsa_issuer = Issuer::from_params(&tsa_root, &tsa_root_key.pair);
        let tsa_leaf = token::leaf(parameters("tsa", spec.tsa_leaf));
        let tsa = vec![parsed(tsa_leaf.signed_by(&tsa_key.pair, &tsa_issuer).unwrap().der()), tsa_anchor];
        let signed = match &spec.envelope {
            None => ARTIFACT.to_vec(),
            Some((payload_type, payload)) => pre_authentication_encoding(payload_type, payload),
        };
        let signature = signer.sign(&signed);
        Self { spec, anchor, intermediate, leaf, tsa, signer, intermediate_key, ct, log_v1, log_v2, tsa_key, signature }
    }

    /// Another leaf of the same authority, with this key.
    pub(crate) fn another_leaf(&self, signer: &Key) -> Certificate {
        let purpose = Some(ExtendedKeyUsagePurpose::CodeSigning);
        let below = authority("intermediate", self.spec.intermediate, purpose);
        let issuer = Issuer::from_params(&below, &self.intermediate_key.pair);
        leaf(&self.spec, signer, &issuer, &self.intermediate_key, &self.ct)
    }

    /// The signed bytes.
    pub(crate) fn signed(&self) -> Vec<u8> {
        match &self.spec.envelope {
            None => ARTIFACT.to_vec(),
            Some((payload_type, payload)) => pre_authentication_encoding(payload_type, payload),
        }
    }

    pub(crate) fn scheme_v1(host: &str) -> Scheme {
        Scheme::RekorV1 { host: KeyName::new(host).unwrap(), tree_id: 7 }
    }

    pub(crate) fn scheme_v2(host: &str) -> Scheme {
        Scheme::RekorV2 { origin: KeyName::new(host).unwrap() }
    }

    pub(crate) fn root(&self) -> Value {
        let window = json!({ "start": Timestamp::from_seconds(T - 150_000).rfc3339() });
        let raw = |certificate: &Certificate| json!({ "rawBytes": STANDARD.encode(certificate.der()) });
        let log = |host: &str, key: &Key, id: Hash| {
            json!({
                "baseUrl": format!("https://{host}"), "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": STANDARD.encode(key.public.spki_der()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": window,
                },
                "logId": { "keyId": STANDARD.encode(id) },
            })
        };
        let skipped = usize::from(!self.spec.tsa_leaf_is_known);
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [
                log(HOST_V1, &self.log_v1, Self::scheme_v1(HOST_V1).log_id(&self.log_v1.public)),
                log(HOST_V2, &self.log_v2, Self::scheme_v2(HOST_V2).log_id(&self.log_v2.public)),
            ],
            "certificateAuthorities": [{
                "subject": { "organization": "acme", "commonName": "ca" }, "uri": "https://ca.example.test",
                "certChain": { "certificates": [raw(&self.intermediate), raw(&self.anchor)] }, "validFor": window,
            }],
            "ctlogs": [log("ct.example.test", &self.ct, self.ct.public.fingerprint())],
            "timestampAuthorities": [{
                "subject": { "organization": "acme", "commonName": "tsa" }, "uri": "https://tsa.example.test",
                "certChain": { "certificates": self.tsa.iter().skip(skipped).map(raw).collect::<Vec<_>>() },
                "validFor": window,
            }],
        })
    }

    /// Rekor v1's body for the signature.
    pub(crate) fn body_v1(&self) -> Vec<u8> {
        let pem = STANDARD.encode(self.leaf.to_pem());
        let (kind, proposal) = match &self.spec.envelope {
            None => (
                EntryKind::HashedRekord,
                json!({ "kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
                    "signature": { "content": STANDARD.encode(&self.signature), "publicKey": { "content": pem } },
                    "data": { "hash": { "algorithm": "sha256", "value": hex::encode(hash::sha256(ARTIFACT)) } },
                }}),
            ),
            Some(_) => (
                EntryKind::Dsse,
                json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": { "proposedContent": {
                    "envelope": self.content()["dsseEnvelope"].to_string(), "verifiers": [pem],
                }}}),
            ),
        };
        let proposal = proposal.to_string();
        kind.admit(&ProposedEntry::parse(proposal.as_bytes()).unwrap()).unwrap().into_bytes()
    }

    /// Rekor v2's body for the signature.
    pub(crate) fn body_v2(&self) -> Vec<u8> {
        let verifier =
            v2::Verifier { key: Some(v2::VerifierKey::Certificate(self.leaf.der().to_vec())), key_details: 5 };
        let signature = v2::Signature { content: self.signature.clone(), verifier: Some(verifier) };
        let digest = HashAlgorithm::Sha256.digest(&self.signed());
        let request = HashedRekordRequest { digest, signature: Some(signature) };
        CreateEntry::HashedRekord(request).admit().unwrap().into_bytes()
    }

    /// A proof that `body` is leaf 2 of 4, under a checkpoint by `key`.
    pub(crate) fn proof(body: &[u8], key: &Key, scheme: &Scheme) -> Value {
        let leaves = [leaf_hash(b"0"), leaf_hash(b"1"), leaf_hash(body), leaf_hash(b"3")];
        let (left, right) = (node_hash(&leaves[0], &leaves[1]), node_hash(&leaves[2], &leaves[3]));
        let head = TreeHead { size: 4, root: node_hash(&left, &right) };
        json!({
            "logIndex": "2", "treeSize": "4", "rootHash": STANDARD.encode(head.root),
            "hashes": [STANDARD.encode(leaves[3]), STANDARD.encode(left)],
            "checkpoint": { "envelope": Self::checkpoint(&head, key, scheme) },
        })
    }

    pub(crate) fn checkpoint(head: &TreeHead, key: &Key, scheme: &Scheme) -> String {
        scheme.note(head, NOW, &key.public, &key.sign(&scheme.signed_bytes(head, NOW)))
    }

    /// An entry of Rekor v1, with promise and proof.
    pub(crate) fn entry_v1(&self, body: &[u8]) -> Value {
        self.entry_v1_at(body, 1002)
    }

    /// The same, at this index over all shards.
    pub(crate) fn entry_v1_at(&self, body: &[u8], log_index: u64) -> Value {
        let outer: Value = serde_json::from_slice(body).unwrap();
        let scheme = Self::scheme_v1(HOST_V1);
        let log_id = scheme.log_id(&self.log_v1.public);
        let integrated_time = self.spec.integrated_time;
        let promise = Promise { body, integrated_time, log_id: &log_id, log_index };
        json!({
            "logIndex": log_index.to_string(), "logId": { "keyId": STANDARD.encode(log_id) },
            "kindVersion": { "kind": outer["kind"], "version": outer["apiVersion"] },
            "integratedTime": integrated_time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": STANDARD.encode(self.log_v1.sign(&promise.signed_bytes())) },
            "inclusionProof": Self::proof(body, &self.log_v1, &scheme),
            "canonicalizedBody": STANDARD.encode(body),
        })
    }

    /// An entry of Rekor v2.
    pub(crate) fn entry_v2(&self, body: &[u8]) -> Value {
        let outer: Value = serde_json::from_slice(body).unwrap();
        let scheme = Self::scheme_v2(HOST_V2);
        json!({
            "logIndex": "2", "logId": { "keyId": STANDARD.encode(scheme.log_id(&self.log_v2.public)) },
            "kindVersion": { "kind": outer["kind"], "version": outer["apiVersion"] },
            "inclusionProof": Self::proof(body, &self.log_v2, &scheme),
            "canonicalizedBody": STANDARD.encode(body),
        })
    }

    pub(crate) fn timestamp(&self) -> Vec<u8> {
        Stamp::of(&self.signature, self.spec.gen_time).response(&self.tsa, &self.tsa_key)
    }

    pub(crate) fn content(&self) -> Value {
        let signature = STANDARD.encode(&self.signature);
        match &self.spec.envelope {
            None => json!({ "messageSignature": {
                "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(hash::sha256(ARTIFACT)) },
                "signature": signature,
            }}),
            Some((payload_type, payload)) => json!({ "dsseEnvelope": {
                "payload": STANDARD.encode(payload), "payloadType": payload_type, "signatures": [{ "sig": signature }],
            }}),
        }
    }

    /// A bundle with these entries and timestamps.
    pub(crate) fn bundle(&self, entries: &[Value], timestamps: &[Vec<u8>]) -> Value {
        let stamps: Vec<Value> =
            timestamps.iter().map(|der| json!({ "signedTimestamp": STANDARD.encode(der) })).collect();
        let mut bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(self.leaf.der()) }, "tlogEntries": entries,
            },
        });
        if !stamps.is_empty() {
            bundle["verificationMaterial"]["timestampVerificationData"] = json!({ "rfc3161Timestamps": stamps });
        }
        for (name, value) in self.content().as_object().unwrap() {
            bundle[name] = value.clone();
        }
        bundle
    }

    pub(crate) fn bundle_v1(&self) -> Value {
        self.bundle(&[self.entry_v1(&self.body_v1())], &[])
    }

    pub(crate) fn bundle_v2(&self) -> Value {
        self.bundle(&[self.entry_v2(&self.body_v2())], &[self.timestamp()])
    }
}
