//! Precertificates that the CA has signed itself, or a precertificate signing certificate for it (RFC 6962 §3.1): the log entry
//! is the one that a client derives from the certificate.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use chancery_verify::certificate::{Certificate, FinalIssuer};
use chancery_verify::sct::{self, ExtraData, LogEntry, MerkleTreeLeaf, SignedCertificateTimestamp};
use chancery_verify::terms::{Entry, Term, TermKind};
use chancery_verify::{Rejection, Timestamp, hash};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

const POISON: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 3];
const SIGNING: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 4];
const SCT_LIST: [u64; 10] = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 2];
const AUTHORITY_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 35];

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = named(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn signing(name: &str) -> CertificateParams {
    let mut parameters = authority(name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(SIGNING.to_vec())];
    parameters
}

/// What is to be certified, before it has an SCT or poison.
fn leaf() -> CertificateParams {
    let mut parameters = named("leaf");
    parameters.serial_number = Some(vec![7].into());
    parameters.subject_alt_names = vec![SanType::Rfc822Name("alice@example.test".try_into().unwrap())];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters
}

/// With an extension before the poison or SCT list, and one behind it.
fn with_extension(mut parameters: CertificateParams, oid: &[u64], contents: Vec<u8>) -> CertificateParams {
    let mut extension = CustomExtension::from_oid_content(oid, contents);
    extension.set_criticality(oid == POISON);
    let other = |arc: u64| CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 9, arc], vec![5, 0]);
    parameters.custom_extensions = [vec![other(1), extension, other(2)], parameters.custom_extensions].concat();
    parameters
}

fn sct_list() -> Vec<u8> {
    let sct = SignedCertificateTimestamp {
        log_id: [7; 32],
        timestamp: Timestamp::from_seconds(1_795_000_000),
        extensions: Vec::new(),
        signature: vec![1, 2, 3],
    };
    sct::list_to_extension(&[sct]).unwrap()
}

fn parsed(certificate: &rcgen::Certificate) -> Certificate {
    Certificate::from_der(certificate.der()).unwrap()
}

