//! Targets for what registries answer: manifests, and the indexes that list referrers.

use chancery_registry::{Document, Reference, document};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 3] =
    [("manifest", manifest), ("referrers_index", referrers_index), ("image_reference", image_reference)];

const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Where a target starts.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let descriptor = |rest: &str| format!(r#"{{"mediaType":"application/x","digest":"{HASH}","size":2{rest}}}"#);
    let annotated = descriptor(
        r#","artifactType":"t","annotations":{"a":"1"},"platform":{"os":"linux","architecture":"arm","variant":"v7"}"#,
    );
    let image = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{},{annotated}],"subject":{},"annotations":{{"b":"2"}}}}"#,
        document::IMAGE_MANIFEST,
        descriptor(""),
        descriptor(""),
        descriptor("")
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{annotated},{}]}}"#,
        document::IMAGE_INDEX,
        descriptor("")
    );
    let texts = match target {
        "image_reference" => {
            vec![format!("r.example:5000/team/app:v1@{HASH}"), "alpine".to_owned(), "[::1]:5000/a".to_owned()]
        }
        "referrers_index" => vec![index],
        _ => vec![image, index],
    };
    texts.into_iter().map(String::into_bytes).collect()
}

/// What parses is one of the two, within its limits, whatever type was answered.
pub fn manifest(input: &[u8]) {
    for answered in
        ["", document::IMAGE_MANIFEST, document::IMAGE_INDEX, document::DOCKER_MANIFEST, document::DOCKER_INDEX]
    {
        match Document::parse("fuzz", answered, input) {
            Ok(Document::Manifest(manifest)) => {
                assert!(manifest.layers.len() <= document::MAX_DESCRIPTORS);
                assert!(![document::IMAGE_INDEX, document::DOCKER_INDEX].contains(&answered), "a manifest is no index");
            }
            Ok(Document::Index(index)) => {
                assert!(index.manifests.len() <= document::MAX_DESCRIPTORS);
                assert!(
                    ![document::IMAGE_MANIFEST, document::DOCKER_MANIFEST].contains(&answered),
                    "an index is no manifest"
                );
            }
            Err(error) => assert!(error.code().starts_with("image.") && !error.kind().is_undecided()),
        }
    }
}

/// A page of referrers: every entry has a digest with one spelling.
pub fn referrers_index(input: &[u8]) {
    let Ok(Document::Index(index)) = Document::parse("fuzz", document::IMAGE_INDEX, input) else { return };
    for descriptor in index.manifests {
        let text = descriptor.digest.to_string();
        assert_eq!(text.parse().as_ref(), Ok(&descriptor.digest));
        assert!(input.windows(text.len()).any(|window| window == text.as_bytes()) || input.contains(&b'\\'));
    }
}

/// A reference that parses is written and read as the same one.
pub fn image_reference(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(reference) = text.parse::<Reference>() else { return };
    let written = reference.to_string();
    assert_eq!(written.parse::<Reference>().as_ref(), Ok(&reference), "{written}");
}
