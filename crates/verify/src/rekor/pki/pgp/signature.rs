//! Signatures of versions 3 and 4 (RFC 4880 §5.2).
//!
//! What is parsed, and what is passed over as unsupported, is what upstream's library does, because it decides which
//! signatures are in the canonical form of a key ring.

use super::key::{PublicKey, algorithm};
use super::packet::{self, Bytes, written_length};
use super::{Fault, Verdict};
use crate::HashAlgorithm;
use crate::hash::Function;
use std::iter::repeat_n;

/// Types of signatures.
pub(super) mod kind {
    pub(in crate::rekor::pki::pgp) const BINARY: u8 = 0x00;
    pub(in crate::rekor::pki::pgp) const TEXT: u8 = 0x01;
    pub(in crate::rekor::pki::pgp) const CERTIFICATIONS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
    pub(in crate::rekor::pki::pgp) const SUBKEY_BINDING: u8 = 0x18;
    pub(in crate::rekor::pki::pgp) const PRIMARY_KEY_BINDING: u8 = 0x19;
    pub(in crate::rekor::pki::pgp) const KEY_REVOCATION: u8 = 0x20;
    pub(in crate::rekor::pki::pgp) const SUBKEY_REVOCATION: u8 = 0x28;
    pub(in crate::rekor::pki::pgp) const CERTIFICATION_REVOCATION: u8 = 0x30;
}

/// Flag of a key that signs data.
const SIGNS: u8 = 2;
/// Reason of a revocation that also holds for the time before it.
const KEY_COMPROMISED: u8 = 2;

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) kind: u8,
    /// When it was made, in seconds since 1970.
    pub(super) created: u64,
    /// Key id of the signer.
    pub(super) issuer: Option<[u8; 8]>,
    /// What its subpackets state.
    pub(super) stated: Stated,
    algorithm: u8,
    /// `None` for a function that is not verified here.
    function: Option<Function>,
    /// The numbers of the signature; of Ed25519 in its newer form the signature itself.
    numbers: Vec<Vec<u8>>,
    /// What is hashed after the data.
    trailer: Vec<u8>,
    /// The packet's body, as upstream writes it.
    body: Vec<u8>,
}

/// What the subpackets of a signature state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stated {
    /// Fingerprint of the signer.
    fingerprint: Option<Vec<u8>>,
    /// Key flags.
    flags: Option<u8>,
    /// Seconds after which the signature expires.
    lifetime: Option<u64>,
    /// Seconds after which the key expires.
    key_lifetime: Option<u64>,
    pub(super) is_primary: bool,
    /// Whether there is a notation that must be understood. None is.
    pub(super) is_critical: bool,
    revocation_reason: Option<u8>,
    /// A subkey's signature over the primary key.
    pub(super) embedded: Option<Box<Signature>>,
}

