//! Manifests and blobs.

use crate::server::{INDEX, MANIFEST, Registry, answer, client, code, descriptor, index, not_found, options, sha256};
use axum::body::{Body, Bytes};
use chancery_registry::{Client, Document, Reference};
use futures_util::stream;
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

fn reference(registry: &Registry, rest: &str) -> Reference {
    format!("{}{rest}", registry.repository()).parse().unwrap()
}

#[tokio::test]
async fn a_tag_is_what_its_answer_hashes_to() {
    let body = index(&["a"]);
    let given = body.clone();
    let registry = Registry::start(move |_| answer(200, &[("content-type", INDEX)], given.clone())).await;
    let found = client().resolve(&reference(&registry, ":v1")).await.unwrap();
    assert_eq!(found.digest, sha256(body.as_bytes()));
    assert!(matches!(found.document, Document::Index(_)));
    assert_eq!(registry.paths(), ["/v2/team/app/manifests/v1"]);
    let pinned = format!("@{}", found.digest);
    assert_eq!(client().resolve(&reference(&registry, &pinned)).await.unwrap().bytes, body);
    let other = format!("@{}", sha256(b"other"));
    assert_eq!(code(client().resolve(&reference(&registry, &other)).await), "image.digest");
}

#[tokio::test]
async fn a_registry_that_says_another_digest_lies() {
    let said = sha256(b"other").to_string();
    let registry = Registry::start(move |_| {
        answer(200, &[("content-type", INDEX), ("docker-content-digest", &said)], index(&["a"]))
    });
    let registry = registry.await;
    assert_eq!(code(client().resolve(&reference(&registry, ":v1")).await), "image.digest");
}

#[tokio::test]
async fn none_is_only_said_by_a_404_of_a_repository_that_exists() {
    let registry = Registry::start(|asked| match asked.path.rsplit('/').next().unwrap() {
        "absent" => not_found("MANIFEST_UNKNOWN"),
        "empty" => answer(404, &[], ""),
        "repository" => not_found("NAME_UNKNOWN"),
        "denied" => answer(403, &[], ""),
        "teapot" => answer(418, &[], ""),
        "moved" => answer(302, &[("location", "/v2/team/app/manifests/absent")], ""),
        "html" => answer(200, &[("content-type", "text/html")], "<html>"),
        "zip" => answer(200, &[("content-type", INDEX), ("content-encoding", "gzip")], index(&[])),
        other => panic!("{other}"),
    })
    .await;
    let (client, repository) = (client(), registry.repository());
    let tagged = async |tag: &str| client.tagged(&repository, &tag.parse().unwrap()).await;
    assert_eq!(tagged("absent").await, Ok(None));
    assert_eq!(tagged("empty").await, Ok(None));
    for (tag, expected) in [
        ("repository", "registry.not_found"),
        ("denied", "registry.denied"),
        ("teapot", "registry.protocol"),
        ("moved", "registry.redirect"),
        ("html", "image.layout"),
        ("zip", "registry.protocol"),
    ] {
        assert_eq!(code(tagged(tag).await), expected, "{tag}");
    }
    assert_eq!(code(client.resolve(&reference(&registry, ":absent")).await), "registry.not_found");
}

/// GHSA-vfp6-jrw2-99g9: cosign read endless data from a registry.
#[tokio::test]
async fn a_manifest_of_100_mib_is_not_read() {
    let part = Bytes::from(vec![b' '; 1024 * 1024]);
    let registry = Registry::start(move |asked| {
        let parts = vec![part.clone(); 100];
        if asked.path.ends_with("honest") {
            return answer(200, &[("content-type", MANIFEST)], parts.concat());
        }
        // Without a length: in chunks, with an end or without one.
        if asked.path.ends_with("endless") {
            let chunks = stream::repeat(Ok::<_, Infallible>(part.clone()));
            return answer(200, &[("content-type", MANIFEST)], Body::from_stream(chunks));
        }
        let chunks = stream::iter(parts.into_iter().map(Ok::<_, Infallible>));
        answer(200, &[("content-type", MANIFEST)], Body::from_stream(chunks))
    })
    .await;
    for tag in ["honest", "chunked", "endless"] {
        let started = Instant::now();
        let client = Client::new(options()).unwrap();
        let found = client.tagged(&registry.repository(), &tag.parse().unwrap()).await;
        assert_eq!(code(found), "image.too_large", "{tag}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_registry_that_hangs_is_left_after_the_deadline() {
    let registry = Registry::start(|asked| {
        if asked.path.ends_with("slow") {
            return answer(
                200,
                &[("content-type", INDEX), ("content-length", "100")],
                Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()),
            );
        }
        // One byte every 50 ms, without an end: no single byte is late.
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        answer(200, &[("content-type", INDEX)], Body::from_stream(drops))
    })
    .await;
    for tag in ["slow", "dripping"] {
        let found = within_deadline(client().tagged(&registry.repository(), &tag.parse().unwrap())).await;
        assert_eq!(code(found), "registry.unavailable", "{tag}");
    }
    assert_eq!(registry.paths().len(), 2, "a registry that hangs is not asked again");
}

/// The answer, which must come long before that of a client without a deadline.
async fn within_deadline<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap()
}

