//! Private keys in a backup: left out, or encrypted with a passphrase in the form that every program reads (PKCS#8 with PBES2,
//! RFC 8018): `openssl pkey -in FILE` opens one that was taken out of the archive.

use anyhow::{Context as _, ensure};
use chancery_daemon::{random::Random, signer};
use std::{fs, path::Path};

/// What every private key in PEM has, in whatever form.
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
/// One that is encrypted already, under a passphrase of its own.
const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY-----";
/// Each guess costs a second of a processor; a short passphrase is guessed all the same.
const SHORTEST: usize = 16;

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether a file has a private key.
pub(crate) fn is_private_key(contents: &[u8]) -> bool {
    contains(contents, PRIVATE)
}

/// What the keys of a backup are encrypted with.
pub(crate) struct Passphrase(Vec<u8>);

impl Passphrase {
    /// Reads it from a file, without a line break at its end.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut text = fs::read(path).with_context(|| format!("cannot read the passphrase in {}", path.display()))?;
        while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            text.pop();
        }
        ensure!(
            text.len() >= SHORTEST,
            "the passphrase in {} is too short: the keys of a log are worth one of at least {SHORTEST} characters, \
             for example: openssl rand -base64 24 > {}",
            path.display(),
            path.display()
        );
        Ok(Self(text))
    }

    /// Encrypts a private key. `None` where it is encrypted already: it is kept as it is.
    pub(crate) fn seal(&self, key: &[u8], random: &dyn Random) -> anyhow::Result<Option<String>> {
        let text = str::from_utf8(key).context("a private key must be text in PEM")?;
        if contains(key, ENCRYPTED) {
            let others = text.replace("ENCRYPTED PRIVATE KEY-----", "");
            ensure!(!is_private_key(others.as_bytes()), "beside an encrypted key it has one that is not");
            return Ok(None);
        }
        Ok(Some(signer::encrypt(text, &self.0, random)?))
    }

    /// Decrypts it.
    pub(crate) fn unseal(&self, key: &[u8]) -> anyhow::Result<String> {
        let text = str::from_utf8(key).context("a private key must be text in PEM")?;
        signer::decrypt(text, &self.0).context("the passphrase is not the one that the backup was made with")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_daemon::{random::SystemRandom, signer::Signer};
    use chancery_verify::key::KeyKind;

    fn passphrase(text: &str) -> anyhow::Result<Passphrase> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        fs::write(&path, text).unwrap();
        Passphrase::read(&path)
    }

    #[test]
    fn a_key_is_opened_with_its_passphrase_alone() {
        let (_, text) = Signer::generate(KeyKind::P256).unwrap();
        let right = passphrase("sixteen characters\r\n").unwrap();
        let sealed = right.seal(text.as_bytes(), &SystemRandom).unwrap().unwrap();
        assert!(is_private_key(sealed.as_bytes()) && !sealed.contains("BEGIN PRIVATE KEY"));
        assert_eq!(passphrase("sixteen characters").unwrap().unseal(sealed.as_bytes()).unwrap(), text);
        assert!(passphrase("sixteen_characters").unwrap().unseal(sealed.as_bytes()).is_err());
        assert_eq!(right.seal(sealed.as_bytes(), &SystemRandom).unwrap(), None, "it is encrypted already");
        let both = right.seal(format!("{sealed}{text}").as_bytes(), &SystemRandom);
        assert!(both.unwrap_err().to_string().contains("one that is not"));
        for short in ["", "\n", "fifteen letters"] {
            assert!(passphrase(short).map(|_| ()).unwrap_err().to_string().contains("too short"), "{short:?}");
        }
    }

    #[test]
    fn what_is_public_is_no_private_key() {
        assert!(!is_private_key(b"-----BEGIN PUBLIC KEY-----\n") && !is_private_key(b""));
        assert!(is_private_key(b"-----BEGIN EC PRIVATE KEY-----\n"));
    }
}
