//! Timestamps by an authority (RFC 3161): requests, responses, and their verification.
//!
//! [`Request`] and [`Token`] are parsed strictly, without copying: DER only, no repeated or trailing elements, and a
//! limit for every length. An [`Authority`] is a certificate chain that may make timestamps (RFC 3161 §2.3), and
//! verifies its tokens. Not here: revocation, signers named only by key identifier, and CMS beyond the needs of a
//! timestamp.
//!
//! | module | reads | specification |
//! |---|---|---|
//! | [`asn1`] | DER, element by element; it also writes DER | X.690 §10 |
//! | `request` | `TimeStampReq` | RFC 3161 §2.4.1 |
//! | `info` | `TSTInfo` | RFC 3161 §2.4.2 |
//! | `extensions` | the extensions of both | RFC 5280 §4.1 |
//! | `token` | `TimeStampResp` and the CMS around a `TSTInfo` | RFC 3161 §2.4.2, RFC 5652, RFC 5816 |
//! | `identifier` | the signer's certificate in `ESSCertID` and `ESSCertIDv2` | RFC 2634 §5.4, RFC 5035 §4 |
//! | `authority` | | RFC 3161 §2.3, RFC 5816 §2.2.1 |

pub mod asn1;
mod authority;
mod extensions;
mod identifier;
mod imprint;
mod info;
mod request;
mod token;

pub use authority::{Authority, EXTENDED_KEY_USAGE_VALUE, Issuers};
pub use imprint::Imprint;
pub use info::Info;
pub use request::{MAX_NONCE_BYTES, MAX_REQUEST_BYTES, Request};
pub use token::{MAX_RESPONSE_BYTES, Token};

use const_oid::ObjectIdentifier;

/// `id-signedData`, the type of the outermost content.
pub const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// `id-ct-TSTInfo`, the type of the signed content.
pub const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// Signed attribute `contentType`.
pub const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// Signed attribute `messageDigest`.
pub const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// Signed attribute `signingTime`.
pub const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// Signed attribute `signingCertificate`, which names the certificate by SHA-1.
pub const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// Signed attribute `signingCertificateV2`.
pub const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
