//! Chains with one flaw each. rcgen makes them, so that the code under test does not make its own input.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its chain has failed")]

mod chains;

use chains::{NOW, authority};
use chancery_verify::certificate::{
    Certificate, Identity, MAX_CHAIN, Request, verify_authority, verify_chain, verify_path,
};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType, date_time_ymd,
};

fn changed(parameters: &CertificateParams, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut changed = parameters.clone();
    change(&mut changed);
    changed
}

fn intermediate() -> CertificateParams {
    changed(&authority("intermediate", 0), |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    })
}

fn leaf() -> CertificateParams {
    let mut parameters = authority("", 0);
    parameters.distinguished_name = DistinguishedName::new();
    parameters.is_ca = IsCa::NoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    parameters.subject_alt_names = vec![SanType::Rfc822Name("a@example.test".try_into().unwrap())];
    parameters
}

/// Leaf, intermediate and root, in the order of a chain.
fn issue(parameters: [&CertificateParams; 3]) -> [Certificate; 3] {
    let [leaf, intermediate, root] = parameters;
    let keys: Vec<KeyPair> = (0..3).map(|_| KeyPair::generate().unwrap()).collect();
    let below = Issuer::from_params(intermediate, &keys[1]);
    let above = Issuer::from_params(root, &keys[2]);
    let made = [
        leaf.signed_by(&keys[0], &below).unwrap(),
        intermediate.signed_by(&keys[1], &above).unwrap(),
        root.self_signed(&keys[2]).unwrap(),
    ];
    made.map(|certificate| Certificate::from_der(certificate.der()).unwrap())
}

fn verdict(parameters: [&CertificateParams; 3]) -> Result<usize, Rejection> {
    let [leaf, intermediate, root] = issue(parameters);
    verify_chain(&leaf, &[intermediate], &[root], NOW).map(|path| path.len())
}

fn custom(parameters: &CertificateParams, oid: &[u64], critical: bool) -> CertificateParams {
    let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
    extension.set_criticality(critical);
    changed(parameters, |parameters| parameters.custom_extensions = vec![extension])
}

#[test]
fn one_flaw_each() {
    let (leaf, intermediate, root) = (leaf(), intermediate(), authority("root", 1));
    assert_eq!(verdict([&leaf, &intermediate, &root]), Ok(3));
    let tls = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let intermediate_with = |change: &dyn Fn(&mut CertificateParams)| changed(&intermediate, change);
    let leaf_with = |change: &dyn Fn(&mut CertificateParams)| changed(&leaf, change);
    let intermediates = [
        (intermediate_with(&|p| p.is_ca = IsCa::NoCa), Rejection::ChainNotCa),
        (intermediate_with(&|p| p.is_ca = IsCa::ExplicitNoCa), Rejection::ChainNotCa),
        (intermediate_with(&|p| p.key_usages = vec![KeyUsagePurpose::CrlSign]), Rejection::ChainNotCa),
        (intermediate_with(&|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]), Rejection::ChainNotCa),
        (intermediate_with(&|p| p.extended_key_usages.clone_from(&tls)), Rejection::ChainUsage),
        (intermediate_with(&|p| p.not_after = date_time_ymd(2026, 11, 21)), Rejection::ChainExpired),
        (intermediate_with(&|p| p.not_before = date_time_ymd(2026, 11, 22)), Rejection::ChainExpired),
        (custom(&intermediate, &[2, 5, 29, 30], true), Rejection::ChainCritical),
        (custom(&intermediate, &[1, 2, 3], true), Rejection::ChainCritical),
    ];
    for (flawed, rejection) in &intermediates {
        assert_eq!(verdict([&leaf, flawed, &root]), Err(*rejection), "{flawed:?}");
    }
    let leaves = [
        (leaf_with(&|p| p.extended_key_usages = vec![]), Rejection::ChainUsage),
        (leaf_with(&|p| p.extended_key_usages.clone_from(&tls)), Rejection::ChainUsage),
        (leaf_with(&|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]), Rejection::ChainUsage),
        (leaf_with(&|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement]), Rejection::ChainUsage),
        (leaf_with(&|p| p.not_after = date_time_ymd(2026, 11, 21)), Rejection::ChainExpired),
        (custom(&leaf, &[1, 2, 3], true), Rejection::ChainCritical),
        (custom(&leaf, &[1, 3, 6, 1, 4, 1, 11_129, 2, 4, 3], true), Rejection::ChainCritical),
    ];
    for (flawed, rejection) in &leaves {
        assert_eq!(verdict([flawed, &intermediate, &root]), Err(*rejection), "{flawed:?}");
    }
    assert_eq!(verdict([&custom(&leaf, &[1, 2, 3], false), &intermediate, &root]), Ok(3));
    assert_eq!(
        verdict([&leaf, &intermediate, &authority("root", 0)]),
        Err(Rejection::ChainNotCa),
        "path length of the root"
    );
}

