//! The certificate log before Google's certificate transparency: its client, and what its server CTFE is tested with: the live
//! integration test and the hammer.
//! They alone, by name: `tests/run -p chancery-tests --test certificate_transparency`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{Stack, files, person::client, program::Program};
use chancery_verify::{
    PublicKey, Timestamp,
    certificate::Certificate,
    hash::sha256,
    merkle,
    sct::{self, ExtraData, MerkleTreeLeaf, SignedCertificateTimestamp},
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

const LOG: &str = "/ct/dev/ct/v1";
const POISON: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 3];
const SCT_LIST: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 2];
const PRECERTIFICATE_SIGNING: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 4];

fn google(directory: &Path) -> Program {
    Program::new(client("bin/certificate-transparency"), directory)
}

fn decode(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("base64")).unwrap()
}

/// A CA of somebody else, with a precertificate signing certificate.
struct Authority {
    ca: rcgen::Certificate,
    signer: rcgen::Certificate,
    ca_issuer: Issuer<'static, KeyPair>,
    signer_issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let [ca_key, signer_key] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let authority = |name: &str| {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            parameters.use_authority_key_identifier_extension = true;
            parameters
        };
        let ca = authority("ca");
        let mut signer = authority("precertificates of ca");
        signer.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(PRECERTIFICATE_SIGNING.to_vec())];
        let certificate = ca.self_signed(&ca_key).unwrap();
        let ca_issuer = Issuer::new(ca, ca_key);
        let signing_certificate = signer.signed_by(&signer_key, &ca_issuer).unwrap();
        let signer_issuer = Issuer::new(signer, signer_key);
        Self { ca: certificate, signer: signing_certificate, ca_issuer, signer_issuer }
    }

    /// A certificate for `key` with this extension, which is the only difference to the precertificate, but for the issuer.
    fn certificate(key: &KeyPair, extension: CustomExtension, issuer: &Issuer<'_, KeyPair>) -> rcgen::Certificate {
        let mut leaf = CertificateParams::default();
        leaf.serial_number = Some(vec![7].into());
        leaf.subject_alt_names = vec![SanType::Rfc822Name("alice@example.test".try_into().unwrap())];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        leaf.use_authority_key_identifier_extension = true;
        leaf.custom_extensions = vec![extension];
        leaf.signed_by(key, issuer).unwrap()
    }
}

/// Logs a precertificate with its chain; returns the timestamp.
fn submit(stack: &Stack, chain: &[&rcgen::Certificate]) -> SignedCertificateTimestamp {
    let chain: Vec<String> = chain.iter().map(|certificate| STANDARD.encode(certificate.der())).collect();
    let answer = stack.post(&format!("{LOG}/add-pre-chain"), &json!({ "chain": chain })).expect(200).json();
    SignedCertificateTimestamp {
        log_id: decode(&answer["id"]).try_into().unwrap(),
        timestamp: Timestamp::from_millis(answer["timestamp"].as_u64().unwrap()),
        extensions: decode(&answer["extensions"]),
        signature: sct::decode_digitally_signed(&decode(&answer["signature"])).unwrap(),
    }
}

