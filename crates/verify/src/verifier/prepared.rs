//! A prepared trust root: checks that are the same for every bundle run once.

use crate::certificate::{Certificate, chain};
use crate::note::KeyName;
use crate::timestamping::{Authority, Issuers, Token};
use crate::trust_root::{CertificateAuthority, Section, TimestampAuthority, TransparencyLog, TrustRoot};
use crate::{Hash, Refusal, Rejection, Step};
use const_oid::db::rfc5280::ID_KP_CODE_SIGNING;

#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) root: TrustRoot,
    /// One per timestamp authority of the root, or the reason why it cannot be used.
    stampers: Vec<Result<Stamper, Refusal>>,
    /// One per certificate authority of the root.
    issuers: Vec<Result<(), Refusal>>,
    /// Names of each log of the root.
    names: Vec<Vec<KeyName>>,
}

/// A timestamp authority whose chain is checked.
#[derive(Debug, Clone)]
pub(super) enum Stamper {
    /// Its certificate is known.
    Known(Box<Authority>),
    /// Its tokens contain the certificate.
    Embedded(Issuers),
}

impl Stamper {
    fn new(authority: &TimestampAuthority) -> Result<Self, Rejection> {
        if authority.leaf().is_some() {
            Authority::anchored(authority.chain().to_vec()).map(|known| Self::Known(Box::new(known)))
        } else {
            Issuers::new(authority.issuers().to_vec()).map(Self::Embedded)
        }
    }

    /// Checks that this authority made `token`, and returns the signing certificate.
    pub(super) fn verify(&self, token: &Token<'_>) -> Result<Certificate, Rejection> {
        match self {
            Self::Known(authority) => authority.verify(token).map(|()| authority.leaf().clone()),
            Self::Embedded(issuers) => {
                let authority = issuers.signer(token)?;
                authority.verify(token)?;
                Ok(authority.leaf().clone())
            }
        }
    }
}

impl Prepared {
    pub(super) fn new(root: TrustRoot) -> Self {
        let refusal = |section: Section, index: usize, rejection: Rejection| {
            Refusal::new(Rejection::RootChain, Step::Formats)
                .at(format!("{}[{index}].certChain", section.name()))
                .expected("a chain that may issue for its purpose", rejection.to_string())
        };
        let issuers = root.certificate_authorities().iter().enumerate().map(|(index, authority)| {
            chain::verify_issuers(authority.chain(), ID_KP_CODE_SIGNING)
                .map_err(|rejection| refusal(Section::CertificateAuthorities, index, rejection))
        });
        let issuers = issuers.collect();
        let stampers = root.timestamp_authorities().iter().enumerate().map(|(index, authority)| {
            Stamper::new(authority).map_err(|rejection| refusal(Section::TimestampAuthorities, index, rejection))
        });
        let stampers = stampers.collect();
        // A name that no signed note can have is left out: checkpoints under it are refused as unsigned.
        let names = |log: &TransparencyLog| log.names().iter().filter_map(|name| KeyName::new(name).ok()).collect();
        let names = root.logs().iter().map(names).collect();
        Self { root, stampers, issuers, names }
    }

    /// Authorities whose chain may not issue for its purpose.
    pub(super) fn unusable(&self) -> impl Iterator<Item = &Refusal> {
        let issuers = self.issuers.iter().filter_map(|issuer| issuer.as_ref().err());
        issuers.chain(self.stampers.iter().filter_map(|stamper| stamper.as_ref().err()))
    }

    pub(super) fn certificate_authorities(&self) -> impl Iterator<Item = &CertificateAuthority> {
        let all = self.root.certificate_authorities().iter().zip(&self.issuers);
        all.filter_map(|(authority, checked)| checked.is_ok().then_some(authority))
    }

    pub(super) fn stampers(&self) -> impl Iterator<Item = (&Stamper, &TimestampAuthority)> {
        let all = self.stampers.iter().zip(self.root.timestamp_authorities());
        all.filter_map(|(stamper, authority)| Some((stamper.as_ref().ok()?, authority)))
    }

    /// Returns the log with this id, and the names under which it signs checkpoints.
    pub(super) fn log(&self, id: &Hash) -> Option<(&TransparencyLog, &[KeyName])> {
        let mut logs = self.root.logs().iter().zip(&self.names);
        logs.find(|(log, _)| log.log_id() == id).map(|(log, names)| (log, names.as_slice()))
    }
}
