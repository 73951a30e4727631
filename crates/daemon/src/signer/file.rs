//! Keys in files. Written are PKCS#8 in PEM, plain (RFC 5958) or encrypted with a password (PBES2 of RFC 8018); what is
//! read, `form` says.

use super::SignerError;
use super::form::{ENCRYPTED_PRIVATE_KEY, PRIVATE_KEY, pkcs8};
use crate::random::Random;
use ::pkcs8::EncryptedPrivateKeyInfoRef;
use ::pkcs8::der::{Encode as _, asn1::OctetStringRef};
use ::pkcs8::pkcs5::{EncryptionScheme, pbes2};
use chancery_verify::pem;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Name of a key that is in no file, for messages.
pub(super) const UNNAMED: &str = "key.pem";
/// Rounds of PBKDF2 with HMAC-SHA-256, as OWASP recommends; every program that reads PKCS#8 supports it.
const ROUNDS: u32 = 600_000;

/// An unencrypted key as text.
pub(super) fn plain(der: &[u8]) -> String {
    pem::encode(PRIVATE_KEY, der)
}

/// Encrypts the text of an unencrypted PKCS#8 key: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC.
///
/// # Errors
/// [`SignerError::Malformed`] if `text` is not such a key.
pub fn encrypt(text: &str, password: &[u8], random: &dyn Random) -> Result<String, SignerError> {
    let key = pkcs8(Path::new(UNNAMED), text.as_bytes(), None)?;
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    random.fill(&mut salt);
    random.fill(&mut iv);
    let failed = |_| SignerError::Failed;
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv).map_err(failed)?;
    let encrypted_data = parameters.encrypt(password, key.as_bytes()).map_err(failed)?;
    let encrypted_data = OctetStringRef::new(&encrypted_data).map_err(|_| SignerError::Failed)?;
    let encryption_algorithm = EncryptionScheme::from(parameters);
    let der = EncryptedPrivateKeyInfoRef { encryption_algorithm, encrypted_data }.to_der();
    Ok(pem::encode(ENCRYPTED_PRIVATE_KEY, &der.map_err(|_| SignerError::Failed)?))
}

/// Decrypts the text of a key that [`encrypt`] has encrypted.
///
/// # Errors
/// [`SignerError::Password`] if the password is another one.
pub fn decrypt(text: &str, password: &[u8]) -> Result<String, SignerError> {
    Ok(plain(pkcs8(Path::new(UNNAMED), text.as_bytes(), Some(password))?.as_bytes()))
}

/// Reads a file that only its owner can read.
pub(super) fn read_private(path: &Path) -> Result<Vec<u8>, SignerError> {
    let file_error = |source| SignerError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o077 != 0 {
        return Err(SignerError::Exposed { path: path.to_owned() });
    }
    fs::read(path).map_err(file_error)
}

/// Writes a file that does not exist yet and that only its owner can read.
pub(super) fn create_private(path: &Path, text: &str) -> Result<(), SignerError> {
    let file_error = |source| SignerError::File { path: path.to_owned(), source };
    // Written to a temporary file and linked into place: a crash leaves either no key or a whole one, and never
    // replaces an existing file.
    let partial = path.with_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(error)),
        _ => {}
    }
    // Never opened with truncation: after a crash the temporary name may be a second link to a key.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(file_error)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)?;
    let linked = fs::hard_link(&partial, path);
    fs::remove_file(&partial).map_err(file_error)?;
    linked.map_err(file_error)?;
    sync_directory_of(path).map_err(file_error)
}

/// Destroys the key in a file: overwrites it, and removes it. A file system that keeps old blocks, a snapshot or a backup may
/// still have it.
///
/// # Errors
/// [`SignerError::File`].
pub fn destroy(path: &Path) -> Result<(), SignerError> {
    let file_error = |source| SignerError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).open(path).map_err(file_error)?;
    let length = file.metadata().map_err(file_error)?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file).and_then(|_| file.sync_all()).map_err(file_error)?;
    fs::remove_file(path).map_err(file_error)?;
    sync_directory_of(path).map_err(file_error)
}

/// Whether [`destroy`] has overwritten a file and was interrupted before it removed it.
///
/// # Errors
/// [`SignerError::File`].
pub fn is_overwritten(path: &Path) -> Result<bool, SignerError> {
    // No key begins so, in whatever form.
    let text = fs::read(path).map_err(|source| SignerError::File { path: path.to_owned(), source })?;
    Ok(text.first() == Some(&0))
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory)?.sync_all()
}
