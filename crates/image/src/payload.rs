//! The payload that cosign 1 and 2 sign for an image: JSON that names its manifest (cosign's `SIGNATURE_SPEC.md`).
//!
//! It is parsed after its signature has been verified, from the verified bytes. Unknown fields are ignored. A field or
//! annotation that is given twice is refused, because two parsers could choose differently.

use chancery_registry::Digest;
use chancery_verify::{Refusal, Rejection, Step};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The only type of payload.
const TYPE: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Document {
    critical: Critical,
    #[serde(default, deserialize_with = "texts")]
    optional: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(default)]
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    #[serde(default)]
    docker_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

/// The contents of the payload besides the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The texts of `optional`.
    pub(crate) annotations: BTreeMap<String, String>,
    /// `docker-reference`.
    pub(crate) reference: Option<String>,
}

impl Payload {
    /// Parses a payload about the manifest `target`.
    pub(crate) fn parse(bytes: &[u8], target: &Digest) -> Result<Self, Refusal> {
        let refuse = |rejection, place: &str| Refusal::new(rejection, Step::Statement).at(place);
        let document: Document = serde_json::from_slice(bytes).map_err(|error| {
            refuse(Rejection::StatementMalformed, "payload").expected("cosign's payload", error.to_string())
        })?;
        if document.critical.kind != TYPE {
            return Err(
                refuse(Rejection::StatementType, "payload.critical.type").expected(TYPE, document.critical.kind)
            );
        }
        let named = document.critical.image.docker_manifest_digest;
        if named != target.to_string() {
            let place = "payload.critical.image.docker-manifest-digest";
            return Err(refuse(Rejection::SubjectMismatch, place).expected(target.to_string(), named));
        }
        Ok(Self {
            annotations: document.optional,
            reference: Some(document.critical.identity.docker_reference).filter(|text| !text.is_empty()),
        })
    }
}

/// Parses the annotations. Values that are not texts are left out.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("annotations, each once")
        }

        fn visit_unit<E>(self) -> Result<BTreeMap<String, String>, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<BTreeMap<String, String>, A::Error> {
            let (mut names, mut found) = (BTreeSet::new(), BTreeMap::new());
            while let Some((name, value)) = members.next_entry::<String, Value>()? {
                if !names.insert(name.clone()) {
                    return Err(A::Error::custom("an annotation is given twice"));
                }
                if let Value::String(text) = value {
                    found.insert(name, text);
                }
            }
            Ok(found)
        }
    }
    deserializer.deserialize_any(Texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_one_manifest() {
        let target: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let payload = |kind: &str, digest: &str, rest: &str| {
            format!(
                r#"{{"critical":{{"identity":{{"docker-reference":"r.example/a"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":{rest}}}"#
            )
        };
        let parse = |text: &str| Payload::parse(text.as_bytes(), &target).map_err(|refusal| refusal.code());
        let good = payload(TYPE, &target.to_string(), r#"{"team":"blue","number":7}"#);
        let read = parse(&good).unwrap();
        assert_eq!(read.annotations, BTreeMap::from([("team".to_owned(), "blue".to_owned())]));
        assert_eq!(read.reference.as_deref(), Some("r.example/a"));
        assert!(parse(&payload(TYPE, &target.to_string(), "null")).is_ok());
        let other = format!("sha256:{}", "cd".repeat(32));
        for (text, code) in [
            (payload(TYPE, &other, "null"), "subject.mismatch"),
            (payload(TYPE, &target.to_string().to_uppercase(), "null"), "subject.mismatch"),
            (payload("atomic container signature", &target.to_string(), "null"), "statement.type"),
            ("{}".to_owned(), "statement.malformed"),
            (payload(TYPE, &target.to_string(), r#"{"team":"blue","team":"red"}"#), "statement.malformed"),
            (payload(TYPE, &target.to_string(), r#"{"team":"blue","team":7}"#), "statement.malformed"),
            (payload(TYPE, &target.to_string(), "[]"), "statement.malformed"),
            (good.replace(r#""image""#, r#""image":{"docker-manifest-digest":"x"},"image""#), "statement.malformed"),
            (format!("{good}x"), "statement.malformed"),
        ] {
            assert_eq!(parse(&text), Err(code), "{text}");
        }
    }
}
