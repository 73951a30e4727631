//! in-toto statements: the content of signed attestations.
//!
//! A [`Statement`] is parsed from the same bytes whose signature was verified. Unknown fields are ignored, as the
//! specification requires. A repeated name in an object is refused everywhere, predicate included, because two parsers
//! could see different statements. A subject counts only by its digests: its name is only the attester's claim.
//! Signatures and envelopes are not handled here.
//!
//! Specification: in-toto Attestation Framework, `spec/v1/{statement,digest_set}.md`; Statement v0.1 in `spec/v0.1.0`.

mod provenance;
mod subject;
mod summary;

pub use provenance::{Material, PROVENANCE_V0_2, PROVENANCE_V1, Provenance};
pub use subject::Subject;
pub use summary::{VERIFICATION_SUMMARY_V1, VerificationSummary};

use crate::protojson::strict;
use crate::{HashAlgorithm, Refusal, Rejection, Step};
use serde_json::{Map, Value};

/// The payload type of an envelope with a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The predicate type of cosign's signatures of an artifact itself. cosign uses it for images since version 3.
pub const COSIGN_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Maximum subjects of a statement. Large releases have some hundreds.
pub const MAX_SUBJECTS: usize = 1024;
/// Maximum digests of a subject.
pub const MAX_DIGESTS: usize = 32;
/// Maximum characters of a predicate type.
const MAX_PREDICATE_TYPE: usize = 1024;

/// The version of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `https://in-toto.io/Statement/v0.1`
    V0_1,
    /// `https://in-toto.io/Statement/v1`
    V1,
}

impl Version {
    /// The value of `_type`.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::V0_1 => "https://in-toto.io/Statement/v0.1",
            Self::V1 => "https://in-toto.io/Statement/v1",
        }
    }
}

/// A parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    version: Version,
    subjects: Vec<Subject>,
    predicate_type: String,
    predicate: Value,
}

impl Statement {
    /// Parses a verified payload.
    ///
    /// # Errors
    /// [`Rejection::StatementMalformed`], [`Rejection::StatementType`], [`Rejection::StatementPredicateType`] without a
    /// predicate type, [`Rejection::SubjectMissing`], [`Rejection::SubjectMalformed`], [`Rejection::BundleTooMany`],
    /// and [`Rejection::PredicateMalformed`] if the predicate is not an object.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let malformed = |place: &str, expected: &str, found: &str| {
            Refusal::new(Rejection::StatementMalformed, Step::Statement).at(place).expected(expected, found)
        };
        let document =
            strict::parse_foreign(payload).map_err(|error| malformed("statement", "JSON", &error.to_string()))?;
        let Value::Object(mut document) = document else { return Err(malformed("statement", "an object", "none")) };
        let version = version(&document)?;
        let predicate_type = match document.remove("predicateType") {
            Some(Value::String(uri)) if !uri.is_empty() && uri.len() <= MAX_PREDICATE_TYPE => uri,
            _ => {
                return Err(Refusal::new(Rejection::StatementPredicateType, Step::Statement)
                    .at("statement.predicateType")
                    .expected(format!("a URI of at most {MAX_PREDICATE_TYPE} bytes"), "none"));
            }
        };
        let subjects = match document.remove("subject") {
            Some(Value::Array(subjects)) => subject::all(&subjects)?,
            Some(Value::Null) | None => subject::all(&[])?,
            Some(_) => return Err(malformed("statement.subject", "a list", "another type")),
        };
        let predicate = match document.remove("predicate") {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(predicate @ Value::Object(_)) => predicate,
            Some(_) => {
                return Err(Refusal::new(Rejection::PredicateMalformed { field: "predicate" }, Step::Statement)
                    .at("statement.predicate")
                    .expected("an object", "another type"));
            }
        };
        Ok(Self { version, subjects, predicate_type, predicate })
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The subjects, at least one.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The type of the predicate, as written.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The predicate, an object. Empty if the statement has none.
    #[must_use]
    pub const fn predicate(&self) -> &Value {
        &self.predicate
    }

    /// Returns the position of the first subject that matches the artifact with these digests.
    ///
    /// A subject matches if it has at least one SHA-2 digest by an algorithm that is known for the artifact, and if all
    /// such digests are equal. Other digests are ignored.
    ///
    /// # Errors
    /// [`Rejection::SubjectWeak`] if no subject has a SHA-2 digest. [`Rejection::ArtifactBytesNeeded`] if none has a
    /// digest by one of the artifact's algorithms. Else [`Rejection::SubjectMismatch`].
    pub fn matched_subject(&self, artifact: &[(HashAlgorithm, &[u8])]) -> Result<usize, Refusal> {
        subject::matched(&self.subjects, artifact)
    }
}

