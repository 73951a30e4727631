//! Every bundle and trusted root of the golden data parses, and the parsed values are those of the JSON.

#![expect(clippy::expect_used, reason = "a test that fails here has found something")]

mod golden;

use chancery_verify::bundle::{Bundle, Content, Form, Material};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::{Refusal, Timestamp};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Real bundles, with their form, entries and timestamps. `dsse-2sigs` is refused by design.
const BUNDLES: [(&str, Form, usize, usize); 8] = [
    ("examples/bundle-provenance.json", Form::V01, 1, 0),
    ("examples/bundle-publish.json", Form::V01, 1, 0),
    ("extra/a.txt.sigstore", Form::V02, 1, 0),
    ("extra/oci-attestation.sigstore.json", Form::V03, 1, 0),
    ("pkg/testing/data/bundles/dsse.sigstore.json", Form::V01, 1, 0),
    ("pkg/testing/data/bundles/othername.sigstore.json", Form::V03, 1, 0),
    ("pkg/testing/data/bundles/public-key-validity.sigstore.json", Form::V03, 0, 1),
    ("pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json", Form::V01, 1, 0),
];

/// Real trusted roots, with their numbers of Rekor logs, authorities, certificate transparency logs and timestamp
/// authorities.
const ROOTS: [(&str, [usize; 4]); 6] = [
    ("examples/trusted-root-public-good.json", [1, 2, 2, 1]),
    ("extra/trusted_root.json", [2, 2, 2, 1]),
    ("extra/trusted_root_pgi.json", [1, 2, 2, 0]),
    ("pkg/testing/data/trusted-roots/public-good.json", [1, 2, 2, 1]),
    ("pkg/testing/data/trusted-roots/public-key-validity.json", [0, 0, 0, 1]),
    ("pkg/testing/data/trusted-roots/scaffolding.json", [1, 1, 1, 0]),
];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the directory of the golden data") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every JSON document of the golden data whose media type contains `kind`, by its path.
fn documents(kind: &str) -> Vec<String> {
    let (top, mut paths) = (golden::directory(), Vec::new());
    files(&top, &mut paths);
    let is_one = |path: &PathBuf| {
        let document = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        document.is_some_and(|document| document["mediaType"].as_str().is_some_and(|found| found.contains(kind)))
    };
    let mut names: Vec<_> = paths
        .iter()
        .filter(|path| is_one(path))
        .map(|path| path.strip_prefix(&top).expect("below the top").to_str().expect("UTF-8").to_owned())
        .collect();
    names.sort();
    names
}

fn bundle(name: &str) -> Result<Bundle, Refusal> {
    Bundle::parse(&golden::file(name))
}

#[test]
fn every_bundle_parses_and_says_what_its_json_says() {
    for (name, form, entries, timestamps) in BUNDLES {
        let (bundle, json) = (bundle(name).unwrap_or_else(|refusal| panic!("{name}: {refusal}")), golden::json(name));
        assert_eq!(
            (bundle.form(), bundle.entries().len(), bundle.timestamps().len()),
            (form, entries, timestamps),
            "{name}"
        );
        for (index, entry) in bundle.entries().iter().enumerate() {
            let at = |member: &str| format!("/verificationMaterial/tlogEntries/{index}/{member}");
            assert_eq!(entry.log_index, golden::number(&json, &at("logIndex")));
            assert_eq!(entry.log_id.to_vec(), golden::bytes(&json, &at("logId/keyId")));
            assert_eq!(entry.body.clone().unwrap(), golden::bytes(&json, &at("canonicalizedBody")));
            let seconds = golden::number(&json, &at("integratedTime"));
            assert_eq!(entry.integrated_time, Some(Timestamp::from_seconds(seconds)));
        }
        match bundle.content() {
            Content::Envelope(envelope) => {
                assert_eq!(envelope.payload, golden::bytes(&json, "/dsseEnvelope/payload"));
                assert_eq!(envelope.signature, golden::bytes(&json, "/dsseEnvelope/signatures/0/sig"));
            }
            Content::Message { digest, signature } => {
                assert_eq!(*signature, golden::bytes(&json, "/messageSignature/signature"));
                let digest = digest.as_ref().expect("a digest");
                assert_eq!(digest.1, golden::bytes(&json, "/messageSignature/messageDigest/digest"));
            }
        }
        if let Material::Certificate(certificate) = bundle.material() {
            let places = ["certificate/rawBytes", "x509CertificateChain/certificates/0/rawBytes"];
            let leaf = places.iter().find_map(|place| json.pointer(&format!("/verificationMaterial/{place}")));
            assert_eq!(certificate.der(), golden::bytes(leaf.expect("a certificate"), ""), "{name}");
        }
    }
}

