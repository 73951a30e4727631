//! Authorities that are trusted: those that issue certificates, and those that make timestamps.

use super::Window;
use crate::certificate::Certificate;

/// A certificate authority. Each certificate of its chain is a CA and issued by the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// Not empty; the anchor last.
    pub(super) chain: Vec<Certificate>,
    pub(super) window: Window,
    pub(super) operator: String,
    pub(super) url: String,
}

impl CertificateAuthority {
    /// The whole chain: the certificate that issues leaves first, the anchor last. Not empty.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The certificates between leaf and anchor, in order. They are no anchors.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        self.chain.split_last().map_or(&[], |(_, intermediates)| intermediates)
    }

    /// The anchor: a root, or an intermediate where the operator does not publish the root. A slice of one certificate, as
    /// [`crate::certificate::verify_chain`] takes roots.
    #[must_use]
    pub fn anchor(&self) -> &[Certificate] {
        self.chain.last().map_or(&[], std::slice::from_ref)
    }

    /// When it is trusted, with its whole chain.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator; where the file names none, the URL's host.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The URL, as written; may be empty.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A timestamp authority. Its chain may lack the certificate that signs; then tokens embed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampAuthority {
    /// Not empty; the anchor last.
    pub(super) chain: Vec<Certificate>,
    /// Whether the first certificate is the one that signs.
    pub(super) has_leaf: bool,
    pub(super) window: Window,
    pub(super) operator: String,
    pub(super) url: String,
}

impl TimestampAuthority {
    /// The whole chain: the signing certificate first, if it is known, the anchor last.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The certificate that signs. `None`: the token embeds it.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first().filter(|_| self.has_leaf)
    }

    /// The CAs of the chain in order, the anchor last.
    #[must_use]
    pub fn issuers(&self) -> &[Certificate] {
        self.chain.get(usize::from(self.has_leaf)..).unwrap_or_default()
    }

    /// The anchor: a root or an intermediate. A slice of one certificate.
    #[must_use]
    pub fn anchor(&self) -> &[Certificate] {
        self.chain.last().map_or(&[], std::slice::from_ref)
    }

    /// When it is trusted, with its whole chain.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator, which thresholds count; where the file names none, the URL's host. Empty where there is no URL
    /// either: all such authorities count as one.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The URL, as written; may be empty.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
