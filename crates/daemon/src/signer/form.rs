//! The one reader of private keys: of every signing key, and of the listener's TLS key.
//!
//! Read are PEM files with any text, certificates or `EC PARAMETERS` around the key, and with any line ends. The key is in
//! PKCS#8 (RFC 5958), in PKCS#8 encrypted with PBES2 (RFC 8018), in SEC1 (RFC 5915) or in PKCS#1 (RFC 8017 appendix A.1).
//! Not read are DER files, PBES1, OpenSSL's own encryption (`Proc-Type`), OpenSSH's own form, and curves that are written
//! as numbers instead of a name. The error has the command that converts such a file. The result is always PKCS#8 in DER.

use super::SignerError;
use chancery_verify::pem;
use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::der::{Decode as _, Tag, TagNumber, Tagged as _};
use pkcs8::pkcs5;
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use std::borrow::Cow;
use std::path::Path;

/// PEM label of an unencrypted PKCS#8 key.
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// PEM label of an encrypted one.
pub(super) const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const OPENSSH: &str = "OPENSSH PRIVATE KEY";
const EC_PARAMETERS: &str = "EC PARAMETERS";
/// Header of RFC 1421, as OpenSSL writes it into a key that it encrypts itself.
const LEGACY: &str = "Proc-Type: 4,ENCRYPTED";
/// Most blocks of a file: a key, its parameters and a chain of certificates.
const MAX_BLOCKS: usize = 20;
/// First byte of any key in DER.
const SEQUENCE: u8 = 0x30;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Reads the key in `text`, the contents of the file `path`, and decrypts it with `password`. A password for a key that is
/// not encrypted is an error.
pub(crate) fn pkcs8(path: &Path, text: &[u8], password: Option<&[u8]>) -> Result<SecretDocument, SignerError> {
    // Names in the text around a key may be in any encoding.
    let readable = String::from_utf8_lossy(text);
    if !readable.contains("-----BEGIN ") {
        return Err(match password {
            _ if text.first() != Some(&SEQUENCE) => SignerError::Malformed,
            None => Unread::Der.at(path),
            Some(_) => Unread::EncryptedDer.at(path),
        });
    }
    if readable.contains(LEGACY) {
        return Err(Unread::Legacy.at(path));
    }
    let blocks = pem::decode_all(readable.as_bytes(), MAX_BLOCKS).map_err(|_| SignerError::Malformed)?;
    let keys: Vec<_> = blocks.iter().filter(|block| block.label.ends_with(PRIVATE_KEY)).collect();
    let key = match keys.as_slice() {
        [] => return Err(SignerError::Malformed),
        [key] => *key,
        several => return Err(SignerError::Several { count: several.len() }),
    };
    if key.label == ENCRYPTED_PRIVATE_KEY {
        return decrypt(path, &key.der, password.ok_or(SignerError::PasswordMissing)?);
    }
    if password.is_some() {
        return Err(SignerError::NotEncrypted);
    }
    match key.label.as_str() {
        PRIVATE_KEY => named_curve(path, &key.der, Unread::Curve),
        PKCS1 => wrapped(AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) }, &key.der),
        SEC1 => {
            let before = blocks.iter().find(|block| block.label == EC_PARAMETERS);
            sec1(path, &key.der, before.map(|block| block.der.as_slice()))
        }
        OPENSSH => Err(Unread::OpenSsh.at(path)),
        _ => Err(SignerError::Malformed),
    }
}

fn decrypt(path: &Path, der: &[u8], password: &[u8]) -> Result<SecretDocument, SignerError> {
    // An algorithm that the parser does not know is an error of the parser.
    let key = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| Unread::Encryption.at(path))?;
    let key = key.decrypt(password).map_err(|error| match error {
        // A wrong password is found by the padding, or by contents that are not a key.
        pkcs8::Error::Asn1(_) | pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) => SignerError::Password,
        _ => Unread::Encryption.at(path),
    })?;
    named_curve(path, key.as_bytes(), Unread::EncryptedCurve)
}

