//! Tokens of other issuers than the development issuer: services' and clusters' identities, from the configuration file to
//! the verifier of real clients.

use chancery_tests::{
    ALICE, Client, Person, Stack, TokenIssuer,
    client::{with_timestamps, with_urls},
    fulcio::{SIGNING_CERT_V2, key_request},
    http::{Request, Response},
    key::Key,
    program::Program,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest a changed file may go unnoticed.
const RELOAD_DEADLINE: Duration = Duration::from_secs(20);

/// A file of issuers.
struct Issuers {
    directory: TempDir,
    issuer: TokenIssuer,
}

impl Issuers {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), issuer: TokenIssuer::start() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("issuers.toml")
    }

    /// A table for the test issuer called `name`.
    fn table(&self, name: &str, rest: &str) -> String {
        let url = self.issuer.url(name);
        format!("[[issuer]]\nurl = \"{url}\"\ndevelopment_loopback_http = true\n{rest}\n")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    fn start(&self) -> Stack {
        Stack::start_with(&["--issuers", self.path().to_str().unwrap()])
    }
}

/// Certificates name the service everybody knows only because this says so: the issuer is not its own.
const GITHUB: &str = "preset = 'github'\nbase_url = 'https://github.com'";

fn github() -> Value {
    json!({
        "sub": "repo:acme/app:ref:refs/heads/main", "job_workflow_ref": "acme/app/.github/workflows/release.yml@refs/heads/main",
        "job_workflow_sha": "1111111111111111111111111111111111111111", "sha": "2222222222222222222222222222222222222222",
        "event_name": "push", "repository": "acme/app", "repository_id": "1", "repository_owner": "acme",
        "repository_owner_id": "2", "repository_visibility": "private", "workflow": "Release",
        "workflow_ref": "acme/app/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "3333333333333333333333333333333333333333", "ref": "refs/heads/main", "run_id": "7",
        "run_attempt": "1", "runner_environment": "github-hosted",
    })
}

fn gitlab() -> Value {
    json!({
        "sub": "project_path:group/app:ref_type:tag:ref:v1", "project_path": "group/app", "project_id": "42",
        "namespace_path": "group", "namespace_id": "7", "pipeline_source": "push", "pipeline_id": "1000", "job_id": "2000",
        "ref": "v1", "ref_type": "tag", "ref_protected": "true", "sha": "4444444444444444444444444444444444444444",
        "runner_id": 1, "runner_environment": "self-hosted", "project_visibility": "private",
        "ci_config_ref_uri": "gitlab.example.test/group/app//.gitlab-ci.yml@refs/tags/v1",
        "ci_config_sha": "5555555555555555555555555555555555555555",
        // GitLab says who pushed; clients then prove possession over the address.
        "email": "pusher@example.test", "email_verified": true,
    })
}

fn kubernetes() -> Value {
    json!({
        "sub": "system:serviceaccount:release:signer",
        "kubernetes.io": {"namespace": "release", "serviceaccount": {"name": "signer", "uid": "u"}, "pod": {"name": "p"}},
    })
}

/// cosign's verification of `bundle` by issuer and a pattern of the name.
fn verify(program: Program, trusted_root: &str, issuer: &str, pattern: &str) -> Program {
    program
        .arg("--trusted-root")
        .arg(trusted_root)
        .arg("--certificate-oidc-issuer")
        .arg(issuer)
        .arg("--certificate-identity-regexp")
        .arg(pattern)
}

