//! What a log is known by: the protocol, the place, the key, the first line of its checkpoints.

use chancery_verify::checkpoint::{Checkpoint, Scheme, SignedHead};
use chancery_verify::note::{KeyName, Note};
use chancery_verify::{PublicKey, Rejection};
use std::fmt;
use std::str::FromStr;
use url::Url;

/// The protocol that a log speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Rekor v1: entries and proofs from an API.
    RekorV1,
    /// Rekor v2, and any other log of C2SP tlog-tiles whose key signs the text of its checkpoints.
    RekorV2,
    /// A certificate log that is asked through the API of RFC 6962.
    Rfc6962,
    /// A certificate log that is read as tiles (C2SP static-ct-api).
    StaticCt,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 4] = [Self::RekorV1, Self::RekorV2, Self::Rfc6962, Self::StaticCt];

    /// Its name on command lines and in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RekorV1 => "rekor-v1",
            Self::RekorV2 => "rekor-v2",
            Self::Rfc6962 => "rfc6962",
            Self::StaticCt => "static-ct",
        }
    }

    /// Whether its entries are certificates.
    #[must_use]
    pub const fn has_certificates(self) -> bool {
        matches!(self, Self::Rfc6962 | Self::StaticCt)
    }

    /// Whether it tells when an entry was logged. Leaves of certificate logs say so, and the API of Rekor v1 does. In tiles of
    /// Rekor v2 nothing does.
    #[must_use]
    pub const fn tells_times(self) -> bool {
        !matches!(self, Self::RekorV2)
    }

    /// The form of the checkpoints of a log whose checkpoints begin with `origin`.
    ///
    /// # Errors
    /// If no log of this protocol can have such an origin.
    pub fn scheme(self, origin: &str) -> Result<Scheme, Rejection> {
        match self {
            Self::RekorV1 => Scheme::rekor_v1(origin),
            Self::RekorV2 => Ok(Scheme::RekorV2 { origin: KeyName::new(origin)? }),
            Self::Rfc6962 | Self::StaticCt => Ok(Scheme::StaticCt { origin: KeyName::new(origin)? }),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|protocol| protocol.name() == text);
        known.ok_or_else(|| format!("one of {} is expected", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What a log is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIdentity {
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Where it is.
    ///
    /// - Rekor v1: below which `api/v1/log` is.
    /// - Rekor v2 and static-ct-api: below which `checkpoint` and `tile/` are (the monitoring prefix). For Rekor v2 on its own
    ///   host that is `https://HOST/api/v2`.
    /// - RFC 6962: below which `ct/v1/` is.
    pub url: Url,
    /// The key that signs its checkpoints. Nothing else is believed.
    pub key: PublicKey,
    /// The first line of its checkpoints. `None` for the one of the first checkpoint that the key has signed; in Rekor v1 that
    /// is the tree that takes entries at that moment, and for RFC 6962 the URL without its scheme.
    pub origin: Option<String>,
}

impl LogIdentity {
    /// Opens a checkpoint: the key must have signed it, and its first line must be `origin`, or any if that is `None`.
    pub(crate) fn open(&self, origin: Option<&str>, note: &str) -> Result<(String, SignedHead), Rejection> {
        let stated = match origin {
            Some(origin) => origin.to_owned(),
            None => Checkpoint::parse(&Note::parse(note)?.text)?.origin,
        };
        let signed = self.protocol.scheme(&stated)?.open_signed(note, &self.key)?;
        Ok((stated, signed))
    }
}