/// A PKCS#8 key, unless its curve has no name; `fault` says how to give it one.
fn named_curve(path: &Path, der: &[u8], fault: Unread) -> Result<SecretDocument, SignerError> {
    let has_no_name = PrivateKeyInfoRef::try_from(der)
        .is_ok_and(|key| key.algorithm.oid == EC_PUBLIC_KEY && key.algorithm.parameters_oid().is_err());
    if has_no_name {
        return Err(fault.at(path));
    }
    SecretDocument::try_from(der).map_err(|_| SignerError::Malformed)
}

/// A SEC1 key as PKCS#8. The curve is named in it, or in the block before it.
fn sec1(path: &Path, der: &[u8], before: Option<&[u8]>) -> Result<SecretDocument, SignerError> {
    const CURVE: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let fields = Vec::<AnyRef<'_>>::from_der(der).map_err(|_| SignerError::Malformed)?;
    let within = fields.iter().find(|field| field.tag() == CURVE).map(|field| field.value());
    let curve =
        AnyRef::from_der(within.or(before).ok_or(SignerError::Malformed)?).map_err(|_| SignerError::Malformed)?;
    if curve.tag() != Tag::ObjectIdentifier {
        return Err(Unread::Curve.at(path));
    }
    wrapped(AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(curve) }, der)
}

/// A key in the form of its own algorithm as PKCS#8.
fn wrapped(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<SecretDocument, SignerError> {
    let private_key = OctetStringRef::new(key).map_err(|_| SignerError::Malformed)?;
    SecretDocument::try_from(PrivateKeyInfoRef::new(algorithm, private_key)).map_err(|_| SignerError::Malformed)
}

/// The command that decrypts the key in the file `path`, into another file.
pub(crate) fn decrypt_command(path: &Path) -> String {
    let (file, new) = names(path, "plain");
    format!("openssl pkey -in {file} -out {new}")
}

/// A file, and the one to convert it into, as words for a shell.
fn names(path: &Path, extension: &str) -> (String, String) {
    let text = path.to_string_lossy();
    let quoted = |text: &str| shlex::try_quote(text).map_or_else(|_| text.to_owned(), Cow::into_owned);
    (quoted(&text), quoted(&format!("{text}.{extension}")))
}

/// Forms of a key that are not read.
#[derive(Clone, Copy)]
enum Unread {
    Der,
    EncryptedDer,
    Legacy,
    Encryption,
    Curve,
    EncryptedCurve,
    OpenSsh,
}

impl Unread {
    /// The error for the file `path`, with the command that converts it.
    fn at(self, path: &Path) -> SignerError {
        const ENCRYPT: &str = "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256";
        let (file, new) = names(path, "new");
        let (form, command) = match self {
            Self::Der => ("is not PEM", format!("openssl pkey -inform DER -in {file} -out {new}")),
            // It stays encrypted, with the same password if that is given again.
            Self::EncryptedDer => ("is not PEM", format!("openssl pkey -inform DER -in {file} -aes256 -out {new}")),
            Self::Legacy => (
                "is encrypted in OpenSSL's old form (Proc-Type: 4,ENCRYPTED)",
                format!("{ENCRYPT} -in {file} -out {new}"),
            ),
            Self::Encryption => ("is not encrypted with PBES2 and AES", format!("{ENCRYPT} -in {file} -out {new}")),
            Self::Curve => (
                "has a curve that is written as numbers and has no name",
                format!("openssl ec -in {file} -param_enc named_curve -out {new}"),
            ),
            Self::EncryptedCurve => (
                "has a curve that is written as numbers and has no name",
                format!("openssl ec -in {file} -param_enc named_curve | {ENCRYPT} -out {new}"),
            ),
            Self::OpenSsh => ("is in OpenSSH's own form", format!("ssh-keygen -p -m PKCS8 -f {file}")),
        };
        let is_encrypted = matches!(self, Self::Legacy | Self::Encryption);
        SignerError::Form { path: path.to_owned(), form, command, is_encrypted }
    }
}

#[cfg(test)]
mod tests;