#[test]
fn a_bundle_of_our_own_parses() {
    let bundle = Bundle::parse(include_bytes!("../../../tests/golden/data-schema-1/hello.sigstore.json")).unwrap();
    assert_eq!((bundle.form(), bundle.entries().len()), (Form::V03, 1));
}

#[test]
fn every_trusted_root_parses_and_all_of_it_is_of_use() {
    for (name, counts) in ROOTS {
        let root = TrustRoot::parse(&golden::file(name)).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let found = [
            root.logs().len(),
            root.certificate_authorities().len(),
            root.ct_logs().len(),
            root.timestamp_authorities().len(),
        ];
        assert_eq!(found, counts, "{name}");
        assert_eq!(root.unusable(), [], "{name}");
    }
}

#[test]
fn no_document_among_the_golden_data_is_forgotten() {
    let listed: Vec<_> = BUNDLES.iter().map(|(name, ..)| *name).collect();
    let others: Vec<_> =
        documents("sigstore.bundle").into_iter().filter(|name| !listed.contains(&name.as_str())).collect();
    assert_eq!(others, ["pkg/testing/data/bundles/dsse-2sigs.sigstore.json"]);
    let refusal = bundle(&others[0]).unwrap_err();
    assert_eq!((refusal.code(), refusal.path()), ("dsse.signatures", "dsseEnvelope.signatures"));
    assert_eq!(documents("sigstore.trustedroot"), ROOTS.map(|(name, _)| name));
}

#[test]
fn the_public_root_is_read_to_the_millisecond() {
    let root = TrustRoot::parse(&golden::file("extra/trusted_root.json")).unwrap();
    let [test, ct2022] = root.ct_logs() else { panic!("two logs") };
    let end = Timestamp::from_millis(1_667_260_799_999);
    assert_eq!((test.window().end, ct2022.window().end), (Some(end), None));
    assert!(test.window().contains(end) && !test.window().contains(Timestamp::from_millis(end.millis() + 1)));
    let [v1, v2] = root.logs() else { panic!("two logs") };
    assert_eq!((v1.host(), v1.operator()), ("rekor.sigstore.dev", "rekor.sigstore.dev"));
    assert_eq!(v2.names(), ["log2025-1.rekor.sigstore.dev"]);
    assert_eq!(root.log(v2.log_id()), Some(v2));
    let [first, second] = root.certificate_authorities() else { panic!("two authorities") };
    assert_eq!((first.chain().len(), first.intermediates().len()), (1, 0));
    assert_eq!((second.chain().len(), second.intermediates().len()), (2, 1));
    let authority = &root.timestamp_authorities()[0];
    assert_eq!((authority.chain().len(), authority.issuers().len()), (2, 1));
    assert_eq!(authority.leaf(), authority.chain().first());
}

#[test]
fn roots_count_together_only_where_they_agree() {
    let public = TrustRoot::parse(&golden::file("extra/trusted_root.json")).unwrap();
    let other = TrustRoot::parse(&golden::file("pkg/testing/data/trusted-roots/scaffolding.json")).unwrap();
    assert_eq!(public.clone().combine(public.clone()).unwrap(), public);
    let both = public.clone().combine(other).unwrap();
    assert_eq!((both.logs().len(), both.timestamp_authorities().len()), (3, 1));
    let mut json = golden::json("extra/trusted_root.json");
    json["tlogs"][0]["publicKey"]["validFor"]["start"] = "2020-01-12T11:53:27Z".into();
    let earlier = TrustRoot::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(public.combine(earlier).unwrap_err().code(), "root.duplicate");
}

#[test]
fn reading_takes_milliseconds() {
    for (name, ..) in BUNDLES {
        let text = golden::file(name);
        let start = Instant::now();
        for _ in 0..10 {
            Bundle::parse(&text).unwrap();
        }
        // The limit is for a debug build on a busy machine. Each chain costs a signature check.
        assert!(start.elapsed().as_millis() < 2_000, "{name}: {:?}", start.elapsed());
    }
}
