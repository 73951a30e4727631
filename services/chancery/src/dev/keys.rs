//! The signing keys of a data directory, as they can be listed while a server uses it.

use super::{data, tuf};
use anyhow::Context as _;
use chancery_daemon::signer::Signer;
use chancery_trust::tuf::Role;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate};
use std::{fs, path::Path};

/// Every role but the issuing CA's; each has its key in a file of its name.
const ROLES: [&str; 4] = ["ca-root", "rekor", "ct", "issuer"];

/// One signing key.
pub(crate) struct KeyRecord {
    /// What it signs.
    pub(crate) role: String,
    /// Its public half.
    pub(crate) public_key: PublicKey,
    /// Its file, or its URI.
    pub(crate) place: String,
    /// When the certificate for it ends, where it has one.
    pub(crate) ends: Option<Timestamp>,
}

/// The keys in `directory`, the CA's issuing key first.
pub(crate) fn keys(directory: &Path) -> anyhow::Result<Vec<KeyRecord>> {
    let elsewhere = data::recorded_ca_key(directory)?;
    let path = directory.join("keys/ca-chain.pem");
    let chain = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let chain = Certificate::chain_from_pem(&chain).with_context(|| format!("{} is damaged", path.display()))?;
    let (Some(issuing), Some(root)) = (chain.first(), chain.last()) else {
        anyhow::bail!("{} is damaged", path.display());
    };
    let place = elsewhere.unwrap_or_else(|| directory.join("keys/ca.pem").display().to_string());
    let mut keys = vec![KeyRecord {
        role: "ca".to_owned(),
        public_key: issuing.public_key().clone(),
        place,
        ends: Some(issuing.not_after()),
    }];
    for role in ROLES {
        let path = directory.join(format!("keys/{role}.pem"));
        let public_key = Signer::open(&path)?.public_key().clone();
        let ends = (&public_key == root.public_key()).then(|| root.not_after());
        keys.push(KeyRecord { role: role.to_owned(), public_key, place: path.display().to_string(), ends });
    }
    // Those of the TUF repository, old ones included that no root names any more.
    for role in Role::ALL {
        for path in tuf::key_files(directory, role) {
            let (public_key, place) = (Signer::open(&path)?.public_key().clone(), path.display().to_string());
            keys.push(KeyRecord { role: format!("tuf-{role}"), public_key, place, ends: None });
        }
    }
    Ok(keys)
}
