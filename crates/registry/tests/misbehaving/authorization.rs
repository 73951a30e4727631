//! 401 and what follows.

use crate::server::{INDEX, Registry, answer, code, index, options};
use axum::{body::Body, http::Response};
use chancery_registry::{Client, Error, Fetched, Locations, Options};
use std::sync::Arc;

fn ok() -> Response<Body> {
    answer(200, &[("content-type", INDEX)], index(&[]))
}

fn challenge(realm: &str) -> Response<Body> {
    let header = format!(r#"Bearer realm="{realm}",service="r.test",scope="repository:team/app:pull""#);
    answer(401, &[("www-authenticate", &header)], r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
}

/// A registry that takes the token `t1`, at the token service `realm`.
async fn registry(realm: String) -> Registry {
    Registry::start(move |asked| match asked.authorization.as_deref() {
        Some("Bearer t1") => ok(),
        _ => challenge(&realm),
    })
    .await
}

fn client(registry: &Registry, entry: &str) -> Client {
    let auths = format!(r#"{{"auths":{{"{}":{entry}}}}}"#, registry.address);
    let credentials = Locations { docker_auth_config: Some(auths), ..Locations::default() };
    Client::new(Options { credentials, ..options() }).unwrap()
}

async fn read(client: &Client, registry: &Registry) -> Result<Option<Fetched>, Error> {
    client.tagged(&registry.repository(), &"v1".parse().unwrap()).await
}

#[tokio::test]
async fn a_token_is_asked_for_once() {
    let service = Registry::start(|_| answer(200, &[], r#"{"access_token":"t1","expires_in":300}"#)).await;
    let registry = registry(format!("http://{}/token", service.address)).await;
    let client = Arc::new(client(&registry, r#"{"auth":"bWU6c2VjcmV0"}"#));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (client, repository) = (Arc::clone(&client), registry.repository());
            tokio::spawn(async move { client.tagged(&repository, &"v1".parse().unwrap()).await })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.unwrap().unwrap().is_some());
    }
    assert_eq!(service.paths(), ["/token?service=r.test&scope=repository%3Ateam%2Fapp%3Apull"]);
    assert_eq!(service.authorizations(), [Some("Basic bWU6c2VjcmV0".to_owned())]);
    assert!(!registry.authorizations().iter().flatten().any(|said| said.starts_with("Basic")));
}

#[tokio::test]
async fn a_token_that_is_refused_is_asked_for_again() {
    let service = Registry::start(|asked| {
        let token = if asked.before == 0 { "old" } else { "t1" };
        answer(200, &[], format!(r#"{{"token":"{token}","expires_in":3600}}"#))
    })
    .await;
    let registry = registry(format!("http://{}/token", service.address)).await;
    let client = client(&registry, "{}");
    assert_eq!(code(read(&client, &registry).await), "registry.unauthorized");
    assert!(read(&client, &registry).await.unwrap().is_some());
    assert_eq!(service.authorizations(), [None, None], "nothing is known of this registry");
}

#[tokio::test]
async fn identity_tokens_are_exchanged_by_oauth() {
    let service = Registry::start(|asked| {
        let form = String::from_utf8(asked.body.to_vec()).unwrap();
        let expected = "grant_type=refresh_token&service=r.test&client_id=chancery&scope=repository%3Ateam%2Fapp%3Apull&refresh_token=long";
        assert_eq!(form, expected);
        answer(200, &[], r#"{"access_token":"t1"}"#)
    })
    .await;
    let registry = registry(format!("http://{}/token", service.address)).await;
    assert!(read(&client(&registry, r#"{"identitytoken":"long"}"#), &registry).await.unwrap().is_some());
    let ready = client(&registry, r#"{"registrytoken":"t1"}"#);
    assert!(read(&ready, &registry).await.unwrap().is_some());
    assert_eq!(service.paths().len(), 1, "a registry token is used as it is");
}

#[tokio::test]
async fn basic_is_only_said_where_it_was_asked_for_and_is_known() {
    let registry = Registry::start(|asked| match asked.authorization.as_deref() {
        Some("Basic bWU6c2VjcmV0") => ok(),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
    })
    .await;
    let knows = client(&registry, r#"{"auth":"bWU6c2VjcmV0"}"#);
    assert!(read(&knows, &registry).await.unwrap().is_some());
    assert!(read(&knows, &registry).await.unwrap().is_some());
    assert_eq!(registry.authorizations().iter().filter(|said| said.is_none()).count(), 1);
    let error = read(&client(&registry, "{}"), &registry).await.unwrap_err();
    assert_eq!(error.code(), "registry.unauthorized");
    assert!(error.to_string().contains("docker login"), "{error}");
}

#[tokio::test]
async fn a_realm_is_not_believed() {
    for realm in [
        "http://8.8.8.8/token",
        "https://10.0.0.1/token",
        "https://169.254.169.254/token",
        "https://me:x@127.0.0.1/token",
        "file:///etc/passwd",
        "token",
        "",
    ] {
        let registry = registry(realm.to_owned()).await;
        assert_eq!(
            code(read(&client(&registry, r#"{"auth":"bWU6c2VjcmV0"}"#), &registry).await),
            "registry.protocol",
            "{realm}"
        );
    }
}

#[tokio::test]
async fn a_token_service_that_misbehaves_is_no_verdict() {
    for (status, body, expected) in [
        (401, String::new(), "registry.unauthorized"),
        (403, String::new(), "registry.denied"),
        (429, String::new(), "registry.throttled"),
        (500, String::new(), "registry.unavailable"),
        (302, String::new(), "registry.protocol"),
        (200, "{}".to_owned(), "registry.protocol"),
        (200, "<html>".to_owned(), "registry.protocol"),
        (200, r#"{"token":"a\nb"}"#.to_owned(), "registry.credentials"),
        (200, format!(r#"{{"token":"{}"}}"#, "x".repeat(100_000)), "registry.protocol"),
    ] {
        let service = Registry::start(move |_| answer(status, &[("retry-after", "99")], body.clone())).await;
        let registry = registry(format!("http://{}/token", service.address)).await;
        assert_eq!(code(read(&client(&registry, "{}"), &registry).await), expected, "{status}");
    }
    let silent = Registry::start(|_| answer(401, &[], "")).await;
    assert_eq!(code(read(&client(&silent, "{}"), &silent).await), "registry.unauthorized");
}