impl Signature {
    /// Parses the body of a packet.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut fields = Bytes(body);
        match fields.byte()? {
            3 => Self::version_3(body, fields),
            4 => Self::version_4(fields),
            _ => Err(Fault::Unsupported),
        }
    }

    fn version_3(body: &[u8], mut fields: Bytes<'_>) -> Result<Self, Fault> {
        if fields.byte()? != 5 {
            return Err(Fault::Malformed);
        }
        let mut ahead = fields;
        let trailer = ahead.take(5)?.to_vec();
        let (kind, created) = (fields.byte()?, fields.seconds()?);
        let issuer = fields.take(8)?.try_into().ok();
        let (algorithm, function) = (fields.byte()?, function(fields.byte()?)?);
        fields.take(2)?;
        let numbers = numbers(algorithm, fields)?;
        let (stated, body) = (Stated::default(), body.to_vec());
        Ok(Self { kind, created, issuer, stated, algorithm, function, numbers, trailer, body })
    }

    fn version_4(mut fields: Bytes<'_>) -> Result<Self, Fault> {
        let (kind, algorithm, hash) = (fields.byte()?, fields.byte()?, fields.byte()?);
        if !is_known(algorithm) {
            return Err(Fault::Unsupported);
        }
        let function = function(hash)?;
        let length = fields.short()?;
        let hashed = fields.take(length)?;
        let mut signature = Self {
            kind,
            created: 0,
            issuer: None,
            stated: Stated::default(),
            algorithm,
            function,
            numbers: Vec::new(),
            trailer: Vec::new(),
            body: Vec::new(),
        };
        let mut body = vec![4, kind, algorithm, hash];
        body.extend(two_bytes(length));
        body.extend_from_slice(hashed);
        signature.trailer = trailer(&body);
        for subpacket in subpackets(hashed)? {
            signature.read(&subpacket, true)?;
        }
        if signature.created == 0 {
            return Err(Fault::Malformed);
        }
        let length = fields.short()?;
        let mut unhashed = Vec::new();
        for subpacket in subpackets(fields.take(length)?)? {
            signature.read(&subpacket, false)?;
            subpacket.write(&mut unhashed);
        }
        body.extend(two_bytes(unhashed.len()));
        body.extend(unhashed);
        body.extend_from_slice(fields.0);
        fields.take(2)?;
        signature.numbers = numbers(algorithm, fields)?;
        signature.body = body;
        Ok(signature)
    }

    /// Takes what a subpacket states. Of those that are not hashed only the issuer, its fingerprint and the embedded
    /// signature count.
    fn read(&mut self, subpacket: &Subpacket<'_>, is_hashed: bool) -> Result<(), Fault> {
        let contents = subpacket.contents;
        if !is_hashed && !matches!(subpacket.kind, 16 | 32 | 33) {
            return Ok(());
        }
        match (subpacket.kind, contents) {
            (2, _) => self.created = seconds(contents)?,
            (3, _) => self.stated.lifetime = Some(seconds(contents)?),
            // Not to be exported.
            (4, [0, ..]) => return Err(Fault::Unsupported),
            (4, [_, ..]) => {}
            (9, _) => self.stated.key_lifetime = Some(seconds(contents)?),
            (16, _) => self.issuer = Some(contents.try_into().map_err(|_| Fault::Malformed)?),
            (20, _) => self.stated.is_critical |= is_notation(contents)? && subpacket.is_critical,
            (25, [value]) => self.stated.is_primary = *value > 0,
            (27, _) => self.stated.flags = Some(contents.first().copied().unwrap_or_default()),
            (29, [reason, ..]) => self.stated.revocation_reason = Some(*reason),
            (32, _) if self.stated.embedded.is_none() => {
                let embedded = Self::parse(contents)?;
                if embedded.kind != kind::PRIMARY_KEY_BINDING {
                    return Err(Fault::Malformed);
                }
                self.stated.embedded = Some(Box::new(embedded));
            }
            (33, [version, fingerprint @ ..]) => {
                self.issuer = Some(id_of(*version, fingerprint)?);
                self.stated.fingerprint = Some(fingerprint.to_vec());
            }
            (4 | 25 | 29 | 32 | 33, _) => return Err(Fault::Malformed),
            (5, _) if contents.len() != 2 => return Err(Fault::Malformed),
            (6, _) if contents.last() != Some(&0) => return Err(Fault::Malformed),
            (39, _) if !contents.len().is_multiple_of(2) => return Err(Fault::Malformed),
            (5 | 6 | 11 | 21..=24 | 26 | 28 | 30 | 35 | 39, _) => {}
            _ if subpacket.is_critical => return Err(Fault::Unsupported),
            _ => {}
        }
        Ok(())
    }

    /// Whether it names this key as its signer.
    pub(super) fn is_by(&self, key: &PublicKey) -> bool {
        match &self.stated.fingerprint {
            Some(fingerprint) => *fingerprint == key.fingerprint,
            None => self.issuer.is_some_and(|issuer| issuer == key.id()),
        }
    }

    /// Whether a key with this binding signs data.
    pub(super) fn allows_signing(&self) -> bool {
        self.stated.flags.is_some_and(|flags| flags & SIGNS != 0)
    }

    /// Whether it has expired, or was made later.
    pub(super) const fn is_expired(&self, now: u64) -> bool {
        self.created > now || is_over(self.created, self.stated.lifetime, now)
    }

    /// Whether a key that it binds has expired, or was made later.
    pub(super) const fn says_expired(&self, key: &PublicKey, now: u64) -> bool {
        key.created > now || is_over(key.created, self.stated.key_lifetime, now)
    }

    /// Whether what it revokes is revoked.
    pub(super) fn revokes(&self, now: u64) -> bool {
        self.stated.revocation_reason == Some(KEY_COMPROMISED) || !self.is_expired(now)
    }

    /// Checks whether `key` made it over the concatenation of `parts`.
    pub(super) fn verify(&self, key: &PublicKey, parts: &[&[u8]]) -> Verdict {
        if self.algorithm != key.algorithm {
            return Verdict::Invalid;
        }
        let (Some(function), Some(verifier)) = (self.function, &key.key) else { return Verdict::Unverifiable };
        let digest = function.digest_parts(&[parts, &[self.trailer.as_slice()]].concat());
        let checked = match (self.algorithm, self.numbers.as_slice()) {
            (algorithm::RSA | algorithm::RSA_SIGNATURES, [signature]) => {
                verifier.verify_digest(function, &digest, signature)
            }
            (algorithm::ECDSA, [r, s]) if function != Function::Sha1 => {
                verifier.verify_numbers(function, &digest, (r, s))
            }
            (algorithm::EDDSA, [r, s]) => verifier.verify_ed25519(&digest, &[padded(r), padded(s)].concat()),
            (algorithm::ED25519, [signature]) => verifier.verify_ed25519(&digest, signature),
            _ => return Verdict::Unverifiable,
        };
        if checked.is_ok() { Verdict::Valid } else { Verdict::Invalid }
    }

    /// Writes the packet.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        packet::write(out, packet::SIGNATURE, &self.body);
    }
}

