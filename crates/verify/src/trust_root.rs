//! The trust root: certificate authorities, logs and timestamp authorities that are trusted, and in which windows of time.
//!
//! [`TrustRoot::parse`] reads `trusted_root.json` and prepares it: keys are parsed, log ids recomputed, chains checked once.
//! A mistake refuses the whole file. Only an instance with an algorithm that is unknown here is set aside and listed in
//! [`TrustRoot::unusable`], so that a log of tomorrow does not blind verifiers to all logs of today.
//!
//! Several roots count together only if the caller says so: [`TrustRoot::combine`]. Where the file comes from, and whether
//! it is fresh, is TUF's business.
//!
//! Specification: `sigstore_trustroot.proto` of protobuf-specs.

mod authority;
mod document;
mod instance;
pub mod limits;
mod log;
mod window;

pub use authority::{CertificateAuthority, TimestampAuthority};
pub use log::TransparencyLog;
pub use window::Window;

use crate::{Hash, Refusal};

/// A part of the trust root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `tlogs`.
    TransparencyLogs,
    /// `certificateAuthorities`.
    CertificateAuthorities,
    /// `ctlogs`.
    CertificateTransparencyLogs,
    /// `timestampAuthorities`.
    TimestampAuthorities,
}

impl Section {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransparencyLogs => "tlogs",
            Self::CertificateAuthorities => "certificateAuthorities",
            Self::CertificateTransparencyLogs => "ctlogs",
            Self::TimestampAuthorities => "timestampAuthorities",
        }
    }
}

/// An instance that is listed and cannot be used. What it signed is by an unknown authority or log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// In which section it stands.
    pub section: Section,
    /// Position in the section, from 0.
    pub index: usize,
    /// Its URL, as written.
    pub url: String,
    /// Its id, of a log.
    pub log_id: Option<Hash>,
    /// Why.
    pub reason: Refusal,
}

/// A trust root that is well formed, prepared for many verifications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustRoot {
    logs: Vec<TransparencyLog>,
    certificate_authorities: Vec<CertificateAuthority>,
    ct_logs: Vec<TransparencyLog>,
    timestamp_authorities: Vec<TimestampAuthority>,
    unusable: Vec<Unusable>,
}

impl TrustRoot {
    /// Reads `trusted_root.json`, version 0.1 or 0.2.
    ///
    /// # Errors
    /// The first rule that does not hold, with its place: `root.*`.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json)
    }

    /// Trusts what either of the two trusts. Never done unless asked for: the trust of one root says nothing of another's.
    /// What both list in the same words is kept once.
    ///
    /// # Errors
    /// [`crate::Rejection::RootDuplicate`] where both have a log with one id and differ on it.
    pub fn combine(mut self, other: Self) -> Result<Self, Refusal> {
        merge(&mut self.logs, other.logs);
        merge(&mut self.certificate_authorities, other.certificate_authorities);
        merge(&mut self.ct_logs, other.ct_logs);
        merge(&mut self.timestamp_authorities, other.timestamp_authorities);
        merge(&mut self.unusable, other.unusable);
        document::distinct(&self.logs, Section::TransparencyLogs)?;
        document::distinct(&self.ct_logs, Section::CertificateTransparencyLogs)?;
        Ok(self)
    }

    /// Rekor logs, each with an id of its own.
    #[must_use]
    pub fn logs(&self) -> &[TransparencyLog] {
        &self.logs
    }

    /// The Rekor log with this id.
    #[must_use]
    pub fn log(&self, log_id: &Hash) -> Option<&TransparencyLog> {
        self.logs.iter().find(|log| log.log_id() == log_id)
    }

    /// Certificate authorities, in the order of the file.
    #[must_use]
    pub fn certificate_authorities(&self) -> &[CertificateAuthority] {
        &self.certificate_authorities
    }

    /// Certificate transparency logs, each with an id of its own.
    #[must_use]
    pub fn ct_logs(&self) -> &[TransparencyLog] {
        &self.ct_logs
    }

    /// The certificate transparency log with this id.
    #[must_use]
    pub fn ct_log(&self, log_id: &Hash) -> Option<&TransparencyLog> {
        self.ct_logs.iter().find(|log| log.log_id() == log_id)
    }

    /// Timestamp authorities, in the order of the file.
    #[must_use]
    pub fn timestamp_authorities(&self) -> &[TimestampAuthority] {
        &self.timestamp_authorities
    }

    /// Instances that are listed and cannot be used, with the reason.
    #[must_use]
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }
}

fn merge<T: PartialEq>(ours: &mut Vec<T>, theirs: Vec<T>) {
    for instance in theirs {
        if !ours.contains(&instance) {
            ours.push(instance);
        }
    }
}
