//! Targets for what strangers send to the certificate authority: tokens, and the claims in genuine ones.
//!
//! The issuers are of every kind, their one key is known here, and nothing is fetched.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_ca::config::IssuersFile;
use chancery_ca::identity::Principal;
use chancery_ca::oidc::{Authenticator, TokenRefusal, http_fetcher};
use chancery_ca::profile::Leaf;
use chancery_ca::{IssuerName, KeySource};
use chancery_daemon::authority;
use chancery_verify::certificate::{Certificate, SignatureAlgorithm, verify_profile};
use chancery_verify::sct::SignedCertificateTimestamp;
use chancery_verify::{PublicKey, Timestamp};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 2] = [("jwt", jwt), ("claims", claims)];

/// 2027-01-15T08:00:00Z.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// An issuer of every kind, and claims it would make.
const ISSUERS: [(&str, &str); 8] = [
    (
        "type='email'\nissuer_claim='/f/c'",
        r#"{"sub":"u","email":"a@b.test","email_verified":true,"f":{"c":"https://x.test"}}"#,
    ),
    ("type='uri'\nsubject_domain='https://1.test'", r#"{"sub":"https://1.test/u"}"#),
    ("type='username'\nsubject_domain='2.test'", r#"{"sub":"alice"}"#),
    ("type='spiffe'\ntrust_domain='t.test'", r#"{"sub":"spiffe://t.test/a/b"}"#),
    (
        "type='kubernetes'",
        r#"{"sub":"system:serviceaccount:n:s","kubernetes.io":{"namespace":"n","serviceaccount":{"name":"s"}}}"#,
    ),
    ("type='chainguard-identity'", r#"{"sub":"a/b"}"#),
    (
        "preset='buildkite'\nbase_url='https://6.test'",
        r#"{"sub":"o","organization_slug":"o","pipeline_slug":"p","build_number":1,"job_id":"j"}"#,
    ),
    (
        "preset='generic'\nsubject='https://7.test/{a}/{b?x}/{if c? == \"1\"}{d}{else}e{end}'\n\
         [issuer.extensions]\nbuild-trigger='{a}'\ngithub-workflow-ref='{/f/c?}'",
        r#"{"sub":"s","a":"A","c":1,"d":"D","f":{"c":"F"}}"#,
    ),
];

/// Anybody's, so that runs and machines agree.
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_slice(&[9; 32]).expect("a scalar below the order"));

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let point = KEY.verifying_key().to_public_key_der().expect("a key can be encoded");
    let (x, y) = point.as_bytes()[point.as_bytes().len() - 64..].split_at(32);
    let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]}).to_string();
    let tables =
        ISSUERS.iter().enumerate().map(|(number, (table, _))| format!("[[issuer]]\nurl='{}'\n{table}\n", url(number)));
    let file: IssuersFile = toml::from_str(&tables.collect::<String>()).expect("TOML");
    let mut issuers = file.settings(Path::new("")).unwrap_or_else(|error| panic!("{error}"));
    for issuer in &mut issuers {
        assert!(matches!(issuer.name, IssuerName::Exact(_)));
        issuer.keys = KeySource::Static(keys.clone());
    }
    Authenticator::new(issuers, &http_fetcher).unwrap_or_else(|error| panic!("{error}"))
});

/// A root that issues directly.
static CHAIN: LazyLock<[Certificate; 1]> = LazyLock::new(|| {
    let mut root = CertificateParams::new(Vec::new()).expect("no names");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key =
        KeyPair::from_pem(&KEY.to_pkcs8_pem(LineEnding::LF).expect("a key can be encoded")).expect("it reads back");
    let der = root.self_signed(&key).expect("signed").der().to_vec();
    [Certificate::from_der(&der).expect("a certificate reads back")]
});

fn url(number: usize) -> String {
    format!("https://{number}.test")
}

/// A token with these claims, well signed.
fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "ES256"})), part(claims));
    let signature: Signature = KEY.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// The claims of an issuer, complete.
fn complete(number: usize, changes: &Map<String, Value>) -> Value {
    let mut claims: Value = serde_json::from_str(ISSUERS[number].1).expect("JSON");
    claims["iss"] = url(number).into();
    claims["aud"] = "sigstore".into();
    claims["exp"] = (NOW.seconds() + 60).into();
    for (name, value) in changes {
        claims[name] = value.clone();
    }
    claims
}

/// Nothing is fetched, so there is nothing to wait for.
fn authenticate(token: &str) -> Result<Principal, TokenRefusal> {
    let verdict = pin!(AUTHENTICATOR.authenticate(token, NOW)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(verdict) = verdict else { panic!("keys that are at hand are not waited for") };
    verdict
}

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let numbers = 0..ISSUERS.len();
    match target {
        "jwt" => numbers.map(|number| token(&complete(number, &Map::new())).into_bytes()).collect(),
        "claims" => numbers.map(|number| format!("{number}{}", ISSUERS[number].1).into_bytes()).collect(),
        _ => Vec::new(),
    }
}

/// Tokens. What is accepted has been signed: its first two parts are those of a seed.
pub fn jwt(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let accepted = authenticate(text).is_ok();
    let _ = pin!(AUTHENTICATOR.explain(text, NOW)).poll(&mut Context::from_waker(Waker::noop()));
    if accepted {
        let signed = |token: &str| token.rsplit_once('.').map(|(signed, _)| signed.to_owned());
        let known = (0..ISSUERS.len()).any(|number| signed(&token(&complete(number, &Map::new()))) == signed(text));
        assert!(known, "nobody signed this");
    }
}

/// Genuine tokens with any claims: the number of an issuer, then an object of claims to change. What names somebody becomes a
/// certificate that says so.
pub fn claims(input: &[u8]) {
    let Some((number, changes)) = input.split_first() else { return };
    let number = usize::from(number.wrapping_sub(b'0')) % ISSUERS.len();
    let Ok(changes) = serde_json::from_slice::<Map<String, Value>>(changes) else { return };
    let Ok(principal) = authenticate(&token(&complete(number, &changes))) else { return };
    let issuer = &CHAIN[0];
    let key = KEY.verifying_key().to_public_key_der().expect("a key can be encoded");
    let key = PublicKey::from_spki_der(key.as_bytes()).expect("it reads back");
    let leaf = Leaf::new(&principal, &key, &*CHAIN, NOW, [0x41; 20]).expect("whoever is named fits into a certificate");
    let sct = SignedCertificateTimestamp {
        log_id: [1; 32],
        timestamp: NOW,
        extensions: Vec::new(),
        signature: vec![0x30, 0],
    };
    let finish = |tbs: &[u8]| {
        let der = authority::assemble(tbs, SignatureAlgorithm::for_key(key.kind()), &[0x30, 0]).expect("DER");
        Certificate::from_der(&der).expect("it parses")
    };
    let precertificate = finish(&leaf.precertificate_tbs().expect("it can be written"));
    let certificate = finish(&leaf.certificate_tbs(&sct).expect("it can be written"));
    verify_profile(&certificate, issuer).expect("the profile");
    assert_eq!(certificate.identity().as_ref(), Ok(&principal.identity));
    assert_eq!(certificate.issuer_claim().as_ref(), Ok(&principal.issuer));
    for (claim, value) in &principal.claims {
        assert_eq!(certificate.claim(*claim).expect("it decodes").as_ref(), Some(value));
    }
    assert_eq!(precertificate.precertificate_tbs(), certificate.tbs_without_sct_list());
}
