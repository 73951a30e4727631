//! Mutations of a well-formed trust root: one change each, and the exact code of the refusal, or the instance that
//! becomes unusable.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::certificate::Certificate;
use chancery_verify::note::{self, KeyName};
use chancery_verify::trust_root::{Section, TrustRoot};
use chancery_verify::{PublicKey, Refusal, Timestamp};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PublicKeyData as _,
};
use serde_json::{Value, json};
use std::sync::LazyLock;

fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> PublicKey {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    PublicKey::from_spki_der(&key.subject_public_key_info()).expect("a key")
}

/// Root, intermediate, leaf.
static CHAIN: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let named = |name: &str, ca: bool| {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        if ca {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        (parameters, KeyPair::generate().expect("a key"))
    };
    let ((root, root_key), (middle, middle_key), (leaf, leaf_key)) =
        (named("root", true), named("middle", true), named("leaf", false));
    let root_der = root.self_signed(&root_key).expect("a root").der().to_vec();
    let root = Issuer::new(root, root_key);
    let middle_der = middle.signed_by(&middle_key, &root).expect("an intermediate").der().to_vec();
    let middle = Issuer::new(middle, middle_key);
    [root_der, middle_der, leaf.signed_by(&leaf_key, &middle).expect("a leaf").der().to_vec()]
});

fn chain(certificates: &[&[u8]]) -> Value {
    let raw = |der: &&[u8]| json!({"rawBytes": b64(der)});
    json!({"certificates": certificates.iter().map(raw).collect::<Vec<_>>()})
}

fn log(url: &str, key: &PublicKey, details: &str, id: &[u8]) -> Value {
    json!({"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": {"keyId": b64(id)}, "operator": "operator.test",
        "publicKey": {"rawBytes": b64(key.spki_der()), "keyDetails": details, "validFor": window()}})
}

fn window() -> Value {
    json!({"start": "2026-01-01T00:00:00Z", "end": "2026-12-31T23:59:59.999Z"})
}

static P256: LazyLock<PublicKey> = LazyLock::new(|| key(&rcgen::PKCS_ECDSA_P256_SHA256));
static ED25519: LazyLock<PublicKey> = LazyLock::new(|| key(&PKCS_ED25519));

fn name(name: &str) -> KeyName {
    KeyName::new(name).expect("a name")
}

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    let [root, middle, leaf] = &*CHAIN;
    let p384 = key(&PKCS_ECDSA_P384_SHA384);
    let subject = json!({"organization": "test", "commonName": "middle"});
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log("https://v1.test", &P256, "PKIX_ECDSA_P256_SHA_256", &P256.fingerprint()),
            log("https://v2.test:8443/a", &ED25519, "PKIX_ED25519", &note::key_hash(&name("v2.test"), &ED25519)),
        ],
        "certificateAuthorities":
            [{"subject": subject, "uri": "https://ca.test", "certChain": chain(&[middle, root]), "validFor": window()}],
        "ctlogs": [log("https://ct.test/2026", &p384, "PKIX_ECDSA_P384_SHA_384", &p384.fingerprint())],
        "timestampAuthorities":
            [{"uri": "https://tsa.test/api/v1/timestamp", "certChain": chain(&[leaf, middle, root]), "validFor": window()}],
    })
});

fn root() -> Value {
    ROOT.clone()
}

fn parse(root: &Value) -> Result<TrustRoot, Refusal> {
    TrustRoot::parse(root.to_string().as_bytes())
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match name.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[name] = value,
    }
    document
}

