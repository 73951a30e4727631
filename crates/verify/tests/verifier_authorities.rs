//! Thresholds of one certificate authority: they apply to its certificates only.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod made;

use chancery_verify::bundle::Bundle;
use chancery_verify::policy::{AuthorityName, AuthorityThresholds, Policy, PolicyThresholds};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Verifier};
use chancery_verify::{Refusal, hash};
use made::{ARTIFACT, IDENTITY, ISSUER, NOW, Scts, Spec, World};
use serde_json::Value;

const URL: &str = "https://ca.example.test";
/// The evidence that GitHub's authority for private repositories gives.
const PRIVATE: PolicyThresholds = PolicyThresholds { logs: 0, scts: 0, times: 1, timestamps: 1, witnesses: 0 };

fn root(world: &World) -> TrustRoot {
    TrustRoot::parse(world.root().to_string().as_bytes()).unwrap()
}

/// The verdict with these thresholds, which options and policy must give alike.
fn code(root: &TrustRoot, bundle: &Value, general: PolicyThresholds, own: &[AuthorityThresholds]) -> &'static str {
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
    let policy = Policy::identity(IDENTITY, ISSUER).with_thresholds(general);
    let policy = own.iter().cloned().fold(policy, Policy::with_thresholds_of);
    let judged = Verifier::new(root.clone(), Options::default());
    let judged = judged.verify(&bundle, &Artifact::Bytes(ARTIFACT), &policy, NOW);
    let mut options = Options { authorities: own.to_vec(), ..Options::default() };
    options.thresholds.log_entries = general.logs.into();
    options.thresholds.scts = general.scts.into();
    options.thresholds.times = general.times.into();
    options.thresholds.timestamps = general.timestamps.into();
    let asked = Verifier::new(root.clone(), options);
    let asked = asked.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW);
    let codes = [judged, asked].map(|verdict| verdict.as_ref().map_or_else(Refusal::code, |_| "accepted"));
    assert_eq!(codes[0], codes[1]);
    codes[0]
}

fn of(authority: AuthorityName, thresholds: PolicyThresholds) -> AuthorityThresholds {
    AuthorityThresholds { authority, thresholds }
}

fn url(text: &str) -> AuthorityName {
    AuthorityName::Url(text.to_owned())
}

#[test]
fn an_authority_without_logs_is_meant_by_its_url_or_a_certificate() {
    let world = World::new(Spec { scts: Scts::Missing, ..Spec::default() });
    let bundle = world.bundle(&[], &[world.timestamp()]);
    let verdict = |authority| code(&root(&world), &bundle, PolicyThresholds::default(), &[of(authority, PRIVATE)]);
    let certificate = |der: &[u8]| AuthorityName::Certificate(hash::sha256(der));
    assert_eq!(verdict(url(URL)), "accepted");
    assert_eq!(verdict(certificate(world.intermediate.der())), "accepted");
    assert_eq!(verdict(certificate(world.anchor.der())), "accepted");
    for other in ["https://ca.example.test/", "ca.example.test", "https://CA.example.test", ""] {
        assert_eq!(verdict(url(other)), "sct.missing", "{other}");
    }
    assert_eq!(verdict(certificate(world.leaf.der())), "sct.missing");
    assert_eq!(verdict(certificate(world.tsa[1].der())), "sct.missing");
    // A threshold of zero does not make up a time: such an authority still needs its timestamp.
    let bare = world.bundle(&[], &[]);
    assert_eq!(code(&root(&world), &bare, PolicyThresholds::default(), &[of(url(URL), PRIVATE)]), "time.none");
}