/// A CA, and its precertificate signing certificate.
struct World {
    ca: Certificate,
    signer: Certificate,
    ca_issuer: Issuer<'static, KeyPair>,
    signer_issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl World {
    fn new(signer: CertificateParams) -> Self {
        let [ca_key, signer_key, key] = [(); 3].map(|()| KeyPair::generate().unwrap());
        let ca = parsed(&authority("ca").self_signed(&ca_key).unwrap());
        let ca_issuer = Issuer::new(authority("ca"), ca_key);
        let signed = parsed(&signer.signed_by(&signer_key, &ca_issuer).unwrap());
        Self { ca, signer: signed, ca_issuer, signer_issuer: Issuer::new(signer, signer_key), key }
    }

    /// The entry that a log makes of `precertificate`, and the one that a client derives from `certificate`.
    fn entries(&self, precertificate: CertificateParams, certificate: CertificateParams) -> [LogEntry; 2] {
        let precertificate = with_extension(precertificate, &POISON, vec![5, 0]);
        let precertificate = precertificate.signed_by(&self.key, &self.signer_issuer).unwrap();
        let issuer = FinalIssuer::among(&[self.signer.clone(), self.ca.clone()]).unwrap();
        let certificate = with_extension(certificate, &SCT_LIST, sct_list());
        let certificate = parsed(&certificate.signed_by(&self.key, &self.ca_issuer).unwrap());
        [
            issuer.unverified_entry(precertificate.der()).unwrap(),
            certificate.precert_entry(self.ca.public_key()).unwrap(),
        ]
    }
}

fn without_identifier(mut parameters: CertificateParams) -> CertificateParams {
    parameters.use_authority_key_identifier_extension = false;
    parameters
}

#[test]
fn the_entry_is_the_one_of_the_certificate() {
    let world = World::new(signing("signer"));
    let [logged, derived] = world.entries(leaf(), leaf());
    assert_eq!(logged, derived);

    // The CA itself: another name and key identifier, and the same entry.
    let precertificate = with_extension(leaf(), &POISON, vec![5, 0]).signed_by(&world.key, &world.ca_issuer).unwrap();
    let by_ca = FinalIssuer::among(std::slice::from_ref(&world.ca)).unwrap();
    assert_eq!(by_ca.unverified_entry(precertificate.der()), Ok(derived));
    let parsed = parsed(&precertificate);
    assert_eq!(by_ca.unverified_entry(parsed.der()), parsed.precert_entry(world.ca.public_key()));
}

/// As `BuildPrecertTBS` does, beyond what RFC 6962 provides for.
#[test]
fn the_authority_key_identifier_is_the_signing_certificates_or_none() {
    let world = World::new(without_identifier(signing("signer")));
    for precertificate in [leaf(), without_identifier(leaf())] {
        let [logged, derived] = world.entries(precertificate, without_identifier(leaf()));
        assert_eq!(logged, derived);
    }

    let world = World::new(signing("signer"));
    let identifier = world.signer.authority_key_identifier().unwrap().unwrap();
    let length = u8::try_from(identifier.len()).unwrap();
    let contents = [&[0x30, length + 2, 0x80, length], &identifier[..]].concat();
    let mut certificate = without_identifier(leaf());
    certificate.custom_extensions = vec![CustomExtension::from_oid_content(&AUTHORITY_KEY_IDENTIFIER, contents)];
    let [logged, derived] = world.entries(without_identifier(leaf()), certificate);
    assert_eq!(logged, derived, "the last extension");
}

#[test]
fn only_a_ca_directly_below_its_ca_signs_precertificates() {
    let world = World::new(signing("signer"));
    assert_eq!(FinalIssuer::among(&[]), Err(Rejection::ChainIncomplete));
    assert_eq!(FinalIssuer::among(std::slice::from_ref(&world.signer)), Err(Rejection::ChainIncomplete));

    let key = KeyPair::generate().unwrap();
    let below = parsed(&signing("below").signed_by(&key, &world.signer_issuer).unwrap());
    let chain = [below, world.signer.clone(), world.ca.clone()];
    assert_eq!(FinalIssuer::among(&chain), Err(Rejection::ChainNotCa));

    let mut no_ca = signing("no ca");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let mut signs_nothing = signing("signs nothing");
    signs_nothing.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    for signer in [no_ca, signs_nothing] {
        let World { signer, ca, .. } = World::new(signer);
        assert_eq!(FinalIssuer::among(&[signer, ca]), Err(Rejection::ChainNotCa));
    }
}

#[test]
fn without_poison_there_is_no_entry() {
    let world = World::new(signing("signer"));
    let issuer = FinalIssuer::among(&[world.signer.clone(), world.ca.clone()]).unwrap();
    let certificate = leaf().signed_by(&world.key, &world.signer_issuer).unwrap();
    assert_eq!(issuer.unverified_entry(certificate.der()), Err(Rejection::SctPoison));
    for garbage in [&b""[..], b"\x30\x00", b"garbage"] {
        assert_eq!(issuer.unverified_entry(garbage), Err(Rejection::CertificateMalformed));
    }
}

/// An index finds the entry by the fingerprint of the precertificate that was submitted.
#[test]
fn the_precertificate_is_recognised_with_the_certificate_that_signed_it() {
    let world = World::new(signing("signer"));
    let precertificate =
        with_extension(leaf(), &POISON, vec![5, 0]).signed_by(&world.key, &world.signer_issuer).unwrap();
    let precertificate = precertificate.der().to_vec();
    let issuer = FinalIssuer::among(&[world.signer.clone(), world.ca.clone()]).unwrap();
    let entry = issuer.unverified_entry(&precertificate).unwrap();
    let timestamp = Timestamp::from_seconds(1_795_000_000);
    let logged = MerkleTreeLeaf { timestamp, entry, extensions: Vec::new() }.to_bytes().unwrap();
    let fingerprint = Term::of_bytes(TermKind::CertificateFingerprint, &hash::sha256(&precertificate));
    let is_found = |chain: &[&[u8]]| {
        let chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
        let extra = ExtraData::Precert { precertificate: precertificate.clone(), chain }.to_bytes().unwrap();
        Entry::of_certificate_log(&logged, &extra).unwrap().terms().contains(&fingerprint)
    };
    assert!(is_found(&[world.signer.der(), world.ca.der()]));
    for chain in [vec![], vec![&b"no DER"[..]], vec![precertificate.as_slice()]] {
        assert!(!is_found(&chain));
    }
}
