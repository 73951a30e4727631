//! The query of Rekor's search: what it may be, and the conditions that it stands for.

use super::error::Failure;
use super::key::index_key_of;
use crate::query::Condition;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::terms::index_key;
use schemars::JsonSchema;
use serde::Deserialize;

/// Formats of keys in a query.
pub(in super::super) const KEY_FORMATS: [&str; 5] = ["pgp", "x509", "minisign", "ssh", "tuf"];
/// The pattern of a hash.
const HASH: &str = "^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";
/// Prefixes of hashes, and their digits.
const HASHES: [(&str, usize); 3] = [("sha512:", 128), ("sha256:", 64), ("sha1:", 40)];
/// Characters of a subject.
const MAX_SUBJECT: usize = 512;

/// What to look for. Members that are empty count as missing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SearchIndex")]
pub(in super::super) struct Question {
    /// E-mail address of a certificate or key.
    #[serde(default)]
    email: Option<String>,
    /// A subject alternative name. Letter case does not matter.
    #[serde(default)]
    subject: Option<String>,
    /// The key or certificate of a signer.
    #[serde(default)]
    public_key: Option<Key>,
    /// The digest of an artifact, or of an attestation or its payload.
    #[serde(default)]
    #[schemars(extend("pattern" = HASH))]
    hash: Option<String>,
    /// Whether an entry must have one of them or all. Default: `or`.
    #[serde(default)]
    #[schemars(extend("enum" = ["and", "or", null]))]
    operator: Option<String>,
}

/// A key or certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "SearchIndexPublicKey")]
struct Key {
    /// How it is written.
    #[schemars(required, extend("enum" = KEY_FORMATS))]
    format: Option<String>,
    /// In base64.
    #[serde(default)]
    content: Option<String>,
}

/// How the conditions of a query belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
}

impl Question {
    /// Reads a query, and checks it in the order of Rekor's server.
    pub(super) fn read(json: &[u8]) -> Result<Self, Failure> {
        // serde also reads a list as the members in their order.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(Failure::malformed());
        }
        let Self { email, subject, public_key, hash, operator } =
            serde_json::from_slice(json).map_err(|_| Failure::malformed())?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let question = Self {
            email: given(email),
            subject: given(subject),
            public_key,
            hash: given(hash),
            operator: given(operator),
        };
        question.check().map(|()| question)
    }

    fn check(&self) -> Result<(), Failure> {
        // Upstream cannot decode it.
        if self.key_content().is_none() {
            return Err(Failure::malformed());
        }
        if let Some(email) = self.email.as_deref().filter(|email| !is_email(email)) {
            return Err(Failure::schema(601, format!("email in body must be of type email: {email:?}")));
        }
        if self.hash.as_deref().is_some_and(|hash| !is_hash(hash)) {
            return Err(Failure::schema(605, format!("hash in body should match '{HASH}'")));
        }
        self.operator()?;
        if let Some(key) = &self.public_key {
            // The name is doubled there, too.
            let format = key.format.as_deref().ok_or_else(|| Failure::required("publicKey.publicKey.format"))?;
            if !KEY_FORMATS.contains(&format) {
                let formats = KEY_FORMATS.join(" ");
                let message = format!("publicKey.publicKey.format in body should be one of [{formats}]");
                return Err(Failure::schema(606, message));
            }
        }
        match &self.subject {
            Some(subject) if subject.chars().count() > MAX_SUBJECT => {
                let message = format!("subject in body should be at most {MAX_SUBJECT} chars long");
                Err(Failure::schema(603, message))
            }
            _ => Ok(()),
        }
    }

    fn operator(&self) -> Result<Operator, Failure> {
        match self.operator.as_deref() {
            None | Some("or") => Ok(Operator::Or),
            Some("and") => Ok(Operator::And),
            Some(_) => Err(Failure::schema(606, "operator in body should be one of [and or]".to_owned())),
        }
    }

    /// The content of the key, decoded; empty if there is none. `None` if it is not base64.
    fn key_content(&self) -> Option<Vec<u8>> {
        let content = self.public_key.as_ref().and_then(|key| key.content.as_deref()).unwrap_or_default();
        // Go's decoder skips line breaks.
        let packed: String = content.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
        STANDARD.decode(packed).ok()
    }

    /// The conditions that it stands for. Without any there is nothing to look for.
    pub(super) fn conditions(&self) -> Result<Vec<Condition>, Failure> {
        let mut keys = Vec::new();
        keys.extend(self.hash.as_deref().map(index_key::of_hash));
        if let Some(key) = &self.public_key {
            let content = self.key_content().unwrap_or_default();
            let key = index_key_of(key.format.as_deref().unwrap_or_default(), &content);
            keys.push(key.ok_or_else(|| Failure::bad("public key provided could not be parsed"))?);
        }
        keys.extend(self.email.iter().chain(&self.subject).cloned());
        let conditions = keys.iter().map(|key| Condition::one_of(index_key::terms(key)));
        Ok(match self.operator()? {
            Operator::And => conditions.collect(),
            Operator::Or => conditions.reduce(Condition::or).into_iter().collect(),
        })
    }
}

