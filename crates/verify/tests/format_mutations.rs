//! Mutations of well-formed bundles: one change each, and the exact code and place of its refusal. Parsers check only
//! the form.

#![expect(clippy::expect_used, reason = "a test that fails here has found something")]

mod documents;

use chancery_verify::bundle::{Bundle, Form, Material};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::{Refusal, Step, Timestamp};
use documents::{
    CERTIFICATES, Certificates, ENTRY, V01, V02, V03, b64, chained, entry, envelope, message, pointers, raw, with,
    without,
};
use serde_json::{Value, json};

fn parse(bundle: &Value) -> Result<Bundle, Refusal> {
    Bundle::parse(bundle.to_string().as_bytes())
}

/// Converts a JSON pointer to the form of places in refusals.
fn place(pointer: &str) -> String {
    let mut place = String::new();
    for part in pointer.split('/').skip(1) {
        if part.parse::<usize>().is_ok() {
            place = format!("{place}[{part}]");
        } else {
            let dot = if place.is_empty() { "" } else { "." };
            place = format!("{place}{dot}{part}");
        }
    }
    place
}

#[test]
fn the_unchanged_documents_parse() {
    let bundle = parse(&message()).unwrap();
    assert_eq!(
        (bundle.form(), bundle.signature(), bundle.timestamped_bytes()),
        (Form::V03, &b"signature"[..], &b"signature"[..])
    );
    let entry = &bundle.entries()[0];
    assert_eq!((entry.log_index, entry.integrated_time), (7, Some(Timestamp::from_seconds(1_700_000_000))));
    assert_eq!(
        entry.proof.as_ref().map(|proof| (proof.log_index, proof.tree_size, proof.hashes.len())),
        Some((5, 9, 2))
    );
    assert_eq!(parse(&chained()).unwrap().material(), bundle.material());
    let bundle = parse(&envelope()).unwrap();
    assert!(bundle.entries()[0].is_rekor_v2());
    assert_eq!(*bundle.material(), Material::PublicKey { hint: Some("key".to_owned()) });
}

/// Code and place of the refusal when the field is dropped or null. A field that is not listed is optional, or may be
/// zero.
const REQUIRED: [(&str, &str, &str); 18] = [
    ("/mediaType", "bundle.media_type", "/mediaType"),
    ("/verificationMaterial", "bundle.missing", "/verificationMaterial"),
    ("/verificationMaterial/certificate", "bundle.missing", "/verificationMaterial/certificate"),
    ("/verificationMaterial/certificate/rawBytes", "bundle.missing", "/verificationMaterial/certificate/rawBytes"),
    ("/messageSignature", "bundle.missing", "/messageSignature"),
    ("/messageSignature/signature", "bundle.missing", "/messageSignature/signature"),
    ("/messageSignature/messageDigest/algorithm", "bundle.malformed", "/messageSignature/messageDigest/algorithm"),
    ("/messageSignature/messageDigest/digest", "bundle.malformed", "/messageSignature/messageDigest/digest"),
    ("/verificationMaterial/tlogEntries/0/logId", "bundle.missing", "/verificationMaterial/tlogEntries/0/logId"),
    (
        "/verificationMaterial/tlogEntries/0/logId/keyId",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/logId/keyId",
    ),
    (
        "/verificationMaterial/tlogEntries/0/kindVersion",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/kindVersion",
    ),
    (
        "/verificationMaterial/tlogEntries/0/kindVersion/kind",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/kindVersion/kind",
    ),
    (
        "/verificationMaterial/tlogEntries/0/kindVersion/version",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/kindVersion/version",
    ),
    (
        "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp",
    ),
    (
        "/verificationMaterial/tlogEntries/0/inclusionProof",
        "proof.missing",
        "/verificationMaterial/tlogEntries/0/inclusionProof",
    ),
    (
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
        "bundle.missing",
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
    ),
    (
        "/verificationMaterial/tlogEntries/0/inclusionProof/treeSize",
        "proof.index",
        "/verificationMaterial/tlogEntries/0/inclusionProof/logIndex",
    ),
    (
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
        "bundle.missing",
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
    ),
];

/// Optional fields.
const OPTIONAL: [&str; 11] = [
    "/messageSignature/messageDigest",
    "/verificationMaterial/tlogEntries",
    "/verificationMaterial/tlogEntries/0/canonicalizedBody",
    "/verificationMaterial/tlogEntries/0/inclusionPromise",
    "/verificationMaterial/tlogEntries/0/inclusionProof/hashes",
    "/verificationMaterial/tlogEntries/0/inclusionProof/logIndex",
    "/verificationMaterial/tlogEntries/0/integratedTime",
    "/verificationMaterial/tlogEntries/0/logIndex",
    "/verificationMaterial/timestampVerificationData",
    "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
    // Without this field the checkpoint is missing. It is listed below, because both of its levels can be dropped.
    "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint",
];

