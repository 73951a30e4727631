//! What is signed, and by which key.

use crate::HashAlgorithm;
use crate::certificate::Certificate;

/// What a verifier finds the signer's key with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// The signer's certificate. Others that came with it are checked for their form and dropped: only the trust root
    /// says which issuers there are.
    Certificate(Box<Certificate>),
    /// A key the verifier must already have.
    PublicKey {
        /// Which one; opaque, unless it decodes to 32 bytes, which then are the SHA-256 of the SPKI.
        hint: Option<String>,
    },
}

/// What the signature is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The artifact itself.
    Message {
        /// What the signer says its digest is: a help to find the artifact, never what is verified. As long as its
        /// algorithm's digests.
        digest: Option<(HashAlgorithm, Vec<u8>)>,
        /// The raw signature, not empty.
        signature: Vec<u8>,
    },
    /// An envelope (DSSE), most often around an in-toto statement.
    Envelope(Envelope),
}

/// A DSSE envelope with its one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Media type of the payload.
    pub payload_type: String,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    /// The raw signature over the pre-authentication encoding, not empty.
    pub signature: Vec<u8>,
    /// A hint which key signed; never empty.
    pub keyid: Option<String>,
}
