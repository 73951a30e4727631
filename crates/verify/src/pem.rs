//! PEM, as Sigstore clients send it and servers must write it.
//!
//! Decoding is as lenient as Go's `encoding/pem` (text before the block, CRLF, any line length). Encoding is canonical
//! (64 columns, LF, trailing newline), because a Rekor entry stores the re-encoded block and clients rebuild it byte by
//! byte.

use crate::Rejection;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Label of a `SubjectPublicKeyInfo`.
pub const PUBLIC_KEY: &str = "PUBLIC KEY";
/// Label of an X.509 certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";

/// One decoded block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The text between `BEGIN` and the dashes.
    pub label: String,
    /// The decoded contents.
    pub der: Vec<u8>,
}

/// Decodes the first block of `text` and returns it with the text after it. `None` if there is no block.
fn next_block(text: &str) -> Result<Option<(Block, &str)>, Rejection> {
    const DASHES: &str = "-----";
    let Some((_, rest)) = text.split_once("-----BEGIN ") else { return Ok(None) };
    let (label, rest) = rest.split_once(DASHES).ok_or(Rejection::Pem)?;
    if label.is_empty() || label.len() > 64 || label.contains(['\n', '\r']) {
        return Err(Rejection::Pem);
    }
    let end = format!("-----END {label}-----");
    let (body, rest) = rest.split_once(&end).ok_or(Rejection::Pem)?;
    // RFC 1421 headers ("Proc-Type: …") end in an empty line. Encrypted keys never reach this function.
    let body = match body.rsplit_once(':') {
        Some((_, after)) => after.split_once("\n\n").or_else(|| after.split_once("\r\n\r\n")).ok_or(Rejection::Pem)?.1,
        None => body,
    };
    let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(packed).map_err(|_| Rejection::Pem)?;
    Ok(Some((Block { label: label.to_owned(), der }, rest)))
}

/// Decodes the first block of `text`.
pub fn decode(text: &[u8]) -> Result<Block, Rejection> {
    let text = std::str::from_utf8(text).map_err(|_| Rejection::Pem)?;
    next_block(text)?.map(|(block, _)| block).ok_or(Rejection::Pem)
}

/// Decodes every block of `text`, at most `limit`. Text without a block is refused.
pub fn decode_all(text: &[u8], limit: usize) -> Result<Vec<Block>, Rejection> {
    let mut rest = std::str::from_utf8(text).map_err(|_| Rejection::Pem)?;
    let mut blocks = Vec::new();
    while let Some((block, after)) = next_block(rest)? {
        if blocks.len() == limit {
            return Err(Rejection::PemTooMany { limit });
        }
        blocks.push(block);
        rest = after;
    }
    if blocks.is_empty() { Err(Rejection::Pem) } else { Ok(blocks) }
}

/// Encodes one block: 64 columns, LF, trailing newline.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let packed = STANDARD.encode(der);
    let mut out = String::with_capacity(packed.len() + packed.len() / 64 + 2 * label.len() + 40);
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    let mut rest = packed.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reencodes_what_clients_send_to_one_form() {
        let der: Vec<u8> = (0..100).collect();
        let canonical = encode(CERTIFICATE, &der);
        assert!(canonical.ends_with("-----END CERTIFICATE-----\n"));
        for sent in [
            canonical.clone(),
            canonical.replace('\n', "\r\n"),
            format!("some text\n{canonical}"),
            canonical.trim().to_owned(),
        ] {
            assert_eq!(decode(sent.as_bytes()).unwrap().der, der, "{sent:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_block() {
        for bad in [
            "",
            "MIIB",
            "-----BEGIN X-----\nAA==",
            "-----BEGIN X-----\n!!\n-----END X-----",
            "-----BEGIN X-----\nAA==\n-----END Y-----",
        ] {
            assert_eq!(decode(bad.as_bytes()), Err(Rejection::Pem), "{bad:?}");
        }
        let two = encode(CERTIFICATE, b"a") + &encode(CERTIFICATE, b"b");
        assert_eq!(decode_all(two.as_bytes(), 2).unwrap().len(), 2);
        assert_eq!(decode_all(two.as_bytes(), 1), Err(Rejection::PemTooMany { limit: 1 }));
    }
}
