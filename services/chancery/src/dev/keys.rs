//! The signing keys of a data directory, as they can be listed while a server uses it.

use super::data::{self, Role};
use anyhow::Context as _;
use chancery_daemon::signer::Signer;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate};
use std::{fs, path::Path};

/// Roles whose key never has a certificate; each is in a file of its name.
const LOGS_AND_ISSUER: [&str; 3] = ["rekor", "ct", "issuer"];

/// One signing key.
pub(crate) struct KeyRecord {
    /// What it signs.
    pub(crate) role: &'static str,
    /// Its public half.
    pub(crate) public_key: PublicKey,
    /// Its file, or its URI.
    pub(crate) place: String,
    /// When the certificate for it ends, where it has one.
    pub(crate) ends: Option<Timestamp>,
}

/// The keys in `directory`, the CA's issuing key first. A directory that has never been used for timestamps has none for
/// them.
pub(crate) fn keys(directory: &Path) -> anyhow::Result<Vec<KeyRecord>> {
    let mut keys = Vec::from(certified(directory, Role::Ca, ["ca", "ca-root"])?);
    for role in LOGS_AND_ISSUER {
        let (public_key, place) = stored(directory, role)?;
        keys.push(KeyRecord { role, public_key, place, ends: None });
    }
    if directory.join(Role::Tsa.chain()).exists() {
        keys.extend(certified(directory, Role::Tsa, ["tsa", "tsa-root"])?);
    }
    Ok(keys)
}

/// The key that signs for `role`, and that of the root above it.
fn certified(directory: &Path, role: Role, names: [&'static str; 2]) -> anyhow::Result<[KeyRecord; 2]> {
    let path = directory.join(role.chain());
    let chain = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let chain = Certificate::chain_from_pem(&chain).with_context(|| format!("{} is damaged", path.display()))?;
    let (Some(signing), Some(root)) = (chain.first(), chain.last()) else {
        anyhow::bail!("{} is damaged", path.display());
    };
    let own = directory.join(format!("keys/{}.pem", role.name()));
    let place = data::recorded_key(directory, role)?.unwrap_or_else(|| own.display().to_string());
    let (key, end) = (signing.public_key().clone(), signing.not_after());
    let signing = KeyRecord { role: names[0], public_key: key, place, ends: Some(end) };
    let (public_key, place) = stored(directory, names[1])?;
    let ends = (&public_key == root.public_key()).then(|| root.not_after());
    Ok([signing, KeyRecord { role: names[1], public_key, place, ends }])
}

/// The public half of a key in the directory, and its path.
fn stored(directory: &Path, name: &str) -> anyhow::Result<(PublicKey, String)> {
    let path = directory.join(format!("keys/{name}.pem"));
    Ok((Signer::open(&path)?.public_key().clone(), path.display().to_string()))
}
