//! Fingerprints, key ids and user ids of PGP keys.
//!
//! The packets of a key ring are walked, and only those that name a key are looked into. Nothing is verified: a user id
//! is what the holder calls the key. Specification: RFC 9580 §4.2 (packets), §5.5.4 (fingerprints), §6.2 (armor); RFC
//! 2440 for keys of version 3, of which only the id is read, because their fingerprint is MD5.

use super::{KeyNames, email};
use crate::hash;
use crate::terms::MAX_NAMES;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Maximum packets of a key ring. Keys that many people have signed have some thousands.
const MAX_PACKETS: usize = 16_384;

const PUBLIC_KEY: u8 = 6;
const USER_ID: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;

/// Reads a key ring, armored or binary. `None` if it has no key. Packets after one that cannot be read are left out.
pub(in crate::terms) fn read(ring: &[u8]) -> Option<KeyNames> {
    let dearmored;
    let mut rest = match str::from_utf8(ring).ok().and_then(dearmor) {
        Some(bytes) => {
            dearmored = bytes;
            dearmored.as_slice()
        }
        None => ring,
    };
    let mut names = KeyNames::default();
    for _ in 0..MAX_PACKETS {
        let Some((tag, body, after)) = packet(rest) else { break };
        match tag {
            PUBLIC_KEY | PUBLIC_SUBKEY if names.ids.len() <= MAX_NAMES => names.ids.extend(ids(body)),
            USER_ID if names.emails.len() <= MAX_NAMES => names.emails.extend(address(body).map(str::to_owned)),
            _ => {}
        }
        rest = after;
    }
    (!names.ids.is_empty()).then_some(names)
}

/// Decodes the first armored block. `None` if there is none.
fn dearmor(text: &str) -> Option<Vec<u8>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"))?;
    // Headers, e.g. `Comment: …`, end in an empty line.
    let body = lines.skip_while(|line| !line.is_empty());
    // The checksum begins with `=`, which no line of base64 does.
    let packed: String = body.take_while(|line| !line.starts_with(['=', '-'])).collect();
    STANDARD.decode(packed).ok()
}

/// Splits off the first packet: its tag, its body and what follows. `None` for a body in parts, which no key has.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (tag, (length, rest)) = match first {
        0xc0..=0xff => (first & 0x3f, new_length(rest)?),
        0x80..=0xbf => ((first >> 2) & 0xf, old_length(first & 3, rest)?),
        _ => return None,
    };
    let (body, after) = rest.split_at_checked(length)?;
    Some((tag, body, after))
}

/// A length in the current format (RFC 9580 §4.2.1).
fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=191 => Some((usize::from(first), rest)),
        192..=223 => {
            let (&second, rest) = rest.split_first()?;
            Some(((usize::from(first) - 192) * 256 + usize::from(second) + 192, rest))
        }
        255 => number::<4>(rest),
        _ => None,
    }
}

/// A length in the legacy format, whose kind is in the packet's first byte (§4.2.2).
fn old_length(kind: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    match kind {
        0 => number::<1>(bytes),
        1 => number::<2>(bytes),
        2 => number::<4>(bytes),
        _ => Some((bytes.len(), bytes)),
    }
}

/// A number of `N` bytes, at most four.
fn number<const N: usize>(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<N>()?;
    Some((digits.iter().fold(0, |number, digit| (number << 8) | usize::from(*digit)), rest))
}

