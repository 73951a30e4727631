//! Texts with a signature below (RFC 4880 §7).

use super::{SIGNATURE, Signatures, armor};
use crate::Rejection;

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
/// Hash functions that a header may name. Nothing is made of it: the signature says which one it is.
const HASHES: [&str; 9] = ["MD5", "SHA1", "RIPEMD160", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512"];

/// A text and its signature, which is not verified.
pub(in crate::rekor) struct SignedText {
    /// The text, without the white space at the end of its lines and the newline at its own.
    pub(in crate::rekor) text: Vec<u8>,
    /// What is signed.
    pub(in crate::rekor) signed: Vec<u8>,
    pub(in crate::rekor) signatures: Signatures,
}

impl SignedText {
    /// Parses the first text in `content`.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        let mut rest = begin(content).ok_or(SIGNATURE)?;
        loop {
            let (line, after) = next_line(rest).ok_or(SIGNATURE)?;
            rest = after;
            if line.trim_ascii().is_empty() {
                break;
            }
            check_header(line).ok_or(SIGNATURE)?;
        }
        let (mut text, mut signed) = (Vec::new(), Vec::new());
        let mut is_first = true;
        loop {
            let (line, after) = next_line(rest).ok_or(SIGNATURE)?;
            if line == BEGIN_SIGNATURE {
                break;
            }
            rest = after;
            if !is_first {
                signed.extend_from_slice(b"\r\n");
                text.push(b'\n');
            }
            is_first = false;
            let line = trimmed(line.strip_prefix(b"- ").unwrap_or(line));
            signed.extend_from_slice(line);
            text.extend_from_slice(line);
        }
        let block = armor::decode(rest).map_err(|_| SIGNATURE)?.ok_or(SIGNATURE)?;
        Ok(Self { text, signed, signatures: Signatures::binary(block.contents)? })
    }
}

/// What follows the line that begins a text.
fn begin(content: &[u8]) -> Option<&[u8]> {
    let mut rest = content;
    loop {
        let (line, after) = next_line(rest)?;
        if line == BEGIN {
            return Some(after);
        }
        rest = after;
    }
}

/// The next line without its end, and what follows. `None` at the end of the text.
fn next_line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
    Some((line.strip_suffix(b"\r").filter(|_| end.is_some()).unwrap_or(line), after.get(1..).unwrap_or_default()))
}

fn check_header(line: &[u8]) -> Option<()> {
    let (name, values) = str::from_utf8(line).ok()?.split_once(':')?;
    let is_known = |value: &str| HASHES.contains(&value.trim().to_ascii_uppercase().as_str());
    (name.trim() == "Hash" && values.split(',').all(is_known)).then_some(())
}

fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| ![b' ', b'\t'].contains(byte)).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}
