//! SSH: keys as `authorized_keys` has them, and signatures as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig).
//!
//! As upstream, the namespace is `file` and the hash SHA-512: its canonical form knows no other. Not verified: DSA,
//! certificates, RSA with SHA-1.

use super::key::Key;
use crate::hash::Function;
use crate::key::KeyKind;
use crate::{HashAlgorithm, Rejection, pem};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Maximum bytes of a key with all that may stand beside it; upstream's.
const MAX_KEY_BYTES: usize = 65_536;
/// Maximum bytes of a signature: one by a key of 8192 bits, and the key, have 4 KiB.
const MAX_SIGNATURE_BYTES: usize = 64 * 1024;
const LABEL: &str = "SSH SIGNATURE";
const MAGIC: &[u8] = b"SSHSIG";
const NAMESPACE: &[u8] = b"file";
const HASH: &[u8] = b"sha512";
/// The holder of a key on a token has touched it.
const USER_PRESENT: u8 = 1;

const KEY: Rejection = Rejection::EntryKeyFormat { format: "SSH" };
const SIGNATURE: Rejection = Rejection::EntrySignatureFormat { format: "SSH" };

/// A key.
pub(in crate::rekor) struct PublicKey {
    /// In the wire format.
    blob: Vec<u8>,
    kind: String,
    key: Key,
    /// Of a key on a token: what it is for.
    application: Option<Vec<u8>>,
}

impl PublicKey {
    /// Parses the first line with a key. A comment may follow, options may precede it.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_KEY_BYTES {
            return Err(KEY);
        }
        let lines = content.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b'\r').next());
        let mut refusal = KEY;
        for line in lines.flatten().map(<[u8]>::trim_ascii).filter(|line| !line.starts_with(b"#")) {
            match Self::of_line(line).or_else(|refused| after_options(line).map_or(Err(refused), Self::of_line)) {
                Ok(key) => return Ok(key),
                // A line that has no key at all says less than one that has a key that cannot be used.
                Err(KEY) => {}
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    /// Parses `kind base64 comment`.
    fn of_line(line: &[u8]) -> Result<Self, Rejection> {
        let mut words = line.split(|byte| [b' ', b'\t'].contains(byte)).filter(|word| !word.is_empty());
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return Err(KEY) };
        let key = Self::from_blob(STANDARD.decode(blob).map_err(|_| KEY)?)?;
        if key.kind.as_bytes() == kind { Ok(key) } else { Err(KEY) }
    }

    /// Parses the wire format.
    fn from_blob(blob: Vec<u8>) -> Result<Self, Rejection> {
        let mut fields = Fields(&blob);
        let kind = fields.string().ok_or(KEY)?;
        let mut string = || fields.string().ok_or(KEY);
        let (key, is_on_token) = match kind {
            b"ssh-ed25519" => (Key::ed25519(string()?)?, false),
            b"sk-ssh-ed25519@openssh.com" => (Key::ed25519(string()?)?, true),
            b"ssh-rsa" => {
                let (exponent, modulus) = (number(string()?).ok_or(KEY)?, number(string()?).ok_or(KEY)?);
                (Key::rsa(modulus, exponent)?, false)
            }
            b"ecdsa-sha2-nistp256" => (curve(KeyKind::P256, b"nistp256", string()?, string()?)?, false),
            b"ecdsa-sha2-nistp384" => (curve(KeyKind::P384, b"nistp384", string()?, string()?)?, false),
            b"ecdsa-sha2-nistp521" => (curve(KeyKind::P521, b"nistp521", string()?, string()?)?, false),
            b"sk-ecdsa-sha2-nistp256@openssh.com" => (curve(KeyKind::P256, b"nistp256", string()?, string()?)?, true),
            _ => return Err(Rejection::KeyUnsupported),
        };
        let application = if is_on_token { Some(string()?.to_vec()) } else { None };
        let kind = String::from_utf8_lossy(kind).into_owned();
        if !fields.0.is_empty() {
            return Err(KEY);
        }
        Ok(Self { blob, kind, key, application })
    }

    /// The canonical form: a line without options and comment.
    pub(in crate::rekor) fn canonical(&self) -> Vec<u8> {
        format!("{} {}\n", self.kind, STANDARD.encode(&self.blob)).into_bytes()
    }

    /// The hash that signatures by this key are over.
    fn function(&self) -> HashAlgorithm {
        match &self.key {
            Key::Other(key) => key.kind().hash(),
            Key::Rsa(_) => HashAlgorithm::Sha512,
        }
    }

    /// Checks that this key made a signature over a message.
    fn verify(&self, message: &[u8], signature: &Blob<'_>) -> Result<(), Rejection> {
        let signed_by_token = self.application.as_ref().map(|application| signature.of_token(application, message));
        let message = match &signed_by_token {
            Some(message) => message.as_deref().ok_or(Rejection::SignatureInvalid)?,
            None if signature.rest.is_empty() => message,
            None => return Err(Rejection::SignatureInvalid),
        };
        if let Key::Rsa(_) = self.key {
            let hash = match signature.format {
                b"rsa-sha2-256" => HashAlgorithm::Sha256,
                b"rsa-sha2-512" => HashAlgorithm::Sha512,
                _ => return Err(Rejection::AlgorithmNotAllowed),
            };
            return self.key.verify_digest(Function::Sha2(hash), &hash.digest(message), signature.contents);
        }
        if signature.format != self.kind.as_bytes() {
            return Err(Rejection::SignatureInvalid);
        }
        if signature.format.ends_with(b"ed25519") || signature.format.starts_with(b"sk-ssh-ed25519") {
            return self.key.verify_ed25519(message, signature.contents);
        }
        let mut numbers = Fields(signature.contents);
        let (r, s) = (numbers.string().and_then(number), numbers.string().and_then(number));
        let (Some(r), Some(s), true) = (r, s, numbers.0.is_empty()) else { return Err(SIGNATURE) };
        let hash = self.function();
        self.key.verify_numbers(Function::Sha2(hash), &hash.digest(message), (r, s))
    }
}

