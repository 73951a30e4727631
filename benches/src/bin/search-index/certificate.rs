//! Certificates as an authority makes them, without its work: names, claims and size are real, key and signatures are noise. An index
//! reads what is in a certificate and verifies nothing.

use crate::identity::Identity;
use anyhow::Context as _;
use chancery_verify::Timestamp;
use chancery_verify::extension::{POISON, POISON_VALUE, SCT_LIST};
use chancery_verify::hash::sha256_parts;
use chancery_verify::sct::{LogEntry, SignedCertificateTimestamp, list_to_extension};
use chancery_verify::timestamping::asn1::{
    BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME, constructed, write,
};

/// `BIT STRING`.
const BIT_STRING: u8 = 0x03;
/// `UTF8String`.
const UTF8_STRING: u8 = 0x0c;
/// `rfc822Name` and `uniformResourceIdentifier` of a `GeneralName`.
const EMAIL: u8 = 0x81;
const URI: u8 = 0x86;
/// `keyIdentifier` of an `AuthorityKeyIdentifier`.
const KEY_IDENTIFIER: u8 = 0x80;
/// `ecdsa-with-SHA384`.
const ALGORITHM: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// A P-256 key up to the coordinates of its point.
const KEY: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const ORGANISATION_NAME: [u8; 3] = [0x55, 0x04, 0x0a];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
const SUBJECT_KEY_IDENTIFIER: [u8; 3] = [0x55, 0x1d, 0x0e];
const AUTHORITY_KEY_IDENTIFIER: [u8; 3] = [0x55, 0x1d, 0x23];
const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
const CODE_SIGNING: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
const DIGITAL_SIGNATURE: [u8; 4] = [0x03, 0x02, 0x07, 0x80];

/// Bytes that do not compress, and follow from a number: what signatures and keys look like.
pub(crate) fn noise<const N: usize>(number: u64, purpose: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (block, place) in (0_u8..).zip(bytes.chunks_mut(32)) {
        let hash = sha256_parts(&[purpose, &number.to_be_bytes(), &[block]]);
        place.iter_mut().zip(hash).for_each(|(byte, noise)| *byte = noise);
    }
    bytes
}

/// The key with this number, as a `SubjectPublicKeyInfo`.
pub(crate) fn public_key(number: u64) -> Vec<u8> {
    [&KEY[..], &noise::<64>(number, b"key")].concat()
}

/// What is the last extension.
enum Last {
    Nothing,
    Poison,
    Timestamps,
}

/// The certificate with this number, as it is in an entry of a signature.
pub(crate) fn issued(number: u64, identity: &Identity) -> anyhow::Result<Vec<u8>> {
    Ok(signed(number, &tbs(number, identity, &Last::Timestamps)?))
}

/// The entry of a certificate log for the same certificate, and the precertificate that was submitted.
pub(crate) fn logged(number: u64, identity: &Identity) -> anyhow::Result<(LogEntry, Vec<u8>)> {
    let entry =
        LogEntry::Precert { issuer_key_hash: sha256_parts(&[b"issuer"]), tbs: tbs(number, identity, &Last::Nothing)? };
    Ok((entry, signed(number, &tbs(number, identity, &Last::Poison)?)))
}

fn signed(number: u64, tbs: &[u8]) -> Vec<u8> {
    write(SEQUENCE, &[tbs, &ALGORITHM, &write(BIT_STRING, &[&[0], &noise::<103>(number, b"authority")])])
}

fn tbs(number: u64, identity: &Identity, last: &Last) -> anyhow::Result<Vec<u8>> {
    let mut serial = noise::<20>(number, b"serial");
    // Neither negative nor with a zero in front.
    serial[0] = (serial[0] & 0x3f) | 0x40;
    let common = write(SEQUENCE, &[&write(OBJECT_IDENTIFIER, &[&ORGANISATION_NAME]), &write(UTF8_STRING, &[b"bench"])]);
    let issuer = write(SEQUENCE, &[&write(SET, &[&common])]);
    let validity = write(SEQUENCE, &[&write(UTC_TIME, &[b"261121070000Z"]), &write(UTC_TIME, &[b"261121071000Z"])]);
    let extensions = extensions(number, identity, last)?;
    Ok(write(
        SEQUENCE,
        &[
            &write(constructed(0), &[&write(INTEGER, &[&[2]])]),
            &write(INTEGER, &[&serial]),
            &ALGORITHM,
            &issuer,
            &validity,
            &write(SEQUENCE, &[]),
            &public_key(number),
            &write(constructed(3), &[&write(SEQUENCE, &[&extensions])]),
        ],
    ))
}

fn extensions(number: u64, identity: &Identity, last: &Last) -> anyhow::Result<Vec<u8>> {
    let tag = if matches!(identity, Identity::Person { .. }) { EMAIL } else { URI };
    let names = write(SEQUENCE, &[&write(tag, &[identity.name().as_bytes()])]);
    let usage = write(SEQUENCE, &[&write(OBJECT_IDENTIFIER, &[&CODE_SIGNING])]);
    let own = write(OCTET_STRING, &[&noise::<20>(number, b"key identifier")]);
    let issuers = write(SEQUENCE, &[&write(KEY_IDENTIFIER, &[&[7; 20]])]);
    let mut all = extension(&KEY_USAGE, true, &DIGITAL_SIGNATURE);
    all.extend(extension(&EXTENDED_KEY_USAGE, false, &usage));
    all.extend(extension(&SUBJECT_KEY_IDENTIFIER, false, &own));
    all.extend(extension(&AUTHORITY_KEY_IDENTIFIER, false, &issuers));
    all.extend(extension(&SUBJECT_ALTERNATIVE_NAME, true, &names));
    for (claim, value) in identity.claims() {
        all.extend(extension(claim.oid().as_bytes(), false, &claim.encode(&value)?));
    }
    match last {
        Last::Nothing => {}
        Last::Poison => all.extend(extension(POISON.as_bytes(), true, &POISON_VALUE)),
        Last::Timestamps => {
            let timestamp = SignedCertificateTimestamp {
                log_id: [7; 32],
                timestamp: Timestamp::from_seconds(1_795_000_000),
                extensions: Vec::new(),
                signature: noise::<71>(number, b"timestamp").to_vec(),
            };
            let list = list_to_extension(&[timestamp]).context("a list of one timestamp")?;
            all.extend(extension(SCT_LIST.as_bytes(), false, &list));
        }
    }
    Ok(all)
}

fn extension(identifier: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { write(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    write(SEQUENCE, &[&write(OBJECT_IDENTIFIER, &[identifier]), &critical, &write(OCTET_STRING, &[value])])
}
