//! Policies: rules for the signatures that an artifact must have.
//!
//! A [`Policy`] requires signers ([`Requirement`]) and lists signatures that do not count ([`Distrust`]). There is no
//! default policy, and an empty one is refused. A policy is a TOML file ([`Policy::parse`]; `deploy/policy.toml` shows
//! every setting), or a line of code ([`Policy::identity`]).
//!
//! [`Policy::evaluate`] is pure. It takes verified signatures and returns a [`Decision`], which explains every rule:
//! 1. Signatures that match a distrust rule are removed. No other rule brings them back.
//! 2. Signatures made outside the policy's own period are removed.
//! 3. The requirement is evaluated over the rest. One signature must meet all conditions of a rule. Several signatures
//!    together can meet `all_of`. `at_least` counts distinct signers, so no key or person counts twice. A rule without
//!    a predicate and without a [`Kind`] requires a signature of the artifact itself: an attestation does not meet it.
//!
//! Not here: the verification of signatures, certificates, times and log entries, which comes first, and I/O.

mod condition;
mod decision;
mod distrust;
mod document;
mod evaluation;
mod evidence;
mod field;
mod forge;
mod glob;
mod kind;
mod layout;
mod parse;
mod pattern;
mod period;
mod quorum;
mod requirement;
mod thresholds;
mod warning;

pub use decision::{Decision, Distrusted, Explanation};
pub use distrust::Distrust;
pub use evidence::Evidence;
pub use field::Field;
pub use kind::Kind;
pub use layout::SignatureLayout;
pub use parse::ParseError;
pub use pattern::Pattern;
pub use requirement::Requirement;
pub use thresholds::{AuthorityName, AuthorityThresholds, PolicyThresholds};

use crate::PublicKey;
use crate::signer::Signer;
use condition::Condition;
use period::Period;

/// Largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// Maximum levels of combinations.
const MAX_DEPTH: usize = 8;
/// Maximum rules of a policy.
const MAX_RULES: usize = 1024;

/// The rules for the signatures that an artifact must have.
#[derive(Debug, Clone)]
pub struct Policy {
    requirement: Requirement,
    distrust: Vec<Distrust>,
    period: Period,
    thresholds: PolicyThresholds,
    authorities: Vec<AuthorityThresholds>,
    layout: Option<SignatureLayout>,
}

impl Policy {
    /// Requires one signature of the artifact itself by this identity of this issuer, both compared byte by byte. For
    /// attestations, see [`Requirement::of_kind`].
    #[must_use]
    pub fn identity(identity: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self::require(Requirement::identity(identity, issuer))
    }

    /// Requires one signature of the artifact itself with this key, without a certificate.
    #[must_use]
    pub fn key(key: PublicKey) -> Self {
        Self::require(Requirement::key(key))
    }

    /// A policy with this requirement, default thresholds and no distrust rules.
    #[must_use]
    pub fn require(requirement: Requirement) -> Self {
        Self {
            requirement,
            distrust: Vec::new(),
            period: Period::default(),
            thresholds: PolicyThresholds::default(),
            authorities: Vec::new(),
            layout: None,
        }
    }

    /// Adds a distrust rule.
    #[must_use]
    pub fn distrusting(mut self, rule: Distrust) -> Self {
        self.distrust.push(rule);
        self
    }

    /// Sets the evidence that verification requires before the policy is evaluated.
    #[must_use]
    pub const fn with_thresholds(mut self, thresholds: PolicyThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Sets the evidence that the certificates of one authority need. If several entries name an authority, the first
    /// one applies.
    #[must_use]
    pub fn with_thresholds_of(mut self, thresholds: AuthorityThresholds) -> Self {
        self.authorities.push(thresholds);
        self
    }

    /// Parses a policy file.
    ///
    /// # Errors
    /// A [`ParseError`] with line and column, the allowed values and the necessary change. Its code is
    /// `policy.malformed`, `policy.empty`, `policy.pattern` or `policy.key`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        document::read(text)
    }

    /// The JSON schema of policy files.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema() -> serde_json::Value {
        document::schema()
    }

    /// Decides over verified signatures. Positions in the decision are indices of `evidence`.
    #[must_use]
    pub fn evaluate(&self, evidence: &[Evidence]) -> Decision {
        evaluation::decide(&self.requirement, &self.distrust, &self.period, evidence)
    }

    /// Decides whether a rule of the policy requires this signer. It uses only the signer, so it can run before the
    /// rest of the signature is verified. [`Self::evaluate`] checks distrust rules and all other conditions.
    #[must_use]
    pub fn evaluate_signer(&self, signer: &Signer) -> Decision {
        evaluation::decide_signer(&self.requirement, signer)
    }

    /// The evidence that verification requires before the policy is evaluated.
    #[must_use]
    pub const fn thresholds(&self) -> PolicyThresholds {
        self.thresholds
    }

    /// Authorities whose certificates need other evidence than [`Self::thresholds`].
    #[must_use]
    pub fn thresholds_of_authorities(&self) -> &[AuthorityThresholds] {
        &self.authorities
    }

    /// The layout in which signatures of images are searched, if the policy sets it.
    #[must_use]
    pub const fn layout(&self) -> Option<SignatureLayout> {
        self.layout
    }

    /// Every key that the policy names. Signatures without a certificate are verified with these keys.
    #[must_use]
    pub fn keys(&self) -> Vec<&PublicKey> {
        let conditions = self.requirement.conditions().into_iter();
        conditions
            .filter_map(|condition| match condition {
                Condition::Key(key) => Some(key),
                _ => None,
            })
            .collect()
    }

    /// Returns whether a signature with a certificate can count.
    #[must_use]
    pub fn takes_certificates(&self) -> bool {
        let of_certificates = |condition: &&Condition| matches!(condition, Condition::Issuer(_));
        self.requirement.conditions().iter().any(of_certificates)
    }

    /// The number of rules that require signers, combinations included.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.requirement.rules()
    }

    /// The distrust rules.
    #[must_use]
    pub fn distrust(&self) -> &[Distrust] {
        &self.distrust
    }

    /// Warnings about settings that are allowed but are probably mistakes.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warning::all(&self.requirement, &self.distrust, self.thresholds)
    }
}
