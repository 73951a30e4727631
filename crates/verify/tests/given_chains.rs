//! Chains of somebody else's authority with one flaw each, and the sentence for it. rcgen makes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its chain has failed")]

mod chains;

use chains::{NOW, authority};
use chancery_verify::certificate::Certificate;
use chancery_verify::given::{ChainFault, Flaw, Purpose, verify_given, verify_given_for_any_key};
use chancery_verify::{Rejection, Timestamp, pem};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ED25519, date_time_ymd,
};

/// The chain that should be accepted for a purpose: the key's own certificate, a company's intermediate, its root.
fn parameters(purpose: Purpose) -> [CertificateParams; 3] {
    let mut own = below("Own", 0);
    if purpose == Purpose::CodeSigning {
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    } else {
        own.is_ca = IsCa::ExplicitNoCa;
        own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        own.custom_extensions = vec![time_stamping(true)];
    }
    [own, below("Company Issuing", 1), authority("Company Root", 2)]
}

/// An authority that is not a root.
fn below(name: &str, path_length: u8) -> CertificateParams {
    let mut below = authority(name, path_length);
    below.use_authority_key_identifier_extension = true;
    below
}

fn extension(identifier: &[u64], value: &[u8], is_critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(identifier, value.to_vec());
    extension.set_criticality(is_critical);
    extension
}

/// Basic constraints of a CA, written by hand: rcgen writes no others without a key identifier, or not critical.
fn constraints(is_critical: bool) -> CustomExtension {
    extension(&[2, 5, 29, 19], &[0x30, 3, 1, 1, 0xff], is_critical)
}

/// timeStamping alone.
fn time_stamping(critical: bool) -> CustomExtension {
    extension(&[2, 5, 29, 37], &[0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08], critical)
}

fn issue([own, intermediate, root]: &[CertificateParams; 3], root_key: KeyPair) -> [Certificate; 3] {
    let keys = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), root_key];
    let made = [
        own.signed_by(&keys[0], &Issuer::from_params(intermediate, &keys[1])).unwrap(),
        intermediate.signed_by(&keys[1], &Issuer::from_params(root, &keys[2])).unwrap(),
        root.self_signed(&keys[2]).unwrap(),
    ];
    made.map(|certificate| Certificate::from_der(certificate.der()).unwrap())
}

fn text(chain: &[Certificate]) -> String {
    chain.iter().map(Certificate::to_pem).collect()
}

fn verdict(purpose: Purpose, chain: &[Certificate; 3], text: &str) -> Result<Vec<Certificate>, ChainFault> {
    verify_given(purpose, text.as_bytes(), chain[0].public_key(), NOW)
}

/// The flaw of the chain for `purpose` with a change, and the name of the certificate that has it.
fn flaw(purpose: Purpose, change: impl FnOnce(&mut [CertificateParams; 3])) -> (String, Flaw) {
    let mut parameters = parameters(purpose);
    change(&mut parameters);
    let chain = issue(&parameters, KeyPair::generate().unwrap());
    match verdict(purpose, &chain, &text(&chain)) {
        Err(ChainFault::Certificate(name, flaw)) => (name, flaw),
        other => (String::new(), Flaw::NameConstraints(format!("{other:?}"))),
    }
}

#[test]
fn a_chain_is_put_in_order_and_what_does_not_belong_to_it_is_left_out() {
    for purpose in [Purpose::CodeSigning, Purpose::Timestamping] {
        let chain = issue(&parameters(purpose), KeyPair::generate().unwrap());
        let other = issue(&parameters(purpose), KeyPair::generate().unwrap());
        let [own, intermediate, root] = &chain;
        let orders = [
            text(&chain),
            text(&[root.clone(), intermediate.clone(), own.clone()]),
            format!("Subject: CN=Own\r\n{}", text(&chain).replace('\n', "\r\n")),
            // The same names, other keys.
            text(&other[1..]) + &text(&chain),
        ];
        for order in orders {
            assert_eq!(verdict(purpose, &chain, &order).as_deref(), Ok(&chain[..]), "{order}");
        }
    }
}

