//! What is signed, and by which key.

use super::limits::{MAX_BUNDLE_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_TYPE_BYTES, MAX_SIGNATURE_BYTES};
use crate::certificate::Certificate;
use crate::protojson::strict::Object;
use crate::{HashAlgorithm, Refusal, Rejection};

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

/// Signatures that are counted before an envelope is refused for having more than one.
const MAX_COUNTED: usize = 1 << 10;

impl Envelope {
    /// Reads the JSON of an envelope. Members that DSSE does not have are ignored, as its specification demands.
    pub(super) fn read(mut envelope: Object) -> Result<Self, Refusal> {
        let payload = envelope.bytes("payload", MAX_BUNDLE_BYTES)?;
        let payload_type = envelope.text("payloadType", MAX_PAYLOAD_TYPE_BYTES)?;
        let mut signatures = envelope.list("signatures", "signatures", MAX_COUNTED)?;
        let count = signatures.len();
        let (Some(signature), 1) = (signatures.pop(), count) else {
            let refusal = envelope.refuse("signatures", Rejection::DsseSignatures { count });
            return Err(refusal.expected("exactly one signature", count.to_string()));
        };
        let mut signature = signature.object()?;
        let keyid = signature.string("keyid", MAX_NAME_BYTES)?;
        let keyid = (!keyid.is_empty()).then_some(keyid);
        Ok(Self { payload_type, payload, signature: signature.content("sig", MAX_SIGNATURE_BYTES)?, keyid })
    }
}
