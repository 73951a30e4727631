//! What an operator chooses about the answers of an authority.

use crate::Policies;

/// The choices. The default is that of Sigstore's authority.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// The policies that are granted.
    pub policies: Policies,
    /// Whether an answer to a request for certificates has the whole chain, root included, or the signing certificate
    /// alone. An answer to a request without `certReq` has none.
    pub includes_chain: bool,
    /// Whether extensions of a request are copied into the timestamp, or the request is refused. A critical extension is
    /// always refused: it demands to be understood, and no verifier would accept the timestamp.
    pub copies_extensions: bool,
}

impl From<Policies> for Profile {
    fn from(policies: Policies) -> Self {
        Self { policies, ..Self::default() }
    }
}