/// As Go's `mail.ParseAddress` roughly has it. Whatever else is taken here is the name of no entry.
fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !text.contains(char::is_control))
}

fn is_hash(text: &str) -> bool {
    HASHES.iter().any(|(prefix, digits)| {
        let hex = text.strip_prefix(prefix).unwrap_or(text);
        hex.len() == *digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<Condition>, (u16, u16, String)> {
        let conditions = Question::read(json.as_bytes()).and_then(|question| question.conditions());
        conditions.map_err(|failure| failure.told())
    }

    #[test]
    fn what_does_not_fit_the_document_has_its_status_number_and_text() {
        let long = format!(r#"{{"subject":"{}"}}"#, "ä".repeat(513));
        for (json, status, code, text) in [
            ("[]", 400, 400, r#"parsing query body from "" failed"#),
            (r#"{"hash":5}"#, 400, 400, r#"parsing query body from "" failed"#),
            (r#"{"publicKey":{"format":"x509","content":"*"}}"#, 400, 400, r#"parsing query body from "" failed"#),
            (r#"{"email":"nobody"}"#, 422, 601, r#"email in body must be of type email: "nobody""#),
            (r#"{"hash":"sha256:ab"}"#, 422, 605, "hash in body should match '^(sha512:)?"),
            (r#"{"hash":"sha384:ab"}"#, 422, 605, "hash in body should match '^(sha512:)?"),
            (r#"{"operator":"xor"}"#, 422, 606, "operator in body should be one of [and or]"),
            (r#"{"publicKey":{}}"#, 422, 602, "publicKey.publicKey.format in body is required"),
            (
                r#"{"publicKey":{"format":"x"}}"#,
                422,
                606,
                "publicKey.publicKey.format in body should be one of [pgp x509 minisign ssh tuf]",
            ),
            (&long, 422, 603, "subject in body should be at most 512 chars long"),
            (r#"{"publicKey":{"format":"x509"}}"#, 400, 400, "public key provided could not be parsed"),
        ] {
            let told = read(json).unwrap_err();
            assert!((told.0, told.1) == (status, code) && told.2.starts_with(text), "{json}: {told:?}");
        }
    }

    #[test]
    fn members_that_are_empty_or_null_count_as_missing() {
        for json in ["{}", r#"{"email":"","hash":null,"operator":"","publicKey":null,"subject":"","url":"https://x"}"#]
        {
            assert_eq!(read(json), Ok(Vec::new()), "{json}");
        }
    }

    #[test]
    fn or_needs_one_of_all_and_and_needs_each() {
        let digest = "AB".repeat(32);
        let json =
            |operator: &str| read(&format!(r#"{{"hash":"sha256:{digest}","email":"A@b.c"{operator}}}"#)).unwrap();
        let of = |key: &str| Condition::one_of(index_key::terms(key));
        let (of_hash, of_email) = (of(&format!("sha256:{}", digest.to_lowercase())), of("a@b.c"));
        assert_eq!(json(r#","operator":"and""#), [of_hash.clone(), of_email.clone()]);
        for operator in ["", r#","operator":"or""#] {
            assert_eq!(json(operator), [of_hash.clone().or(of_email.clone())], "{operator}");
        }
    }
}
