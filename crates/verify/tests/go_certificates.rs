//! Certificates and chains in Rekor entries, against the verdicts of Go's crypto/x509, which Rekor uses and with which its clients
//! read an entry again. `golden/go-certificates/make` makes the cases and asks Go 1.26.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::Rejection;
use chancery_verify::certificate::Certificate;
use chancery_verify::rekor::{Body, EntryKind, ProposedEntry};
use chancery_verify::{hash, pem};
use serde_json::{Value, json};

const CASES: &str = include_str!("golden/go-certificates/cases.json");
const SIGNATURE: &[u8] = include_bytes!("golden/go-certificates/artifact.sig");

/// What we refuse and Go reads. Rekor's policy refuses entries with such keys where it has one (hashedrekord); an issuer with such
/// a key is one that nobody uses.
const STRICTER: [(&str, Rejection); 5] = [
    ("key on P-224", Rejection::KeyWeak),
    ("key of 1024 bits", Rejection::KeyWeak),
    ("key of 8192 bits", Rejection::KeyWeak),
    ("P-224 issuer", Rejection::KeyWeak),
    ("issuer of 1024 bits", Rejection::ChainSignature),
];

fn cases() -> Vec<(String, String, String)> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    cases.iter().map(|case| (text(case, "name"), text(case, "pem"), text(case, "go"))).collect()
}

fn admit(verifier: &str) -> Result<Body, Rejection> {
    let proposal = json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": hex::encode(hash::sha256(b"artifact"))}},
        "signature": {"content": STANDARD.encode(SIGNATURE), "publicKey": {"content": STANDARD.encode(verifier)}},
    }});
    EntryKind::HashedRekord.admit(&ProposedEntry::parse(proposal.to_string().as_bytes())?)
}

#[test]
fn what_go_takes_is_taken_and_what_go_refuses_is_refused() {
    let mut failed = Vec::new();
    let cases = cases();
    assert!(cases.len() > 100);
    for (name, certificates, go) in &cases {
        let admitted = admit(certificates);
        let stricter = STRICTER.iter().find(|(stricter, _)| stricter == name);
        let as_expected = match (&admitted, stricter) {
            (Err(rejection), Some((_, expected))) => rejection == expected,
            (Ok(_), Some(_)) => false,
            (admitted, None) => admitted.is_ok() == go.is_empty(),
        };
        if !as_expected {
            failed.push(format!("{name}: {:?}, Go says {go:?}", admitted.map(|_| ())));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let cases = cases();
    let refused = |name: &str| {
        let (_, certificates, _) = cases.iter().find(|(found, ..)| found == name).unwrap();
        admit(certificates).unwrap_err()
    };
    let form = |fault| Rejection::CertificateForm { fault };
    for (name, expected) in [
        ("negative serial number", form("its serial number is negative")),
        ("negative serial number of the root", form("its serial number is negative")),
        ("serial number with a zero too many", Rejection::CertificateMalformed),
        ("version 4", form("its version is not known")),
        ("two signature algorithms", form("it names two signature algorithms")),
        ("an extension twice", form("it has an extension twice")),
        ("a key usage that is none", form("an extension of it cannot be read")),
        ("a critical subject key identifier", form("it has a critical extension that may not be critical")),
        ("month 13", form("a time in its validity is not one")),
        ("names in visible characters", form("a name in it has a form, a type or characters that are not supported")),
        ("bytes behind it", Rejection::CertificateMalformed),
        ("key for RSA-PSS alone", Rejection::KeyUnsupported),
        ("without the issuer", Rejection::ChainName),
        ("rsa-sha1, root", Rejection::AlgorithmNotAllowed),
        ("rsa-sha224, root", Rejection::AlgorithmNotAllowed),
        ("pss-salt20, root", Rejection::AlgorithmNotAllowed),
        ("signed by another key", Rejection::ChainSignature),
        ("issuer that is no CA", Rejection::ChainNotCa),
        ("issuer of version 1", Rejection::ChainNotCa),
        ("path length 0, exceeded", Rejection::ChainNotCa),
        ("root that ended before", Rejection::ChainExpired),
        ("leaf with a critical user name", Rejection::ChainCritical),
        ("eleven certificates", Rejection::PemTooMany { limit: 10 }),
    ] {
        assert_eq!(refused(name), expected, "{name}");
    }
}

/// None of these bytes is said not to be DER where it is.
#[test]
fn only_what_is_not_der_is_said_not_to_be() {
    let not_der = [
        "serial number with a zero too many",
        "serial number without bytes",
        "bytes behind it",
        "a signature of seven bits",
        "cut off",
        "with a length in another form",
    ];
    for (name, certificates, _) in cases() {
        for block in pem::decode_all(certificates.as_bytes(), usize::MAX).unwrap() {
            let is_malformed = Certificate::from_der(&block.der).err() == Some(Rejection::CertificateMalformed);
            assert_eq!(is_malformed, not_der.contains(&name.as_str()), "{name}");
        }
    }
}
