//! The formats of keys in entries of Rekor v1.

use serde::{Deserialize, Serialize};

/// The format of a key, as Rekor v1 names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyFormat {
    /// A certificate, or a key in `SubjectPublicKeyInfo`.
    #[default]
    X509,
    /// PGP (RFC 9580).
    Pgp,
    /// SSH.
    Ssh,
    /// minisign, or signify.
    Minisign,
    /// Root metadata of TUF.
    Tuf,
}

impl KeyFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::X509, Self::Pgp, Self::Ssh, Self::Minisign, Self::Tuf];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Pgp => "pgp",
            Self::Ssh => "ssh",
            Self::Minisign => "minisign",
            Self::Tuf => "tuf",
        }
    }

    /// Inverse of [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_by_the_names_that_they_are_written_with() {
        for format in KeyFormat::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
            assert_eq!(KeyFormat::from_name(format.name()), Some(format));
        }
        assert_eq!(KeyFormat::from_name("pkcs7"), None);
    }
}