fn version(document: &Map<String, Value>) -> Result<Version, Refusal> {
    let found = document.get("_type").and_then(Value::as_str).unwrap_or_default();
    [Version::V1, Version::V0_1].into_iter().find(|version| version.uri() == found).ok_or_else(|| {
        Refusal::new(Rejection::StatementType, Step::Statement)
            .at("statement._type")
            .expected(format!("{} or {}", Version::V1.uri(), Version::V0_1.uri()), found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(document: &str) -> &'static str {
        Statement::parse(document.as_bytes()).map_or_else(|refusal| refusal.code(), |_| "accepted")
    }

    fn statement() -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "app", "digest": { "sha256": hex::encode([7; 32]) }, "more": 1 }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "a": { "b": [1, null, "x"] } },
            "unknown": true,
        })
    }

    #[test]
    fn a_statement_of_either_version_is_read_and_what_is_unknown_ignored() {
        for version in [Version::V0_1, Version::V1] {
            let mut document = statement();
            document["_type"] = version.uri().into();
            let statement = Statement::parse(document.to_string().as_bytes()).unwrap();
            assert_eq!(statement.version(), version);
            assert_eq!(statement.predicate_type(), "https://slsa.dev/provenance/v1");
            assert_eq!(statement.predicate().pointer("/a/b/2"), Some(&"x".into()));
            assert_eq!(statement.subjects()[0].name(), Some("app"));
        }
    }

    #[test]
    fn each_departure_has_its_code() {
        let changed = |pointer: &str, value: Value| {
            let mut document = statement();
            *document.pointer_mut(pointer).unwrap() = value;
            code(&document.to_string())
        };
        assert_eq!(changed("/unknown", json!(null)), "accepted");
        assert_eq!(changed("/_type", json!("https://in-toto.io/Statement/v2")), "statement.type");
        assert_eq!(changed("/_type", json!("https://in-toto.io/Statement/V1")), "statement.type");
        assert_eq!(changed("/_type", json!(1)), "statement.type");
        assert_eq!(changed("/predicateType", json!("")), "statement.predicate_type");
        assert_eq!(changed("/predicateType", json!(null)), "statement.predicate_type");
        assert_eq!(changed("/predicateType", json!("x".repeat(1025))), "statement.predicate_type");
        assert_eq!(changed("/predicate", json!(null)), "accepted");
        assert_eq!(changed("/predicate", json!("text")), "predicate.malformed");
        assert_eq!(changed("/predicate", json!([])), "predicate.malformed");
        assert_eq!(changed("/subject", json!([])), "subject.missing");
        assert_eq!(changed("/subject", json!(null)), "subject.missing");
        assert_eq!(changed("/subject", json!({})), "statement.malformed");
        assert_eq!(changed("/subject/0", json!("app")), "subject.malformed");
        assert_eq!(changed("/subject/0/digest", json!({})), "subject.malformed");
        assert_eq!(changed("/subject/0/digest/sha256", json!(hex::encode_upper([0xab; 32]))), "subject.malformed");
        assert_eq!(changed("/subject/0/digest/sha256", json!(hex::encode([7; 31]))), "subject.malformed");
        assert_eq!(changed("/subject/0/digest/sha256", json!(7)), "subject.malformed");
        let one = statement()["subject"][0].clone();
        assert_eq!(changed("/subject", json!(vec![one.clone(); 1024])), "accepted");
        assert_eq!(changed("/subject", json!(vec![one; 1025])), "bundle.too_many");
        let digests: Map<String, Value> = (0..33).map(|n| (format!("custom{n}"), json!("x"))).collect();
        assert_eq!(changed("/subject/0/digest", json!(digests)), "bundle.too_many");
    }

    #[test]
    fn a_name_given_twice_is_refused_at_every_depth() {
        let text = statement().to_string();
        for (once, twice) in [
            (r#""unknown":true"#, r#""unknown":true,"unknown":true"#),
            (r#""name":"app""#, r#""name":"app","name":"app""#),
            (r#""a":{"#, r#""a":{"b":1,"#),
            (r#""sha256":"#, r#""sha256":"00","sha256":"#),
        ] {
            assert!(text.contains(once), "{text}");
            assert_eq!(code(&text.replacen(once, twice, 1)), "statement.malformed", "{twice}");
        }
        for text in [String::new(), "[]".to_owned(), text.clone() + "x", "[".repeat(10_000), format!("\u{feff}{text}")]
        {
            assert_eq!(code(&text), "statement.malformed");
        }
    }

    #[test]
    fn a_subject_is_matched_by_its_digests_alone() {
        let (sha256, sha512) = ([7; 32], [8; 64]);
        let with = |subjects: &Value| {
            let mut document = statement();
            document["subject"] = subjects.clone();
            Statement::parse(document.to_string().as_bytes()).unwrap()
        };
        let set = |sha256: &[u8], sha512: &[u8]| json!({ "digest": { "sha256": hex::encode(sha256), "sha512": hex::encode(sha512), "gitCommit": "x" } });
        let artifact: [(HashAlgorithm, &[u8]); 2] =
            [(HashAlgorithm::Sha256, &sha256), (HashAlgorithm::Sha512, &sha512)];
        let verdict = |subjects: Value, artifact: &[(HashAlgorithm, &[u8])]| {
            with(&subjects).matched_subject(artifact).map_err(|refusal| refusal.code())
        };
        assert_eq!(verdict(json!([set(&[1; 32], &sha512), set(&sha256, &sha512)]), &artifact), Ok(1));
        assert_eq!(verdict(json!([set(&sha256, &[1; 64])]), &artifact), Err("subject.mismatch"));
        assert_eq!(verdict(json!([set(&sha256, &[1; 64])]), &artifact[..1]), Ok(0));
        // Digests of different subjects are never put together.
        assert_eq!(
            verdict(json!([set(&sha256, &[1; 64]), set(&[1; 32], &sha512)]), &artifact),
            Err("subject.mismatch")
        );
        let only512 = json!([{ "digest": { "sha512": hex::encode(sha512) } }]);
        assert_eq!(verdict(only512.clone(), &artifact[..1]), Err("artifact.bytes_needed"));
        assert_eq!(verdict(only512, &artifact), Ok(0));
        let md5 = json!([{ "digest": { "md5": "d41d8cd98f00b204e9800998ecf8427e" } }]);
        assert_eq!(verdict(md5, &artifact), Err("subject.weak"));
    }
}
