//! Every claim of a certificate by its name, and every setting of the shorthands for GitHub and GitLab. Each is required exactly as
//! the policy writes it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

use chancery_verify::certificate::Identity;
use chancery_verify::claims::Claims;
use chancery_verify::extension::Claim;
use chancery_verify::policy::{Evidence, Policy};
use chancery_verify::verifier::Signer;

const ACTIONS: &str = "https://token.actions.githubusercontent.com";

/// A signature by this identity, with these claims. An empty one is absent.
fn signed(identity: &str, issuer: &str, claims: &[(Claim, &str)]) -> Evidence {
    let claims = claims.iter().map(|(claim, value)| (*claim, (*value).to_owned()));
    let claims = Claims::new(Identity::Uri(identity.to_owned()), claims.chain([(Claim::Issuer, issuer.to_owned())]));
    let (sha256, key_sha256, serial) = ([1; 32], [2; 32], vec![3]);
    Evidence::new(Signer::Certificate { claims: claims.unwrap(), sha256, key_sha256, serial })
}

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn verdict(policy: &Policy, evidence: &Evidence) -> &'static str {
    let decision = policy.evaluate(std::slice::from_ref(evidence));
    decision.refusal().map_or("accepted", |refusal| refusal.code())
}

#[test]
fn each_claim_of_fulcio_can_be_required_by_its_name() {
    let issuer = "https://issuer.example";
    let (mut required, is_issuer) = (0, [Claim::Issuer, Claim::IssuerV1]);
    for claim in Claim::ALL.iter().copied().filter(|claim| !is_issuer.contains(claim)) {
        let name = claim.name();
        let policy = policy(&format!("[require]\nissuer = '{issuer}'\nclaims = {{ {name} = 'wanted' }}"));
        for (value, expected) in [
            ("wanted", "accepted"),
            ("Wanted", "policy.claim"),
            ("wanted ", "policy.claim"),
            ("another", "policy.claim"),
            ("", "policy.claim"),
        ] {
            let evidence = signed("https://ci.example/app", issuer, &[(claim, value)]);
            assert_eq!(verdict(&policy, &evidence), expected, "{name} {value:?}");
        }
        required += 1;
    }
    assert_eq!(required, 21, "claims .2 to .6 and .9 to .24");
}

#[test]
fn each_setting_of_gitlab_is_required() {
    let identity = "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main";
    let usual = [
        (Claim::SourceRepositoryRef, "refs/heads/main"),
        (Claim::DeploymentEnvironment, "production"),
        (Claim::BuildTrigger, "push"),
        (Claim::RunnerEnvironment, "gitlab-hosted"),
    ];
    let gitlab = policy(
        "[require.gitlab]\nproject = 'acme/app'\nfile = '.gitlab-ci.yml'\nref = 'refs/heads/main'\n\
         environment = 'production'\nevent = 'push'\nrunner = 'gitlab-hosted'",
    );
    assert_eq!(verdict(&gitlab, &signed(identity, "https://gitlab.com", &usual)), "accepted");
    for (claim, other) in [
        (Claim::SourceRepositoryRef, "refs/heads/dev"),
        (Claim::DeploymentEnvironment, "staging"),
        (Claim::BuildTrigger, "web"),
        (Claim::RunnerEnvironment, "self-hosted"),
    ] {
        for value in [other, ""] {
            let changed = usual.map(|(name, usual)| (name, if name == claim { value } else { usual }));
            let evidence = signed(identity, "https://gitlab.com", &changed);
            assert_eq!(verdict(&gitlab, &evidence), "policy.claim", "{} {value:?}", claim.name());
        }
    }
    for other in [
        "https://gitlab.com/acme/app2//.gitlab-ci.yml@refs/heads/main",
        "https://gitlab.com/acme/app//other.yml@refs/heads/main",
        "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/dev",
        "https://git.acme.example/acme/app//.gitlab-ci.yml@refs/heads/main",
    ] {
        assert_eq!(verdict(&gitlab, &signed(other, "https://gitlab.com", &usual)), "policy.identity", "{other}");
    }
    // An instance has its own host and issuer.
    let own = "https://git.acme.example/acme/app//.gitlab-ci.yml@refs/heads/main";
    for (settings, issuer) in [
        ("host = 'git.acme.example'", "https://git.acme.example"),
        ("host = 'git.acme.example'\nissuer = 'https://id.acme.example'", "https://id.acme.example"),
    ] {
        let instance = policy(&format!("[require.gitlab]\nproject = 'acme/app'\n{settings}"));
        assert_eq!(verdict(&instance, &signed(own, issuer, &[])), "accepted", "{settings}");
        for other in ["https://gitlab.com", "https://git.acme.example/"] {
            assert_eq!(verdict(&instance, &signed(own, other, &[])), "policy.issuer", "{settings}");
        }
    }
}

#[test]
fn each_host_of_github_has_its_issuer_and_owners_are_numbers() {
    for (settings, host, issuer) in [
        ("", "github.com", ACTIONS),
        ("host = 'acme.ghe.com'", "acme.ghe.com", "https://token.actions.acme.ghe.com"),
        ("host = 'git.acme.example'", "git.acme.example", "https://git.acme.example/_services/token"),
        ("issuer = 'https://id.acme.example'", "github.com", "https://id.acme.example"),
    ] {
        let text = format!("[require.github]\nrepository = 'acme/app'\nowner_id = '42'\n{settings}");
        let github = policy(&text);
        let job = |host: &str, issuer: &str, owner: &str| {
            let repository = format!("https://{host}/acme/app");
            let identity = format!("{repository}/.github/workflows/release.yml@refs/heads/main");
            let claims =
                [(Claim::SourceRepositoryUri, repository.as_str()), (Claim::SourceRepositoryOwnerIdentifier, owner)];
            verdict(&github, &signed(&identity, issuer, &claims))
        };
        assert_eq!(job(host, issuer, "42"), "accepted", "{settings}");
        assert_eq!(job(host, "https://elsewhere.example", "42"), "policy.issuer", "{settings}");
        assert_ne!(job("elsewhere.example", issuer, "42"), "accepted", "{settings}");
        for owner in ["43", ""] {
            assert_eq!(job(host, issuer, owner), "policy.claim", "{settings} {owner:?}");
        }
    }
}
