//! Names in both spellings, and what is lost or changed on the way.

use super::*;
use chancery_ca::identity::Provider;
use chancery_verify::extension::Claim;
use serde_json::json;

#[test]
fn extensions_are_known_in_both_spellings() {
    for (json, claim) in [
        ("GithubWorkflowTrigger", Claim::GithubWorkflowTrigger),
        ("GithubWorkflowSHA", Claim::GithubWorkflowSha),
        ("GithubWorkflowName", Claim::GithubWorkflowName),
        ("GithubWorkflowRepository", Claim::GithubWorkflowRepository),
        ("GithubWorkflowRef", Claim::GithubWorkflowRef),
        ("BuildSignerURI", Claim::BuildSignerUri),
        ("BuildSignerDigest", Claim::BuildSignerDigest),
        ("RunnerEnvironment", Claim::RunnerEnvironment),
        ("SourceRepositoryURI", Claim::SourceRepositoryUri),
        ("SourceRepositoryDigest", Claim::SourceRepositoryDigest),
        ("SourceRepositoryRef", Claim::SourceRepositoryRef),
        ("SourceRepositoryIdentifier", Claim::SourceRepositoryIdentifier),
        ("SourceRepositoryOwnerURI", Claim::SourceRepositoryOwnerUri),
        ("SourceRepositoryOwnerIdentifier", Claim::SourceRepositoryOwnerIdentifier),
        ("BuildConfigURI", Claim::BuildConfigUri),
        ("BuildConfigDigest", Claim::BuildConfigDigest),
        ("BuildTrigger", Claim::BuildTrigger),
        ("RunInvocationURI", Claim::RunInvocationUri),
        ("SourceRepositoryVisibilityAtSigning", Claim::SourceRepositoryVisibilityAtSigning),
        ("DeploymentEnvironment", Claim::DeploymentEnvironment),
    ] {
        assert_eq!(Provider::claim(&extension_name(json)), Some(claim), "{json}");
        assert_eq!(extension_name(claim.name()), claim.name());
    }
}

#[test]
fn what_cannot_be_kept_is_named_with_its_reason() {
    for (url, issuer, reason) in [
        ("https://a.test", json!({"type": "email"}), "no client-id"),
        ("https://a.test", json!({"client-id": "x"}), "no type"),
        ("https://a.test", json!({"client-id": "x", "type": "custom", "challenge-claim": "sub"}), "its type is custom"),
        (
            "https://a.test",
            json!({"client-id": "x", "type": "email", "issuer-url": "https://b.test"}),
            "https://b.test",
        ),
        ("https://*.a.test", json!({"client-id": "x", "type": "email"}), "url_pattern"),
        ("http://a.test", json!({"client-id": "x", "type": "email"}), "must be https"),
        ("https://a.test", json!({"client-id": "x", "type": "email", "issuer-claim": "$..a[*]"}), "issuer-claim"),
        (
            "https://a.test",
            json!({"client-id": "x", "type": "email", "ca-cert": "-----BEGIN CERTIFICATE-----\nx"}),
            "reached",
        ),
        ("https://a.test", json!({"client-id": "x", "type": "spiffe"}), "trust_domain"),
        ("https://a.test", json!({"client-id": "x", "type": "uri"}), "subject_domain"),
        ("https://a.test", json!({"client-id": "x", "type": "ci-provider"}), "names no ci-provider"),
        ("https://a.test", json!({"client-id": "x", "type": "ci-provider", "ci-provider": "y"}), "no ci-provider y"),
    ] {
        let import = Import::of(&json!({"oidc-issuers": {url: issuer}}));
        assert!(import.file.issuer.is_empty());
        assert!(import.lost[0].contains(reason), "{reason}: {:?}", import.lost);
    }
    let import = Import::of(&json!({"meta-issuers": {"https://a*.b.test": {"client-id": "x", "type": "kubernetes"}}}));
    assert!(import.lost[0].contains("not an issuer pattern"), "{:?}", import.lost);
    assert!(!Import::of(&json!({})).lost.is_empty());
}

#[test]
fn what_fulcio_took_for_one_domain_is_said_in_so_many_words() {
    let issuer = json!({"client-id": "x", "type": "username", "subject-domain": "users.example.test"});
    let import = Import::of(&json!({"oidc-issuers": {"https://login.example.test": issuer}}));
    assert!(import.lost.is_empty(), "{:?}", import.lost);
    assert!(import.file.issuer[0].unrelated_subject_domain);
    assert!(import.notes.iter().any(|note| note.contains("subject-domain users.example.test")));
}

/// An issuer that is taken over as it is.
fn github() -> Value {
    let url = "https://token.actions.githubusercontent.com";
    json!({"issuer-url": url, "client-id": "sigstore", "type": "github-workflow"})
}

