//! Ids of minisign and signify keys: eight bytes beside the key, chosen at random when it is made.

use super::KeyNames;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Bytes of a key: algorithm, id and Ed25519 point.
const KEY_BYTES: usize = 42;

/// Reads a key: base64, which may have a line of comment before it.
pub(in crate::terms) fn read(text: &[u8]) -> Option<KeyNames> {
    let text = str::from_utf8(text).ok()?;
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let [_, _, rest @ ..] = <[u8; KEY_BYTES]>::try_from(STANDARD.decode(line).ok()?).ok()?;
    let (id, _) = rest.split_first_chunk()?;
    // minisign prints the id as one number, whose least significant byte comes first.
    Some(KeyNames { ids: vec![format!("{:016x}", u64::from_le_bytes(*id))], emails: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key in minisign's manual.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn the_id_is_the_one_that_the_tool_prints() {
        for text in [KEY.to_owned(), format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n")] {
            assert_eq!(read(text.as_bytes()).unwrap().ids, ["e7620f1842b4e81f"]);
        }
        for text in ["", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO", "no key", "AAAA"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"\xff"), None);
    }
}
