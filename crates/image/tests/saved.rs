//! Images in a directory, as cosign and other programs save them, and as neither does.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chancery_image::{Found, Layout, Saved, Signed};
use chancery_registry::Digest;
use chancery_verify::HashAlgorithm;
use std::{fs, path::Path};
use tempfile::TempDir;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const PAYLOAD: &[u8] = br#"{"critical":{}}"#;

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

fn image() -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","layers":[]}}"#)
}

/// A well-formed bundle by a key nobody knows.
fn bundle() -> String {
    format!(
        r#"{{"mediaType":"{BUNDLE}","verificationMaterial":{{"publicKey":{{"hint":"k"}}}},
            "messageSignature":{{"messageDigest":{{"algorithm":"SHA2_256","digest":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}},"signature":"AAAA"}}}}"#
    )
}

/// A manifest of an artifact about `subject`, with one layer.
fn artifact(kind: &str, subject: Option<&Digest>, layer: &[u8], layer_type: &str) -> String {
    let subject =
        subject.map(|digest| format!(r#","subject":{{"mediaType":"{MANIFEST}","digest":"{digest}","size":5}}"#));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"{kind}","layers":[
            {{"mediaType":"{layer_type}","digest":"{}","size":{},
              "annotations":{{"dev.cosignproject.cosign/signature":"AAAA"}}}}]{}}}"#,
        sha256(layer),
        layer.len(),
        subject.unwrap_or_default()
    )
}

/// An entry of `index.json`, perhaps marked.
fn listed(manifest: &str, mark: Option<&str>) -> String {
    let annotations = mark.map(|mark| format!(r#","annotations":{{"kind":"dev.cosignproject.cosign/{mark}"}}"#));
    format!(
        r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":{}{}}}"#,
        sha256(manifest.as_bytes()),
        manifest.len(),
        annotations.unwrap_or_default()
    )
}

fn saved(listed: &[String], blobs: &[&[u8]]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("blobs/sha256")).unwrap();
    for bytes in blobs {
        fs::write(blob(directory.path(), bytes), bytes).unwrap();
    }
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, listed.join(","));
    fs::write(directory.path().join("index.json"), index).unwrap();
    directory
}

fn blob(directory: &Path, bytes: &[u8]) -> std::path::PathBuf {
    directory.join("blobs/sha256").join(sha256(bytes).hex())
}

async fn find(directory: &TempDir, layout: Layout) -> Result<Found, &'static str> {
    let saved = Saved::open(directory.path()).map_err(|error| error.code())?;
    let image = saved.image().map_err(|error| error.code())?;
    saved.find(&image.digest, layout).await.map_err(|error| error.code())
}

fn counts(found: Result<Found, &'static str>) -> Result<(usize, Vec<&'static str>), &'static str> {
    found.map(|found| (found.candidates.len(), found.broken.iter().map(|broken| broken.code).collect()))
}

#[tokio::test]
async fn each_layout_is_found_where_it_is() {
    let (image, json) = (image(), bundle());
    let target = sha256(image.as_bytes());
    let signatures = artifact("", None, PAYLOAD, SIMPLE);
    let referring = artifact(BUNDLE, Some(&target), json.as_bytes(), BUNDLE);
    let experimental = artifact("application/vnd.dev.cosign.artifact.sig.v1+json", Some(&target), PAYLOAD, SIMPLE);
    let blobs = [&*image, &signatures, &referring, &experimental, &json].map(str::as_bytes);
    let marked = [listed(&signatures, Some("sigs")), listed(&image, Some("image"))];
    let directory = saved(&marked, &[&blobs[..], &[PAYLOAD]].concat());
    let bundles = find(&directory, Layout::Bundle).await.unwrap();
    assert_eq!((bundles.candidates.len(), bundles.broken.len()), (1, 0));
    assert_eq!((bundles.candidates[0].place.layout, &bundles.candidates[0].signed), ("referrer", &Signed::Manifest));
    for (layout, name) in [(Layout::Legacy, "signature tag"), (Layout::Oci11, "signature referrer")] {
        let found = find(&directory, layout).await.unwrap();
        assert_eq!((found.candidates.len(), found.broken.len()), (1, 0), "{layout:?}");
        assert_eq!(found.candidates[0].place.layout, name);
        assert_eq!(found.candidates[0].signed, Signed::Payload(PAYLOAD.to_vec()));
    }
    assert_eq!(counts(find(&directory, Layout::All).await), Ok((3, Vec::new())));
    // What is beside the image belongs to the image.
    let saved = Saved::open(directory.path()).unwrap();
    assert_eq!(saved.find(&sha256(b"other"), Layout::All).await.unwrap(), Found::default());
}

