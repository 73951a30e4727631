//! The report of a check: the facts that a case proves, and those that it does not.

use super::documents::Place;
use chancery_verify::Refusal;
use chancery_verify::terms::Summary;
use chancery_verify::verifier::{Signer, Undated, VerifiedAuthority, VerifiedHead, VerifiedSct};
use serde::Serialize;

/// Everything that was established about a case.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// URL of the server that was asked, by the case's word.
    pub server: String,
    /// Filters of the search that the case answers.
    pub question: Vec<(String, String)>,
    /// Logs, each with the tree that all proofs lead to.
    pub logs: Vec<LogReport>,
    /// Signatures of entries in logs of signatures, by log and index.
    pub signatures: Vec<Signature>,
    /// Entries of certificate logs, by log and index.
    pub certificates: Vec<Issued>,
    /// Trust files in the case.
    pub trust: TrustReport,
    /// Lines of the CA's audit log about certificates of the case.
    pub audit_lines: usize,
}

impl Report {
    pub(super) fn of(server: &str, question: &[(String, String)]) -> Self {
        Self {
            server: server.to_owned(),
            question: question.to_vec(),
            logs: Vec::new(),
            signatures: Vec::new(),
            certificates: Vec::new(),
            trust: TrustReport::default(),
            audit_lines: 0,
        }
    }
}

/// A log of a case.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// The server's name of it.
    pub log: String,
    /// Its newest tree head in the case. The log signed it.
    pub head: VerifiedHead,
    /// Sizes of older trees in the case. The newest one was proven to extend each.
    pub extends: Vec<u64>,
    /// Its first entries that the server searched for the question, by its word.
    pub complete_to: Option<u64>,
}

/// What was found about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The log has the entry, and everything holds, the signature over the digest or the statement as well.
    Verified,
    /// The log has the entry, and everything holds that is in it. The signature is over an envelope, which is not.
    Logged,
    /// The log has the entry, and everything holds, but nobody has signed when it was signed. That the certificate was used
    /// while it was valid is not established.
    Undated,
    /// The log has the entry, and a check of its signer failed.
    Refused,
    /// The log has the entry, which lacks what its signature is over, or is of a kind that this program does not know.
    Unread,
}

/// A signature, or an entry that cannot be read as one.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Signature {
    /// Where the entry is.
    #[serde(flatten)]
    pub place: Place,
    /// Whether it is an answer to the question. If not, it is there for the certificate of one.
    pub is_answer: bool,
    /// What was found.
    pub verdict: Verdict,
    /// What the entry says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// When the log took it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Whether the log has promised that time. If not, it is the log's record, by the word of whoever packed the case.
    pub time_is_proven: bool,
    /// The validity of the certificate, if the time is not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_validity: Option<Undated>,
    /// The signer, unless it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// The authority that issued the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<VerifiedAuthority>,
    /// SCTs of the certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scts: Vec<VerifiedSct>,
    /// Entries of certificate logs with this certificate, proven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_logged_in: Vec<Place>,
    /// Why it is refused, or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Evidence that is weaker than usual.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A certificate that a certificate log has.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Issued {
    /// Where the entry is.
    #[serde(flatten)]
    pub place: Place,
    /// Whether it is an answer to the question.
    pub is_answer: bool,
    /// When the log saw it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Its subject, unless it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Signer>,
    /// The authority that issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<VerifiedAuthority>,
    /// Why it is no certificate of a trusted authority. The log has it all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Entries of this case with this certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_in: Vec<Place>,
}

/// Trust files in a case. They decide nothing: the trust root of whoever checks does.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct TrustReport {
    /// Whether the trusted root in the case is the one that the case was checked with. `None` if the case has none.
    pub is_the_given: Option<bool>,
    /// SHA-256 of earlier trusted roots in the case.
    pub former: Vec<String>,
}
