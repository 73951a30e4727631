//! The signed content, and the signer's certificate or key.

use super::limits::{MAX_BUNDLE_BYTES, MAX_NAME_BYTES, MAX_PAYLOAD_TYPE_BYTES, MAX_SIGNATURE_BYTES};
use crate::certificate::Certificate;
use crate::protojson::strict::Object;
use crate::{HashAlgorithm, Refusal, Rejection};

/// The signer's certificate, or a hint to its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// The signer's certificate. The form of other certificates in the bundle is checked, but they are not kept:
    /// issuers come only from the trust root.
    Certificate(Box<Certificate>),
    /// A key that the verifier must already have.
    PublicKey {
        /// Names the key. Opaque, unless it decodes to 32 bytes: then it is the SHA-256 of the SPKI.
        hint: Option<String>,
    },
}

/// The signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The artifact itself.
    Message {
        /// The digest that the signer states, of its algorithm's length. It helps to find the artifact. Verification
        /// uses the artifact's own digest.
        digest: Option<(HashAlgorithm, Vec<u8>)>,
        /// The raw signature, not empty.
        signature: Vec<u8>,
    },
    /// An envelope (DSSE), usually of an in-toto statement.
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
    /// A hint to the key. Not empty.
    pub keyid: Option<String>,
}

/// Maximum signatures to count. An envelope with more than one is refused.
const MAX_COUNTED: usize = 1 << 10;

impl Envelope {
    /// Parses the JSON of an envelope. Unknown members are ignored, as DSSE's specification requires.
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
