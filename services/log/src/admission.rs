//! Which entries a log of signatures accepts beside being valid: rules about their kind and their signers.
//!
//! A rule allows kinds of entries by certain signers: everybody, the holders of some keys, or the holders of certificates of
//! some authorities, of which it may name issuer and identity. An entry is accepted if rules allow each of its signers: anybody
//! can put a signature of their own beside one that they have seen, and must not bring it into the log that way.
//!
//! Not here: whether an entry is valid, which is checked before (`chancery_verify::rekor`), and the times of a certificate,
//! which verifiers compare with that of the entry. Entries of our own (`personality/seed`) are not submitted, so no rule is
//! about them. The rules are pure; all that changes is [`OwnAuthority`].

use chancery_verify::PublicKey;
use chancery_verify::certificate::{Certificate, verify_path};
use chancery_verify::claims::Claims;
use chancery_verify::policy::Pattern;
use chancery_verify::rekor::Body;
use chancery_verify::rekor::logged::{self, LoggedSigner};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The rules of a log. Clones are the same, and count together. By default there are none, and every valid entry is accepted.
#[derive(Debug, Clone, Default)]
pub struct WriteRules(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    rules: Vec<Rule>,
    own: OwnAuthority,
    /// In the order of [`Refused::ALL`].
    counts: [AtomicU64; Refused::ALL.len()],
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names of the kinds that it is about, e.g. `hashedrekord`. Empty: every kind.
    pub kinds: Vec<String>,
    /// The signers that it allows.
    pub signers: Signers,
}

/// Whose entries a rule allows.
#[derive(Debug, Clone)]
pub enum Signers {
    /// Everybody's, also those of kinds that name no signer.
    Everyone,
    /// Those by these keys, without a certificate.
    Keys(Vec<PublicKey>),
    /// Those with certificates that this is true of.
    Certificates(Certificates),
}

/// Certificates that a rule allows.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// Those of this instance's own authority.
    pub own: bool,
    /// Those that one of these certificates of other authorities has issued.
    pub authorities: Vec<Certificate>,
    /// Issuer of the identity. `None`: any.
    pub issuer: Option<Pattern>,
    /// The identity. `None`: any.
    pub identity: Option<Pattern>,
}

/// The certificates with which this instance's own authority issues at present, or lately did. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct OwnAuthority(Arc<RwLock<Arc<[Certificate]>>>);

impl OwnAuthority {
    /// From now on these are the ones.
    pub fn replace(&self, issuing: impl IntoIterator<Item = Certificate>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = issuing.into_iter().collect();
    }

    fn current(&self) -> Arc<[Certificate]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a valid entry is not accepted. The later ones are nearer to being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// No rule in `[log.write]` is about this kind of entry.
    #[error("this log accepts no entries of this kind")]
    Kind,
    /// The rules are about signers, and the entry names none, or none that can be told.
    #[error("this log accepts entries of certain signers only, and this entry does not tell its signer")]
    Signer,
    /// The entry is signed with a key without a certificate, and no rule names the key.
    #[error("this log does not accept entries by this key: sign with a key or a certificate that it accepts")]
    Key,
    /// The entry has a certificate, and every rule about its kind names keys.
    #[error("this log accepts entries of this kind by keys only, and not by certificates")]
    Certificate,
    /// No rule is about certificates of this authority.
    #[error("this log does not accept certificates of this authority: sign with a certificate of one that it accepts")]
    Authority,
    /// No rule is about identities of this issuer.
    #[error("this log does not accept identities of the issuer that the certificate names")]
    Issuer,
    /// No rule is about this identity.
    #[error("this log does not accept the identity in the certificate")]
    Identity,
}

impl Refused {
    /// Every reason, in order.
    const ALL: [Self; 7] =
        [Self::Kind, Self::Signer, Self::Key, Self::Certificate, Self::Authority, Self::Issuer, Self::Identity];

    /// Stable name for metrics and answers.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kind => "write.kind",
            Self::Signer => "write.signer",
            Self::Key => "write.key",
            Self::Certificate => "write.certificate",
            Self::Authority => "write.authority",
            Self::Issuer => "write.issuer",
            Self::Identity => "write.identity",
        }
    }
}

impl WriteRules {
    /// Accepts what one of `rules` allows. `own` is this instance's authority.
    #[must_use]
    pub fn new(rules: Vec<Rule>, own: OwnAuthority) -> Self {
        let counts = Refused::ALL.map(|_| AtomicU64::new(0));
        Self(Some(Arc::new(Inner { rules, own, counts })))
    }

