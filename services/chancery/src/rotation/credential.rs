//! The public part of a key's generation, by which clients know it, and how it is read: the certificates of an authority, a
//! log's public half.

use anyhow::Context as _;
use chancery_ca::chain::IssuingChain;
use chancery_daemon::authority::AuthorityError;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate, timestamping::Authority};

/// The public side of a generation.
pub(crate) trait Credential: Sized + Send + Sync + 'static {
    /// Reads it for whatever key it is of, and at whatever time it counts.
    fn parse(text: &[u8]) -> anyhow::Result<Self>;

    /// The key it is of.
    fn key(&self) -> &PublicKey;

    /// Whether something may be signed with it at this time.
    fn check(&self, now: Timestamp) -> Result<(), AuthorityError>;
}

impl Credential for PublicKey {
    fn parse(text: &[u8]) -> anyhow::Result<Self> {
        Ok(Self::from_pem(text)?)
    }

    fn key(&self) -> &PublicKey {
        self
    }

    /// A key alone says no time.
    fn check(&self, _now: Timestamp) -> Result<(), AuthorityError> {
        Ok(())
    }
}

/// The certificates of an authority.
pub(crate) trait Chain {
    /// The one whose key signs first, the root last.
    fn certificates(&self) -> &[Certificate];
}

impl Credential for IssuingChain {
    fn parse(text: &[u8]) -> anyhow::Result<Self> {
        Ok(Self::inactive_from_pem(text)?)
    }

    fn key(&self) -> &PublicKey {
        self.issuing().public_key()
    }

    fn check(&self, now: Timestamp) -> Result<(), AuthorityError> {
        Self::from_pem(self.to_pem().as_bytes(), self.key(), now).map(|_| ())
    }
}

impl Chain for IssuingChain {
    fn certificates(&self) -> &[Certificate] {
        self.certificates()
    }
}

impl Credential for Authority {
    fn parse(text: &[u8]) -> anyhow::Result<Self> {
        Self::new(Certificate::chain_from_pem(text)?)
            .context("the certificates are not valid for a timestamp authority")
    }

    fn key(&self) -> &PublicKey {
        self.leaf().public_key()
    }

    /// Ignores the time: an expired certificate, or a wrong clock, is reported to each request for a timestamp.
    fn check(&self, _now: Timestamp) -> Result<(), AuthorityError> {
        Ok(())
    }
}

impl Chain for Authority {
    fn certificates(&self) -> &[Certificate] {
        self.chain()
    }
}