fn curve(kind: KeyKind, name: &[u8], named: &[u8], point: &[u8]) -> Result<Key, Rejection> {
    if named == name { Key::ec(kind, point) } else { Err(KEY) }
}

/// A signature's own part: format, contents, and what a token adds.
struct Blob<'a> {
    format: &'a [u8],
    contents: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Blob<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self { format: fields.string()?, contents: fields.string()?, rest: fields.0 })
    }

    /// What a token signs: hashes of application and message, and its own state. `None` if nobody was present.
    fn of_token(&self, application: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let [flags, _, _, _, _] = self.rest else { return None };
        let digest = |bytes: &[u8]| HashAlgorithm::Sha256.digest(bytes);
        (flags & USER_PRESENT != 0).then(|| [&*digest(application), self.rest, &*digest(message)].concat())
    }
}

/// A signature over a file.
pub(in crate::rekor) struct Signature {
    /// What follows the magic, in the wire format.
    contents: Vec<u8>,
}

/// The parts of a signature.
struct Parts<'a> {
    public_key: &'a [u8],
    signature: &'a [u8],
}

impl Signature {
    /// Parses an armored signature of version 1.
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        if content.len() > MAX_SIGNATURE_BYTES {
            return Err(SIGNATURE);
        }
        let block = pem::decode(content).map_err(|_| SIGNATURE)?;
        let contents = block.der.strip_prefix(MAGIC).filter(|_| block.label == LABEL).ok_or(SIGNATURE)?;
        let signature = Self { contents: contents.to_vec() };
        signature.parts().ok_or(SIGNATURE)?;
        Ok(signature)
    }

    fn parts(&self) -> Option<Parts<'_>> {
        let mut fields = Fields(self.contents.strip_prefix(&[0, 0, 0, 1])?);
        let (public_key, namespace) = (fields.string()?, fields.string()?);
        let (_reserved, hash, signature) = (fields.string()?, fields.string()?, fields.string()?);
        (namespace == NAMESPACE && hash == HASH && fields.0.is_empty()).then_some(Parts { public_key, signature })
    }

    /// The canonical form: the armor with 64 columns, and without what is reserved.
    pub(in crate::rekor) fn canonical(&self) -> Option<Vec<u8>> {
        let Parts { public_key, signature } = self.parts()?;
        let mut contents = [MAGIC, &[0, 0, 0, 1]].concat();
        for field in [public_key, NAMESPACE, b"", HASH, signature] {
            write_string(&mut contents, field)?;
        }
        Some(pem::encode(LABEL, &contents).into_bytes())
    }

    /// Checks that `key` made it over `data`, and that it names this key.
    pub(in crate::rekor) fn verify(&self, key: &PublicKey, data: &[u8]) -> Result<(), Rejection> {
        let Parts { public_key, signature } = self.parts().ok_or(SIGNATURE)?;
        if public_key != key.blob {
            return Err(Rejection::EntrySigner);
        }
        let mut signed = MAGIC.to_vec();
        for field in [NAMESPACE, b"", HASH, &HashAlgorithm::Sha512.digest(data)] {
            write_string(&mut signed, field).ok_or(SIGNATURE)?;
        }
        key.verify(&signed, &Blob::read(signature).ok_or(SIGNATURE)?)
    }
}

/// The line after its options, which may have spaces between quotation marks.
fn after_options(line: &[u8]) -> Option<&[u8]> {
    let (mut is_quoted, mut before) = (false, 0);
    let end = line.iter().position(|byte| {
        is_quoted ^= *byte == b'"' && before != b'\\';
        before = *byte;
        !is_quoted && [b' ', b'\t'].contains(byte)
    });
    Some(line.get(end?..)?.trim_ascii_start())
}

/// Fields of the wire format (RFC 4251 §5), read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (string, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(string)
    }
}

/// Checks that a positive number has its shortest form.
fn number(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [] | [0] | [0x80..=0xff, ..] => None,
        [0, second, ..] if *second < 0x80 => None,
        positive => Some(positive),
    }
}

fn write_string(out: &mut Vec<u8>, string: &[u8]) -> Option<()> {
    out.extend(u32::try_from(string.len()).ok()?.to_be_bytes());
    out.extend_from_slice(string);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of RFC 8032, §7.1.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

    #[test]
    fn a_line_may_have_options_and_a_comment() {
        let canonical = format!("{ED25519}\n");
        for line in [
            ED25519.to_owned(),
            format!("\n# comment\r\n \t{ED25519} a comment\r\n"),
            format!("no-pty,command=\"a \\\" b\" {ED25519} x"),
            format!("ssh-rsa AAAA\n{ED25519}"),
        ] {
            let key = PublicKey::parse(line.as_bytes()).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
            assert_eq!(key.canonical(), canonical.as_bytes(), "{line}");
        }
        for bad in ["", "ssh-ed25519", "ssh-ed25519 !", "command=\"a", &ED25519.replace("ssh-ed25519 ", "ssh-rsa ")] {
            assert_eq!(PublicKey::parse(bad.as_bytes()).err(), Some(KEY), "{bad}");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(number(&[0, 0x80]), Some(&[0, 0x80][..]));
        assert_eq!(number(&[1]), Some(&[1][..]));
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0, 0x80]] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
