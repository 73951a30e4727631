//! The signing keys of a data directory, as they can be listed while a server uses it.

use super::data;
use anyhow::Context as _;
use chancery_daemon::signer::{Signer, Use};
use chancery_log::{ct, rekor_v1, rekor_v2};
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate};
use std::{fs, path::Path};

/// Every role but the issuing CA's; each has its key in a file of its name.
const ROLES: [(&str, Use); 5] = [
    ("ca-root", Use::Any),
    (rekor_v1::NAME, Use::Any),
    (rekor_v2::NAME, Use::Checkpoints),
    (ct::NAME, Use::Any),
    ("issuer", Use::Any),
];

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
        role: "ca",
        public_key: issuing.public_key().clone(),
        place,
        ends: Some(issuing.not_after()),
    }];
    for (role, purpose) in ROLES {
        let path = directory.join(format!("keys/{role}.pem"));
        // A directory of an earlier version gets this one when a server is started on it.
        if role == rekor_v2::NAME && !path.exists() {
            continue;
        }
        let public_key = Signer::open_for(purpose, &path)?.public_key().clone();
        let ends = (&public_key == root.public_key()).then(|| root.not_after());
        keys.push(KeyRecord { role, public_key, place: path.display().to_string(), ends });
    }
    Ok(keys)
}