#[test]
fn each_field_dropped_or_nulled() {
    let mut all = Vec::new();
    pointers(&message(), "", &mut all);
    for pointer in all {
        if pointer.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_ok()) {
            // An element must not be null.
            let refusal = parse(&with_element(message(), &pointer, Value::Null)).unwrap_err();
            assert_eq!((refusal.code(), refusal.path()), ("bundle.malformed", place(&pointer).as_str()));
            continue;
        }
        let changed = [without(message(), &pointer), with(message(), &pointer, Value::Null)];
        for changed in changed {
            let found = parse(&changed).map_err(|refusal| (refusal.code(), refusal.path().to_owned()));
            if let Some((_, code, at)) = REQUIRED.iter().find(|(field, ..)| *field == pointer) {
                assert_eq!(found.unwrap_err(), (*code, place(at)), "{pointer}");
            } else if pointer.contains("/checkpoint") {
                let at = place(&format!("{ENTRY}/inclusionProof/checkpoint"));
                assert_eq!(found.unwrap_err(), ("checkpoint.missing", at), "{pointer}");
            } else {
                assert!(OPTIONAL.contains(&pointer.as_str()), "{pointer} is in neither list");
                assert!(found.is_ok(), "{pointer}: {found:?}");
            }
        }
    }
}

fn with_element(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).expect("an element") = value;
    document
}

#[test]
fn each_field_of_another_type_or_beyond_all_size() {
    for document in [message(), envelope(), chained()] {
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        for pointer in all {
            let original = document.pointer(&pointer).expect("a value").clone();
            for other in
                [json!(true), json!(1.5), json!(-1), json!("!"), json!("x".repeat(1 << 17)), json!([]), json!({})]
            {
                let is_free_text = ["hint", "keyid", "kind", "version", "payloadType", "envelope"]
                    .iter()
                    .any(|name| pointer.ends_with(name));
                let same_type = matches!(
                    (&original, &other),
                    (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_))
                );
                if same_type || is_free_text && other == json!("!") {
                    continue;
                }
                // 2^17 letters are valid base64 of a payload or body, which may be as large as the bundle.
                let unlimited = pointer.ends_with("/payload") || pointer.ends_with("/canonicalizedBody");
                if unlimited && other.as_str().is_some_and(|text| text.len() > 1) {
                    continue;
                }
                let refusal = parse(&with_element(document.clone(), &pointer, other.clone())).unwrap_err();
                let media_type = pointer == "/mediaType" && other == json!("!");
                let expected = if media_type { "bundle.media_type" } else { "bundle.malformed" };
                assert_eq!(refusal.code(), expected, "{pointer}: {other:.20}: {refusal}");
                assert_eq!((refusal.step(), refusal.path()), (Step::Formats, place(&pointer).as_str()));
            }
        }
    }
}

/// A value equal to `text`, with another spelling of a member in its object.
fn spliced(document: &Value, name: &str, splice: &str) -> String {
    let text = document.to_string();
    let member = format!("\"{name}\":");
    assert!(text.contains(&member), "{name}");
    text.replacen(&member, &format!("{splice}{member}"), 1)
}

#[test]
fn each_field_doubled_or_accompanied_by_one_that_is_unknown() {
    for document in [message(), envelope(), chained()] {
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        for pointer in all {
            let name = pointer.rsplit('/').next().expect("a name");
            if name.parse::<usize>().is_ok() {
                continue;
            }
            for splice in [format!("\"{name}\":null,"), format!("\"{name}\":0,"), "\"unknown\":null,".to_owned()] {
                // DSSE ignores unknown members.
                if splice.contains("unknown")
                    && ["payload", "payloadType", "signatures", "sig", "keyid"].contains(&name)
                {
                    assert!(Bundle::parse(spliced(&document, name, &splice).as_bytes()).is_ok(), "{name}");
                    continue;
                }
                let text = spliced(&document, name, &splice);
                let refusal = Bundle::parse(text.as_bytes()).unwrap_err();
                assert_eq!(refusal.code(), "bundle.malformed", "{splice}{name}: {refusal}");
            }
        }
    }
}

/// Asserts the code of each row.
fn refused(table: &[(Value, &str)]) {
    for (number, (changed, code)) in table.iter().enumerate() {
        let refusal = parse(changed).expect_err(&format!("row {number}"));
        assert_eq!(refusal.code(), *code, "row {number}: {refusal}");
    }
}

