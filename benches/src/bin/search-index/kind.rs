//! Which logs there are, and how many entries each has.

use chancery_search::LogKind;

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rekor v1: `hashedrekord` and `dsse`.
    V1,
    /// Rekor v2: the same.
    V2,
    /// Certificates: those of the first entries of Rekor v1.
    Certificates,
}

impl Kind {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::V1, Self::V2, Self::Certificates];

    /// Number of the log in the database.
    pub(crate) const fn log_id(self) -> i64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::Certificates => 3,
        }
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V1 => "rekor",
            Self::V2 => "rekor2",
            Self::Certificates => "ct",
        }
    }

    /// What its entries are.
    pub(crate) const fn holds(self) -> LogKind {
        match self {
            Self::V1 | Self::V2 => LogKind::Rekor,
            Self::Certificates => LogKind::Certificates,
        }
    }

    /// How many of `entries` it has. Six of ten are of Rekor v1, one is of Rekor v2, three are certificates.
    pub(crate) const fn size(self, entries: u64) -> u64 {
        let tenth = entries / 10;
        match self {
            Self::V1 => entries - 4 * tenth,
            Self::V2 => tenth,
            Self::Certificates => 3 * tenth,
        }
    }
}
