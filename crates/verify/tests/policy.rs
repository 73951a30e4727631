//! Policies over signatures: accepted and refused ones, the code of each refusal, and attacks on identities that
//! succeed against other verifiers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

use chancery_verify::certificate::Identity;
use chancery_verify::claims::Claims;
use chancery_verify::extension::Claim;
use chancery_verify::policy::{Evidence, Policy};
use chancery_verify::verifier::Signer;
use chancery_verify::{PublicKey, Timestamp, hash};
use serde_json::json;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const GOOGLE: &str = "https://accounts.google.com";
const REPOSITORY: &str = "https://github.com/acme/app";
const WORKFLOW: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2";
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

/// A signature by this identity, with a unique key, in the middle of 2026.
fn by(identity: Identity, issuer: &str, claims: &[(Claim, &str)]) -> Evidence {
    let unique = hash::sha256(format!("{identity}{issuer}").as_bytes());
    let values = claims.iter().map(|(claim, value)| (*claim, (*value).to_owned()));
    let claims = Claims::new(identity, values.chain([(Claim::Issuer, issuer.to_owned())])).unwrap();
    let signer = Signer::Certificate { claims, sha256: unique, key_sha256: unique, serial: unique[..20].to_vec() };
    let mut evidence = Evidence::new(signer);
    evidence.times = vec![at("2026-07-01T12:00:00Z")];
    evidence
}

fn email(address: &str) -> Evidence {
    by(Identity::Email(address.to_owned()), GOOGLE, &[])
}

/// A job of `release.yml` in the repository, for the tag v1.2. `changed` claims replace the default ones.
fn job(identity: &str, changed: &[(Claim, &str)]) -> Evidence {
    let usual = [
        (Claim::BuildSignerUri, identity),
        (Claim::SourceRepositoryUri, REPOSITORY),
        (Claim::SourceRepositoryRef, "refs/tags/v1.2"),
        (Claim::BuildConfigUri, WORKFLOW),
        (Claim::BuildTrigger, "push"),
        (Claim::RunnerEnvironment, "github-hosted"),
        (Claim::DeploymentEnvironment, "production"),
        (Claim::SourceRepositoryIdentifier, "4711"),
    ];
    let unchanged = usual.into_iter().filter(|(claim, _)| changed.iter().all(|(other, _)| other != claim));
    let claims: Vec<_> = unchanged.chain(changed.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
    by(Identity::Uri(identity.to_owned()), GITHUB, &claims)
}

fn at(time: &str) -> Timestamp {
    Timestamp::bounds_rfc3339(time).unwrap().0
}

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// `accepted`, or the code of the refusal.
fn verdict(policy: &Policy, evidence: &[Evidence]) -> &'static str {
    let decision = policy.evaluate(evidence);
    assert_eq!(decision.refusal().is_none(), decision.accepted());
    decision.refusal().map_or("accepted", |refusal| refusal.code())
}

#[test]
fn an_exact_identity_is_this_one_and_no_other() {
    let policy = Policy::identity(WORKFLOW, GITHUB);
    assert_eq!(verdict(&policy, &[job(WORKFLOW, &[])]), "accepted");
    for other in [
        format!("{WORKFLOW}x"),
        format!("x{WORKFLOW}"),
        WORKFLOW.replace("github.com", "githubXcom"),
        WORKFLOW.replace("acme", "ACME"),
        WORKFLOW.replace("release.yml", "release%2Eyml"),
        format!("{WORKFLOW}\n"),
        WORKFLOW[..WORKFLOW.len() - 1].to_owned(),
    ] {
        assert_eq!(verdict(&policy, &[job(&other, &[])]), "policy.identity", "{other:?}");
    }
    for issuer in
        [format!("{GITHUB}/"), GITHUB.replace("https", "http"), GITHUB.to_uppercase(), format!("{GITHUB}.evil")]
    {
        let other = by(Identity::Uri(WORKFLOW.to_owned()), &issuer, &[]);
        assert_eq!(verdict(&policy, &[other]), "policy.issuer", "{issuer}");
    }
    assert_eq!(verdict(&policy, &[]), "policy.quorum");
    assert_eq!(verdict(&Policy::identity("", GITHUB), &[job(WORKFLOW, &[])]), "policy.identity");
}

