//! Rules against entries of many signers, made with certificates of two authorities.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_verify::key::KeyKind;
use chancery_verify::rekor::{EntryKind, ProposedEntry};
use chancery_verify::{hash, pem};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};

const PEOPLE: &str = "https://people.example.test";

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// A certificate in PEM for an identity, and if it is named for its issuer.
    fn issue(&self, identity: &str, issuer: Option<&str>) -> String {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.subject_alt_names = vec![SanType::Rfc822Name(identity.try_into().unwrap())];
        let extension = |issuer: &str| {
            let length = u8::try_from(issuer.len()).unwrap();
            let contents = [&[0x0c, length][..], issuer.as_bytes()].concat();
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 1, 8], contents)
        };
        parameters.custom_extensions = issuer.map(extension).into_iter().collect();
        let certificate = parameters.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        pem::encode(pem::CERTIFICATE, certificate.der())
    }
}

fn hashedrekord(signer: &str) -> Vec<u8> {
    let spec = json!({
        "data": { "hash": { "algorithm": "sha256", "value": "00".repeat(32) } },
        "signature": { "content": "AA==", "publicKey": { "content": STANDARD.encode(signer) } },
    });
    json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec }).to_string().into_bytes()
}

fn dsse(signers: &[&str]) -> Vec<u8> {
    let signature = |signer: &&str| json!({ "signature": "AA==", "verifier": STANDARD.encode(signer) });
    let spec = json!({
        "payloadHash": { "algorithm": "sha256", "value": "00".repeat(32) },
        "envelopeHash": { "algorithm": "sha256", "value": "00".repeat(32) },
        "signatures": signers.iter().map(signature).collect::<Vec<_>>(),
    });
    json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": spec }).to_string().into_bytes()
}

fn key() -> (PublicKey, String) {
    let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
    (signer.public_key().clone(), signer.public_key().to_pem())
}

fn rule(kinds: &[&str], signers: Signers) -> Rule {
    Rule { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), signers }
}

fn inner(rules: Vec<Rule>, own: &[&Authority]) -> Inner {
    let authority = OwnAuthority::default();
    authority.replace(own.iter().map(|authority| authority.certificate.clone()));
    Inner { rules, own: authority, counts: Refused::ALL.map(|_| AtomicU64::new(0)) }
}

fn own() -> Certificates {
    Certificates { own: true, ..Certificates::default() }
}

#[test]
fn certificates_of_this_instance_are_accepted_and_follow_its_rotations() {
    let (first, second, other) = (Authority::new(), Authority::new(), Authority::new());
    let rules = inner(vec![rule(&[], Signers::Certificates(own()))], &[&first]);
    let judge = |authority: &Authority| {
        let body = hashedrekord(&authority.issue("alice@example.test", Some(PEOPLE)));
        rules.check("hashedrekord", &body)
    };
    assert_eq!(judge(&first), Ok(()));
    assert_eq!(judge(&second), Err(Refused::Authority));
    assert_eq!(rules.check("hashedrekord", &hashedrekord(&key().1)), Err(Refused::Key));
    rules.own.replace([first.certificate.clone(), second.certificate.clone()]);
    assert_eq!((judge(&first), judge(&second)), (Ok(()), Ok(())));
    rules.own.replace([second.certificate.clone()]);
    assert_eq!(
        (judge(&first), judge(&second), judge(&other)),
        (Err(Refused::Authority), Ok(()), Err(Refused::Authority))
    );
}

#[test]
fn issuer_and_identity_are_those_of_a_certificate_that_is_believed() {
    let (ours, other) = (Authority::new(), Authority::new());
    let people = Certificates {
        issuer: Some(Pattern::exact(PEOPLE)),
        identity: Some(Pattern::glob("*@example.test").unwrap()),
        ..own()
    };
    let rules = inner(vec![rule(&[], Signers::Certificates(people))], &[&ours]);
    let check = |signer: &str| rules.check("hashedrekord", &hashedrekord(signer));
    assert_eq!(check(&ours.issue("alice@example.test", Some(PEOPLE))), Ok(()));
    assert_eq!(check(&ours.issue("alice@example.test.evil", Some(PEOPLE))), Err(Refused::Identity));
    assert_eq!(check(&ours.issue("alice@example.test", Some("https://robots.example.test"))), Err(Refused::Issuer));
    assert_eq!(check(&ours.issue("alice@example.test", None)), Err(Refused::Issuer));
    // What a stranger's certificate says of itself counts for nothing.
    assert_eq!(check(&other.issue("alice@example.test", Some(PEOPLE))), Err(Refused::Authority));
    // Of several rules the one that comes nearest says why.
    let company = Certificates { authorities: vec![other.certificate.clone()], ..Certificates::default() };
    let rules = inner(vec![rules.rules[0].clone(), rule(&[], Signers::Certificates(company))], &[&ours]);
    let check = |signer: &str| rules.check("hashedrekord", &hashedrekord(signer));
    assert_eq!(check(&ours.issue("mallory@evil.test", Some(PEOPLE))), Err(Refused::Identity));
    assert_eq!(check(&other.issue("build@example.test", None)), Ok(()));
    assert_eq!(check(&Authority::new().issue("build@example.test", None)), Err(Refused::Authority));
}