#[test]
fn the_table_of_changes_to_a_bundle() {
    let digest = "/messageSignature/messageDigest";
    let many = |value: Value, count: usize| Value::Array(vec![value; count]);
    refused(&[
        (with(message(), "/mediaType", V03.replace("0.3", "0.4").into()), "bundle.media_type"),
        (with(message(), "/mediaType", format!("{V03} ").into()), "bundle.media_type"),
        (with(message(), "/mediaType", V03.to_uppercase().into()), "bundle.media_type"),
        (with(message(), "/mediaType", V01.replace("0.1", "99.9").into()), "bundle.media_type"),
        (with(message(), "/mediaType", V01.into()), "bundle.version"),
        (with(message(), "/mediaType", V02.into()), "bundle.version"),
        (with(chained(), "/mediaType", V03.into()), "bundle.version"),
        (with(message(), "/dsseEnvelope", envelope()["dsseEnvelope"].clone()), "bundle.ambiguous"),
        (with(message(), "/verificationMaterial/publicKey", json!({"hint": "x"})), "bundle.ambiguous"),
        (with(message(), "/verificationMaterial/certificate/rawBytes", "AAAA".into()), "certificate.malformed"),
        (with(message(), "/message_signature", Value::Null), "bundle.malformed"),
        (with(envelope(), "/verificationMaterial/publicKey/hint", "other".into()), "bundle.key_hint"),
        (with(envelope(), "/dsseEnvelope/signatures", json!([])), "dsse.signatures"),
        (with(envelope(), "/dsseEnvelope/signatures", many(json!({"sig": "AA=="}), 2)), "dsse.signatures"),
        (with(envelope(), "/dsseEnvelope/payloadType", "".into()), "bundle.missing"),
        (with(message(), &format!("{digest}/algorithm"), "HASH_ALGORITHM_UNSPECIFIED".into()), "bundle.malformed"),
        (with(message(), &format!("{digest}/algorithm"), json!(1)), "bundle.malformed"),
        (with(message(), &format!("{digest}/algorithm"), "SHA2_384".into()), "bundle.malformed"),
        (with(message(), &format!("{digest}/algorithm"), "SHA3_256".into()), "algorithm.not_allowed"),
        (with(message(), &format!("{digest}/digest"), "".into()), "bundle.malformed"),
        (with(message(), "/messageSignature/signature", "".into()), "bundle.missing"),
        (with(message(), "/messageSignature/signature", "AB==".into()), "bundle.malformed"),
        (with(message(), "/messageSignature/signature", "AA\nAA".into()), "bundle.malformed"),
        (with(message(), "/messageSignature/signature", "AA=".into()), "bundle.malformed"),
        (with(message(), "/messageSignature/signature", "-A+A".into()), "bundle.malformed"),
    ]);
}

#[test]
fn the_table_of_changes_to_log_entries_and_timestamps() {
    let at = |name: &str| format!("{ENTRY}/{name}");
    let token = json!({"signedTimestamp": b64(b"token")});
    let many = |value: Value, count: usize| Value::Array(vec![value; count]);
    let numbered =
        |count: usize| -> Value { (0..count).map(|index| with(entry("0.0.2"), "/logIndex", index.into())).collect() };
    let entries = "/verificationMaterial/tlogEntries";
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    refused(&[
        (with(envelope(), "/dsseEnvelope/payloadType", "x".repeat(257).into()), "bundle.malformed"),
        (with(message(), entries, many(entry("0.0.2"), 2)), "log.duplicate"),
        (with(message(), entries, numbered(33)), "bundle.too_many"),
        (with(message(), timestamps, many(token.clone(), 2)), "bundle.duplicate"),
        (with(message(), timestamps, many(token, 33)), "bundle.too_many"),
        (with(message(), &at("logId/keyId"), b64(&[1; 31]).into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), "-1".into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), "007".into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), "+7".into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), "7.0".into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), json!(7.0)), "bundle.malformed"),
        (with(message(), &at("logIndex"), "1e3".into()), "bundle.malformed"),
        (with(message(), &at("logIndex"), (1_u64 << 63).into()), "bundle.malformed"),
        (with(message(), &at("kindVersion/version"), "0.0.2".into()), "bundle.version"),
        (with(envelope(), &at("integratedTime"), 1.into()), "bundle.version"),
        (with(envelope(), &at("inclusionPromise"), json!({"signedEntryTimestamp": "AA=="})), "bundle.version"),
        (without(chained(), &at("inclusionPromise")), "promise.missing"),
        (without(with(chained(), "/mediaType", V02.into()), &at("inclusionProof")), "proof.missing"),
        (with(message(), &at("inclusionProof/logIndex"), "9".into()), "proof.index"),
        (with(message(), &at("inclusionProof/treeSize"), "5".into()), "proof.index"),
        (with(message(), &at("inclusionProof/treeSize"), "9223372036854775808".into()), "bundle.malformed"),
        (with(message(), &at("inclusionProof/rootHash"), b64(&[2; 33]).into()), "bundle.malformed"),
        (with(message(), &at("inclusionProof/hashes"), many(b64(&[3; 32]).into(), 64)), "bundle.too_many"),
        (with(message(), &at("inclusionProof/checkpoint/envelope"), "\n".repeat(101).into()), "bundle.malformed"),
        (with(message(), &at("inclusionProof/checkpoint/envelope"), "".into()), "checkpoint.missing"),
    ]);
}

