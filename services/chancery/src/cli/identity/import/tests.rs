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