    /// Checks a valid entry of the kind with this name, and counts it if it is refused.
    pub fn check(&self, kind: &str, body: &Body) -> Result<(), Refused> {
        let Some(inner) = &self.0 else { return Ok(()) };
        inner.check(kind, body.as_bytes()).inspect_err(|refused| inner.count(*refused))
    }

    /// How many entries were refused, by code. Empty if there are no rules.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().flat_map(|inner| &inner.counts);
        Refused::ALL.iter().zip(counts).map(|(refused, count)| (refused.code(), count.load(Ordering::Relaxed)))
    }
}

impl Inner {
    fn count(&self, refused: Refused) {
        let counts = Refused::ALL.iter().zip(&self.counts);
        for (_, count) in counts.filter(|(known, _)| **known == refused) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn check(&self, kind: &str, body: &[u8]) -> Result<(), Refused> {
        let rules: Vec<&Signers> =
            self.rules.iter().filter(|rule| rule.is_about(kind)).map(|rule| &rule.signers).collect();
        if rules.is_empty() {
            return Err(Refused::Kind);
        }
        if rules.iter().any(|signers| matches!(signers, Signers::Everyone)) {
            return Ok(());
        }
        let signers = logged::signers(body).map_err(|_| Refused::Signer)?;
        if signers.is_empty() {
            return Err(Refused::Signer);
        }
        signers.iter().try_for_each(|signer| match signer {
            LoggedSigner::PublicKey(spki) => check_key(&rules, spki),
            LoggedSigner::Certificate(der) => self.check_certificate(&rules, der),
        })
    }

    fn check_certificate(&self, rules: &[&Signers], der: &[u8]) -> Result<(), Refused> {
        let rules: Vec<&Certificates> = rules.iter().filter_map(|signers| signers.certificates()).collect();
        if rules.is_empty() {
            return Err(Refused::Certificate);
        }
        let certificate = Certificate::from_der(der).map_err(|_| Refused::Authority)?;
        let is_own = rules.iter().any(|rule| rule.own) && is_issued_by(&certificate, &self.own.current());
        // A certificate of another authority need not name an issuer, and only a rule that asks for one needs it.
        let claims = Claims::of(&certificate).ok();
        let mut nearest = Refused::Authority;
        for rule in rules {
            match rule.check(&certificate, is_own, claims.as_ref()) {
                Ok(()) => return Ok(()),
                Err(refused) => nearest = nearest.max(refused),
            }
        }
        Err(nearest)
    }
}

impl Rule {
    fn is_about(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|name| name == kind)
    }
}

impl Signers {
    const fn certificates(&self) -> Option<&Certificates> {
        match self {
            Self::Certificates(certificates) => Some(certificates),
            Self::Everyone | Self::Keys(_) => None,
        }
    }
}

impl Certificates {
    fn check(&self, certificate: &Certificate, is_own: bool, claims: Option<&Claims>) -> Result<(), Refused> {
        let matches = |pattern: Option<&Pattern>, text: Option<&str>| {
            pattern.is_none_or(|pattern| text.is_some_and(|text| pattern.matches(text)))
        };
        if !(self.own && is_own || is_issued_by(certificate, &self.authorities)) {
            return Err(Refused::Authority);
        }
        if !matches(self.issuer.as_ref(), claims.map(Claims::issuer)) {
            return Err(Refused::Issuer);
        }
        if !matches(self.identity.as_ref(), claims.map(|claims| claims.identity().as_str())) {
            return Err(Refused::Identity);
        }
        Ok(())
    }
}

fn check_key(rules: &[&Signers], spki: &[u8]) -> Result<(), Refused> {
    let key = PublicKey::from_spki_der(spki).map_err(|_| Refused::Key)?;
    let allows = |signers: &&Signers| matches!(signers, Signers::Keys(keys) if keys.contains(&key));
    if rules.iter().any(allows) { Ok(()) } else { Err(Refused::Key) }
}

/// Whether one of `issuers` has issued the certificate, and may.
fn is_issued_by(certificate: &Certificate, issuers: &[Certificate]) -> bool {
    issuers.iter().map(slice::from_ref).any(|issuer| verify_path(certificate, issuer, issuer).is_ok())
}

#[cfg(test)]
mod tests;