#[tokio::test]
async fn there_is_one_image_or_none_is_chosen() {
    let (image, other) = (image(), format!("{} ", image()));
    let referring = artifact(BUNDLE, Some(&sha256(image.as_bytes())), b"x", BUNDLE);
    let blobs = [&*image, &other, &referring].map(str::as_bytes);
    let verdict = async |entries: &[String]| counts(find(&saved(entries, &blobs), Layout::Legacy).await);
    let none = Ok((0, Vec::new()));
    assert_eq!(verdict(&[listed(&image, Some("image"))]).await, none);
    assert_eq!(verdict(&[listed(&image, Some("imageIndex")), listed(&other, None)]).await, none);
    // Other programs mark nothing, and list what refers to the image.
    assert_eq!(verdict(&[listed(&image, None)]).await, none);
    assert_eq!(verdict(&[listed(&referring, None), listed(&image, None)]).await, none);
    for entries in [
        vec![],
        vec![listed(&image, None), listed(&other, None)],
        vec![listed(&image, Some("image")), listed(&other, Some("image"))],
        vec![listed(&referring, None)],
        vec![listed(&image, Some("sigs"))],
    ] {
        assert_eq!(verdict(&entries).await, Err("image.layout"), "{entries:?}");
    }
}

#[tokio::test]
async fn what_is_missing_is_open_and_what_is_wrong_has_a_reason() {
    let (image, json) = (image(), bundle());
    let target = sha256(image.as_bytes());
    let signatures = artifact("", None, PAYLOAD, SIMPLE);
    let referring = artifact(BUNDLE, Some(&target), json.as_bytes(), BUNDLE);
    let marked = [listed(&signatures, Some("sigs")), listed(&image, Some("image"))];
    let all: [&[u8]; 5] = [image.as_bytes(), signatures.as_bytes(), referring.as_bytes(), json.as_bytes(), PAYLOAD];
    let without = |at: usize| {
        let left: Vec<&[u8]> =
            all.iter().enumerate().filter(|(position, _)| *position != at).map(|(_, b)| *b).collect();
        saved(&marked, &left)
    };
    for (at, layout, expected) in [
        (0, Layout::Bundle, Err("file.unreadable")),
        (1, Layout::Legacy, Err("file.unreadable")),
        (2, Layout::Bundle, Ok((0, vec![]))),
        (3, Layout::Bundle, Ok((0, vec!["registry.not_found"]))),
        (4, Layout::Legacy, Ok((0, vec!["registry.not_found"]))),
    ] {
        assert_eq!(counts(find(&without(at), layout).await), expected, "{at}");
    }
    let changed = saved(&marked, &all);
    fs::write(blob(changed.path(), json.as_bytes()), json.replace("AAAA", "AAAB")).unwrap();
    fs::write(blob(changed.path(), PAYLOAD), PAYLOAD.to_ascii_uppercase()).unwrap();
    assert_eq!(counts(find(&changed, Layout::All).await), Ok((0, vec!["image.digest", "image.digest"])));
    fs::write(blob(changed.path(), image.as_bytes()), "{}").unwrap();
    assert_eq!(counts(find(&changed, Layout::All).await), Err("image.digest"));
}