#[test]
fn patterns_hold_the_whole_identity() {
    let regex = policy(&format!(
        "[require]\nissuer = '{GITHUB}'\nidentity = {{ regex = 'https://github\\.com/acme/app/\\.github/workflows/release\\.yml@refs/tags/v[0-9.]+' }}"
    ));
    let glob = policy(&format!(
        "[require]\nissuer = '{GITHUB}'\nidentity = {{ glob = 'https://github.com/acme/*/.github/workflows/release.yml@refs/tags/v*' }}"
    ));
    let base = "https://github.com/acme/app/.github/workflows/";
    for pattern in [&regex, &glob] {
        assert_eq!(verdict(pattern, &[job(WORKFLOW, &[])]), "accepted");
        for attack in [
            format!("{base}release.yml-evil@refs/tags/v1"),
            format!("{base}release.yml@evil.yml@refs/tags/v1"),
            format!("{base}release.yml@refs/heads/main"),
            format!("{base}release.yml@refs/tags/v1/x"),
            format!("{base}releaseXyml@refs/tags/v1"),
            format!("{base}x/release.yml@refs/tags/v1"),
            "https://githubXcom/acme/app/.github/workflows/release.yml@refs/tags/v1".to_owned(),
            format!("https://evil.example/{WORKFLOW}"),
            format!("{WORKFLOW}\nx"),
            "https://github.com/acme-evil/app/.github/workflows/release.yml@refs/tags/v1".to_owned(),
            "https://github.com/ACME/app/.github/workflows/release.yml@refs/tags/v1".to_owned(),
        ] {
            assert_eq!(verdict(pattern, &[job(&attack, &[])]), "policy.identity", "{attack:?}");
        }
    }
}

#[test]
fn github_is_the_repository_and_its_own_workflow() {
    let github = policy(
        "[require.github]\nrepository = 'acme/app'\nworkflow = 'release.yml'\nref = 'refs/tags/v*'\nevent = 'push'\n\
         runner = 'github-hosted'\nenvironment = 'production'\nrepository_id = '4711'",
    );
    assert_eq!(verdict(&github, &[job(WORKFLOW, &[])]), "accepted");
    let base = "https://github.com/acme/app/.github/workflows/";
    for attack in [
        format!("{base}release.yml-evil@refs/tags/v1.2"),
        format!("{base}release.yml@evil.yml@refs/tags/v1.2"),
        format!("{base}release.yml@refs/heads/main"),
        format!("{base}other.yml@refs/tags/v1.2"),
        "https://github.com/acme/workflows/.github/workflows/release.yml@refs/tags/v1.2".to_owned(),
        "https://github.com/acme/app2/.github/workflows/release.yml@refs/tags/v1.2".to_owned(),
    ] {
        assert_eq!(verdict(&github, &[job(&attack, &[])]), "policy.identity", "{attack}");
    }
    for (claim, value) in [
        (Claim::SourceRepositoryUri, "https://github.com/evil/app"),
        (Claim::SourceRepositoryUri, "https://github.com/acme/app/"),
        (Claim::BuildConfigUri, "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1.2"),
        (Claim::BuildConfigUri, ""),
        (Claim::SourceRepositoryRef, "refs/heads/main"),
        (Claim::BuildTrigger, "pull_request_target"),
        (Claim::RunnerEnvironment, "self-hosted"),
        (Claim::DeploymentEnvironment, ""),
        (Claim::SourceRepositoryIdentifier, "4712"),
    ] {
        assert_eq!(verdict(&github, &[job(WORKFLOW, &[(claim, value)])]), "policy.claim", "{} {value}", claim.name());
    }
    let other_issuer = by(Identity::Uri(WORKFLOW.to_owned()), "https://token.actions.acme.ghe.com", &[]);
    assert_eq!(verdict(&github, &[other_issuer]), "policy.issuer");
}