#[test]
fn what_is_missing_or_of_another_key_is_named() {
    let purpose = Purpose::CodeSigning;
    let chain = issue(&parameters(purpose), KeyPair::generate().unwrap());
    let other = issue(&parameters(purpose), KeyPair::generate().unwrap());
    let [own, intermediate, root] = &chain;
    let said = |text: &str| verdict(purpose, &chain, text).unwrap_err().to_string();
    for (text, sentence) in [
        (text(&other), "no certificate in it is for the key (the first one is for the key of «CN=Own»)"),
        (text(&chain[..2]), "the certificate of «CN=Company Root», which has issued «CN=Company Issuing», is missing"),
        (text(&chain[..1]), "the certificate of «CN=Company Issuing», which has issued «CN=Own», is missing"),
        (
            text(&[own.clone(), other[1].clone(), root.clone()]),
            "the signature of «CN=Own» was not made with the key of «CN=Company Issuing»",
        ),
        (
            text(&[own.clone(), intermediate.clone(), other[2].clone()]),
            "the signature of «CN=Company Issuing» was not made with the key of «CN=Company Root»",
        ),
        (text(&chain) + &pem::encode("PRIVATE KEY", b"x"), "it contains a block \"PRIVATE KEY\""),
        (pem::encode("PKCS7", b"x"), "openssl pkcs7 -print_certs"),
        (String::new(), "openssl x509 -inform DER"),
        (text(&chain).repeat(4), "more than 10 certificates"),
        (pem::encode(pem::CERTIFICATE, b"x"), "certificate 1 of the file cannot be used"),
    ] {
        assert!(said(&text).contains(sentence), "{sentence}: {}", said(&text));
    }
    let root_alone = verify_given(purpose, root.to_pem().as_bytes(), root.public_key(), NOW);
    assert_eq!(root_alone, Err(ChainFault::Alone));
}

#[test]
fn before_the_key_is_opened_the_rest_is_checked() {
    for purpose in [Purpose::CodeSigning, Purpose::Timestamping] {
        let chain = issue(&parameters(purpose), KeyPair::generate().unwrap());
        let other = issue(&parameters(purpose), KeyPair::generate().unwrap());
        let [own, intermediate, root] = &chain;
        let check = |text: &str| verify_given_for_any_key(purpose, text.as_bytes(), NOW);
        let turned = [root.clone(), intermediate.clone(), own.clone()];
        for good in [text(&chain), text(&turned), text(&other[1..]) + &text(&chain)] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
        for (bad, sentence) in [
            (text(&turned[1..]), "which has issued «CN=Company Issuing», is missing"),
            (root.to_pem(), "is a root itself"),
            (String::new(), "openssl x509 -inform DER"),
        ] {
            let said = check(&bad).unwrap_err().to_string();
            assert!(said.contains(sentence), "{sentence}: {said}");
        }
    }
}

#[test]
fn each_flaw_of_an_issuing_chain_has_its_sentence() {
    let of = |change: fn(&mut [CertificateParams; 3])| flaw(Purpose::CodeSigning, change);
    let own = |flaw| ("CN=Own".to_owned(), flaw);
    let above = |flaw| ("CN=Company Issuing".to_owned(), flaw);
    let day = |seconds| Timestamp::from_seconds(seconds);
    assert_eq!(of(|chain| chain[1].not_after = date_time_ymd(2026, 11, 21)), above(Flaw::Expired(day(1_795_219_200))));
    assert_eq!(of(|chain| chain[0].not_before = date_time_ymd(2026, 11, 22)), own(Flaw::NotYet(day(1_795_305_600))));
    let early = Flaw::StartsBefore { issuer: "CN=Company Root".to_owned(), start: day(1_767_225_601) };
    let second_later = |chain: &mut [CertificateParams; 3]| chain[2].not_before += std::time::Duration::from_secs(1);
    assert_eq!(of(second_later), own(early));
    let length = |limit| Flaw::PathLength { limit, needed: 1 };
    assert_eq!(
        of(|chain| chain[1].is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        above(length(0)),
        "one is needed for ours"
    );
    let root = of(|chain| chain[2].is_ca = IsCa::Ca(BasicConstraints::Constrained(1)));
    assert_eq!(root, ("CN=Company Root".to_owned(), Flaw::PathLength { limit: 1, needed: 2 }));
    assert_eq!(of(|chain| chain[0].is_ca = IsCa::ExplicitNoCa), own(Flaw::NotCa));
    assert_eq!(of(|chain| chain[0].key_usages = vec![KeyUsagePurpose::DigitalSignature]), own(Flaw::KeyUsage));
    let (name, usage) = of(|chain| chain[0].extended_key_usages.clear());
    assert!(name == "CN=Own" && usage.to_string().contains("codeSigning (1.3.6.1.5.5.7.3.3)"), "{name} {usage}");
    let (name, usage) = of(|chain| chain[1].extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert!(name == "CN=Company Issuing" && usage.to_string().contains("codeSigning"), "{name} {usage}");
    let (name, constraints) = of(|chain| {
        chain[1].name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::Rfc822Name("example.org".to_owned())],
            excluded_subtrees: vec![GeneralSubtree::DnsName("example.com".to_owned())],
        });
    });
    assert_eq!(name, "CN=Company Issuing");
    assert!(constraints.to_string().contains("permitted email example.org, excluded DNS example.com"), "{constraints}");
    let (name, critical) = of(|chain| {
        chain[1].custom_extensions = vec![extension(&[2, 5, 29, 36], &[0x30, 0], true)];
    });
    assert!(name == "CN=Company Issuing" && critical.to_string().contains("2.5.29.36"), "{name} {critical}");
    let ed25519 = issue(&parameters(Purpose::CodeSigning), KeyPair::generate_for(&PKCS_ED25519).unwrap());
    assert_eq!(
        verdict(Purpose::CodeSigning, &ed25519, &text(&ed25519)),
        Err(ChainFault::Certificate("CN=Company Root".to_owned(), Flaw::Kind("Ed25519")))
    );
}