#[tokio::test]
async fn a_registry_that_takes_a_request_and_says_nothing_is_left() {
    // The system accepts connections and requests, and no program answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let repository: chancery_registry::Repository =
        format!("{}/team/app", silent.local_addr().unwrap()).parse().unwrap();
    let client = client();
    let tag = "v1".parse().unwrap();
    let tagged = within_deadline(client.tagged(&repository, &tag)).await;
    assert_eq!(code(tagged), "registry.unavailable");
    let listed = within_deadline(client.referrers(&repository, &sha256(b"subject"))).await;
    assert_eq!(code(listed), "registry.unavailable");
    let blob = within_deadline(client.blob(&repository, &descriptor(b"a"), 10)).await;
    assert_eq!(code(blob), "registry.unavailable");
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_when_it_says() {
    let registry = Registry::start(|asked| match (asked.path.rsplit('/').next().unwrap(), asked.before) {
        ("busy", 0) => answer(429, &[("retry-after", "1")], ""),
        ("fault", 0) => answer(502, &[], ""),
        ("long", _) => answer(429, &[("retry-after", "61")], ""),
        // By a clock that is years off.
        ("dated", 0) => answer(
            503,
            &[("date", "Sun, 29 Nov 2009 10:00:00 GMT"), ("retry-after", "Sun, 29 Nov 2009 10:00:01 GMT")],
            "",
        ),
        ("next-day", _) => answer(
            429,
            &[("date", "Sun, 29 Nov 2009 10:00:00 GMT"), ("retry-after", "Mon, 30 Nov 2009 10:00:00 GMT")],
            "",
        ),
        ("always", _) => answer(429, &[("retry-after", "0")], "{}"),
        ("down", _) => answer(503, &[("retry-after", "0")], ""),
        _ => answer(200, &[("content-type", INDEX)], index(&[])),
    })
    .await;
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let jitter = move |pause: Duration| {
        log.lock().unwrap().push(pause);
        Duration::ZERO
    };
    let client = Client::new(chancery_registry::Options { jitter: Arc::new(jitter), ..options() }).unwrap();
    let repository = registry.repository();
    let tagged = async |tag: &str| client.tagged(&repository, &tag.parse().unwrap()).await;
    let started = Instant::now();
    assert!(tagged("busy").await.unwrap().is_some());
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(tagged("fault").await.unwrap().is_some());
    assert!(tagged("dated").await.unwrap().is_some());
    let pauses = [Duration::from_secs(1), Duration::from_millis(500), Duration::from_secs(1)];
    assert_eq!(*asked.lock().unwrap(), pauses);
    let started = Instant::now();
    assert_eq!(code(tagged("long").await), "registry.throttled");
    assert_eq!(code(tagged("next-day").await), "registry.throttled");
    assert!(started.elapsed() < Duration::from_secs(1), "nobody waits for longer than a minute");
    assert_eq!(code(tagged("always").await), "registry.throttled");
    assert_eq!(code(tagged("down").await), "registry.unavailable");
    let times = |tag: &str| registry.paths().iter().filter(|path| path.ends_with(tag)).count();
    assert_eq!((times("long"), times("next-day"), times("always"), times("down")), (1, 1, 3, 3));
}

/// GHSA-88jx-383q-w4qc, too: cosign read attachments of any size. Here the limit is compared with the descriptor before the
/// request, and with the answer while it is read.
#[tokio::test]
async fn a_blob_has_the_length_and_digest_of_its_descriptor() {
    let registry = Registry::start(|asked| match asked.path.rsplit('/').next().unwrap() {
        path if path == sha256(b"good").to_string() => answer(200, &[], "good"),
        path if path == sha256(b"evil").to_string() => answer(200, &[], "EVIL"),
        path if path == sha256(b"short").to_string() => answer(200, &[], "shor"),
        path if path == sha256(b"long").to_string() => answer(200, &[], "longer"),
        _ => not_found("BLOB_UNKNOWN"),
    })
    .await;
    let (client, repository) = (client(), registry.repository());
    let blob = async |contents: &[u8]| client.blob(&repository, &descriptor(contents), 10).await;
    assert_eq!(blob(b"good").await.unwrap(), "good");
    for contents in ["evil", "short", "long"] {
        assert_eq!(code(blob(contents.as_bytes()).await), "image.digest", "{contents}");
    }
    assert_eq!(code(blob(b"gone").await), "registry.not_found");
    let asked = registry.paths().len();
    assert_eq!(code(blob(b"eleven bytes").await), "image.too_large");
    assert_eq!(registry.paths().len(), asked, "what is said to be too large is not asked for");
}

#[tokio::test]
async fn blobs_are_redirected_without_what_we_are() {
    let store = Registry::start(|asked| match asked.path.as_str() {
        "/good?sig=1" => answer(200, &[], "good"),
        "/again" => answer(307, &[("location", "/good?sig=1")], ""),
        _ => answer(307, &[("location", "/circle")], ""),
    })
    .await;
    let place = store.address.clone();
    let to = move |target: &str| answer(307, &[("location", target)], "");
    let registry = Registry::start(move |asked| {
        if asked.authorization.is_none() {
            return answer(401, &[("www-authenticate", "Basic realm=x")], "");
        }
        match asked.path.rsplit(':').next().unwrap() {
            hex if hex == sha256(b"good").hex() => to(&format!("http://{place}/good?sig=1")),
            hex if hex == sha256(b"here").hex() => to("/v2/here"),
            hex if hex == sha256(b"circle").hex() => to(&format!("http://{place}/circle")),
            hex if hex == sha256(b"metadata").hex() => to("https://169.254.169.254/latest/"),
            hex if hex == sha256(b"private").hex() => to("https://10.0.0.1/"),
            hex if hex == sha256(b"plain").hex() => to("http://8.8.8.8/"),
            hex if hex == sha256(b"file").hex() => to("file:///etc/passwd"),
            hex if hex == sha256(b"nowhere").hex() => answer(302, &[], ""),
            _ => answer(200, &[], "here"),
        }
    })
    .await;
    let credentials = chancery_registry::Locations {
        docker_auth_config: Some(format!(
            r#"{{"auths":{{"{}":{{"username":"me","password":"secret"}}}}}}"#,
            registry.address
        )),
        ..Default::default()
    };
    let client = Client::new(chancery_registry::Options { credentials, ..options() }).unwrap();
    let repository = registry.repository();
    let blob = async |contents: &[u8]| client.blob(&repository, &descriptor(contents), 10).await;
    assert_eq!(blob(b"good").await.unwrap(), "good");
    assert_eq!(store.authorizations(), [None], "the store does not learn who we are");
    assert_eq!(blob(b"here").await.unwrap(), "here");
    for target in ["circle", "metadata", "private", "plain", "file", "nowhere"] {
        assert_eq!(code(blob(target.as_bytes()).await), "registry.redirect", "{target}");
    }
    assert_eq!(store.paths().iter().filter(|path| *path == "/circle").count(), 5);
}

#[tokio::test]
async fn few_requests_are_on_their_way_at_a_time() {
    static NOW: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let registry = Registry::start(|_| {
        let at_once = NOW.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        std::thread::sleep(Duration::from_millis(5));
        NOW.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        assert!(at_once <= 2);
        answer(200, &[("content-type", INDEX)], index(&[]))
    })
    .await;
    let client = Arc::new(Client::new(chancery_registry::Options { concurrency: 2, ..options() }).unwrap());
    let asking: Vec<_> = (0..40)
        .map(|number| {
            let (client, repository) = (Arc::clone(&client), registry.repository());
            tokio::spawn(async move { client.tagged(&repository, &format!("t{number}").parse().unwrap()).await })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.unwrap().unwrap().is_some());
    }
}
