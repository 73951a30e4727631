//! Unit tests of credentials.

use super::*;

fn repository(text: &str) -> Repository {
    text.parse().unwrap()
}

async fn from(json: &str, repository_name: &str) -> Result<Option<Credential>, Error> {
    let locations = Locations { docker_auth_config: Some(json.to_owned()), ..Locations::default() };
    find(&locations, &repository(repository_name)).await
}

fn basic(name: &str, secret: &str) -> Credential {
    Credential::Basic { name: name.to_owned(), secret: secret.to_owned() }
}

/// GHSA-pf56-329r-95rw: a credential went to a host whose name contains the registry's.
#[tokio::test]
async fn the_narrowest_key_wins_and_hosts_are_compared_whole() {
    let json = r#"{"auths":{
        "r.example":{"auth":"aG9zdDp4"},
        "r.example/team":{"username":"team","password":"p:q"},
        "https://old.example/v1/":{"auth":"b2xkOnk="},
        "https://index.docker.io/v1/":{"identitytoken":"hub"},
        "t.example":{"registrytoken":"ready"},
        "empty.example":{}
    }}"#;
    for (name, expected) in [
        ("r.example/a", Some(basic("host", "x"))),
        ("r.example/team/app", Some(basic("team", "p:q"))),
        ("r.example/teamwork/app", Some(basic("host", "x"))),
        ("old.example/a", Some(basic("old", "y"))),
        ("alpine", Some(Credential::IdentityToken("hub".to_owned()))),
        ("t.example/a", Some(Credential::RegistryToken("ready".to_owned()))),
        ("empty.example/a", None),
        ("r.example.evil.example/a", None),
        ("r.example:5000/a", None),
    ] {
        assert_eq!(from(json, name).await.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_an_error_that_shows_no_secret() {
    for json in [
        r#"{"auths":{"r.example":{"auth":"c2VjcmV0"}}}"#,
        r#"{"auths":{"r.example":{"auth":"*"}}}"#,
        r#"{"auths":{"r.example":{"auth":7, "password":"secret"}}}"#,
        "{",
    ] {
        let error = from(json, "r.example/a").await.unwrap_err();
        assert_eq!(error.code(), "registry.credentials");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn files_are_asked_in_order() {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".docker/config.json", r#"{"auths":{"a.example":{"auth":"ZG9ja2VyOjE="}}}"#);
    write(
        ".config/containers/auth.json",
        r#"{"auths":{"a.example":{"auth":"cG9kOjE="},"b.example":{"auth":"cG9kOjI="}}}"#,
    );
    write("elsewhere.json", r#"{"auths":{"b.example":{"auth":"ZWxzZTox"}}}"#);
    let mut locations = Locations { home: Some(home.path().to_owned()), ..Locations::default() };
    let found = |locations: Locations, name: &'static str| async move { find(&locations, &repository(name)).await };
    assert_eq!(found(locations.clone(), "a.example/x").await.unwrap(), Some(basic("docker", "1")));
    assert_eq!(found(locations.clone(), "b.example/x").await.unwrap(), Some(basic("pod", "2")));
    assert_eq!(found(locations.clone(), "c.example/x").await.unwrap(), None);
    locations.registry_auth_file = Some(home.path().join("elsewhere.json"));
    assert_eq!(found(locations.clone(), "b.example/x").await.unwrap(), Some(basic("else", "1")));
    locations.docker_config = Some(home.path().join("nowhere"));
    assert_eq!(found(locations, "a.example/x").await.unwrap(), None);
}

#[tokio::test]
async fn a_helper_is_one_word() {
    for name in ["../evil", "a b", "x;y", "a/b"] {
        let home = tempfile::tempdir().unwrap();
        let json = serde_json::json!({ "credHelpers": { "r.example": name } }).to_string();
        std::fs::write(home.path().join("config.json"), json).unwrap();
        let locations = Locations { docker_config: Some(home.path().to_owned()), ..Locations::default() };
        let error = find(&locations, &repository("r.example/a")).await.unwrap_err();
        assert!(error.to_string().contains("its name must be"), "{error}");
    }
    let missing = program::get("chancery-test-that-is-not-there", "r.example").await.unwrap_err();
    assert_eq!(missing.code(), "registry.credentials");
}
