//! Lists of what refers to an image.

use crate::server::{INDEX, MANIFEST, Registry, answer, client, index, not_found, sha256};
use axum::{body::Body, http::Response};
use chancery_registry::Listing;

fn page(contents: &[&str], next: Option<&str>) -> Response<Body> {
    let link = next.map(|next| format!("<{next}>; rel=\"next\""));
    let mut headers = vec![("content-type", INDEX)];
    headers.extend(link.as_deref().map(|link| ("link", link)));
    answer(200, &headers, index(contents))
}

/// What refers to the image «subject» at a registry whose API and tag answer so.
async fn ask(
    api: impl Fn(&str, usize) -> Response<Body> + Send + Sync + 'static,
    tag: impl Fn() -> Response<Body> + Send + Sync + 'static,
) -> Result<Listing, &'static str> {
    let registry =
        Registry::start(
            move |asked| {
                if asked.path.contains("/referrers/") { api(&asked.path, asked.before) } else { tag() }
            },
        )
        .await;
    let found = client().referrers(&registry.repository(), &sha256(b"subject")).await;
    found.map_err(|error| error.code())
}

fn names(listing: &Listing, contents: &[&str]) -> Vec<(usize, bool)> {
    let position = |digest| contents.iter().position(|bytes| sha256(bytes.as_bytes()) == digest).unwrap();
    listing.referrers.iter().map(|found| (position(found.descriptor.digest.clone()), found.only_tagged)).collect()
}

#[tokio::test]
async fn all_pages_and_the_tag_are_read() {
    let listing = ask(
        |path, _| match path.rsplit_once("?last=") {
            None => page(&["a", "b"], Some("?last=1")),
            Some((_, "1")) => page(&["c"], Some("?last=2")),
            Some(_) => page(&["a", "d"], None),
        },
        || page(&["d", "e"], None),
    )
    .await
    .unwrap();
    assert!(listing.api);
    let expected = [(0, false), (1, false), (2, false), (3, false), (4, true)];
    assert_eq!(names(&listing, &["a", "b", "c", "d", "e"]), expected);
}

#[tokio::test]
async fn a_registry_without_the_api_has_a_tag_or_nothing() {
    for status in [404, 400, 405, 406] {
        let listing = ask(move |_, _| answer(status, &[], ""), || page(&["a"], None)).await.unwrap();
        assert_eq!((listing.api, names(&listing, &["a"])), (false, vec![(0, true)]), "{status}");
    }
    let other = || answer(200, &[("content-type", "text/html")], "<html>");
    let listing = ask(move |_, _| other(), || page(&["a"], None)).await.unwrap();
    assert_eq!(names(&listing, &["a"]), [(0, true)]);
    let none = ask(|_, _| answer(404, &[], ""), || not_found("MANIFEST_UNKNOWN")).await.unwrap();
    assert_eq!(none, Listing::default());
    // A tag that is not an index: somebody's image of that name.
    let image = || answer(200, &[("content-type", MANIFEST)], r#"{"schemaVersion":2,"layers":[]}"#);
    assert_eq!(ask(|_, _| answer(404, &[], ""), image).await, Ok(Listing::default()));
    let schema1 = || {
        answer(
            200,
            &[("content-type", "application/vnd.docker.distribution.manifest.v1+json")],
            r#"{"schemaVersion":1}"#,
        )
    };
    assert_eq!(ask(|_, _| answer(404, &[], ""), schema1).await, Ok(Listing::default()));
    let empty = ask(|_, _| page(&[], None), || not_found("MANIFEST_UNKNOWN")).await.unwrap();
    assert!(empty.api && empty.referrers.is_empty());
}

#[tokio::test]
async fn an_error_is_never_none() {
    let missing = || not_found("MANIFEST_UNKNOWN");
    let throttled = || answer(429, &[("retry-after", "100")], "");
    for (status, expected) in [
        (401, "registry.unauthorized"),
        (403, "registry.denied"),
        (429, "registry.throttled"),
        (500, "registry.unavailable"),
        (307, "registry.redirect"),
        (418, "registry.protocol"),
    ] {
        let failing = move |_: &str, _| answer(status, &[("retry-after", "100")], "");
        assert_eq!(ask(failing, missing).await, Err(expected), "{status}");
        let failing = move || answer(status, &[("retry-after", "100")], "");
        assert_eq!(ask(|_, _| answer(404, &[], ""), failing).await, Err(expected), "{status} at the tag");
        assert_eq!(ask(|_, _| page(&["a"], None), failing).await, Err(expected), "{status} at the tag");
    }
    // Half of a list is none.
    let second = move |path: &str, _| if path.contains("?last") { throttled() } else { page(&["a"], Some("?last=1")) };
    assert_eq!(ask(second, missing).await, Err("registry.throttled"));
    let second =
        |path: &str, _| if path.contains("?last") { answer(404, &[], "") } else { page(&["a"], Some("?last=1")) };
    assert_eq!(ask(second, missing).await, Err("registry.protocol"));
    // Neither exists: the repository does not, and so says nothing about what would be in it.
    assert_eq!(ask(|_, _| not_found("NAME_UNKNOWN"), || not_found("NAME_UNKNOWN")).await, Err("registry.not_found"));
    assert!(ask(|_, _| page(&["a"], None), || not_found("NAME_UNKNOWN")).await.is_ok());
    let torn = || answer(200, &[("content-type", INDEX)], "{\"schemaVersion\":2,");
    assert_eq!(ask(|_, _| page(&["a"], None), torn).await, Err("image.layout"));
}

#[tokio::test]
async fn lists_end() {
    let missing = || not_found("MANIFEST_UNKNOWN");
    assert_eq!(ask(|_, _| page(&["a"], Some("")), missing).await, Err("registry.protocol"));
    let circle = |path: &str, _| page(&["a"], Some(if path.contains("?x") { "?y" } else { "?x" }));
    assert_eq!(ask(circle, missing).await, Err("registry.protocol"));
    let endless = |path: &str, _| page(&[], Some(&format!("{path}{}x", if path.contains('?') { "" } else { "?" })));
    assert_eq!(ask(endless, missing).await, Err("image.too_many"));
    let away = |_: &str, _| page(&["a"], Some("http://registry.example/v2/team/app/referrers/x"));
    assert_eq!(ask(away, missing).await, Err("registry.protocol"));
    let many: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let long = move |path: &str, _| {
        let contents: Vec<String> = many.iter().map(|name| format!("{path}{name}")).collect();
        let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
        page(&contents, (!path.contains('?')).then_some("?2"))
    };
    assert_eq!(ask(long, missing).await, Err("image.too_many"));
}
