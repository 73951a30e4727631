//! Summaries: what a list of search results shows of an entry. The texts are the entry's own: foreign, and not verified.

use crate::rekor::KeyFormat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum bytes of a text in a summary. A longer one is cut and ends in an ellipsis.
const MAX_TEXT_BYTES: usize = 512;
/// Maximum elements of a list in a summary.
const MAX_LISTED: usize = 32;

/// What an entry says. Absent fields are left out of the JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Summary {
    /// Kind of the entry, e.g. `hashedrekord`. `certificate` or `precertificate` in a certificate transparency log.
    pub kind: String,
    /// Version of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Digests of the artifacts, each `algorithm:hexadecimal`. At most 32.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// Digests of payload and envelope of an attestation, or of a timestamp.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attestation_digests: Vec<String>,
    /// Media type of the payload, if it is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<String>,
    /// Predicate type of the in-toto statement, if the payload is at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicate_type: Option<String>,
    /// The signers, at most 32. Of a certificate transparency log: the subject of the certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<SignerSummary>,
    /// Whether a part of the entry could not be read or was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// What an entry says about a signer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SignerSummary {
    /// Format of the key.
    pub format: KeyFormat,
    /// The names in the certificate. A certificate of Fulcio has exactly one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentitySummary>,
    /// OIDC issuer of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Claims of the certificate by name, as [`crate::extension::Claim::name`] has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
    /// Name of the certificate's subject. Empty in certificates of Fulcio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// SHA-256 of the certificate in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
    /// Serial number of the certificate in hexadecimal, without leading zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// First moment of the certificate's validity (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Last moment of the certificate's validity (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// SHA-256 of the key's `SubjectPublicKeyInfo` in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<String>,
    /// Ids of a key that is not X.509.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_ids: Vec<String>,
    /// E-mail addresses that the holder has written into a key. Nobody has checked them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_emails: Vec<String>,
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentitySummary {
    /// `email`, `uri`, `username`, `dns` or `ip`.
    pub kind: String,
    /// The name.
    pub value: String,
}

/// A text of limited length.
pub(super) fn bounded(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let (start, _) = text.split_at(text.floor_char_boundary(MAX_TEXT_BYTES));
    format!("{start}…")
}

/// A list of limited length, of texts of limited length.
pub(super) fn listed(texts: impl IntoIterator<Item: AsRef<str>>) -> Vec<String> {
    texts.into_iter().take(MAX_LISTED).map(|text| bounded(text.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_reads_back_and_leaves_out_what_is_absent() {
        let signer = SignerSummary { key_ids: vec!["ab".to_owned()], format: KeyFormat::Pgp, ..Default::default() };
        let summary = Summary { kind: "rekord".to_owned(), signers: vec![signer], ..Default::default() };
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "rekord", "signers": [{ "format": "pgp", "key_ids": ["ab"] }] }));
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
    }

    #[test]
    fn texts_and_lists_are_bounded() {
        assert_eq!(bounded(&"x".repeat(512)), "x".repeat(512));
        assert_eq!(bounded(&"ä".repeat(300)), "ä".repeat(256) + "…");
        assert_eq!(bounded(&("x".to_owned() + &"ä".repeat(300))), "x".to_owned() + &"ä".repeat(255) + "…");
        assert_eq!(listed(["a"; 40]).len(), MAX_LISTED);
    }
}