/// Go compares the names, and sees none here; what such a CA issues verifies nowhere.
#[test]
fn a_ca_without_a_name_is_refused() {
    for purpose in [Purpose::CodeSigning, Purpose::Timestamping] {
        let (_, flaw) = flaw(purpose, |chain| chain[0].distinguished_name = DistinguishedName::new());
        assert_eq!(flaw, Flaw::NoSubject, "{purpose:?}");
    }
}

/// sigstore-python 4.5 refuses such an issuing certificate, or `openssl verify -x509_strict`, as which earlier versions verify,
/// refuses the chain.
#[test]
fn what_sigstore_python_refuses_is_refused() {
    let of = |change: &dyn Fn(&mut [CertificateParams; 3])| flaw(Purpose::CodeSigning, change);
    let own = |flaw| ("CN=Own".to_owned(), flaw);
    let above = |flaw| ("CN=Company Issuing".to_owned(), flaw);
    let root = |flaw| ("CN=Company Root".to_owned(), flaw);
    let loose = |chain: &mut [CertificateParams; 3], at: usize, is_critical: bool| {
        chain[at].is_ca = IsCa::NoCa;
        chain[at].custom_extensions = vec![constraints(is_critical)];
    };
    assert_eq!(of(&|chain| loose(chain, 2, false)), root(Flaw::ConstraintsNotCritical));
    assert_eq!(of(&|chain| loose(chain, 1, false)), above(Flaw::ConstraintsNotCritical));
    assert_eq!(of(&|chain| loose(chain, 2, true)), root(Flaw::KeyIdentifier));
    assert_eq!(of(&|chain| chain[2].key_usages.clear()), root(Flaw::KeyUsage));
    assert_eq!(of(&|chain| chain[1].key_usages.clear()), above(Flaw::KeyUsage));
    let unnamed = of(&|chain| chain[1].use_authority_key_identifier_extension = false);
    assert_eq!(unnamed, above(Flaw::IssuerIdentifier));
    let critical = of(&|chain| {
        chain[0].extended_key_usages.clear();
        let value = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
        chain[0].custom_extensions = vec![extension(&[2, 5, 29, 37], &value, true)];
    });
    assert_eq!(critical, own(Flaw::UsageCritical));
    for purpose in [Purpose::CodeSigning, Purpose::Timestamping] {
        let other = flaw(purpose, |chain| {
            chain[1].use_authority_key_identifier_extension = false;
            chain[1].custom_extensions = vec![extension(&[2, 5, 29, 35], &[0x30, 3, 0x80, 1, 7], false)];
        });
        assert_eq!(other, above(Flaw::OtherIdentifier), "{purpose:?}");
    }
    // Clients read the chains of timestamp authorities leniently.
    let mut lenient = parameters(Purpose::Timestamping);
    loose(&mut lenient, 1, false);
    for certificate in &mut lenient {
        certificate.use_authority_key_identifier_extension = false;
    }
    lenient[1].key_usages.clear();
    let lenient = issue(&lenient, KeyPair::generate().unwrap());
    assert_eq!(verdict(Purpose::Timestamping, &lenient, &text(&lenient)).as_deref(), Ok(&lenient[..]));
}

