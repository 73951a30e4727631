//! What a caller asks for beyond the policy: how much evidence there must be, and what to make of the unknown.

use crate::bundle::Form;
use crate::cosignature;
use crate::policy::AuthorityThresholds;

/// How much evidence a signature must have, unless the [`Judge`](super::Judge) says so itself. Every count is one of different operators: two logs of one operator are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// Logs that hold the entry.
    pub log_entries: usize,
    /// Operators, of logs or timestamp authorities, that establish a time. A certificate needs one in any case; signatures by a
    /// bare key do not need any, since the key does not expire.
    pub times: usize,
    /// Timestamp authorities among them.
    pub timestamps: usize,
    /// Certificate transparency logs that have given the certificate an SCT.
    pub scts: usize,
    /// Witnesses that must have cosigned the checkpoint of every entry that counts.
    pub witnesses: Option<cosignature::Policy>,
}

impl Thresholds {
    /// As the public good instance gives it: one log entry, one time, one SCT.
    pub const PUBLIC_GOOD: Self = Self { log_entries: 1, times: 1, timestamps: 0, scts: 1, witnesses: None };
    /// As GitHub gives it for private repositories: a timestamp, and neither log entry nor SCT.
    pub const GITHUB_PRIVATE: Self = Self { log_entries: 0, times: 1, timestamps: 1, scts: 0, witnesses: None };
    /// A key that is exchanged otherwise, and no log. Only for signatures by a bare key: a certificate needs a time.
    pub const KEY_WITHOUT_LOG: Self = Self { log_entries: 0, times: 0, timestamps: 0, scts: 0, witnesses: None };
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::PUBLIC_GOOD
    }
}

/// What to make of evidence by a log or a timestamp authority that is not in the trust root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// Refuse the bundle: the trust root may be the wrong one, or out of date.
    #[default]
    Refuse,
    /// Count it for nothing, and say so in the result.
    Report,
}

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How much evidence there must be.
    pub thresholds: Thresholds,
    /// Authorities whose certificates need other evidence, unless the [`Judge`](super::Judge) says so itself. The first that means
    /// an authority holds.
    pub authorities: Vec<AuthorityThresholds>,
    /// What to make of unknown logs and timestamp authorities. Unknown certificate transparency logs are always reported only:
    /// certificates carry SCTs for more than one audience.
    pub unknown: Unknown,
    /// The oldest form that is accepted.
    pub minimum_form: Form,
    /// Check signatures by P-384 and P-521 keys with SHA-256, as clients made them before 2025 and as Rekor v1 demands of
    /// envelopes. It replaces the keys' own hash, it does not add to it.
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