#[test]
fn a_precertificate_signing_certificate_signs_for_its_ca() {
    let (authority, key) = (Authority::new(), KeyPair::generate().unwrap());
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("ca.pem");
    fs::write(&root, authority.ca.pem()).unwrap();
    let stack = Stack::start_with(&["--ct-log-accepts", root.to_str().unwrap()]);

    let mut poison = CustomExtension::from_oid_content(&POISON, vec![5, 0]);
    poison.set_criticality(true);
    let precertificate = Authority::certificate(&key, poison, &authority.signer_issuer);
    let sct = submit(&stack, &[&precertificate, &authority.signer, &authority.ca]);
    let list = sct::list_to_extension(std::slice::from_ref(&sct)).unwrap();
    let list = CustomExtension::from_oid_content(&SCT_LIST, list);
    let certificate = Authority::certificate(&key, list, &authority.ca_issuer);

    // What a client makes of the certificate alone, ours and Google's.
    let [leaf, signer, ca] = [&certificate, &authority.signer, &authority.ca]
        .map(|certificate| Certificate::from_der(certificate.der()).unwrap());
    let entry = leaf.precert_entry(ca.public_key()).unwrap();
    let log_key = PublicKey::from_pem(&fs::read(stack.trust("ctfe.pub")).unwrap()).unwrap();
    assert_eq!(leaf.scts().unwrap(), std::slice::from_ref(&sct));
    sct.verify(&entry, &log_key).unwrap();
    let leaf = MerkleTreeLeaf { timestamp: sct.timestamp, entry, extensions: sct.extensions };
    let hash = STANDARD.encode(merkle::leaf_hash(&leaf.to_bytes().unwrap()));
    fs::write(home.path().join("chain.pem"), certificate.pem() + &authority.ca.pem()).unwrap();
    let verified = google(home.path()).arg("verify").arg(stack.trust("ctfe.pub")).arg("chain.pem").run().succeeds();
    assert_eq!(verified.trim(), hash);

    // The log has it so everywhere: by hash, by index, and as files.
    let query: String = url::form_urlencoded::byte_serialize(hash.as_bytes()).collect();
    let proof = stack.get(&format!("{LOG}/get-proof-by-hash?hash={query}&tree_size=1")).expect(200).json();
    assert_eq!(proof["leaf_index"], 0);
    let logged = stack.get(&format!("{LOG}/get-entries?start=0&end=0")).expect(200).json();
    assert_eq!(decode(&logged["entries"][0]["leaf_input"]), leaf.to_bytes().unwrap());
    let extra = ExtraData::from_bytes(&decode(&logged["entries"][0]["extra_data"]), &leaf.entry).unwrap();
    let chain = vec![signer.der().to_vec(), ca.der().to_vec()];
    assert_eq!(extra, ExtraData::Precert { precertificate: precertificate.der().to_vec(), chain });
    let tile = sct::tile_leaves(&stack.get("/ct/dev/tile/data/000.p/1").expect(200).body).unwrap();
    assert_eq!((&tile[0].leaf, tile[0].submitted_hash()), (&leaf, sha256(precertificate.der())));
    assert_eq!(tile[0].chain, [sha256(signer.der()), sha256(ca.der())]);
    let file = |path: &str| Some(stack.get(&format!("/ct/dev/{path}"))).filter(|it| it.status == 200).map(|it| it.body);
    assert_eq!(files::read_ct(&fs::read(stack.trust("ctfe.pub")).unwrap(), file), Ok(1));
    let trust = stack.data().join("trust");
    stack.chancery().args("log check --url").arg(stack.url()).arg("--trust").arg(trust).run().succeeds();
}

#[test]
fn only_a_ca_issues_and_a_signing_certificate_needs_its_ca() {
    let (authority, key) = (Authority::new(), KeyPair::generate().unwrap());
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("ca.pem");
    fs::write(&root, authority.ca.pem()).unwrap();
    let stack = Stack::start_with(&["--ct-log-accepts", root.to_str().unwrap()]);
    let poison = || {
        let mut poison = CustomExtension::from_oid_content(&POISON, vec![5, 0]);
        poison.set_criticality(true);
        poison
    };
    // A certificate of the CA's, which is no CA, issues another one.
    let harmless = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 9], vec![5, 0]);
    let leaf = Authority::certificate(&key, harmless, &authority.ca_issuer);
    let below = Issuer::new(CertificateParams::default(), key);
    let forged = Authority::certificate(&KeyPair::generate().unwrap(), poison(), &below);
    let encode = |certificates: &[&rcgen::Certificate]| -> Vec<String> {
        certificates.iter().map(|certificate| STANDARD.encode(certificate.der())).collect()
    };
    let chain = json!({ "chain": encode(&[&forged, &leaf, &authority.ca]) });
    let refused = stack.post(&format!("{LOG}/add-pre-chain"), &chain).expect(400).text();
    assert!(refused.contains("an issuer in the chain is not allowed to issue"), "{refused}");
    let head = stack.get(&format!("{LOG}/get-sth")).expect(200).json();
    assert_eq!(head["tree_size"], 0);
}

/// With precertificates of both kinds, corrupt ones, and proofs of every entry.
#[test]
fn it_passes_the_live_integration_test_of_ctfe() {
    let (data, home) = (client("ctfe-testdata"), tempfile::tempdir().unwrap());
    let root = data.join("fake-ca.cert");
    let stack = Stack::start_with(&["--ct-log-accepts", root.to_str().unwrap()]);
    let test = google(home.path()).arg("integration").arg(stack.at("/ct/dev")).arg(stack.trust("ctfe.pub")).arg(&data);
    let said = test.run().succeeds();
    assert!(said.contains("Uploaded pre-issued precert"), "{said}");
}

/// Requests of every kind at random, one in ten of them malformed, with the proofs of what was added.
#[test]
fn it_withstands_the_hammer_of_ctfe() {
    let (data, home) = (client("ctfe-testdata"), tempfile::tempdir().unwrap());
    let root = data.join("fake-ca.cert");
    let stack = Stack::start_with(&["--ct-log-accepts", root.to_str().unwrap()]);
    let test = google(home.path()).arg("hammer").arg(stack.at("/ct/dev")).arg(stack.trust("ctfe.pub")).arg(&data);
    let said = test.arg("600").run();
    assert!(said.written().contains("completed 600 operations on log"), "{}", said.report());
    said.succeeds();
    let head = stack.get(&format!("{LOG}/get-sth")).expect(200).json();
    assert!(head["tree_size"].as_u64().unwrap() > 100, "{head}");
}
