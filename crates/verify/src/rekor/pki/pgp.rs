//! `OpenPGP` (RFC 4880, RFC 9580), as far as a log of signatures needs it: key rings with keys of version 4, and detached
//! signatures of versions 3 and 4.
//!
//! Written here, because the canonical form of a key ring is what upstream's library writes of it, and because every
//! signature is verified by aws-lc. Not verified, and so refused: DSA, Ed448, brainpool, RSA below 2048 bits, SHA-224 and
//! SHA-3. Refused as upstream refuses it: MD5. Not here: secret keys, encryption, keys of version 6, trust.
//!
//! | module | reads |
//! |---|---|
//! | `armor` | the text around binary data |
//! | `packet` | packets and numbers |
//! | `key`, `signature` | their packets |
//! | `keyring` | keys with their user IDs and subkeys |
//! | `clear` | texts with a signature below |

mod armor;
pub(in crate::rekor) mod clear;
mod key;
mod keyring;
mod packet;
mod signature;

pub(in crate::rekor) use keyring::Keyring;

use crate::Rejection;
use keyring::{MAX_CHECKS, MAX_KEYS};
use packet::Bytes;
use signature::{Signature, kind};
use std::borrow::Cow;

/// Maximum bytes of a key ring, in whatever form. The canonical form of more does not fit into an entry.
const MAX_KEYRING_BYTES: usize = 128 * 1024;
/// Maximum armored blocks of a key ring.
const MAX_BLOCKS: usize = 16;
/// Maximum bytes of signatures.
const MAX_SIGNATURE_BYTES: usize = 64 * 1024;

const KEY: Rejection = Rejection::EntryKeyFormat { format: "PGP" };
const SIGNATURE: Rejection = Rejection::EntrySignatureFormat { format: "PGP" };

/// Why something cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It may be passed over.
    Unsupported,
    Malformed,
}

/// The result of a signature check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Valid,
    Invalid,
    /// The algorithm is not verified here.
    Unverifiable,
}

impl Keyring {
    /// Parses a key ring: one or more armored blocks, or binary.
    ///
    /// # Errors
    /// [`Rejection::EntryKeyFormat`], also if no key is left, or [`Rejection::EntryTooMany`].
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_KEYRING_BYTES {
            return Err(Rejection::EntryTooMany { what: "bytes of a PGP key ring", limit: MAX_KEYRING_BYTES });
        }
        let (mut ring, mut checks) = (Self(Vec::new()), MAX_CHECKS);
        if content.starts_with(b"-----BEGIN PGP") {
            let mut blocks = content.split_inclusive(|byte| *byte == b'\n').scan(0, |end, line| {
                *end += line.len();
                Some((*end, line.starts_with(b"-----END PGP")))
            });
            let (mut start, mut count) = (0, 0);
            while let Some((end, _)) = blocks.find(|(_, is_end)| *is_end) {
                let block = armor::decode(content.get(start..end).unwrap_or_default()).map_err(|_| KEY)?.ok_or(KEY)?;
                count += 1;
                if block.label != armor::PUBLIC_KEY || count > MAX_BLOCKS {
                    return Err(KEY);
                }
                ring.read(&block.contents, &mut checks).map_err(|_| KEY)?;
                start = end;
            }
        } else {
            ring.read(content, &mut checks).map_err(|_| KEY)?;
        }
        if ring.0.is_empty() { Err(KEY) } else { Ok(ring) }
    }

    /// The canonical form: armored.
    pub(in crate::rekor) fn canonical(&self) -> Vec<u8> {
        armor::encode(armor::PUBLIC_KEY, &self.write()).into_bytes()
    }

    /// Checks a signature over data: its type says whether that is text, whose lines end in one way.
    ///
    /// Of several signatures, the first one by a key of this ring counts. It must be valid at the time it states.
    pub(in crate::rekor) fn verify(&self, signatures: &Signatures, data: &[u8]) -> Result<(), Rejection> {
        let (signature, keys) = self.first_known(signatures)?;
        let data = match signature.kind {
            kind::BINARY => Cow::Borrowed(data),
            kind::TEXT => Cow::Owned(with_line_ends(data)),
            _ => return Err(SIGNATURE),
        };
        let mut refusal = Rejection::KeyUnsupported;
        for key in keys.iter().take(MAX_KEYS).filter(|key| key.is_verified()) {
            match signature.verify(key.key(), &[&data]) {
                Verdict::Valid => return key.check_time(&signature),
                Verdict::Unverifiable => {}
                Verdict::Invalid => refusal = Rejection::SignatureInvalid,
            }
        }
        Err(refusal)
    }

    /// Checks a signature in a package over the concatenation of `parts`, as package managers do: by whichever key or
    /// subkey it names, at whatever time.
    pub(in crate::rekor) fn verify_package(&self, signatures: &Signatures, parts: &[&[u8]]) -> Result<(), Rejection> {
        let mut rest = Bytes(&signatures.packets);
        let signature = next_signature(&mut rest)?.ok_or(SIGNATURE)?;
        if !rest.is_empty() {
            return Err(SIGNATURE);
        }
        let key = self.keys().find(|key| signature.is_by(key.key()) && key.is_verified());
        match signature.verify(key.ok_or(Rejection::EntrySigner)?.key(), parts) {
            Verdict::Valid => Ok(()),
            Verdict::Unverifiable => Err(Rejection::KeyUnsupported),
            Verdict::Invalid => Err(Rejection::SignatureInvalid),
        }
    }

    /// The first signature whose signer has a key in this ring, with these keys.
    fn first_known(&self, signatures: &Signatures) -> Result<(Signature, Vec<keyring::Bound<'_>>), Rejection> {
        let mut rest = Bytes(&signatures.packets);
        while let Some(signature) = next_signature(&mut rest)? {
            let keys = self.signing(signature.issuer.ok_or(SIGNATURE)?);
            if !keys.is_empty() {
                return Ok((signature, keys));
            }
        }
        Err(Rejection::EntrySigner)
    }
}

