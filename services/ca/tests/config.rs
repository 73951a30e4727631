//! The issuers' configuration: what is taken, what is refused, and what it means.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use chancery_ca::config::{self, ConfigError, IssuersFile};
use chancery_ca::identity::IssuerKind;
use chancery_ca::oidc::{Authenticator, http_fetcher};
use chancery_ca::{IssuerName, IssuerSettings, KeySource};
use std::path::{Path, PathBuf};

/// The settings of one issuer, or why there are none.
fn read(text: &str) -> Result<IssuerSettings, String> {
    let file: IssuersFile = toml::from_str(&format!("[[issuer]]\n{text}")).map_err(|error| error.to_string())?;
    let settings = file.settings(Path::new("")).map_err(|error| error.to_string())?;
    Authenticator::new(settings.clone(), &http_fetcher).map_err(|error| error.to_string())?;
    Ok(settings.into_iter().next().unwrap())
}

/// An issuer, and words of the reason why it is not taken.
const MISTAKES: &[(&str, &str)] = &[
    ("url = 'https://a.test'", "either `preset` or `type`"),
    ("url = 'https://a.test'\npreset = 'google'\ntype = 'email'", "either `preset` or `type`"),
    ("url = 'https://a.test'\ntype = 'e-mail'", "unknown variant"),
    ("url = 'https://a.test'\npreset = 'gittea'", "unknown variant"),
    ("url = 'https://a.test'\ntype = 'email'\naudience = 'x'", "unknown field `audience`"),
    ("url = 'https://a.test'\ntype = 'email'\naudiences = []", "`audiences`"),
    ("url = 'https://a.test'\ntype = 'email'\naudiences = ['']", "`audiences`"),
    ("type = 'email'", "`url` is missing"),
    ("url = 'https://a.test'\nurl_pattern = 'https://*.a.test'\ntype = 'email'", "exclude each other"),
    ("url = 'http://a.test'\ntype = 'email'", "must be https"),
    ("url = 'http://127.0.0.1'\ntype = 'email'", "must be https"),
    ("url = 'https://a.test?x'\ntype = 'email'", "not an issuer URL"),
    // W3: a star is a wildcard only where one is announced.
    ("url_pattern = 'https://*'\ntype = 'kubernetes'", "not an issuer pattern"),
    ("url_pattern = 'https://a.b.test'\ntype = 'kubernetes'", "not an issuer pattern"),
    (
        "url_pattern = 'https://*.b.test'\ntype = 'kubernetes'\njwks_uri = 'https://a.test'",
        "each issuer of a pattern has its own keys",
    ),
    ("url_pattern = 'https://*.b.test'\ntype = 'spiffe'\ntrust_domain = 'a'", "one issuer"),
    ("url = 'https://a.test'\ntype = 'spiffe'", "needs `trust_domain`"),
    ("url = 'https://a.test'\ntype = 'spiffe'\ntrust_domain = 'A.test'", "needs `trust_domain`"),
    ("url = 'https://a.test'\ntype = 'email'\ntrust_domain = 'a.test'", "`trust_domain` has no meaning"),
    ("url = 'https://a.test'\ntype = 'kubernetes'\naccept_unverified_email = true", "has no meaning"),
    ("url = 'https://a.test'\ntype = 'kubernetes'\nemail_claim = 'upn'", "`email_claim` has no meaning"),
    ("url = 'https://a.test'\ntype = 'email'\nemail_claim = 'upn'", "needs `accept_unverified_email = true`"),
    ("url = 'https://a.test'\ntype = 'email'\nemail_claim = ''\naccept_unverified_email = true", "is not a claim"),
    ("url = 'https://a.test'\ntype = 'email'\nin_cluster = true", "`in_cluster` has no meaning"),
    ("url = 'https://a.test'\ntype = 'uri'", "needs `subject_domain`"),
    ("url = 'https://a.test'\ntype = 'uri'\nsubject_domain = 'a.test'", "needs `subject_domain`"),
    ("url = 'https://a.test'\ntype = 'uri'\nsubject_domain = 'http://a.test'", "different schemes"),
    // W5: two owners below one public suffix.
    ("url = 'https://a.co.uk'\ntype = 'uri'\nsubject_domain = 'https://b.co.uk'", "unrelated_subject_domain"),
    ("url = 'https://a.co.uk'\ntype = 'username'\nsubject_domain = 'b.co.uk'", "unrelated_subject_domain"),
    ("url = 'https://a.test'\ntype = 'username'\nsubject_domain = 'test'", "unrelated_subject_domain"),
    ("url = 'https://a.test'\ntype = 'username'\nsubject_domain = 'https://a.test'", "without a scheme"),
    // W4: the same for families.
    ("url_pattern = 'https://*.a.test'\ntype = 'username'\nsubject_domain = 'b.test'", "unrelated_subject_domain"),
    ("url = 'https://a.test'\ntype = 'ci-provider'", "needs `subject`"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = '{x}'", "must begin with a scheme"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test{x}'", "must begin with a scheme"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{x'", "without `}`"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{x} }'", "a lone `}`"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{if x == \"y\"}z'", "without `{end}`"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{if x}z{end}'", "without ` == `"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{end}'", "without `{if …}`"),
    ("url = 'https://a.test'\ntype = 'ci-provider'\nsubject = 'https://a.test/{a b}'", "not the name of a claim"),
    (
        "preset = 'generic'\nurl = 'https://a.test'\nsubject = 'https://a.test/'\nextensions = {issuer = 'x'}",
        "`issuer` is not",
    ),
    (
        "preset = 'generic'\nurl = 'https://a.test'\nsubject = 'https://a.test/'\nextensions = {token-subject = 'x'}",
        "is not",
    ),
    ("preset = 'ghes'\nurl = 'https://a.test'", "does not end in `/_services/token`"),
    ("preset = 'gitlab'\nbase_url = 'gitlab.test'", "`base_url` must be"),
    ("preset = 'github'\nurl = 'https://a.test'", "has a default only for the service's own issuer"),
    ("type = 'github-workflow'\nurl = 'https://token.actions.githubusercontent.com.a.test'", "has a default only"),
    ("type = 'codefresh-workflow'\nurl = 'https://a.test'", "has a default only"),
    ("type = 'gitlab-pipeline'\nurl_pattern = 'https://*.git.a.test'", "has a default only"),
    ("type = 'buildkite-job'\nurl = 'https://agent.buildkite.com@a.test'", "has a default only"),
    ("preset = 'keycloak'\nurl = 'https://a.test'", "a realm"),
    ("preset = 'entra'\nurl = 'https://login.microsoftonline.com/common/v2.0'", "accept every tenant"),
    ("preset = 'google'\nmax_age_seconds = 0", "`max_age_seconds`"),
    ("preset = 'google'\nmax_age_seconds = 604801", "`max_age_seconds`"),
    ("preset = 'google'\nrequire = {hd = []}", "has no allowed value"),
    ("preset = 'google'\nrequire = {'' = 'x'}", "not the name of a claim"),
    ("preset = 'google'\njwks_uri = 'https://a.test'", "has an effect only if keys are discovered"),
    ("preset = 'google'\njwks_hosts = ['https://keys.example.org']", "without scheme, port and path"),
    ("preset = 'google'\njwks_hosts = ['keys.example.org:443']", "without scheme, port and path"),
    ("preset = 'google'\njwks_hosts = ['']", "without scheme, port and path"),
    ("preset = 'google'\nca_file = '/nonexistent/ca.pem'", "cannot read /nonexistent/ca.pem"),
    ("url = 'https://a.test'\ntype = 'email'\nca_pem = 'x'\nca_file = 'y'", "exclude each other"),
    ("url = 'https://a.test'\ntype = 'email'\nproxy = 'nonsense'", "`proxy` must be"),
    (
        "url = 'https://a.test'\ntype = 'email'\nca_pem = '-----BEGIN CERTIFICATE-----\\nx'",
        "cannot be reached as configured",
    ),
];

#[test]
fn mistakes_are_refused_with_what_to_do() {
    for (text, reason) in MISTAKES {
        let refused = read(text).expect_err(text);
        assert!(refused.contains(reason), "{text}\n{refused}");
    }
}

#[test]
fn hosts_of_keys_are_compared_as_a_url_has_them() {
    let settings =
        read("url = 'https://a.test'\ntype = 'email'\njwks_hosts = ['Keys.Example.org.', 'bücher.example']").unwrap();
    let hosts = ["keys.example.org", "xn--bcher-kva.example"].map(str::to_owned).into();
    assert_eq!(settings.keys, KeySource::Discovery { jwks_hosts: hosts });
}

#[test]
fn an_issuer_of_a_subject_domain_speaks_for_its_own() {
    for good in [
        "url = 'https://a.co.uk'\ntype = 'uri'\nsubject_domain = 'https://a.co.uk'",
        "url = 'https://login.a.co.uk'\ntype = 'uri'\nsubject_domain = 'https://a.co.uk'",
        "url = 'https://a.test'\ntype = 'username'\nsubject_domain = 'users.a.test'",
        "url = 'https://a.co.uk'\ntype = 'username'\nsubject_domain = 'b.co.uk'\nunrelated_subject_domain = true",
    ] {
        read(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

#[test]
fn an_issuer_s_host_has_any_spelling() {
    for good in [
        "url = 'https://Login.A.co.uk'\ntype = 'uri'\nsubject_domain = 'https://a.co.uk'",
        "url = 'https://login.a.co.uk'\ntype = 'uri'\nsubject_domain = 'HTTPS://A.co.uk.'",
        "url = 'https://[2001:db8::1]:8443'\ntype = 'uri'\nsubject_domain = 'https://[2001:DB8:0::1]'",
        "url = 'https://A.test:8443/x'\ntype = 'username'\nsubject_domain = 'users.a.test'",
    ] {
        read(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    // GitLab and Jenkins write in claims what their administrator has written.
    for (text, claim, expected) in [
        ("preset = 'gitlab'", "ci_config_ref_uri", &["gitlab.com/*"][..]),
        (
            "preset = 'gitlab'\nurl = 'https://GitLab.Example.org:443'",
            "ci_config_ref_uri",
            &["GitLab.Example.org/*", "gitlab.example.org/*"],
        ),
        ("preset = 'gitlab'\nurl = 'https://[2001:db8::1]:8443'", "ci_config_ref_uri", &["[2001:db8::1]:8443/*"]),
        (
            "preset = 'jenkins'\nurl = 'https://CI.Example.org/oidc'",
            "sub",
            &["https://CI.Example.org/*", "https://ci.example.org/*"],
        ),
    ] {
        let conditions = read(text).unwrap_or_else(|error| panic!("{text}: {error}")).conditions;
        let found = conditions.iter().find(|condition| condition.claim.as_str() == claim).unwrap();
        assert_eq!(found.any_of, expected, "{text}");
    }
}

#[test]
fn a_cluster_asks_only_its_own_api_server_who_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.crt");
    std::fs::write(&ca, "").unwrap();
    let text = format!(
        "preset = 'kubernetes'\nurl = 'https://kubernetes.default.svc.cluster.local'\nin_cluster = true\nca_file = '{}'",
        ca.display()
    );
    let file: IssuersFile = toml::from_str(&format!("[[issuer]]\n{text}")).unwrap();
    let settings = file.settings(Path::new("")).unwrap().swap_remove(0);
    assert_eq!(settings.kind, IssuerKind::Kubernetes);
    assert_eq!(settings.keys, KeySource::At("https://kubernetes.default.svc/openid/v1/jwks".to_owned()));
    let bearer = settings.access.bearer.unwrap();
    assert_eq!(bearer.file, PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token"));
    assert_eq!(bearer.origin, "https://kubernetes.default.svc/openid/v1/jwks");
    assert!(settings.access.private_addresses && !settings.access.loopback_http);
}

#[test]
fn what_is_not_written_down_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("issuers.toml");
    // W1: Fulcio trusts the public issuers here.
    assert!(matches!(config::load(&path), Err(ConfigError::Read { .. })));
    for empty in ["", "# nothing\n", "issuer = []"] {
        std::fs::write(&path, empty).unwrap();
        assert!(matches!(config::load(&path), Err(ConfigError::Empty { .. })), "{empty}");
    }
    for bad in [
        "[[issuers]]\npreset = 'github'",
        "x",
        "issuer = 1",
        "[[issuer]]\npreset = 'github'\n[[issuer]]\npreset = 'github'",
    ] {
        std::fs::write(&path, bad).unwrap();
        assert!(config::check(&path).is_err(), "{bad}");
    }
    std::fs::write(&path, "[[issuer]]\npreset = 'github'").unwrap();
    let [settings] = &config::check(&path).unwrap()[..] else { panic!("one issuer") };
    assert_eq!(settings.name, IssuerName::Exact("https://token.actions.githubusercontent.com".to_owned()));
    assert_eq!(settings.audiences, ["sigstore"]);
    // No network access is allowed that is not configured.
    assert_eq!(settings.access, chancery_ca::Access::default());
}

#[test]
fn files_are_found_beside_the_file_that_names_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("issuers.toml");
    std::fs::write(&path, "[[issuer]]\npreset = 'kubernetes'\nurl = 'https://c.test'\njwks_file = 'c.json'").unwrap();
    assert!(config::load(&path).unwrap_err().to_string().contains("c.json"));
    std::fs::write(directory.path().join("c.json"), "{\"keys\":[]}").unwrap();
    assert_eq!(config::load(&path).unwrap()[0].keys, KeySource::Static("{\"keys\":[]}".to_owned()));
    assert!(config::check(&path).is_err(), "no usable key");
}

#[test]
fn the_example_is_a_configuration_and_the_schema_knows_its_keys() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/issuers.toml");
    assert!(config::check(&example).unwrap().len() >= 10);
    // What is commented out is one too, but for the files it names.
    let text = std::fs::read_to_string(&example).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .filter(|line| !line.contains("_file") && !line.contains("in_cluster"))
        .fold(String::new(), |all, line| all + line + "\n");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("issuers.toml");
    std::fs::write(&path, uncommented).unwrap();
    assert!(config::check(&path).unwrap().len() > config::check(&example).unwrap().len());

    let schema = config::schema();
    let entry = &schema["$defs"]["IssuerEntry"];
    assert_eq!(entry["additionalProperties"], false);
    for key in ["url", "url_pattern", "preset", "type", "audiences", "require", "extensions", "jwks_file", "in_cluster"]
    {
        assert!(entry["properties"][key]["description"].is_string(), "{key}");
    }
}
