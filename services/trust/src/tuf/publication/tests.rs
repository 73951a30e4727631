//! Names of targets, and the targets made from given trust files.

use super::*;
use crate::{files::tests::example, tuf::InvalidMetadata};
use serde_json::json;

/// The example's trust files with other contents.
pub(crate) fn variation(change: impl FnOnce(&mut Value, &mut Value)) -> Publication {
    let files = example();
    let parse = |name| serde_json::from_str::<Value>(files.contents(name)).unwrap();
    let (mut trusted_root, mut signing_config) = (parse(FileName::TrustedRoot), parse(FileName::SigningConfig));
    change(&mut trusted_root, &mut signing_config);
    let [rekor_v1, rekor_v2] =
        [FileName::SigningConfigRekorV1, FileName::SigningConfigRekorV2].map(|name| files.contents(name));
    let configurations = [&signing_config.to_string(), rekor_v1, rekor_v2];
    Publication::of_documents(&trusted_root.to_string(), configurations).unwrap()
}

fn about(publication: &Publication) -> Vec<(String, String, String)> {
    let entry = |(name, target): (&TargetName, &Target)| {
        let text = |member: &str| target.custom["sigstore"][member].as_str().unwrap().to_owned();
        (name.to_string(), text("usage"), text("status"))
    };
    publication.iter().map(entry).collect()
}

fn expected(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter().map(|(name, usage, status)| (name.to_string(), usage.to_string(), status.to_string())).collect()
}

#[test]
fn names_lead_nowhere() {
    for good in ["trusted_root.json", "a", "tsa_intermediate_0.crt.pem"] {
        assert_eq!(TargetName::parse(good).unwrap().as_str(), good);
    }
    let long = "a".repeat(129);
    for bad in ["", "../x", "..", ".", ".x", "a/b", "a\\b", "/x", "a\0b", "a\nb", "ä", "%2e%2e", "a b", &long] {
        assert_eq!(TargetName::parse(bad), Err(InvalidMetadata::TargetName), "{bad:?}");
    }
}

#[test]
fn old_clients_find_keys_by_usage_and_by_name() {
    let publication = Publication::of(&example()).unwrap();
    let list = [
        ("ctfe.pub", "CTFE", "Active"),
        ("fulcio_v1.crt.pem", "Fulcio", "Active"),
        ("rekor.pub", "Rekor", "Active"),
        ("signing_config.v0.2.json", "Unknown", "Active"),
        ("signing_config_rekor_v1.v0.2.json", "Unknown", "Active"),
        ("signing_config_rekor_v2.v0.2.json", "Unknown", "Active"),
        ("trusted_root.json", "Unknown", "Active"),
        ("tsa_leaf.crt.pem", "TSA", "Active"),
        ("tsa_root.crt.pem", "TSA", "Active"),
    ];
    assert_eq!(about(&publication), expected(&list));
    let files = example();
    let contents = |name: &str| publication.targets[&TargetName::parse(name).unwrap()].contents.clone();
    assert_eq!(contents("trusted_root.json"), files.contents(FileName::TrustedRoot).as_bytes());
    assert_eq!(contents("fulcio_v1.crt.pem"), files.contents(FileName::FulcioChain).as_bytes());
    assert_eq!(contents("rekor.pub"), files.contents(FileName::RekorKey).as_bytes());
    assert_eq!(contents("ctfe.pub"), files.contents(FileName::CtKey).as_bytes());
    let document = publication.document();
    assert_eq!(document["rekor.pub"]["custom"]["sigstore"]["uri"], "http://127.0.0.1:8080");
    assert_eq!(document["rekor.pub"]["hashes"].as_object().unwrap().len(), 1, "one hash and no second");
}

#[test]
fn retired_keys_and_timestamp_authorities_are_told_too() {
    let publication = variation(|root, _| {
        let mut old = root["tlogs"][0].clone();
        old["publicKey"]["rawBytes"] = root["ctlogs"][0]["publicKey"]["rawBytes"].clone();
        old["publicKey"]["validFor"]["end"] = json!("2026-11-22T07:00:00Z");
        root["tlogs"].as_array_mut().unwrap().push(old);
        let chain: Vec<Value> = ["leaf", "middle", "root"].map(|der| json!({"rawBytes": STANDARD.encode(der)})).into();
        let authority = json!({
            "uri": "https://tsa.x/api/v1/timestamp",
            "certChain": {"certificates": chain},
            "validFor": {"start": "2026-11-21T07:00:00Z"},
        });
        root["timestampAuthorities"] = json!([authority]);
    });
    let list = about(&publication);
    for wanted in expected(&[
        ("rekor.pub", "Rekor", "Active"),
        ("rekor_1.pub", "Rekor", "Expired"),
        ("tsa_leaf.crt.pem", "TSA", "Active"),
        ("tsa_intermediate_0.crt.pem", "TSA", "Active"),
        ("tsa_root.crt.pem", "TSA", "Active"),
    ]) {
        assert!(list.contains(&wanted), "{wanted:?} is not in {list:?}");
    }
}

#[test]
fn there_is_a_configuration_for_each_version_of_rekor_and_one_for_both() {
    let publication = Publication::of(&example()).unwrap();
    for (name, expected) in [
        ("signing_config.v0.2.json", [2, 1].as_slice()),
        ("signing_config_rekor_v1.v0.2.json", &[1]),
        ("signing_config_rekor_v2.v0.2.json", &[2]),
    ] {
        let contents = &publication.targets[&TargetName::parse(name).unwrap()].contents;
        let config: Value = serde_json::from_slice(contents).unwrap();
        let logs = config["rekorTlogUrls"].as_array().unwrap();
        let versions: Vec<_> = logs.iter().filter_map(|log| log["majorApiVersion"].as_u64()).collect();
        assert_eq!(versions, expected, "{name}");
    }
}