fn of_github(key: &str, value: Value) -> Import {
    let mut issuer = github();
    issuer[key] = value;
    Import::of(&json!({"oidc-issuers": {"https://token.actions.githubusercontent.com": issuer}}))
}

#[test]
fn an_issuer_with_a_key_that_is_not_known_is_left_out() {
    assert_eq!(of_github("environment", json!("prod")).file.issuer.len(), 1);
    let rules =
        json!([{"name": "ours", "logic": "AND", "conditions": [{"field": "repository_owner", "pattern": "^acme$"}]}]);
    for (key, value, reason) in [
        ("authorization-rules", rules, "authorization-rules limit who gets certificates"),
        ("allowed-subjects", json!(["a"]), "it has allowed-subjects, which"),
        // Even if it restricts nothing: that is only known of keys that are known.
        ("deny", json!([]), "it has deny, which"),
        ("Client-Id", json!("x"), "it has Client-Id, which"),
        // Fulcio reads one of the two spellings, and which one depends on the file.
        ("ClientID", json!("other"), "it has ClientID, which"),
        ("<<", json!({"deny": "all"}), "it has <<, which"),
    ] {
        let import = of_github(key, value);
        assert!(import.file.issuer.is_empty(), "{key}");
        assert!(import.lost[0].contains(reason), "{key}: {:?}", import.lost);
    }
    // A key without a value says nothing.
    assert!(of_github("authorization-rules", Value::Null).lost.is_empty());
}

#[test]
fn a_value_of_another_kind_is_no_value() {
    for (key, value, reason) in [
        ("client-id", json!(7), "its client-id is not a text"),
        ("ca-cert", json!(["x"]), "its ca-cert is not a text"),
        ("type", json!(["email"]), "its type is not a text"),
    ] {
        assert!(of_github(key, value).lost[0].contains(reason), "{key}");
    }
    let skip = json!({"client-id": "x", "type": "email", "skip-email-verification": "yes"});
    let import = Import::of(&json!({"oidc-issuers": {"https://a.test": skip, "https://b.test": "x"}}));
    assert!(import.lost[0].contains("neither true nor false"), "{:?}", import.lost);
    assert!(import.lost[1].contains("https://b.test: it is not a list of keys"), "{:?}", import.lost);
}

#[test]
fn a_key_of_another_type_is_noted() {
    let import = of_github("subject-domain", json!("example.org"));
    assert!(import.lost.is_empty(), "{:?}", import.lost);
    let noted =
        "`subject-domain` is dropped from an issuer of type github-workflow: it counts for uri and username only";
    assert!(import.notes.iter().any(|note| note == noted), "{:?}", import.notes);
}

#[test]
fn nothing_of_the_file_or_of_a_provider_is_passed_over() {
    let issuer = json!({"client-id": "x", "type": "ci-provider", "ci-provider": "y"});
    let mut file = json!({
        "define": ["y"],
        "oidc-issuers": {"https://a.test": issuer},
        "ci-issuer-metadata": {"y": {"subject-alternative-name-template": "https://a.test/{{ .sub }}"}},
    });
    assert!(Import::of(&file).lost.is_empty(), "{:?}", Import::of(&file).lost);
    file["ci-issuer-metadata"]["y"]["claim-conditions"] = json!({"owner": "acme"});
    let import = Import::of(&file);
    assert!(import.file.issuer.is_empty() && import.lost[0].contains("ci-provider y: it has claim-conditions"));
    file["ci-issuer-metadata"]["y"] = json!({
        "subject-alternative-name-template": "https://a.test/{{ .sub }}", "extension-templates": {"build-trigger": ["x"]}
    });
    assert!(Import::of(&file).lost[0].contains("ci-provider y: its build-trigger is not a text"));
    let mut file = json!({"oidc-issuers": {"https://token.actions.githubusercontent.com": github()}});
    file["authorization-rules"] = json!([{"name": "ours"}]);
    assert!(Import::of(&file).lost[0].starts_with("the file: its authorization-rules"));
}

#[test]
fn what_go_merges_is_merged() {
    let text = "define:\n  - &ours\n    client-id: sigstore\n    authorization-rules: [{name: ours}]\noidc-issuers:\n  \
                https://a.test:\n    <<: *ours\n    type: email\n";
    let import = Import::of(&parse(text).unwrap());
    assert!(import.file.issuer.is_empty() && import.lost[0].contains("authorization-rules"), "{:?}", import.lost);
    let import = Import::of(&parse(&text.replace("authorization-rules: [{name: ours}]", "contact: us")).unwrap());
    assert_eq!(import.file.issuer[0].audiences, Some(vec!["sigstore".to_owned()]), "{:?}", import.lost);
    assert!(parse("{\"OIDCIssuers\": {}}").is_ok() && parse("a: [").is_err());
}
