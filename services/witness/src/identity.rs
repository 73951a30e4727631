//! The identity of a witness: its name and its key, in a directory that only one process uses.
//!
//! ```text
//! lock            locked by the running process
//! key.pem         Ed25519, private (0600)
//! witness.vkey    name and public key, for the configuration of logs; a start with another name or key is refused
//! logs/           the state of each log; see [`super::state`]
//! ```

use super::Error;
use chancery_daemon::durable;
use chancery_daemon::signer::{Signer, Use};
use chancery_verify::cosignature::Witness as Cosigner;
use chancery_verify::key::KeyKind;
use chancery_verify::note::KeyName;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// File with the verifier key.
const VERIFIER_KEY: &str = "witness.vkey";

/// An open directory. Dropping it releases the lock.
pub(super) struct Identity {
    data: PathBuf,
    pub(super) witness: Cosigner,
    pub(super) signer: Signer,
    _lock: File,
}

impl Identity {
    pub(super) fn open(data: &Path, name: KeyName) -> Result<Self, Error> {
        for directory in [data.to_owned(), data.join("logs")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
            made.map_err(|source| Error::File { path: directory, source })?;
        }
        let lock = lock(data)?;
        let (key_path, path) = (data.join("key.pem"), data.join(VERIFIER_KEY));
        let kept = read(&path)?;
        if kept.is_some() && !key_path.exists() {
            return Err(Error::KeyMissing(key_path));
        }
        let signer = Signer::open_or_create_for(Use::Checkpoints, &key_path, KeyKind::Ed25519)?;
        let refused = |rejection| Error::Damaged { path: key_path.clone(), rejection };
        let witness = Cosigner::new(name, signer.public_key().clone()).map_err(refused)?;
        let found = witness.to_string();
        match kept {
            Some(kept) if kept != found => return Err(Error::OtherIdentity { path: data.to_owned(), kept, found }),
            Some(_) => {}
            None => {
                let written = durable::write(&path, format!("{found}\n").as_bytes());
                written.map_err(|source| Error::File { path, source })?;
            }
        }
        Ok(Self { data: data.to_owned(), witness, signer, _lock: lock })
    }

    /// The directory with the state of the logs.
    pub(super) fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }
}

/// Reads the verifier key of the witness in a directory, which may be in use. `None` if there is no witness.
///
/// # Errors
/// The file cannot be read.
pub fn read_verifier_key(data: &Path) -> Result<Option<String>, Error> {
    read(&data.join(VERIFIER_KEY))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| Error::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::File { path, source }),
    }
}