#[test]
fn jobs_and_workloads_sign_and_cosign_verifies_who_they_are() {
    let issuers = Issuers::new();
    issuers.write(
        &[
            issuers.table(
                "github",
                "preset = 'github'\nbase_url = 'https://github.com'\nrequire = {repository_owner = 'acme'}",
            ),
            issuers.table("gitlab", "preset = 'gitlab'\nbase_url = 'https://gitlab.example.test'"),
            issuers.table("cluster", "preset = 'kubernetes'"),
        ]
        .concat(),
    );
    let stack = issuers.start();
    let person = stack.person(ALICE);
    person.write("artifact", "hello");
    let root = person.trust("trusted_root.json");
    let cases = [
        ("github", github(), "^https://github\\.com/acme/app/\\.github/workflows/release\\.yml@refs/heads/main$"),
        ("gitlab", gitlab(), "^https://gitlab\\.example\\.test/group/app//\\.gitlab-ci\\.yml@refs/tags/v1$"),
        ("cluster", kubernetes(), "^https://kubernetes\\.io/namespaces/release/serviceaccounts/signer$"),
    ];
    for (name, claims, pattern) in &cases {
        let issuer = issuers.issuer.url(name);
        for client in Client::ALL {
            let bundle = format!("{name}-{client:?}.json");
            let token = token_argument(&person, client, &issuers.issuer.token(name, claims));
            client.sign_with_token(&person, &token, "artifact", &bundle).run().succeeds();
            let cosign2 = person.cosign2().args("verify-blob --new-bundle-format");
            for cosign in [person.cosign3().arg("verify-blob"), with_timestamps(&person, &bundle, cosign2)] {
                verify(cosign, &root, &issuer, pattern).arg("--bundle").arg(&bundle).arg("artifact").run().succeeds();
            }
            let other = verify(person.cosign3().arg("verify-blob"), &root, &issuer, "^https://other\\.test/");
            other.arg("--bundle").arg(&bundle).arg("artifact").run().fails_with(&["no matching CertificateIdentity"]);
        }
    }
}

/// How this client takes a token: cosign reads what is not signed with RS256 from a file.
fn token_argument(person: &Person, client: Client, token: &str) -> String {
    match client {
        Client::Cosign3 | Client::Cosign2 => person.write("token", token).to_str().unwrap().to_owned(),
        Client::SigstorePython => token.to_owned(),
    }
}

#[test]
fn cosign_finds_what_github_said_in_the_certificate() {
    let issuers = Issuers::new();
    issuers.write(&issuers.table("github", GITHUB));
    let stack = issuers.start();
    let person = stack.person(ALICE);
    person.write("artifact", "hello");
    let token = token_argument(&person, Client::Cosign2, &issuers.issuer.token("github", &github()));
    // Bundle and certificate apart, as cosign 2 has always had it.
    with_urls(&person, person.cosign2().args("sign-blob --yes --output-certificate cert.pem --output-signature sig"))
        .arg("--identity-token")
        .arg(token)
        .arg("artifact")
        .run()
        .succeeds();
    let good = [
        ("name", "Release"),
        ("ref", "refs/heads/main"),
        ("repository", "acme/app"),
        ("sha", "2222222222222222222222222222222222222222"),
        ("trigger", "push"),
    ];
    let verify = |workflow: &[(&str, &str)]| {
        let mut cosign = person
            .cosign2()
            .args("verify-blob --certificate cert.pem --signature sig --insecure-ignore-tlog --rekor-url")
            .arg(person.url())
            .arg("--certificate-oidc-issuer")
            .arg(issuers.issuer.url("github"))
            .arg("--certificate-identity-regexp")
            .arg("^https://github\\.com/acme/");
        for (name, value) in workflow {
            cosign = cosign.arg(format!("--certificate-github-workflow-{name}")).arg(value);
        }
        cosign.arg("artifact").run()
    };
    verify(&good).succeeds();
    for (name, _) in good {
        verify(&[(name, "other")]).fails_with(&["expected GitHub Workflow"]);
    }
}

fn ask(stack: &Stack, token: &str, challenge: &str) -> Response {
    Request::post(&stack.at(SIGNING_CERT_V2))
        .header("Authorization", &format!("Bearer {token}"))
        .json(&key_request(&Key::generate(), challenge))
        .send()
}

