//! Over HTTP, and as the command line changes it while a server runs.

use super::*;
use crate::tuf::http::router;
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;
use std::time::Duration;
use tower::ServiceExt as _;

async fn ask(service: &Arc<Service>, path: &str) -> Response {
    router(Arc::clone(service)).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn serves_every_file_of_the_repository_and_nothing_else() {
    let setting = Setting::new().await;
    let clock = Arc::new(FixedClock::new(start()));
    let service = service(&setting, &example(), &clock).await;
    let repository = service.repository();
    for (path, contents) in repository.files() {
        let response = ask(&service, &format!("/tuf/{path}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let cached = response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned();
        match path {
            "timestamp.json" => assert_eq!(cached, "no-cache"),
            "root.json" => assert_eq!(cached, "public, max-age=3600"),
            _ => assert!(cached.ends_with("immutable"), "{path}: {cached}"),
        }
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), contents, "{path}");
    }
    assert_eq!(repository.file("root.json"), repository.file("1.root.json"));
    for path in [
        "2.root.json",
        "lock",
        "pending/targets.json",
        "targets",
        "../keys/tuf-root.pem",
        "%2e%2e/keys/tuf-root.pem",
        "targets/../timestamp.json",
    ] {
        let response = ask(&service, &format!("/tuf/{path}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
    }
}

#[tokio::test]
async fn clients_that_are_behind_still_find_what_they_were_told_of() {
    let setting = Setting::new().await;
    let mut old = Vec::new();
    for number in 0..5 {
        setting.publisher.publish(&other(number), start()).await.unwrap();
        let repository = setting.read();
        let [targets, snapshot] =
            [Role::Targets, Role::Snapshot].map(|role| role.path(repository.metadata(role).version));
        old.extend([targets, snapshot]);
        old.extend(repository.listed().iter().map(|(name, facts)| name.path(facts)));
    }
    let repository = setting.read();
    for path in old {
        assert!(repository.file(&path).is_some(), "{path}");
    }
}

#[tokio::test]
async fn what_somebody_else_changes_is_served_soon() {
    let setting = Setting::new().await;
    let clock = Arc::new(FixedClock::new(start()));
    let service = service(&setting, &example(), &clock).await;
    let (stop, stopping) = chancery_daemon::shutdown::channel();
    let running = tokio::spawn(Arc::clone(&service).run(stopping));
    setting.publisher.renew(&[Role::Targets], start()).await.unwrap();
    let key = setting.keys.add(Role::Root);
    setting.publisher.replace_keys(Role::Root, RoleKeys::new(&[key], 1).unwrap(), start()).await.unwrap();
    for _ in 0..100 {
        if service.repository().metadata(Role::Root).version == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ask(&service, "/tuf/2.root.json").await.status(), StatusCode::OK);
    assert_eq!(service.repository().metadata(Role::Targets).version, 2);
    stop.stop();
    running.await.unwrap();
}

#[tokio::test]
async fn a_repository_that_is_older_than_what_was_served_is_noticed_at_the_start() {
    let setting = Setting::new().await;
    let clock = Arc::new(FixedClock::new(start()));
    let old = files(setting.directory.path());
    let put_back = |files: &BTreeMap<String, Vec<u8>>| {
        for below in ["", "targets"] {
            for entry in fs::read_dir(setting.directory.path().join(below)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        for (name, contents) in files {
            fs::write(setting.directory.path().join(name), contents).unwrap();
        }
    };
    let begin = async || {
        let publisher = publisher(setting.directory.path(), &setting.keys);
        Service::start(publisher, setting.mark(), &example(), clock.guard()).await.map(drop)
    };
    setting.publisher.renew(&[Role::Targets], start()).await.unwrap();
    begin().await.unwrap();
    assert_eq!(setting.versions(), [1, 2, 2, 2]);
    let newest = files(setting.directory.path());

    put_back(&old);
    let refused = begin().await.unwrap_err();
    assert!(matches!(refused, TufError::RolledBack { role: Role::Targets, found: 1, served: 2, .. }), "{refused}");
    let said = refused.to_string();
    let (directory, mark) =
        (setting.directory.path().display().to_string(), setting.mark().path().display().to_string());
    assert!(said.contains(&directory) && said.contains(&mark), "{said}");
    assert_eq!(files(setting.directory.path()), old, "nothing was signed");
    put_back(&BTreeMap::new());
    let refused = begin().await.unwrap_err();
    assert!(matches!(refused, TufError::RolledBack { found: 0, .. }), "{refused}");
    assert!(files(setting.directory.path()).is_empty(), "no new one is made");
    // As this error says, where there is nothing that could be renewed.
    assert!(refused.to_string().contains(&format!("remove {mark}")), "{refused}");
    fs::remove_file(&mark).unwrap();
    begin().await.unwrap();
    assert_eq!(setting.versions(), [1, 1, 1, 1]);
    put_back(&newest);
    begin().await.unwrap();

    // What the error advises: newer versions than those that were served.
    put_back(&old);
    setting.publisher.renew(&[Role::Targets], start()).await.unwrap();
    begin().await.unwrap();
}