#[test]
fn an_authority_may_need_more_or_fewer_times_than_others() {
    let world = World::new(Spec::default());
    let promised = world.bundle_v1();
    let both = world.bundle(&[world.entry_v1(&world.body_v1())], &[world.timestamp()]);
    let usual = PolicyThresholds::default();
    let stamped = PolicyThresholds { timestamps: 1, ..usual };
    let twice = PolicyThresholds { times: 2, ..usual };
    for (general, own, expected) in [
        (usual, None, ["accepted", "accepted"]),
        (stamped, None, ["time.too_few", "accepted"]),
        (usual, Some((URL, stamped)), ["time.too_few", "accepted"]),
        (usual, Some((URL, twice)), ["time.too_few", "accepted"]),
        (stamped, Some((URL, usual)), ["accepted", "accepted"]),
        (stamped, Some(("https://other.example.test", usual)), ["time.too_few", "accepted"]),
        (usual, Some(("https://other.example.test", stamped)), ["accepted", "accepted"]),
    ] {
        let own: Vec<AuthorityThresholds> = own.into_iter().map(|(name, asked)| of(url(name), asked)).collect();
        let verdicts = [&promised, &both].map(|bundle| code(&root(&world), bundle, general, &own));
        assert_eq!(verdicts, expected, "{general:?} {own:?}");
    }
}

#[test]
fn what_one_authority_need_not_another_must() {
    let lax = World::new(Spec { scts: Scts::Missing, ..Spec::default() });
    let strict = World::new(Spec { scts: Scts::Missing, ..Spec::default() });
    let roots = root(&lax).combine(root(&strict)).unwrap();
    let own = [of(AuthorityName::Certificate(hash::sha256(lax.anchor.der())), PRIVATE)];
    let verdict = |world: &World| {
        let bundle = world.bundle(&[], &[world.timestamp()]);
        code(&roots, &bundle, PolicyThresholds::default(), &own)
    };
    assert_eq!((verdict(&lax), verdict(&strict)), ("accepted", "sct.missing"));
    // If several entries name an authority, the first one applies.
    let own = [of(url(URL), PolicyThresholds::default()), own[0].clone()];
    let bundle = lax.bundle(&[], &[lax.timestamp()]);
    assert_eq!(code(&roots, &bundle, PolicyThresholds::default(), &own), "sct.missing");
}

#[test]
fn a_policy_file_says_it() {
    let parsed = |thresholds: &str| {
        let text = format!("version = 1\n{thresholds}\n[require]\nissuer = '{ISSUER}'\nidentity = '{IDENTITY}'");
        Policy::parse(&text)
    };
    let fingerprint = "AB".repeat(32);
    let policy = parsed(&format!(
        "[thresholds]\ntimes = 2\nwitnesses = 1\n\
         [[thresholds.authority]]\nurl = '{URL}'\nlogs = 0\nscts = 0\ntimestamps = 1\ntimes = 1\nwitnesses = 0\n\
         [[thresholds.authority]]\ncertificate = 'sha256:{fingerprint}'\nlogs = 3"
    ))
    .unwrap_or_else(|error| panic!("{error}"));
    let general = PolicyThresholds { times: 2, witnesses: 1, ..PolicyThresholds::default() };
    assert_eq!(policy.thresholds(), general);
    let expected =
        [of(url(URL), PRIVATE), of(AuthorityName::Certificate([0xab; 32]), PolicyThresholds { logs: 3, ..general })];
    assert_eq!(policy.thresholds_of_authorities(), expected);
    let entry = "[[thresholds.authority]]\n";
    for (text, part) in [
        (format!("{entry}logs = 0"), "needs one of `url` and `certificate`"),
        (format!("{entry}url = ''"), "needs one of `url` and `certificate`"),
        (format!("{entry}url = 'a'\ncertificate = '{fingerprint}'"), "needs one of `url` and `certificate`"),
        (format!("{entry}certificate = 'ab'"), "64 hexadecimal digits"),
        (format!("{entry}url = 'a'\nlogs = 33"), "`thresholds.authority.logs` is 33, at most 32"),
        (format!("{entry}url = 'a'\nlog = 1"), "unknown field `log`"),
        (format!("{entry}url = 'a'\n{entry}url = 'a'"), "names a twice"),
        (
            (0..65).map(|number| format!("{entry}url = 'a{number}'")).collect::<Vec<_>>().join("\n"),
            "more than 64 entries",
        ),
    ] {
        let error = parsed(&text).map(drop).unwrap_err();
        assert_eq!(error.code(), "policy.malformed");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}
