//! Images in a directory that somebody else has written.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chancery_registry::{Descriptor, Digest, Directory, Document};
use chancery_verify::HashAlgorithm;
use std::{fs, path::Path};
use tempfile::TempDir;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

fn blob_path(directory: &Path, digest: &Digest) -> std::path::PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

/// A directory with these blobs.
fn directory(blobs: &[&[u8]]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("blobs/sha256")).unwrap();
    for bytes in blobs {
        fs::write(blob_path(directory.path(), &sha256(bytes)), bytes).unwrap();
    }
    directory
}

fn descriptor(bytes: &[u8], size: u64) -> Descriptor {
    serde_json::from_str(&format!(r#"{{"mediaType":"x","digest":"{}","size":{size}}}"#, sha256(bytes))).unwrap()
}

/// A manifest that refers to `subject`.
fn referring(subject: &Digest, note: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","layers":[],"annotations":{{"note":"{note}"}},
            "subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":5}}}}"#
    )
}

#[test]
fn what_is_read_by_digest_has_it() {
    let manifest = referring(&sha256(b"x"), "");
    let place = directory(&[b"good", manifest.as_bytes()]);
    let read = Directory::new(place.path());
    assert_eq!(read.blob(&descriptor(b"good", 4), 10).unwrap(), "good");
    assert!(matches!(read.manifest(&sha256(manifest.as_bytes())).unwrap().unwrap().document, Document::Manifest(_)));
    let code = |descriptor: &Descriptor, limit| read.blob(descriptor, limit).unwrap_err().code();
    for size in [3, 5] {
        assert_eq!(code(&descriptor(b"good", size), 10), "image.digest", "{size}");
    }
    assert_eq!(code(&descriptor(b"good", 4), 3), "image.too_large");
    assert_eq!(code(&descriptor(b"gone", 4), 10), "registry.not_found");
    assert_eq!(read.manifest(&sha256(b"gone")), Ok(None));
    fs::write(blob_path(place.path(), &sha256(b"good")), "evil").unwrap();
    assert_eq!(code(&descriptor(b"good", 4), 10), "image.digest");
    assert_eq!(read.manifest(&sha256(b"good")).unwrap_err().code(), "image.digest");
    fs::remove_file(blob_path(place.path(), &sha256(b"good"))).unwrap();
    fs::create_dir(blob_path(place.path(), &sha256(b"good"))).unwrap();
    assert_eq!(code(&descriptor(b"good", 4), 10), "file.unreadable");
}

#[test]
fn an_index_that_is_not_there_or_is_none_says_nothing_or_is_wrong() {
    let place = directory(&[]);
    let read = Directory::new(place.path());
    assert_eq!(read.index().unwrap_err().code(), "file.unreadable");
    let index = place.path().join("index.json");
    for (text, code) in [
        ("{".to_owned(), "image.layout"),
        (referring(&sha256(b"x"), ""), "image.media_type"),
        (format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}"}}"#), "image.layout"),
        (" ".repeat(4 * 1024 * 1024 + 1), "image.too_large"),
    ] {
        fs::write(&index, text).unwrap();
        assert_eq!(read.index().unwrap_err().code(), code);
    }
    fs::write(&index, format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#)).unwrap();
    assert!(read.index().unwrap().manifests.is_empty());
    assert_eq!(Directory::new("/nowhere").referrers(&sha256(b"x")).unwrap_err().code(), "file.unreadable");
}

#[test]
fn what_refers_to_an_image_is_found_among_all_blobs() {
    let target = sha256(b"image");
    let (one, two, other) =
        (referring(&target, "one"), referring(&target, "two"), referring(&sha256(b"other"), "other"));
    let large = format!("{{{}", " ".repeat(4 * 1024 * 1024));
    let blobs = [&*one, &two, &other, r#"{"architecture":"amd64"}"#, "{", "", "layer", &large];
    let place = directory(&blobs.map(str::as_bytes));
    // What no reader can have written: a name that is no digest, a lie, and a directory.
    let blobs = place.path().join("blobs/sha256");
    fs::write(blobs.join("readme"), &one).unwrap();
    fs::write(blobs.join("ab".repeat(32)), &one).unwrap();
    fs::create_dir(blobs.join("cd".repeat(32))).unwrap();
    let found = Directory::new(place.path()).referrers(&target).unwrap();
    let mut expected = [sha256(one.as_bytes()), sha256(two.as_bytes())];
    expected.sort_by(|one, other| one.value().cmp(other.value()));
    let found: Vec<Digest> = found.into_iter().map(|fetched| fetched.digest).collect();
    assert_eq!(found, expected);
}
