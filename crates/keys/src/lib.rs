//! Where signing keys live, and how to reach them.
//!
//! A [`KeyUri`] names one key; [`open`] makes a [`Signer`] of it, whose public half was asked for once and is what every
//! later signature is checked with. What any remote key has in common (bounds, deadlines, that check) is
//! `chancery_daemon::signer`'s; here is only how each place is spoken to.
//!
//! A crate of its own because it makes requests: the logs and the trust files, which must not, cannot import it.
//!
//! | scheme | module | |
//! |---|---|---|
//! | `file:` | [`uri`] | PKCS#8 in PEM, plain or encrypted |
//! | `pkcs11:` | `pkcs11` | RFC 7512; any vendor's library |
//! | `awskms:` | `awskms` | AWS Key Management Service |
//! | `gcpkms:` | `gcpkms` | Google Cloud Key Management |
//! | `azurekms:` | `azurekms` | Azure Key Vault |
//! | `hashivault:` | `hashivault` | the transit engine of HashiCorp Vault and OpenBao |

pub mod aws_credentials;
mod awskms;
mod azurekms;
mod encoding;
mod gcpkms;
mod hashivault;
mod http;
mod pkcs11;
mod secret;
pub mod uri;

pub use secret::Secret;
pub use uri::{FileKey, KeyUri, UriError};

use chancery_daemon::random::Random;
use chancery_daemon::signer::{self, RemoteKey, Signer, SignerError};
use chancery_verify::PublicKey;
use chancery_verify::hash::Hash;
use chancery_verify::key::KeyKind;
use std::sync::Arc;
use std::time::Duration;

/// A key must have been found after this time. The credentials of a machine are asked for again and again meanwhile.
const OPEN_DEADLINE: Duration = Duration::from_secs(20);

/// Opens the key that `uri` names: reads it, or asks for its public half, which shows that it can be reached.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// [`SignerError`]; secrets are never part of its text.
pub async fn open(uri: &KeyUri) -> Result<Signer, SignerError> {
    bounded(find(uri, None)).await
}

/// As [`open`], for a key that has signed before: of its place, only the key whose public half has this `fingerprint`
/// (SHA-256 of the SPKI) will do. Of a key in Vault whose URI names no version it is found among all that are kept, so that
/// a rotation there changes nothing here.
///
/// # Errors
/// [`SignerError::Refused`] where another key is there now; otherwise as [`open`].
pub async fn reopen(uri: &KeyUri, fingerprint: &Hash) -> Result<Signer, SignerError> {
    let signer = bounded(find(uri, Some(fingerprint))).await?;
    if signer.public_key().fingerprint() == *fingerprint {
        Ok(signer)
    } else {
        Err(refused("there is another key now than the one that has signed before"))
    }
}

async fn bounded(opening: impl Future<Output = Result<Signer, SignerError>>) -> Result<Signer, SignerError> {
    let opened = tokio::time::timeout(OPEN_DEADLINE, opening).await;
    opened.unwrap_or_else(|_| Err(unavailable("it has not answered in time")))
}

/// As [`open`]; where `uri` names a file that does not exist, a key of `kind` is made there first, encrypted if the URI says
/// where a password is.
pub async fn open_or_create(uri: &KeyUri, kind: KeyKind, random: &dyn Random) -> Result<Signer, SignerError> {
    if let KeyUri::File(FileKey { path, password }) = uri {
        let exists = path.try_exists().map_err(|source| SignerError::File { path: path.clone(), source })?;
        if !exists {
            let (_, text) = Signer::generate(kind)?;
            let text = match password {
                None => text,
                Some(password) => signer::encrypt(&text, &password.read()?, random)?,
            };
            Signer::save(path, &text)?;
        }
    }
    open(uri).await
}

/// `known` is the fingerprint of the key that is meant, where that is known.
async fn find(uri: &KeyUri, known: Option<&Hash>) -> Result<Signer, SignerError> {
    match uri {
        KeyUri::File(file) => match &file.password {
            None => Signer::open(&file.path),
            Some(password) => Signer::open_encrypted(&file.path, &password.read()?),
        },
        KeyUri::Pkcs11(key) => remote(pkcs11::open(key.clone()).await?),
        KeyUri::Aws(key) => remote(awskms::open(key).await?),
        KeyUri::Google(key) => remote(gcpkms::open(key).await?),
        KeyUri::Azure(key) => remote(azurekms::open(key).await?),
        KeyUri::Vault(key) => remote(hashivault::open(key, known).await?),
    }
}

/// A key elsewhere and its public half.
type Opened = (PublicKey, Arc<dyn RemoteKey>);

fn remote((public_key, key): Opened) -> Result<Signer, SignerError> {
    Signer::remote(public_key, key)
}

/// A fault that asking again may cure.
fn unavailable(reason: impl std::fmt::Display) -> SignerError {
    SignerError::Unavailable { reason: reason.to_string() }
}

/// A fault that an operator has to cure.
fn refused(reason: impl std::fmt::Display) -> SignerError {
    SignerError::Refused { reason: reason.to_string() }
}
