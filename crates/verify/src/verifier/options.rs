//! Settings beyond the policy: the required evidence, and the handling of unknown logs and authorities.

use crate::bundle::Form;
use crate::cosignature;
use crate::policy::AuthorityThresholds;

/// The evidence that a signature must have, unless the [`Judge`](super::Judge) sets its own thresholds. Every number
/// counts different operators: two logs of one operator count once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// Logs that hold the entry.
    pub log_entries: usize,
    /// Operators of logs or timestamp authorities that establish a time. A certificate always needs at least one. A
    /// bare key needs none, because it does not expire.
    pub times: usize,
    /// Timestamp authorities among them.
    pub timestamps: usize,
    /// Certificate transparency logs with an SCT for the certificate.
    pub scts: usize,
    /// Witnesses that must have cosigned the checkpoint of every entry that counts.
    pub witnesses: Option<cosignature::Policy>,
}

impl Thresholds {
    /// The evidence of the public good instance: one log entry, one time, one SCT.
    pub const PUBLIC_GOOD: Self = Self { log_entries: 1, times: 1, timestamps: 0, scts: 1, witnesses: None };
    /// The evidence of GitHub for private repositories: a timestamp, but no log entry and no SCT.
    pub const GITHUB_PRIVATE: Self = Self { log_entries: 0, times: 1, timestamps: 1, scts: 0, witnesses: None };
    /// No log and no time. Only for signatures by a bare key, which the caller got in another way. A certificate needs
    /// a time.
    pub const KEY_WITHOUT_LOG: Self = Self { log_entries: 0, times: 0, timestamps: 0, scts: 0, witnesses: None };
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::PUBLIC_GOOD
    }
}

/// The handling of evidence by a log or timestamp authority that is not in the trust root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// Refuse the bundle. The trust root may be wrong or out of date.
    #[default]
    Refuse,
    /// Do not count it, and add a warning to the result.
    Report,
}

/// Options of a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The required evidence.
    pub thresholds: Thresholds,
    /// Authorities whose certificates need other evidence, unless the [`Judge`](super::Judge) sets thresholds. If
    /// several entries name an authority, the first one applies.
    pub authorities: Vec<AuthorityThresholds>,
    /// The handling of unknown logs and timestamp authorities. Unknown certificate transparency logs always give a
    /// warning only, because certificates carry SCTs for more than one audience.
    pub unknown: Unknown,
    /// The oldest accepted form.
    pub minimum_form: Form,
    /// Check signatures by P-384 and P-521 keys with SHA-256, as clients made them before 2025 and as Rekor v1 requires
    /// for envelopes. SHA-256 replaces the key's own hash: signatures with the own hash are then refused.
    pub legacy_hash: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            authorities: Vec::new(),
            unknown: Unknown::default(),
            minimum_form: Form::Detached,
            legacy_hash: false,
        }
    }
}
