//! Fingerprints of SSH keys (RFC 4253 §6.6), and the comment of a line of `authorized_keys`.

use super::{KeyNames, email};
use crate::hash;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};

/// Reads a line of `authorized_keys` without options: algorithm, key in base64, and perhaps a comment. Rekor drops the
/// comment before it logs a key.
pub(in crate::terms) fn read(text: &[u8]) -> Option<KeyNames> {
    let text = str::from_utf8(text).ok()?.trim();
    let mut words = text.splitn(3, [' ', '\t']);
    let (algorithm, key) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    // The key begins with the name of its algorithm, as a string with four bytes of length.
    let length = u32::try_from(algorithm.len()).ok()?.to_be_bytes();
    if algorithm.is_empty() || !key.strip_prefix(&length)?.starts_with(algorithm.as_bytes()) {
        return None;
    }
    let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(hash::sha256(&key)));
    let emails = words.next().and_then(|comment| email(comment.trim())).map(str::to_owned).into_iter().collect();
    Some(KeyNames { ids: vec![fingerprint], emails })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by OpenSSH.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMw55UFllwoqS/p8JJK+GsMw7LlESQn5jy2md96AVLhB";
    const FINGERPRINT: &str = "SHA256:hMVJBn2bFvaAfzf29uD3iMC60DOFQErL7Ysa6MNEwu4";

    #[test]
    fn the_fingerprint_is_the_one_that_the_tool_prints() {
        for (text, emails) in [
            (format!("{KEY}\n"), &[][..]),
            (format!("{KEY} alice@example.test\n"), &["alice@example.test"][..]),
            (format!("{KEY} alice at work"), &[][..]),
        ] {
            let names = read(text.as_bytes()).unwrap();
            assert_eq!((names.ids, names.emails), (owned(&[FINGERPRINT]), owned(emails)));
        }
        let other = KEY.replacen("ssh-ed25519", "ssh-rsa", 1);
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", " AAAA", "ssh-ed25519 !", &other] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"\xff"), None);
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
