//! The trust root: trusted certificate authorities, logs and timestamp authorities, each with its window of trust.
//!
//! [`TrustRoot::parse`] parses `trusted_root.json` and prepares it: keys are parsed, log ids recomputed, chains checked
//! once. A fault refuses the whole file, with one exception. An instance with an unsupported algorithm is set aside and
//! listed in [`TrustRoot::unusable`], so that a new kind of log does not make all others unusable.
//!
//! Several roots are used together only if the caller combines them ([`TrustRoot::combine`]). TUF decides the source
//! and freshness of the file.
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

/// A section of the trust root.
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

/// An instance that is in the file but cannot be used. Its signatures count as those of an unknown authority or log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Its section.
    pub section: Section,
    /// Its position in the section, from 0.
    pub index: usize,
    /// Its URL, as written.
    pub url: String,
    /// Its id, for a log.
    pub log_id: Option<Hash>,
    /// The reason.
    pub reason: Refusal,
}

/// A well-formed trust root, prepared for many verifications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustRoot {
    logs: Vec<TransparencyLog>,
    certificate_authorities: Vec<CertificateAuthority>,
    ct_logs: Vec<TransparencyLog>,
    timestamp_authorities: Vec<TimestampAuthority>,
    unusable: Vec<Unusable>,
}

impl TrustRoot {
    /// Parses `trusted_root.json`, version 0.1 or 0.2.
    ///
    /// # Errors
    /// The first broken rule, with its place: `root.*`.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json)
    }

    /// Combines two roots: trusts the instances of either. Only the caller may do this, because trust in one root does
    /// not imply trust in another. Identical instances are kept once.
    ///
    /// # Errors
    /// [`crate::Rejection::RootDuplicate`] if both have a log with the same id and differ on its data.
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

    /// Rekor logs, each with a unique id.
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

    /// Certificate transparency logs, each with a unique id.
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

    /// Instances that are in the file but cannot be used, with the reason.
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
