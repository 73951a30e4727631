//! Public keys and subkeys of version 4 (RFC 4880 §5.5, RFC 6637, RFC 9580 §5.5.5).

use super::Fault;
use super::packet::Bytes;
use crate::hash::Function;
use crate::key::KeyKind;
use crate::rekor::pki::key::Key;

const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
const NIST_CURVES: [(&[u8], KeyKind); 3] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], KeyKind::P256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], KeyKind::P384),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], KeyKind::P521),
];
/// Curves that upstream knows and that are not verified here: secp256k1, brainpool, Ed448, and those of encryption.
const OTHER_CURVES: [&[u8]; 7] = [
    &[0x2b, 0x81, 0x04, 0x00, 0x0a],
    &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
    &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b],
    &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0d],
    &[0x2b, 0x65, 0x71],
    &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01],
    &[0x2b, 0x65, 0x6f],
];

/// Numbers of algorithms.
pub(super) mod algorithm {
    pub(in crate::rekor::pki::pgp) const RSA: u8 = 1;
    pub(in crate::rekor::pki::pgp) const RSA_ENCRYPTION: u8 = 2;
    pub(in crate::rekor::pki::pgp) const RSA_SIGNATURES: u8 = 3;
    pub(in crate::rekor::pki::pgp) const ELGAMAL: u8 = 16;
    pub(in crate::rekor::pki::pgp) const DSA: u8 = 17;
    pub(in crate::rekor::pki::pgp) const ECDH: u8 = 18;
    pub(in crate::rekor::pki::pgp) const ECDSA: u8 = 19;
    pub(in crate::rekor::pki::pgp) const EDDSA: u8 = 22;
    pub(in crate::rekor::pki::pgp) const X25519: u8 = 25;
    pub(in crate::rekor::pki::pgp) const X448: u8 = 26;
    pub(in crate::rekor::pki::pgp) const ED25519: u8 = 27;
    pub(in crate::rekor::pki::pgp) const ED448: u8 = 28;
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// The packet's body.
    pub(super) body: Vec<u8>,
    /// When it was made, in seconds since 1970.
    pub(super) created: u64,
    pub(super) algorithm: u8,
    /// SHA-1 of the key. It only names the key.
    pub(super) fingerprint: Vec<u8>,
    /// `None` if signatures of this algorithm, curve or size are not verified here.
    pub(super) key: Option<Key>,
}

impl PublicKey {
    /// Parses the body of a packet.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for a version, algorithm or curve that upstream does not know, either.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut fields = Bytes(body);
        if fields.byte()? != 4 {
            return Err(Fault::Unsupported);
        }
        let created = fields.seconds()?;
        let algorithm = fields.byte()?;
        let key = key(algorithm, &mut fields)?;
        if !fields.is_empty() || body.len() > usize::from(u16::MAX) {
            return Err(Fault::Malformed);
        }
        let mut key = Self { body: body.to_vec(), created, algorithm, fingerprint: Vec::new(), key };
        key.fingerprint = Function::Sha1.digest_parts(&[&key.header(), body]);
        Ok(key)
    }

    /// What is hashed before the body.
    pub(super) fn header(&self) -> [u8; 3] {
        let [.., high, low] = self.body.len().to_be_bytes();
        [0x99, high, low]
    }

    /// The last eight bytes of the fingerprint.
    pub(super) fn id(&self) -> &[u8] {
        self.fingerprint.last_chunk::<8>().map_or(&[][..], <[u8; 8]>::as_slice)
    }

    /// Whether a primary key may have this algorithm.
    pub(super) const fn can_sign(&self) -> bool {
        !matches!(self.algorithm, algorithm::RSA_ENCRYPTION | algorithm::ELGAMAL | algorithm::ECDH)
    }
}

/// Reads what is the algorithm's own. A key that cannot be used (too small, not on its curve) is `None`.
fn key(algorithm: u8, fields: &mut Bytes<'_>) -> Result<Option<Key>, Fault> {
    match algorithm {
        algorithm::RSA | algorithm::RSA_ENCRYPTION | algorithm::RSA_SIGNATURES => {
            let (modulus, exponent) = (fields.integer()?, fields.integer()?);
            return Ok(Key::rsa(modulus, exponent).ok());
        }
        algorithm::ECDSA => {
            let (curve, point) = (fields.counted()?, fields.integer()?);
            let kind = NIST_CURVES.into_iter().find(|(known, _)| *known == curve);
            return match kind {
                Some((_, kind)) => Ok(Key::ec(kind, point).ok()),
                None => other_curve(curve),
            };
        }
        algorithm::EDDSA => {
            let (curve, point) = (fields.counted()?, fields.integer()?);
            return match point {
                // The point in its own form.
                [0x40, point @ ..] if curve == ED25519 => Ok(Key::ed25519(point).ok()),
                _ => other_curve(curve),
            };
        }
        algorithm::ED25519 => return Ok(Key::ed25519(fields.take(32)?).ok()),
        algorithm::ECDH => {
            let (curve, _point) = (fields.counted()?, fields.integer()?);
            fields.counted()?;
            if !NIST_CURVES.iter().any(|(known, _)| *known == curve) {
                other_curve(curve)?;
            }
        }
        algorithm::DSA => {
            for _ in 0..4 {
                fields.integer()?;
            }
        }
        algorithm::ELGAMAL => {
            for _ in 0..3 {
                fields.integer()?;
            }
        }
        algorithm::X25519 => {
            fields.take(32)?;
        }
        algorithm::X448 => {
            fields.take(56)?;
        }
        algorithm::ED448 => {
            fields.take(57)?;
        }
        _ => return Err(Fault::Unsupported),
    }
    Ok(None)
}

fn other_curve(curve: &[u8]) -> Result<Option<Key>, Fault> {
    if OTHER_CURVES.contains(&curve) { Ok(None) } else { Err(Fault::Unsupported) }
}
