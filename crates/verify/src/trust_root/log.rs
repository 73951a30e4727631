//! Logs that are trusted: Rekor's and those of certificate transparency.

use super::Window;
use crate::note::KeyId;
use crate::{Hash, PublicKey};

/// A log with its key, which is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransparencyLog {
    pub(super) url: String,
    pub(super) host: String,
    /// Names under which its key may sign checkpoints: the host, and host and path where the URL has a path.
    pub(super) names: Vec<String>,
    pub(super) key: PublicKey,
    pub(super) log_id: Hash,
    pub(super) window: Window,
    pub(super) operator: String,
}

impl TransparencyLog {
    /// The URL, as written. May lack a scheme.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL's host in lower case, without a port; empty for a certificate transparency log without a URL.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Names its key may sign checkpoints under, the likeliest first. Rekor v2's origin is one of these, Rekor v1's is one of
    /// these, ` - ` and digits.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The id, which has been compared with the key.
    #[must_use]
    pub const fn log_id(&self) -> &Hash {
        &self.log_id
    }

    /// What signature lines by its key begin with: the first four bytes of the id.
    #[must_use]
    pub const fn checkpoint_key_id(&self) -> KeyId {
        let [a, b, c, d, ..] = self.log_id;
        [a, b, c, d]
    }

    /// When it is trusted.
    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The operator, which thresholds count; where the file names none, the host.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }
}