#[test]
fn a_reusable_workflow_is_not_enough_without_its_caller() {
    let signer = "https://github.com/acme/workflows/.github/workflows/sign.yml@refs/tags/v2.1";
    let reusable = policy(
        "[require.github]\nrepository = 'acme/app'\nworkflow = 'release.yml'\n\
         signer = { repository = 'acme/workflows', workflow = 'sign.yml', ref = 'refs/tags/v2.*' }",
    );
    assert_eq!(verdict(&reusable, &[job(signer, &[])]), "accepted");
    let stranger = [(Claim::SourceRepositoryUri, "https://github.com/evil/app")];
    assert_eq!(verdict(&reusable, &[job(signer, &stranger)]), "policy.claim");
    assert_eq!(verdict(&reusable, &[job(WORKFLOW, &[])]), "policy.identity");
    assert_eq!(verdict(&reusable, &[job(signer, &[(Claim::BuildSignerUri, WORKFLOW)])]), "policy.identity");
    // «Any workflow of the repository» does not include workflows that the repository calls.
    let own = policy("[require.github]\nrepository = 'acme/app'");
    assert_eq!(verdict(&own, &[job(WORKFLOW, &[])]), "accepted");
    assert_eq!(verdict(&own, &[job(signer, &[])]), "policy.identity");
    // A pattern of repositories does not let one repository sign for another.
    let all = policy("[require.github]\nrepository = 'acme/*'");
    let elsewhere = "https://github.com/acme/other/.github/workflows/x.yml@refs/heads/main";
    assert_eq!(verdict(&all, &[job(elsewhere, &[])]), "policy.identity");
}

#[test]
fn gitlab_is_the_project_and_its_file() {
    let gitlab = policy("[require.gitlab]\nproject = 'acme/*'\nfile = '.gitlab-ci.yml'\nref = 'refs/heads/main'");
    let identity = |text: &str| {
        by(Identity::Uri(text.to_owned()), "https://gitlab.com", &[(Claim::SourceRepositoryRef, "refs/heads/main")])
    };
    let good = "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main";
    assert_eq!(verdict(&gitlab, &[identity(good)]), "accepted");
    for attack in [
        "https://gitlab.com/acme/app//x//.gitlab-ci.yml@refs/heads/main",
        "https://gitlab.com/acme/a/b//.gitlab-ci.yml@refs/heads/main",
        "https://gitlab.com/acme/app//.gitlab-ci.yml@x@refs/heads/main",
        "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/dev",
    ] {
        assert_eq!(verdict(&gitlab, &[identity(attack)]), "policy.identity", "{attack}");
    }
    let any_file = policy("[require.gitlab]\nproject = 'acme/**'");
    assert_eq!(verdict(&any_file, &[identity(good)]), "accepted");
    assert_eq!(
        verdict(&any_file, &[identity("https://gitlab.com/acme/a//b//.gitlab-ci.yml@refs/heads/main")]),
        "policy.identity"
    );
    let own = policy("[require.gitlab]\nproject = 'acme/app'\nhost = 'git.acme.example'");
    assert_eq!(verdict(&own, &[identity(good)]), "policy.issuer");
}

#[test]
fn a_named_claim_that_is_absent_fails() {
    let text = format!(
        "[require]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\nclaims = {{ token-subject = {{ regex = '.*' }} }}"
    );
    assert_eq!(verdict(&policy(&text), &[email("a@acme.example")]), "policy.claim");
    let subject = by(Identity::Email("a@acme.example".to_owned()), GOOGLE, &[(Claim::TokenSubject, "1")]);
    assert_eq!(verdict(&policy(&text), &[subject]), "accepted");
}

#[test]
fn a_key_is_no_identity_and_an_identity_no_key() {
    let key = PublicKey::from_pem(KEY.as_bytes()).unwrap();
    let policy = policy(&format!("[require]\nkey = '''\n{KEY}'''"));
    assert_eq!(policy.keys(), [&key]);
    assert!(!policy.takes_certificates());
    let signed = |sha256| Evidence::new(Signer::Key { sha256, hint: None });
    assert_eq!(verdict(&policy, &[signed(key.fingerprint())]), "accepted");
    assert_eq!(verdict(&policy, &[signed([0; 32])]), "policy.key");
    assert_eq!(verdict(&policy, &[email("a@acme.example")]), "policy.key");
    assert_eq!(verdict(&Policy::identity("a@acme.example", GOOGLE), &[signed(key.fingerprint())]), "policy.issuer");
    // A certificate for the same key is another kind of signer.
    let mut certified = email("a@acme.example");
    if let Signer::Certificate { key_sha256, .. } = &mut certified.signer {
        *key_sha256 = key.fingerprint();
    }
    assert_eq!(verdict(&policy, &[certified]), "policy.key");
}

