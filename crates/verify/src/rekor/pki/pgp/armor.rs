//! `OpenPGP`'s armor (RFC 4880 §6): base64 between two lines that name its contents.
//!
//! Decoding takes what upstream takes: text before the block, headers, white space around lines, and any checksum, which
//! nobody needs. Encoding is upstream's: no headers, 64 columns, a checksum, and no newline at the end.

use super::Fault;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Contents of a signature.
pub(super) const SIGNATURE: &str = "PGP SIGNATURE";
/// Contents of a key ring.
pub(super) const PUBLIC_KEY: &str = "PGP PUBLIC KEY BLOCK";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// Maximum length of a line of base64.
const MAX_LINE: usize = 96;
const COLUMNS: usize = 64;

/// A decoded block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// What the first line names.
    pub(super) label: &'a str,
    pub(super) contents: Vec<u8>,
}

/// Decodes the first block of `text`. `None` if there is none.
pub(super) fn decode(text: &[u8]) -> Result<Option<Block<'_>>, Fault> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        if let Some(label) = label(line)
            && skip_headers(&mut lines)
        {
            return Ok(Some(Block { label, contents: contents(lines)? }));
        }
    }
    Ok(None)
}

fn label(line: &[u8]) -> Option<&str> {
    let label = str::from_utf8(line).ok()?.strip_prefix(BEGIN)?.strip_suffix(DASHES)?;
    (!label.is_empty()).then_some(label)
}

/// Skips the headers and the empty line after them. Returns whether this was done: another line means that no block
/// begins here.
fn skip_headers<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> bool {
    lines.find(|line| line.is_empty() || !line.contains(&b':')).is_some_and(<[u8]>::is_empty)
}

fn contents<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, Fault> {
    let mut packed = Vec::new();
    for line in lines {
        let is_checksum = line.len() == 5 && line.starts_with(b"=");
        if is_checksum || line.starts_with(END.as_bytes()) {
            return STANDARD.decode(packed).map_err(|_| Fault::Malformed);
        }
        if line.len() > MAX_LINE {
            return Err(Fault::Malformed);
        }
        packed.extend_from_slice(line);
    }
    Err(Fault::Malformed)
}

/// Encodes a block.
pub(super) fn encode(label: &str, contents: &[u8]) -> String {
    let packed = STANDARD.encode(contents);
    let mut out = format!("{BEGIN}{label}{DASHES}\n");
    let mut rest = packed.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        out.push('\n');
        out.push_str(line);
        rest = after;
    }
    let [_, checksum @ ..] = crc24(contents).to_be_bytes();
    out.push_str("\n=");
    out.push_str(&STANDARD.encode(checksum));
    out.push('\n');
    out.push_str(END);
    out.push_str(label);
    out.push_str(DASHES);
    out
}

/// The checksum of RFC 4880 §6.1.
fn crc24(contents: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce;
    for byte in contents {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in [0, 1, 47, 48, 49, 96, 1000] {
            let contents: Vec<u8> = (0..length).map(|byte: usize| byte.to_le_bytes()[0]).collect();
            let text = encode(SIGNATURE, &contents);
            let block = Block { label: SIGNATURE, contents };
            for text in [
                text.clone(),
                text.replace('\n', "\r\n"),
                format!("before\n-----BEGIN NOTHING-----\nno header\n{text}\nafter"),
                text.replacen("\n\n", "\nVersion: 1\nComment: none\n \n", 1),
            ] {
                assert_eq!(
                    decode(text.as_bytes()),
                    Ok(Some(Block { label: SIGNATURE, contents: block.contents.clone() }))
                );
            }
        }
    }

    #[test]
    fn what_is_no_block_is_none_and_a_damaged_one_a_fault() {
        let good = encode(SIGNATURE, b"contents");
        assert_eq!(decode(b"contents"), Ok(None));
        assert_eq!(decode(b"-----BEGIN -----\n\nAAAA\n-----END -----"), Ok(None));
        let (cut, _) = good.split_once("\n=").unwrap();
        for bad in
            [cut.to_owned(), good.replace("Y29", "!!!"), good.replacen("\n\n", &format!("\n\n{}\n", "A".repeat(97)), 1)]
        {
            assert_eq!(decode(bad.as_bytes()), Err(Fault::Malformed), "{bad}");
        }
    }
}