#[test]
fn keys_and_kinds_are_those_that_a_rule_names() {
    let ((release, release_pem), (_, other_pem), ours) = (key(), key(), Authority::new());
    let rules = vec![
        rule(&["dsse"], Signers::Keys(vec![release])),
        rule(&["hashedrekord"], Signers::Certificates(own())),
        rule(&["rfc3161"], Signers::Everyone),
    ];
    let rules = inner(rules, &[&ours]);
    let certificate = ours.issue("alice@example.test", Some(PEOPLE));
    assert_eq!(rules.check("dsse", &dsse(&[&release_pem])), Ok(()));
    assert_eq!(rules.check("dsse", &dsse(&[&other_pem])), Err(Refused::Key));
    assert_eq!(rules.check("dsse", &dsse(&[&certificate])), Err(Refused::Certificate));
    assert_eq!(rules.check("hashedrekord", &hashedrekord(&certificate)), Ok(()));
    assert_eq!(rules.check("hashedrekord", &hashedrekord(&release_pem)), Err(Refused::Key));
    assert_eq!(rules.check("intoto", &hashedrekord(&certificate)), Err(Refused::Kind));
    // Nothing is read of a kind that everybody may write.
    assert_eq!(rules.check("rfc3161", b"no JSON"), Ok(()));
}

#[test]
fn every_signer_of_an_entry_must_be_allowed() {
    let ((release, release_pem), (_, other_pem), ours) = (key(), key(), Authority::new());
    let rules = vec![rule(&[], Signers::Keys(vec![release])), rule(&[], Signers::Certificates(own()))];
    let rules = inner(rules, &[&ours]);
    let certificate = ours.issue("alice@example.test", Some(PEOPLE));
    assert_eq!(rules.check("dsse", &dsse(&[&release_pem, &certificate])), Ok(()));
    assert_eq!(rules.check("dsse", &dsse(&[&release_pem, &other_pem])), Err(Refused::Key));
    assert_eq!(rules.check("dsse", &dsse(&[])), Err(Refused::Signer));
}

#[test]
fn the_signers_of_every_kind_with_keys_in_pem_are_known() {
    let ((release, release_pem), (_, other_pem), ours) = (key(), key(), Authority::new());
    let rules = vec![rule(&[], Signers::Keys(vec![release])), rule(&[], Signers::Certificates(own()))];
    let rules = inner(rules, &[&ours]);
    let check = |kind: &str, spec: Value| {
        let body = json!({ "apiVersion": "0.0.1", "kind": kind, "spec": spec }).to_string();
        rules.check(kind, body.as_bytes())
    };
    let content = |signer: &str| json!({ "content": STANDARD.encode(signer) });
    let artifact =
        |format: &str, signer: &str| json!({ "signature": { "format": format, "publicKey": content(signer) } });
    for (signer, verdict) in [
        (release_pem.clone(), Ok(())),
        (ours.issue("alice@example.test", Some(PEOPLE)), Ok(())),
        (other_pem, Err(Refused::Key)),
        (Authority::new().issue("alice@example.test", Some(PEOPLE)), Err(Refused::Authority)),
    ] {
        assert_eq!(check("rekord", artifact("x509", &signer)), verdict);
        assert_eq!(check("jar", json!({ "signature": { "publicKey": content(&signer) } })), verdict);
        assert_eq!(check("alpine", json!({ "publicKey": content(&signer) })), verdict);
        assert_eq!(check("cose", json!({ "publicKey": STANDARD.encode(&signer) })), verdict);
    }
    // No rule can name the signers of the others.
    for format in ["pgp", "ssh", "minisign", "other"] {
        assert_eq!(check("rekord", artifact(format, &release_pem)), Err(Refused::Signer), "{format}");
    }
    for kind in ["helm", "rpm", "tuf", "rfc3161"] {
        assert_eq!(check(kind, json!({ "publicKey": content(&release_pem) })), Err(Refused::Signer), "{kind}");
    }
}

#[tokio::test]
async fn what_is_refused_is_counted_by_reason() {
    let (signer, _) = Signer::generate(KeyKind::P256).unwrap();
    let content = STANDARD.encode(signer.sign(b"artifact").await.unwrap());
    let proposal = json!({
        "kind": "hashedrekord",
        "apiVersion": "0.0.1",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex::encode(hash::sha256(b"artifact")) } },
            "signature": {
                "content": content,
                "publicKey": { "content": STANDARD.encode(signer.public_key().to_pem()) },
            },
        },
    })
    .to_string();
    let body = EntryKind::HashedRekord.admit(&ProposedEntry::parse(proposal.as_bytes()).unwrap()).unwrap();
    assert_eq!(WriteRules::default().check("hashedrekord", &body), Ok(()));
    assert_eq!(WriteRules::default().refused().count(), 0);
    let rules = WriteRules::new(vec![rule(&[], Signers::Certificates(own()))], OwnAuthority::default());
    for _ in 0..2 {
        assert_eq!(rules.clone().check("hashedrekord", &body), Err(Refused::Key));
    }
    let counted: Vec<_> = rules.refused().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("write.key", 2)]);
    assert_eq!(rules.refused().count(), Refused::ALL.len());
}