/// Fingerprint and key id of a key packet. A fingerprint is over a prefix with the body's length, and the body.
fn ids(body: &[u8]) -> Vec<String> {
    match body {
        [4, ..] => {
            let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
            let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            for part in [&[0x99][..], &length, body] {
                context.update(part);
            }
            let digest = context.finish();
            let fingerprint: &[u8] = digest.as_ref();
            vec![hex::encode(fingerprint), hex::encode(&fingerprint[12..])]
        }
        [version @ (5 | 6), ..] => {
            // Version 5 is GnuPG's.
            let prefix = if *version == 5 { 0x9a } else { 0x9b };
            let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
            let fingerprint = hash::sha256_parts(&[&[prefix], &length, body]);
            vec![hex::encode(fingerprint), hex::encode(&fingerprint[..8])]
        }
        // Time, validity and algorithm, then the modulus with its length in bits. The id is the end of the modulus.
        [2 | 3, _, _, _, _, _, _, _, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
            let id = rest.get(..length).and_then(|modulus| modulus.last_chunk::<8>());
            id.map(hex::encode).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The address in a user id: `name (comment) <address>`, or only the address.
fn address(user_id: &[u8]) -> Option<&str> {
    let text = str::from_utf8(user_id).ok()?.trim();
    let between = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map(|(_, address)| address);
    email(between.unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `gpg` 2.2.40: an Ed25519 key with two user ids and a subkey that signs. Its keys are thrown away.
    const ARMORED: &str = include_str!("../../../tests/golden/key-names/pgp.asc");

    fn keys() -> KeyNames {
        read(ARMORED.as_bytes()).unwrap()
    }

    #[test]
    fn the_ids_are_those_that_gnupg_prints() {
        let ids = [
            "b8c802511bb1b469315b611018e6b4a6429cc620",
            "18e6b4a6429cc620",
            "3144975a8962d93cd9bdeebef00a18d8041b30a6",
            "f00a18d8041b30a6",
        ];
        assert_eq!(keys().ids, ids);
        assert_eq!(keys().emails, ["alice@example.test", "bob@example.test"]);
    }

    #[test]
    fn armor_is_optional_and_may_have_headers() {
        let binary = dearmor(ARMORED).unwrap();
        assert_eq!(read(&binary).unwrap(), keys());
        let headers = ARMORED.replacen("\n\n", "\nVersion: 1\nComment: a: b\n\n", 1);
        assert_eq!(read(headers.as_bytes()).unwrap(), keys());
        assert_eq!(read(ARMORED.replace('\n', "\r\n").as_bytes()).unwrap(), keys());
        for length in 0..binary.len() {
            let cut = read(&binary[..length]);
            assert!(cut.is_none_or(|names| keys().ids.starts_with(&names.ids)), "{length}");
        }
        for text in ["", "-----BEGIN PGP PUBLIC KEY BLOCK-----", "text"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn keys_of_other_versions_have_ids_of_their_own() {
        // The key of RFC 9580 §A.3.
        let key = STANDARD.decode("xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laM=").unwrap();
        let fingerprint = "cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9";
        assert_eq!(read(&key).unwrap().ids, [fingerprint, "cb186c4f0609a697"]);
        // Version 3, in the legacy format: a modulus of 72 bits.
        let key = [&[0x99, 0, 19, 3, 0, 0, 0, 0, 0, 0, 1, 0, 72][..], b"123456789"].concat();
        assert_eq!(read(&key).unwrap().ids, [hex::encode("23456789")]);
    }

    #[test]
    fn lengths_of_both_formats_are_read() {
        assert_eq!(new_length(&[191, 1]), Some((191, &[1][..])));
        assert_eq!(new_length(&[192, 0]), Some((192, &[][..])));
        assert_eq!(new_length(&[223, 255]), Some((8383, &[][..])));
        assert_eq!(new_length(&[255, 0, 1, 0, 0]), Some((65_536, &[][..])));
        assert_eq!(new_length(&[224, 0]), None);
        assert_eq!(old_length(3, &[1, 2]), Some((2, &[1, 2][..])));
        assert_eq!(packet(&[0x40, 0]), None);
    }

    #[test]
    fn an_address_is_taken_out_of_a_user_id() {
        let found = Some("a@b.c");
        for (user_id, expected) in
            [("A (b) <a@b.c>", found), ("a@b.c", found), ("<a@b.c>", found), ("A b", None), ("A <a b>", None)]
        {
            assert_eq!(address(user_id.as_bytes()), expected, "{user_id}");
        }
        assert_eq!(address(b"\xff <a@b.c>"), None);
    }
}