#[test]
fn the_time_of_signing_has_inclusive_bounds() {
    let rule = policy(&format!(
        "[require]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\nnot_before = 2026-01-01T00:00:00Z\nnot_after = '2026-01-01T00:00:10Z'"
    ));
    let whole = policy(&format!(
        "not_before = 2026-01-01T00:00:00Z\nnot_after = 2026-01-01T00:00:10Z\n[require]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'"
    ));
    let signed =
        |times: &[&str]| Evidence { times: times.iter().map(|time| at(time)).collect(), ..email("a@acme.example") };
    for policy in [&rule, &whole] {
        for (times, expected) in [
            (&["2025-12-31T23:59:59Z"][..], "policy.time"),
            (&["2025-12-31T23:59:59.999Z"], "policy.time"),
            (&["2026-01-01T00:00:00Z"], "accepted"),
            (&["2026-01-01T00:00:01Z"], "accepted"),
            (&["2026-01-01T00:00:09Z"], "accepted"),
            (&["2026-01-01T00:00:10Z"], "accepted"),
            (&["2026-01-01T00:00:10.001Z"], "policy.time"),
            (&["2026-01-01T00:00:11Z"], "policy.time"),
            (&["2026-01-01T00:00:05Z", "2026-01-01T00:00:11Z"], "policy.time"),
            (&[], "policy.time"),
        ] {
            assert_eq!(verdict(policy, &[signed(times)]), expected, "{times:?}");
        }
    }
}

#[test]
fn distrust_wins_in_its_window_and_what_may_match_does() {
    let trusted =
        format!("[require]\nissuer = '{GITHUB}'\nidentity = {{ regex = '.*' }}\n[[distrust]]\nreason = 'incident'\n");
    let window = "from = 2026-11-23T00:00:00Z\nuntil = 2026-11-25T23:59:59Z";
    let windowed = policy(&format!("{trusted}identity = {{ glob = 'https://github.com/acme/app/**' }}\n{window}"));
    let signed = |times: &[&str]| Evidence { times: times.iter().map(|time| at(time)).collect(), ..job(WORKFLOW, &[]) };
    for (times, expected) in [
        (&["2026-11-22T23:59:59Z"][..], "accepted"),
        (&["2026-11-23T00:00:00Z"], "policy.distrusted"),
        (&["2026-11-23T00:00:01Z"], "policy.distrusted"),
        (&["2026-11-25T23:59:58Z"], "policy.distrusted"),
        (&["2026-11-25T23:59:59Z"], "policy.distrusted"),
        (&["2026-11-26T00:00:00Z"], "accepted"),
        // Of several times, the signature may have been made at any moment between the first and the last.
        (&["2026-11-22T23:59:58Z", "2026-11-22T23:59:59Z"], "accepted"),
        (&["2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"], "policy.distrusted"),
        (&["2026-11-22T23:59:59Z", "2026-11-26T00:00:00Z"], "policy.distrusted"),
        (&["2026-11-26T00:00:00Z", "2026-11-26T00:00:01Z"], "accepted"),
        (&[], "policy.distrusted"),
    ] {
        assert_eq!(verdict(&windowed, &[signed(times)]), expected, "{times:?}");
    }
    let ours = job(WORKFLOW, &[]);
    let Signer::Certificate { sha256, serial, .. } = &ours.signer else { unreachable!() };
    let (fingerprint, serial) = (hex::encode(sha256), hex::encode_upper(serial));
    for rule in [
        "identity = { glob = 'HTTPS://github.com/Acme/**' }".to_owned(),
        format!("identity = '{}'", WORKFLOW.to_uppercase()),
        format!("issuer = '{}'", GITHUB.to_uppercase()),
        format!("key = 'sha256:{fingerprint}'"),
        format!("certificate = {{ fingerprint = '{fingerprint}' }}"),
        format!("certificate = {{ serial = '00{serial}' }}"),
        format!("identity = '{WORKFLOW}'\nissuer = '{GITHUB}'"),
    ] {
        assert_eq!(
            verdict(&policy(&format!("{trusted}{rule}")), std::slice::from_ref(&ours)),
            "policy.distrusted",
            "{rule}"
        );
    }
    for rule in [
        format!("identity = '{WORKFLOW}'\nissuer = '{GOOGLE}'"),
        "identity = { glob = 'https://github.com/acme/application/**' }".to_owned(),
        format!("key = 'sha256:{}'", "0".repeat(64)),
        "certificate = { serial = '01' }".to_owned(),
    ] {
        assert_eq!(verdict(&policy(&format!("{trusted}{rule}")), std::slice::from_ref(&ours)), "accepted", "{rule}");
    }
    // An authority above the signer, and an identity with too many `@`.
    let mut issued = ours.clone();
    issued.authorities = vec![[9; 32]];
    let rule = format!("{trusted}certificate = {{ fingerprint = 'sha256:{}' }}", "09".repeat(32));
    assert_eq!(verdict(&policy(&rule), &[issued]), "policy.distrusted");
    let odd = job("https://github.com/acme/app/x@y@refs/heads/main", &[]);
    let rule = format!("{trusted}identity = {{ glob = 'https://github.com/acme/app/**' }}");
    assert_eq!(verdict(&policy(&rule), &[odd]), "policy.distrusted");
}