#[test]
fn spellings_of_one_value_are_no_mutations() {
    let signature = "/messageSignature/signature";
    let padded = parse(&with(message(), signature, "-_-_AA==".into())).unwrap();
    for same in ["+/+/AA==", "-_-_AA", "+/+/AA"] {
        assert_eq!(parse(&with(message(), signature, same.into())).unwrap(), padded, "{same}");
    }
    for number in [json!(7), json!("7")] {
        assert_eq!(parse(&with(message(), &format!("{ENTRY}/logIndex"), number)).unwrap(), parse(&message()).unwrap());
    }
    let most = with(message(), &format!("{ENTRY}/logIndex"), i64::MAX.to_string().into());
    assert_eq!(parse(&most).unwrap().entries()[0].log_index, (1 << 63) - 1);
    for (version, form) in [("0.1", Form::V01), ("0.2", Form::V02), ("0.3", Form::V03)] {
        for media_type in [
            format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
            format!("application/vnd.dev.sigstore.bundle.v{version}+json"),
        ] {
            let document = if form < Form::V03 { chained() } else { message() };
            assert_eq!(parse(&with(document, "/mediaType", media_type.into())).unwrap().form(), form);
        }
    }
    let chain = with(chained(), "/mediaType", V03.into()).to_string();
    assert_eq!(Bundle::parse_allowing_chain(chain.as_bytes()).unwrap().form(), Form::V03);
}

#[test]
fn a_text_that_is_not_strict_json() {
    let text = message().to_string();
    let deep = format!("{{\"mediaType\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let wide = format!("{{\"mediaType\":[{}0]}}", "0,".repeat(1 << 16));
    for bad in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("\u{feff}{text}"),
        format!("{text}{text}"),
        format!("{text}x"),
        text[..text.len() - 1].to_owned(),
        text.replacen("signature", "\\ud800", 1),
        deep,
        wide,
    ] {
        assert_eq!(Bundle::parse(bad.as_bytes()).unwrap_err().code(), "bundle.malformed", "{bad:.80}");
        assert_eq!(TrustRoot::parse(bad.as_bytes()).unwrap_err().code(), "root.malformed", "{bad:.80}");
    }
    assert_eq!(Bundle::parse(b"{\"mediaType\":\"\xff\"}").unwrap_err().code(), "bundle.malformed");
    assert_eq!(Bundle::parse(&vec![b' '; (32 << 20) + 1]).unwrap_err().code(), "bundle.too_large");
    assert_eq!(TrustRoot::parse(&vec![b' '; (4 << 20) + 1]).unwrap_err().code(), "root.too_large");
}

#[test]
fn chains_of_a_bundle() {
    let Certificates { root, intermediate, leaf, foreign } = &*CERTIFICATES;
    let chain = |certificates: &[&[u8]]| {
        let list: Vec<Value> = certificates.iter().map(|der| raw(der)).collect();
        let document = with(chained(), "/mediaType", V02.into());
        parse(&with(document, "/verificationMaterial/x509CertificateChain/certificates", list.into()))
    };
    let whole = [&leaf[..], intermediate, root].map(raw).to_vec();
    let old = with(chained(), "/verificationMaterial/x509CertificateChain/certificates", whole.into());
    assert!(parse(&old).is_ok(), "npm's attestations of version 0.1 have the root");
    assert!(chain(&[leaf]).is_ok());
    assert!(chain(&[leaf, intermediate]).is_ok());
    for (bad, code, place) in [
        (vec![], "bundle.missing", ""),
        (vec![&leaf[..], intermediate, root], "bundle.chain", "[2]"),
        (vec![leaf, foreign], "bundle.chain", "[1]"),
        (vec![intermediate, leaf], "bundle.chain", "[1]"),
        (vec![leaf, leaf], "bundle.chain", "[1]"),
        (vec![leaf, intermediate, intermediate], "bundle.chain", "[2]"),
        (vec![root], "bundle.chain", "[0]"),
        (vec![leaf; 11], "bundle.too_many", ""),
    ] {
        let refusal = chain(&bad).unwrap_err();
        let expected = format!("verificationMaterial.x509CertificateChain.certificates{place}");
        assert_eq!((refusal.code(), refusal.path()), (code, expected.as_str()), "{refusal}");
    }
}