#[test]
fn a_path_is_ordered_bounded_and_ends_where_it_is_trusted() {
    let chain = issue([&leaf(), &intermediate(), &authority("root", 1)]);
    let [leaf, intermediate, root] = &chain;
    let other = issue([&self::leaf(), &self::intermediate(), &authority("root", 1)]);
    let roots = std::slice::from_ref(root);
    let path =
        |issuers: &[Certificate], roots: &[Certificate]| verify_path(leaf, issuers, roots).map(|path| path.len());
    assert_eq!(path(&chain[1..2], roots), Ok(3));
    assert_eq!(path(&chain[1..], roots), Ok(3), "the root may be sent along");
    assert_eq!(path(&chain[1..], &[]), Err(Rejection::ChainUntrusted));
    assert_eq!(path(&[], roots), Err(Rejection::ChainUntrusted));
    assert_eq!(path(&[root.clone(), intermediate.clone()], roots), Err(Rejection::ChainName));
    assert_eq!(path(&chain[1..2], &other[2..]), Err(Rejection::ChainSignature), "same name, other key");
    assert_eq!(path(&other[1..2], &other[2..]), Err(Rejection::ChainSignature));
    let both = [other[2].clone(), root.clone()];
    assert_eq!(path(&chain[1..2], &both), Ok(3), "of two roots with one name the right one is found");
    assert_eq!(path(&vec![intermediate.clone(); MAX_CHAIN], roots), Err(Rejection::ChainIncomplete));
    // A leaf that signs another leaf: the oldest attack.
    assert_eq!(verify_path(leaf, std::slice::from_ref(leaf), roots), Err(Rejection::ChainName));
}

#[test]
fn an_authority_must_be_able_to_issue() {
    let [_, below, root] = issue([&leaf(), &intermediate(), &authority("root", 1)]);
    assert_eq!(verify_authority(&[below.clone(), root.clone()], NOW), Ok(()));
    assert_eq!(verify_authority(std::slice::from_ref(&root), NOW), Ok(()), "a root may issue leaves itself");
    assert_eq!(verify_authority(&[], NOW), Err(Rejection::ChainIncomplete));
    assert_eq!(verify_authority(std::slice::from_ref(&below), NOW), Err(Rejection::ChainName));
    assert_eq!(verify_authority(&[root.clone(), below], NOW), Err(Rejection::ChainName));
    assert_eq!(verify_authority(std::slice::from_ref(&root), Timestamp::from_seconds(0)), Err(Rejection::ChainExpired));
    let silent = changed(&intermediate(), |parameters| parameters.extended_key_usages = vec![]);
    let [_, below, root] = issue([&leaf(), &silent, &authority("root", 1)]);
    assert_eq!(verify_authority(&[below, root], NOW), Err(Rejection::ChainUsage), "Fulcio asks for codeSigning here");
}

#[test]
fn names_that_are_not_one_identity_are_refused() {
    let names = |names: Vec<SanType>| {
        let parameters = changed(&leaf(), |parameters| parameters.subject_alt_names = names);
        let [leaf, ..] = issue([&parameters, &intermediate(), &authority("root", 1)]);
        leaf.identity()
    };
    let email = || SanType::Rfc822Name("a@example.test".try_into().unwrap());
    let uri = || SanType::URI("https://a.test/x".try_into().unwrap());
    assert_eq!(names(vec![email()]), Ok(Identity::Email("a@example.test".to_owned())));
    assert_eq!(names(vec![uri()]), Ok(Identity::Uri("https://a.test/x".to_owned())));
    let refused = Err(Rejection::Profile { field: "subjectAltName" });
    assert_eq!(names(vec![]), refused);
    assert_eq!(names(vec![email(), uri()]), refused);
    assert_eq!(names(vec![email(), email()]), refused);
    assert_eq!(names(vec![SanType::DnsName("a.test".try_into().unwrap())]), refused);
}

#[test]
fn bytes_that_are_no_certificate_are_refused() {
    let [leaf, ..] = issue([&leaf(), &intermediate(), &authority("root", 1)]);
    let der = leaf.der();
    for length in 0..der.len() {
        assert!(Certificate::from_der(&der[..length]).is_err(), "{length}");
    }
    assert!(Certificate::from_der(&[der, &[0]].concat()).is_err());
    assert!(Certificate::from_der(&vec![0x30; 1 << 20]).is_err());
    let extension = || CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
    let twice = changed(&self::leaf(), |parameters| parameters.custom_extensions = vec![extension(), extension()]);
    let made = twice.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let twice = Rejection::CertificateForm { fault: "it has an extension twice" };
    assert_eq!(Certificate::from_der(made.der()).unwrap_err(), twice);
}

#[test]
fn signing_requests_prove_their_key() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let der = leaf().serialize_request(&key).unwrap().der().to_vec();
    let request = Request::from_der(&der).unwrap();
    assert_eq!(request.verify(), Ok(()));
    assert_eq!(request.public_key(), &PublicKey::from_pem(key.public_key_pem().as_bytes()).unwrap());
    for at in (0..der.len()).step_by(5) {
        let mut changed = der.clone();
        changed[at] ^= 1;
        let verdict = Request::from_der(&changed).and_then(|request| request.verify());
        assert!(verdict.is_err(), "byte {at}");
    }
}
