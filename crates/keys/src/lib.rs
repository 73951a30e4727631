//! Opens signing keys in files, tokens and key services.
//!
//! A [`KeyUri`] names one key. [`open`] makes a [`Signer`] of it: the public key is fetched once, and every later
//! signature is verified with it. `chancery_daemon::signer` has what all remote keys share (limits, deadlines, that
//! check); this crate has only the protocol of each place.
//!
//! This is a crate of its own because it makes requests: the logs and the trust files must make none, so they cannot
//! import it.
//!
//! | scheme | module | |
//! |---|---|---|
//! | `file:` | [`uri`] | PEM: PKCS#8, plain or encrypted, SEC1 or PKCS#1 |
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
mod successor;
pub mod uri;

pub use secret::Secret;
pub use successor::{NoSuccessor, successor};
pub use uri::{FileKey, KeyUri, UriError};

use chancery_daemon::random::Random;
use chancery_daemon::signer::{self, RemoteKey, Signer, SignerError};
use chancery_verify::PublicKey;
use chancery_verify::hash::Hash;
use chancery_verify::key::KeyKind;
use std::sync::Arc;
use std::time::Duration;

/// Limit for finding a key. A machine's credentials are requested repeatedly meanwhile.
const OPEN_DEADLINE: Duration = Duration::from_secs(20);

/// Opens the key that `uri` names: reads it, or fetches its public key, which shows that the key service can be
/// reached.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// [`SignerError`]; secrets are never part of its text.
pub async fn open(uri: &KeyUri) -> Result<Signer, SignerError> {
    bounded(find(uri, None)).await
}

/// As [`open`], for a key that has signed before: only the key whose public key has this `fingerprint` (SHA-256 of the
/// SPKI) is accepted. For a Vault URI without a version, the key is looked up among all kept versions, so that a
/// rotation in Vault changes nothing here.
///
/// # Errors
/// [`SignerError::Refused`] if another key is there now; otherwise as [`open`].
pub async fn reopen(uri: &KeyUri, fingerprint: &Hash) -> Result<Signer, SignerError> {
    let signer = bounded(find(uri, Some(fingerprint))).await?;
    if signer.public_key().fingerprint() == *fingerprint {
        Ok(signer)
    } else {
        Err(refused("there is another key now than the one that signed before"))
    }
}

async fn bounded(opening: impl Future<Output = Result<Signer, SignerError>>) -> Result<Signer, SignerError> {
    let opened = tokio::time::timeout(OPEN_DEADLINE, opening).await;
    opened.unwrap_or_else(|_| Err(unavailable("it has not answered in time")))
}

/// As [`open`]. If `uri` names a file that does not exist, makes a key of `kind` there first. It is encrypted if the
/// URI names a password.
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

/// `known` is the fingerprint of the expected key, if it is known.
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

/// A remote key and its public key.
type Opened = (PublicKey, Arc<dyn RemoteKey>);

fn remote((public_key, key): Opened) -> Result<Signer, SignerError> {
    Signer::remote(public_key, key)
}

/// An error that a retry may cure.
fn unavailable(reason: impl std::fmt::Display) -> SignerError {
    SignerError::Unavailable { reason: reason.to_string() }
}

/// An error that an operator must fix.
fn refused(reason: impl std::fmt::Display) -> SignerError {
    SignerError::Refused { reason: reason.to_string() }
}