#[test]
fn a_distrusted_signature_does_not_spoil_a_good_one() {
    let policy = policy(&format!(
        "[require]\nissuer = '{GOOGLE}'\nidentity = {{ glob = '*@acme.example' }}\n[[distrust]]\nreason = 'left'\nidentity = 'bob@acme.example'"
    ));
    let decision = policy.evaluate(&[email("bob@acme.example"), email("alice@acme.example")]);
    assert!(decision.accepted());
    assert_eq!(decision.counted(), [1]);
    assert_eq!(decision.distrusted()[0].reason, "left");
    let refused = policy.evaluate(&[email("Bob@acme.example")]);
    assert_eq!(refused.refusal().unwrap().code(), "policy.distrusted");
    assert!(refused.to_string().starts_with("refused, policy.distrusted: "), "{refused}");
}

#[test]
fn a_quorum_counts_signers_not_signatures() {
    let rule = |count: usize, people: &[&str]| {
        let entry = |address: &&str| {
            format!("[[require.at_least.of]]\nissuer = '{GOOGLE}'\nidentity = {{ glob = '{address}' }}\n")
        };
        policy(&format!("[require.at_least]\ncount = {count}\n{}", people.iter().map(entry).collect::<String>()))
    };
    let two = rule(2, &["alice@acme.example", "bob@acme.example", "*@acme.example"]);
    let (alice, bob, carol) = (email("alice@acme.example"), email("bob@acme.example"), email("carol@acme.example"));
    assert_eq!(verdict(&two, &[alice.clone(), bob.clone()]), "accepted");
    assert_eq!(verdict(&two, &[alice.clone(), carol.clone()]), "accepted");
    assert_eq!(verdict(&two, std::slice::from_ref(&alice)), "policy.quorum");
    assert_eq!(verdict(&two, &[alice.clone(), alice.clone()]), "policy.quorum");
    // Another certificate, key and signature of the same person, by another issuer or in another spelling.
    for same in ["alice@acme.example", "Alice@acme.example"] {
        let mut again = email(same);
        if let Signer::Certificate { sha256, key_sha256, .. } = &mut again.signer {
            (*sha256, *key_sha256) = ([1; 32], [2; 32]);
        }
        assert_eq!(verdict(&two, &[alice.clone(), again]), "policy.quorum", "{same}");
    }
    // Two people with one key, or one signature.
    let mut borrowed = bob.clone();
    if let (Signer::Certificate { key_sha256, .. }, key) = (&mut borrowed.signer, alice.signer.key_sha256()) {
        *key_sha256 = key;
    }
    assert_eq!(verdict(&two, &[alice.clone(), borrowed]), "policy.quorum");
    let signed = |evidence: &Evidence| Evidence { signature: Some(vec![7]), ..evidence.clone() };
    assert_eq!(verdict(&two, &[signed(&alice), signed(&bob)]), "policy.quorum");
    // Unknown signers do not count, and a quorum of three needs three.
    assert_eq!(verdict(&two, &[alice.clone(), email("mallory@evil.example")]), "policy.quorum");
    let three = rule(3, &["alice@acme.example", "bob@acme.example", "*@acme.example"]);
    assert_eq!(verdict(&three, &[alice.clone(), bob.clone()]), "policy.quorum");
    assert_eq!(three.evaluate(&[alice, bob, carol]).counted(), [0, 1, 2]);
}