/// Every pointer into a document, with its value.
fn pointers(document: &Value, prefix: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match document {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in members {
        let pointer = format!("{prefix}/{name}");
        found.push(pointer.clone());
        pointers(value, &pointer, found);
    }
}

#[test]
fn the_unchanged_root_is_all_of_use() {
    let root = parse(&root()).unwrap();
    assert_eq!(root.unusable(), []);
    let [v1, v2] = root.logs() else { panic!("two logs") };
    assert_eq!((v1.names(), v2.names()), (&["v1.test".to_owned()][..], &["v2.test".to_owned()][..]));
    assert_eq!((v1.operator(), v2.host()), ("operator.test", "v2.test"));
    assert_eq!(v2.checkpoint_key_id(), note::rekor_v2_key_id(&name("v2.test"), &ED25519));
    assert_eq!(root.ct_logs()[0].names(), ["ct.test", "ct.test/2026"]);
    let authority = &root.certificate_authorities()[0];
    assert_eq!((authority.operator(), authority.intermediates().len(), authority.anchor().len()), ("ca.test", 1, 1));
    let tsa = &root.timestamp_authorities()[0];
    assert_eq!((tsa.leaf().map(Certificate::der), tsa.issuers().len()), (Some(&CHAIN[2][..]), 2));
}

/// The refusal when the field, named by the end of its pointer, is dropped or null. All other fields are optional.
const REQUIRED: [(&str, &str); 12] = [
    ("/mediaType", "root.media_type"),
    ("/hashAlgorithm", "root.malformed"),
    ("/logId", "root.log_id"),
    ("/keyId", "root.log_id"),
    ("/publicKey", "root.malformed"),
    ("/publicKey/rawBytes", "root.key"),
    ("/keyDetails", "root.key_details"),
    ("/validFor", "root.window"),
    ("/start", "root.window"),
    ("/certChain", "root.chain"),
    ("/certificates", "root.chain"),
    ("/rawBytes", "root.chain"),
];

#[test]
fn each_field_dropped_or_nulled_or_of_another_type() {
    let mut all = Vec::new();
    pointers(&root(), "", &mut all);
    for pointer in &all {
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        if member.parse::<usize>().is_ok() {
            assert_eq!(parse(&with(root(), pointer, Value::Null)).unwrap_err().code(), "root.malformed", "{pointer}");
            continue;
        }
        let mut dropped = root();
        dropped.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(member);
        let found = [parse(&dropped), parse(&with(root(), pointer, Value::Null))]
            .map(|found| found.map_err(|refusal| refusal.code()));
        let rekor_url = pointer.starts_with("/tlogs") && member == "baseUrl";
        let required = REQUIRED.iter().find(|(end, _)| pointer.ends_with(end)).map(|(_, code)| *code);
        let required = if rekor_url { Some("root.malformed") } else { required };
        for found in found {
            assert_eq!(found.as_ref().err().copied(), required, "{pointer}");
        }
        let original = root().pointer(pointer).cloned().expect("a value");
        for other in [json!(true), json!(-1), json!(1.5), json!([]), json!({}), json!("x".repeat(1 << 17))] {
            let alike = std::mem::discriminant(&other) == std::mem::discriminant(&original);
            if alike && !other.is_string() {
                continue;
            }
            let refusal = parse(&with(root(), pointer, other.clone())).unwrap_err();
            assert_eq!(refusal.code(), "root.malformed", "{pointer}: {other:.20}: {refusal}");
        }
        for splice in [format!("\"{member}\":null,"), "\"unknown\":null,".to_owned()] {
            let member = format!("\"{member}\":");
            let text = root().to_string().replacen(&member, &format!("{splice}{member}"), 1);
            assert_eq!(TrustRoot::parse(text.as_bytes()).unwrap_err().code(), "root.malformed", "{splice}");
        }
    }
}

#[test]
fn the_table_of_changes_to_a_trust_root() {
    let [top, middle, leaf] = &*CHAIN;
    let tlog = |member: &str| format!("/tlogs/0/{member}");
    let ca = "/certificateAuthorities/0/certChain";
    let tsa = "/timestampAuthorities/0/certChain";
    let second = root()["tlogs"][1].clone();
    let numbered: Vec<Value> = std::iter::repeat_n(second.clone(), 65).collect();
    for (number, (changed, code)) in [
        (with(root(), "/mediaType", "application/vnd.dev.sigstore.trustedroot.v0.3+json".into()), "root.media_type"),
        (with(root(), "/tlogs/0", second), "root.duplicate"),
        (with(root(), "/tlogs", numbered.into()), "root.too_many"),
        (with(root(), &tlog("logId/keyId"), b64(&[1; 32]).into()), "root.log_id"),
        (with(root(), &tlog("logId/keyId"), b64(&P256.fingerprint()[..31]).into()), "root.log_id"),
        (with(root(), "/tlogs/1/baseUrl", "https://other.test".into()), "root.log_id"),
        (with(root(), &tlog("checkpointKeyId"), json!({"keyId": b64(&[1; 4])})), "root.log_id"),
        (with(root(), &tlog("checkpointKeyId"), json!({"keyId": b64(&P256.fingerprint()[..5])})), "root.log_id"),
        (with(root(), &tlog("baseUrl"), "https://user@v1.test".into()), "root.malformed"),
        (with(root(), &tlog("baseUrl"), "https://v1.test?x".into()), "root.malformed"),
        (with(root(), &tlog("baseUrl"), "ftp://v1.test".into()), "root.malformed"),
        (with(root(), &tlog("hashAlgorithm"), "SHA2_512".into()), "root.malformed"),
        (with(root(), &tlog("publicKey/keyDetails"), "PKIX_ED25519".into()), "root.key_details"),
        (with(root(), &tlog("publicKey/keyDetails"), json!(0)), "root.key_details"),
        (with(root(), &tlog("publicKey/keyDetails"), "PUBLIC_KEY_DETAILS_UNSPECIFIED".into()), "root.key_details"),
        (with(root(), &tlog("publicKey/rawBytes"), b64(&[0x30, 0]).into()), "root.key"),
        (with(root(), &tlog("publicKey/rawBytes"), b64(&[P256.spki_der(), &[0]].concat()).into()), "root.key"),
        (with(root(), &tlog("publicKey/validFor/end"), "2025-12-31T23:59:59Z".into()), "root.window"),
        (with(root(), &tlog("publicKey/validFor/end"), "2025-12-31T23:59:59.999999999Z".into()), "root.window"),
        (with(root(), &tlog("publicKey/validFor/end"), "yesterday".into()), "root.malformed"),
        (with(root(), "/ctlogs/0/publicKey/validFor", json!({})), "root.window"),
        (with(root(), "/timestampAuthorities/0/validFor", json!({"end": "2027-01-01T00:00:00Z"})), "root.window"),
        (with(root(), ca, chain(&[])), "root.chain"),
        (with(root(), ca, chain(&[top, middle])), "root.chain"),
        (with(root(), ca, chain(&[middle, middle])), "root.chain"),
        (with(root(), ca, chain(&[top, top])), "root.chain"),
        (with(root(), ca, chain(&[leaf, middle, top])), "root.chain"),
        (with(root(), ca, chain(&[&middle[..40], top])), "root.chain"),
        (with(root(), ca, chain(&[&top[..]; 11])), "root.too_many"),
        (with(root(), tsa, chain(&[leaf])), "root.chain"),
        (with(root(), tsa, chain(&[leaf, top])), "root.chain"),
        (with(root(), tsa, chain(&[leaf, leaf, middle])), "root.chain"),
        (json!({"mediaType": root()["mediaType"]}), "root.empty"),
    ]
    .into_iter()
    .enumerate()
    {
        let refusal = parse(&changed).expect_err(&format!("row {number}"));
        assert_eq!(refusal.code(), code, "row {number}: {refusal}");
    }
}

#[test]
fn changes_that_are_none() {
    let [top, middle, leaf] = &*CHAIN;
    let tsa = "/timestampAuthorities/0/certChain";
    for media_type in ["v0.1", "v0.2"] {
        let media_type = format!("application/vnd.dev.sigstore.trustedroot.{media_type}+json");
        assert_eq!(parse(&with(root(), "/mediaType", media_type.into())).unwrap(), parse(&root()).unwrap());
    }
    for (pointer, value) in [
        ("/tlogs/0/publicKey/keyDetails", json!(5)),
        ("/tlogs/0/hashAlgorithm", json!(1)),
        ("/tlogs/0/checkpointKeyId", json!({"keyId": b64(&P256.fingerprint()[..4])})),
        ("/tlogs/0/checkpointKeyId", json!({"keyId": b64(&P256.fingerprint())})),
    ] {
        assert_eq!(parse(&with(root(), pointer, value)).unwrap(), parse(&root()).unwrap(), "{pointer}");
    }
    for url in ["v1.test", "http://V1.test:80/", "https://v1.test/"] {
        assert_eq!(
            parse(&with(root(), "/tlogs/0/baseUrl", url.into())).unwrap().logs()[0].names(),
            ["v1.test"],
            "{url}"
        );
    }
    let address = parse(&with(root(), "/tlogs/0/baseUrl", "http://[::1]:80".into())).unwrap();
    assert_eq!(address.logs()[0].names(), ["[::1]", "::1"]);
    let path = note::key_hash(&name("v2.test/a"), &ED25519);
    let by_path = with(root(), "/tlogs/1/logId/keyId", b64(&path).into());
    assert_eq!(parse(&by_path).unwrap().logs()[1].names(), ["v2.test/a"]);
    let no_leaf = parse(&with(root(), tsa, chain(&[middle, top]))).unwrap();
    let no_root = parse(&with(root(), tsa, chain(&[leaf, middle]))).unwrap();
    assert_eq!(no_leaf.timestamp_authorities()[0].leaf(), None);
    assert_eq!(no_root.timestamp_authorities()[0].anchor()[0].der(), middle);
    let anchor = parse(&with(root(), "/certificateAuthorities/0/certChain", chain(&[middle]))).unwrap();
    assert_eq!(anchor.certificate_authorities()[0].intermediates(), []);
}

#[test]
fn a_log_of_tomorrow_is_set_aside_and_listed() {
    for details in
        [json!("ML_DSA_65"), json!(21), json!("PKIX_RSA_PSS"), json!("PKIX_ED25519_PH"), json!("NEW"), json!(99)]
    {
        let changed = with(root(), "/tlogs/0/publicKey/keyDetails", details.clone());
        let changed = with(changed, "/tlogs/0/publicKey/rawBytes", b64(b"a key of tomorrow").into());
        let root = parse(&changed).unwrap();
        let [unusable] = root.unusable() else { panic!("{details}") };
        assert_eq!((unusable.section, unusable.index), (Section::TransparencyLogs, 0));
        assert_eq!((unusable.url.as_str(), unusable.log_id), ("https://v1.test", Some(P256.fingerprint())));
        assert_eq!(
            (unusable.reason.code(), unusable.reason.path()),
            ("root.key_details", "tlogs[0].publicKey.keyDetails")
        );
        assert_eq!((root.logs().len(), root.log(&P256.fingerprint())), (1, None));
    }
}

proptest! {
    /// The parsed window contains exactly the milliseconds between the written bounds.
    #[test]
    fn windows_keep_every_fraction(start in 1_u64..4_000_000_000, length in 0_u64..10_000, fractions in any::<[u32; 2]>(), offset in 0_u64..12_000) {
        let [first, last] = fractions.map(|fraction| u64::from(fraction % 1_000_000_000));
        let text = |seconds: u64, nanos: u64| {
            let whole = Timestamp::from_seconds(seconds).rfc3339();
            format!("{}.{nanos:09}Z", whole.trim_end_matches('Z'))
        };
        let validity = json!({"start": text(start, first), "end": text(start + length, last)});
        let nanos = |seconds: u64, nanos: u64| u128::from(seconds) * 1_000_000_000 + u128::from(nanos);
        let (from, until) = (nanos(start, first), nanos(start + length, last));
        match parse(&with(root(), "/tlogs/0/publicKey/validFor", validity)) {
            Ok(root) => {
                let time = Timestamp::from_millis(start * 1000 + offset);
                let exact = u128::from(time.millis()) * 1_000_000;
                prop_assert_eq!(root.logs()[0].window().contains(time), (from..=until).contains(&exact));
            }
            // There is no millisecond between them.
            Err(refusal) => {
                prop_assert_eq!(refusal.code(), "root.window");
                prop_assert!(from.div_ceil(1_000_000) > until / 1_000_000);
            }
        }
    }

    /// No text causes a panic, and text that is not JSON is refused.
    #[test]
    fn any_change_of_bytes_is_survived(at in 0_usize..4000, byte in any::<u8>()) {
        let mut text = root().to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if let Err(refusal) = TrustRoot::parse(&text) {
            prop_assert!(refusal.code().starts_with("root."), "{}", refusal);
        }
    }
}