/// Detached signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rekor) struct Signatures {
    packets: Vec<u8>,
    canonical: Vec<u8>,
}

impl Signatures {
    /// Parses signatures: armored, or binary.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_SIGNATURE_BYTES {
            return Err(Rejection::EntryTooMany { what: "bytes of PGP signatures", limit: MAX_SIGNATURE_BYTES });
        }
        match armor::decode(content).map_err(|_| SIGNATURE)? {
            Some(block) if block.label != armor::SIGNATURE => Err(SIGNATURE),
            // What is armored stays as it is.
            Some(block) => Self::of(block.contents, content.to_vec()),
            None => Self::binary(content.to_vec()),
        }
    }

    /// Parses binary signatures.
    fn binary(packets: Vec<u8>) -> Result<Self, Rejection> {
        let canonical = armor::encode(armor::SIGNATURE, &packets).into_bytes();
        Self::of(packets, canonical)
    }

    fn of(packets: Vec<u8>, canonical: Vec<u8>) -> Result<Self, Rejection> {
        next_signature(&mut Bytes(&packets))?.ok_or(SIGNATURE)?;
        Ok(Self { packets, canonical })
    }

    /// The canonical form: armored.
    pub(in crate::rekor) fn into_canonical(self) -> Vec<u8> {
        self.canonical
    }
}

/// Takes the next signature that is supported. Any other packet is refused.
fn next_signature(rest: &mut Bytes<'_>) -> Result<Option<Signature>, Rejection> {
    while let Some(packet) = packet::next(rest).map_err(|_| SIGNATURE)? {
        if packet.tag != packet::SIGNATURE {
            return Err(SIGNATURE);
        }
        match Signature::parse(&packet.body) {
            Ok(signature) => return Ok(Some(signature)),
            Err(Fault::Unsupported) => {}
            Err(Fault::Malformed) => return Err(SIGNATURE),
        }
    }
    Ok(None)
}

/// Text as it is signed: a line that ends in LF ends in CR and LF.
fn with_line_ends(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut is_after_cr = false;
    for byte in text {
        if *byte == b'\n' && !is_after_cr {
            out.push(b'\r');
        }
        out.push(*byte);
        is_after_cr = *byte == b'\r' && !is_after_cr;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_text_end_in_one_way() {
        assert_eq!(with_line_ends(b"a\nb\r\nc\r\r\nd\n\n"), b"a\r\nb\r\nc\r\r\r\nd\r\n\r\n");
    }
}