const fn is_over(start: u64, lifetime: Option<u64>, now: u64) -> bool {
    match lifetime {
        None | Some(0) => false,
        Some(lifetime) => now > start + lifetime,
    }
}

/// One statement.
struct Subpacket<'a> {
    kind: u8,
    is_critical: bool,
    contents: &'a [u8],
}

impl Subpacket<'_> {
    /// Writes it with the shortest length, as upstream does.
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(written_length(self.contents.len() + 1, 16_320));
        out.push(self.kind | if self.is_critical { 0x80 } else { 0 });
        out.extend_from_slice(self.contents);
    }
}

fn subpackets(bytes: &[u8]) -> Result<Vec<Subpacket<'_>>, Fault> {
    let mut rest = Bytes(bytes);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = match rest.byte()? {
            short @ 0..192 => short.into(),
            high @ 192..255 => ((usize::from(high) - 192) << 8) + usize::from(rest.byte()?) + 192,
            255 => rest.number()?,
        };
        let [kind, contents @ ..] = rest.take(length)? else { return Err(Fault::Malformed) };
        found.push(Subpacket { kind: kind & 0x7f, is_critical: kind & 0x80 != 0, contents });
    }
    Ok(found)
}

/// The key id that is a part of a fingerprint.
fn id_of(version: u8, fingerprint: &[u8]) -> Result<[u8; 8], Fault> {
    let id = match fingerprint.len() {
        20 if version < 5 => fingerprint.last_chunk(),
        32 if version >= 5 => fingerprint.first_chunk(),
        _ => None,
    };
    id.copied().ok_or(Fault::Malformed)
}

/// Whether this is a notation; checks the lengths in it.
fn is_notation(contents: &[u8]) -> Result<bool, Fault> {
    let mut fields = Bytes(contents);
    fields.take(4)?;
    let (name, value) = (fields.short()?, fields.short()?);
    if fields.0.len() == name + value { Ok(true) } else { Err(Fault::Malformed) }
}

fn seconds(contents: &[u8]) -> Result<u64, Fault> {
    let mut fields = Bytes(contents);
    let seconds = fields.seconds()?;
    if fields.is_empty() { Ok(seconds) } else { Err(Fault::Malformed) }
}

/// The hash function of this number; `Ok(None)` for one that upstream knows and that is not verified here.
const fn function(number: u8) -> Result<Option<Function>, Fault> {
    Ok(match number {
        2 => Some(Function::Sha1),
        8 => Some(Function::Sha2(HashAlgorithm::Sha256)),
        9 => Some(Function::Sha2(HashAlgorithm::Sha384)),
        10 => Some(Function::Sha2(HashAlgorithm::Sha512)),
        11 | 12 | 14 => None,
        _ => return Err(Fault::Unsupported),
    })
}

const fn is_known(algorithm: u8) -> bool {
    use algorithm::{DSA, ECDSA, ED448, ED25519, EDDSA, RSA, RSA_SIGNATURES};
    matches!(algorithm, RSA | RSA_SIGNATURES | DSA | ECDSA | EDDSA | ED25519 | ED448)
}

/// Reads the numbers of a signature, to the end of its packet.
fn numbers(algorithm: u8, mut fields: Bytes<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    let numbers = match algorithm {
        algorithm::RSA | algorithm::RSA_SIGNATURES => vec![fields.integer()?],
        algorithm::DSA | algorithm::ECDSA | algorithm::EDDSA => vec![fields.integer()?, fields.integer()?],
        algorithm::ED25519 => vec![fields.take(64)?],
        algorithm::ED448 => vec![fields.take(114)?],
        _ => return Err(Fault::Unsupported),
    };
    if !fields.is_empty() {
        return Err(Fault::Malformed);
    }
    Ok(numbers.into_iter().map(<[u8]>::to_vec).collect())
}

/// What a signature of version 4 hashes after the data: the hashed part of itself, and how long that is.
fn trailer(hashed: &[u8]) -> Vec<u8> {
    let [.., a, b, c, d] = hashed.len().to_be_bytes();
    [hashed, &[4, 0xff, a, b, c, d]].concat()
}

fn two_bytes(length: usize) -> [u8; 2] {
    let [.., high, low] = length.to_be_bytes();
    [high, low]
}

/// A number of Ed25519 with the zeros before it that a number does not keep.
fn padded(number: &[u8]) -> Vec<u8> {
    let missing = 32_usize.saturating_sub(number.len());
    repeat_n(0, missing).chain(number.iter().copied()).collect()
}