#[test]
fn combinations_count_what_they_need() {
    let all = policy(&format!(
        "[[require.all_of]]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\n\
         [[require.all_of]]\ngithub = {{ repository = 'acme/app' }}"
    ));
    assert_eq!(verdict(&all, &[email("a@acme.example"), job(WORKFLOW, &[])]), "accepted");
    assert_eq!(verdict(&all, &[email("a@acme.example")]), "policy.issuer");
    let any = policy(&format!(
        "[[require.any_of]]\nname = 'person'\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\n\
         [[require.any_of]]\nname = 'pipeline'\ngithub = {{ repository = 'acme/app' }}"
    ));
    assert_eq!(verdict(&any, &[job(WORKFLOW, &[])]), "accepted");
    assert_eq!(verdict(&any, &[email("b@acme.example")]), "policy.identity");
    // The reported reason is that of the branch that came closest.
    let other = job(WORKFLOW, &[(Claim::SourceRepositoryUri, "https://github.com/evil/app")]);
    assert_eq!(verdict(&any, &[other]), "policy.claim");
}

#[test]
fn provenance_predicates_and_annotations_are_compared() {
    let policy = policy(&format!(
        "[require]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\nannotations = {{ stage = 'prod' }}\n\
         slsa = {{ builder = 'https://builder.example', source = {{ glob = 'git+https://github.com/acme/app@refs/tags/*' }} }}\n\
         [require.predicate]\ntype = 'https://slsa.dev/provenance/v1'\n\
         fields = [{{ path = '/buildDefinition/internalParameters/retries', less = 2 }}]"
    ));
    let predicate = |builder: &str, retries: u32| {
        json!({
            "buildDefinition": {
                "buildType": "https://type.example", "internalParameters": { "retries": retries },
                "externalParameters": { "source": "git+https://github.com/acme/app@refs/tags/v1" },
            },
            "runDetails": { "builder": { "id": builder } },
        })
    };
    let signed = |kind: &str, predicate: serde_json::Value, stage: &str| Evidence {
        predicate: Some((kind.to_owned(), predicate)),
        annotations: [("stage".to_owned(), stage.to_owned())].into(),
        ..email("a@acme.example")
    };
    let kind = "https://slsa.dev/provenance/v1";
    let good = predicate("https://builder.example", 1);
    assert_eq!(verdict(&policy, &[signed(kind, good.clone(), "prod")]), "accepted");
    assert_eq!(verdict(&policy, &[signed(kind, good.clone(), "test")]), "policy.annotation");
    assert_eq!(
        verdict(&policy, &[signed("https://slsa.dev/provenance/v0.2", good, "prod")]),
        "statement.predicate_type"
    );
    assert_eq!(verdict(&policy, &[signed(kind, predicate("https://evil.example", 1), "prod")]), "policy.predicate");
    assert_eq!(verdict(&policy, &[signed(kind, predicate("https://builder.example", 2), "prod")]), "policy.predicate");
    assert_eq!(verdict(&policy, &[signed(kind, json!({ "a": 1 }), "prod")]), "policy.predicate");
    let builder_only = self::policy(&format!(
        "[require]\nissuer = '{GOOGLE}'\nidentity = 'a@acme.example'\nslsa = {{ builder = {{ regex = '.*' }} }}"
    ));
    assert_eq!(verdict(&builder_only, &[signed(kind, json!({}), "prod")]), "predicate.malformed");
    assert_eq!(verdict(&builder_only, &[email("a@acme.example")]), "policy.predicate");
}

#[test]
fn a_decision_explains_itself_in_json_and_text() {
    let policy = Policy::identity("alice@acme.example", GOOGLE);
    let decision = policy.evaluate(&[email("bob@acme.example")]);
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["refusal"]["code"], "policy.identity");
    let checks = &json["explanation"]["rules"][0]["rules"][0]["rules"];
    assert_eq!((&checks[0]["rule"], &checks[0]["held"]), (&json!("issuer"), &json!(true)));
    assert_eq!(
        (&checks[1]["expected"], &checks[1]["found"]),
        (&json!("alice@acme.example"), &json!("bob@acme.example"))
    );
    let text = decision.to_string();
    assert!(text.contains("✓ issuer: https://accounts.google.com\n"), "{text}");
    assert!(text.contains("✗ identity: expected alice@acme.example, found bob@acme.example\n"), "{text}");
    assert!(policy.evaluate(&[email("alice@acme.example")]).to_string().starts_with("accepted\n✓ policy\n"));
}