#[test]
fn of_several_certificates_for_one_key_the_one_that_serves_is_taken() {
    let parameters = parameters(Purpose::CodeSigning);
    let [own, intermediate, root] = &parameters;
    let keys = [(); 4].map(|()| KeyPair::generate().unwrap());
    let certificate = |made: &rcgen::Certificate| Certificate::from_der(made.der()).unwrap();
    let issued = |own: &CertificateParams| {
        certificate(&own.signed_by(&keys[0], &Issuer::from_params(intermediate, &keys[1])).unwrap())
    };
    let above = certificate(&intermediate.signed_by(&keys[1], &Issuer::from_params(root, &keys[2])).unwrap());
    let rooted = |root: &CertificateParams| certificate(&root.self_signed(&keys[2]).unwrap());
    let chain = [issued(own), above, rooted(root)];
    // What came before a renewal with the same key, and the root as another company has certified it.
    let expired = |of: &CertificateParams| {
        let mut earlier = of.clone();
        earlier.not_after = date_time_ymd(2026, 2, 1);
        earlier
    };
    let (before, old_root) = (issued(&expired(own)), rooted(&expired(root)));
    let elsewhere = authority("Other Root", 3);
    let crossed = below("Company Root", 2).signed_by(&keys[2], &Issuer::from_params(&elsewhere, &keys[3])).unwrap();
    let crossed = certificate(&crossed);
    let all = text(&[before, crossed, old_root.clone()]) + &text(&chain);
    assert_eq!(verdict(Purpose::CodeSigning, &chain, &all).as_deref(), Ok(&chain[..]));
    let expired = verdict(Purpose::CodeSigning, &chain, &text(&[chain[0].clone(), chain[1].clone(), old_root]));
    assert!(matches!(expired, Err(ChainFault::Certificate(_, Flaw::Expired(_)))), "{expired:?}");
}

#[test]
fn each_flaw_of_a_time_stamping_chain_has_its_sentence() {
    let of = |change: fn(&mut [CertificateParams; 3])| flaw(Purpose::Timestamping, change);
    let own = |flaw| ("CN=Own".to_owned(), flaw);
    assert_eq!(of(|chain| chain[0].custom_extensions = vec![time_stamping(false)]), own(Flaw::TimestampingAlone));
    assert_eq!(of(|chain| chain[0].custom_extensions.clear()), own(Flaw::TimestampingAlone));
    assert_eq!(of(|chain| chain[0].is_ca = IsCa::Ca(BasicConstraints::Constrained(0))), own(Flaw::IsCa));
    assert_eq!(of(|chain| chain[0].key_usages = vec![KeyUsagePurpose::KeyAgreement]), own(Flaw::KeyUsage));
    let more = of(|chain| chain[0].key_usages.push(KeyUsagePurpose::KeyEncipherment));
    assert_eq!(more, own(Flaw::KeyUsage), "OpenSSL refuses its timestamps");
    // The leaf is no CA, so that the root needs room for one only.
    let chain = |root_length: u8| {
        let mut parameters = parameters(Purpose::Timestamping);
        parameters[1].is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters[2].is_ca = IsCa::Ca(BasicConstraints::Constrained(root_length));
        issue(&parameters, KeyPair::generate().unwrap())
    };
    let good = chain(1);
    assert_eq!(verdict(Purpose::Timestamping, &good, &text(&good)).as_deref(), Ok(&good[..]));
    let short = chain(0);
    assert_eq!(
        verdict(Purpose::Timestamping, &short, &text(&short)),
        Err(ChainFault::Certificate("CN=Company Root".to_owned(), Flaw::PathLength { limit: 0, needed: 1 }))
    );
}

#[test]
fn an_algorithm_that_clients_do_not_verify_is_told() {
    let chain = issue(&parameters(Purpose::CodeSigning), KeyPair::generate().unwrap());
    // ecdsa-with-SHA256 becomes an algorithm that is not allowed, both times that the certificate names it.
    let sha256 = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let other = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 9];
    let mut der = chain[1].der().to_vec();
    for at in 0..der.len() - sha256.len() {
        if der[at..].starts_with(&sha256) {
            der[at..at + other.len()].copy_from_slice(&other);
        }
    }
    let text = chain[0].to_pem() + &pem::encode(pem::CERTIFICATE, &der) + &chain[2].to_pem();
    let fault = verdict(Purpose::CodeSigning, &chain, &text).unwrap_err();
    assert_eq!(fault, ChainFault::Algorithm(2));
    assert!(fault.to_string().contains("SHA-1"), "{fault}");
    assert_eq!(ChainFault::from(Rejection::ChainName), ChainFault::Other(Rejection::ChainName));
}