fn reason(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    body["details"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

/// Asks until the answer has this status.
fn until(stack: &Stack, token: impl Fn() -> String, challenge: &str, status: u16) {
    let deadline = Instant::now() + RELOAD_DEADLINE;
    loop {
        let response = ask(stack, &token(), challenge);
        if response.status == status {
            return;
        }
        assert!(Instant::now() < deadline, "still {}: {}", response.status, reason(&response));
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn issuers_change_without_a_restart_and_a_broken_file_changes_nothing() {
    let issuers = Issuers::new();
    let only_github = issuers.table("github", GITHUB);
    let both = format!("{only_github}{}", issuers.table("cluster", "preset = 'kubernetes'"));
    issuers.write(&only_github);
    let stack = issuers.start();
    let (cluster, subject) =
        (|| issuers.issuer.token("cluster", &kubernetes()), "system:serviceaccount:release:signer");
    let refused = ask(&stack, &cluster(), subject);
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "token.issuer_unknown"));

    issuers.write(&both);
    until(&stack, cluster, subject, 200);
    let listed: Value = serde_json::from_slice(&stack.get("/api/v2/configuration").body).unwrap();
    let urls: Vec<&str> =
        listed["issuers"].as_array().unwrap().iter().filter_map(|one| one["issuerUrl"].as_str()).collect();
    assert_eq!(urls, [&stack.issuer(), &issuers.issuer.url("github"), &issuers.issuer.url("cluster")]);

    // Broken, then gone: the log says so, and those of before stay.
    issuers.write("[[issuer]]\npreset = \"github\"\naudience = \"sigstore\"\n");
    wait_for(&stack, "cannot use the changed list of issuers");
    fs::remove_file(issuers.path()).unwrap();
    wait_for(&stack, "issuers.toml: No such file");
    assert_eq!(ask(&stack, &cluster(), subject).status, 200);

    // As Kubernetes and editors do it: another file under the old name, and a signal to be sure.
    fs::write(issuers.directory.path().join("new"), &only_github).unwrap();
    fs::rename(issuers.directory.path().join("new"), issuers.path()).unwrap();
    let signalled = Command::new("kill").args(["-HUP", &stack.server().id().to_string()]).status().unwrap();
    assert!(signalled.success());
    until(&stack, cluster, subject, 400);
    assert_eq!(ask(&stack, &stack.token(ALICE), ALICE).status, 200, "the development issuer is still believed");
}

fn wait_for(stack: &Stack, text: &str) {
    let deadline = Instant::now() + RELOAD_DEADLINE;
    while !stack.server().stderr().contains(text) && !stack.server().stdout().contains(text) {
        assert!(Instant::now() < deadline, "not said: {text}\n{}", stack.server().stderr());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_token_is_explained_claim_by_claim() {
    let issuers = Issuers::new();
    issuers.write(
        &issuers.table("github", "preset = 'github'\nbase_url = 'https://github.com'\nrequire = {repository_owner = 'acme', ref = 'refs/heads/*'}"),
    );
    let stack = issuers.start();
    let test = |token: &str| stack.chancery().args("identity test --config").arg(issuers.path()).arg(token);
    let said = test(&issuers.issuer.token("github", &github())).run().succeeds();
    for text in
        ["accepted", "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main", "build-trigger"]
    {
        assert!(said.contains(text), "{said}");
    }
    let mut claims = github();
    claims["repository_owner"] = json!("evil\u{1b}[2J");
    claims["exp"] = json!(1);
    claims["aud"] = json!("other");
    let outcome = test(&issuers.issuer.token("github", &claims)).run();
    assert!(!outcome.written().contains('\u{1b}'), "{}", outcome.report());
    outcome.fails_with(&["token.expired", "token.audience", "accepted are: sigstore", "token.claim_unfit", "refused"]);

    let mut claims = github();
    claims["repository_owner"] = json!("evil");
    let outcome = test(&issuers.issuer.token("github", &claims)).arg("--json").run();
    assert!(!outcome.status.success());
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(said["accepted"], false);
    let refused: Vec<&Value> =
        said["checks"].as_array().unwrap().iter().filter(|check| check["accepted"] == false).collect();
    assert_eq!(
        (refused.len(), &refused[0]["check"], &refused[0]["code"]),
        (1, &json!("repository_owner"), &json!("token.condition"))
    );

    let stranger = TokenIssuer::start().token("github", &github());
    test(&stranger).run().fails_with(&["token.issuer_unknown", "configured are: "]);
    test("nonsense").run().fails_with(&["token.malformed"]);

    // Without a file: the development issuer of the running server.
    let ours = stack.chancery().args("identity test --url").arg(stack.url()).arg(stack.token(ALICE)).run().succeeds();
    assert!(ours.contains("name (email)") && ours.contains(ALICE), "{ours}");
}

#[test]
fn a_fulcio_configuration_is_taken_over() {
    let issuers = Issuers::new();
    let (github_url, directory) = (issuers.issuer.url("github"), issuers.directory.path());
    let fulcio = directory.join("fulcio.yaml");
    fs::write(&fulcio, FULCIO_CONFIGURATION).unwrap();
    let stack = Stack::start();
    let import = || stack.chancery().args("identity import").arg(&fulcio).run();
    let outcome = import();
    for text in ["not carried over: https://odd.example.test: build-trigger: ", "`url` of ci-provider github-workflow"]
    {
        assert!(outcome.written().contains(text), "{}", outcome.report());
    }
    assert!(!outcome.status.success(), "something was lost");
    issuers.write(&outcome.stdout);
    let checked = stack.chancery().args("config check").arg(issuers.path()).run().succeeds();
    for url in ["https://accounts.google.com", "https://oidc.eks.*.amazonaws.com/id/*", "https://ci.example.test"] {
        assert!(checked.contains(url), "{checked}");
    }

    // What was imported means what it meant: the same token, the same name.
    let imported = outcome.stdout.replace("https://ci.example.test", &github_url);
    issuers
        .write(&imported.replace("type = \"ci-provider\"", "type = \"ci-provider\"\ndevelopment_loopback_http = true"));
    let token = issuers.issuer.token("github", &github());
    let said = stack.chancery().args("identity test --json --config").arg(issuers.path()).arg(token).run().succeeds();
    let said: Value = serde_json::from_str(&said).unwrap();
    let name = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
    assert_eq!(said["certificate"]["subjectAlternativeName"]["value"], name);
    assert_eq!(said["certificate"]["extensions"]["build-signer-uri"], name);
    assert_eq!(said["certificate"]["extensions"]["deployment-environment"], Value::Null);

    fs::write(&fulcio, "{\"OIDCIssuers\": {\"https://a.test\": {\"IssuerURL\": \"https://a.test\", \"ClientID\": \"x\", \"Type\": \"email\"}}}").unwrap();
    let json = import();
    assert!(json.status.success() && json.stdout.contains("audiences = [\"x\"]"), "{}", json.report());
}

/// In the form of the public instance's: anchors, defaults, templates.
const FULCIO_CONFIGURATION: &str = r#"
define:
  - &github "github-workflow"
  - &odd "odd"
oidc-issuers:
  https://accounts.google.com:
    issuer-url: https://accounts.google.com
    client-id: sigstore
    type: email
    contact: somebody@example.test
  https://ci.example.test:
    issuer-url: https://ci.example.test
    client-id: sigstore
    type: ci-provider
    ci-provider: *github
  https://odd.example.test:
    issuer-url: https://odd.example.test
    client-id: sigstore
    type: ci-provider
    ci-provider: *odd
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*:
    client-id: sigstore
    type: kubernetes
ci-issuer-metadata:
  *github:
    default-template-values:
      url: "https://github.com"
      environment: ""
    extension-templates:
      github-workflow-sha: "sha"
      build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"
      source-repository-ref: refs/{{if eq .event_name "push"}}heads/{{ else }}tags/{{end}}{{ .ref }}
      deployment-environment: "environment"
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
  *odd:
    extension-templates:
      build-trigger: '{{ printf "%s" .x }}'
    subject-alternative-name-template: "https://odd.example.test/{{ .x }}"
"#;
