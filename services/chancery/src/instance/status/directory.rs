//! What a data directory says of the state of an instance: keys, certificates, the TUF repository. Only reads; a server may be
//! running on it.

use super::document::{CertificateStatus, InstanceStatus, KeyStatus, TufRoleStatus};
use crate::{
    instance::keys::{keys, public_side},
    rotation::{RingFiles, Role, State},
};
use anyhow::Context as _;
use chancery_trust::tuf::{Publisher, Repository};
use chancery_verify::{Timestamp, certificate::Certificate};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where it is read.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The data directory.
    pub(super) data: PathBuf,
    /// File of the server's own certificates, if it has TLS.
    pub(super) tls: Option<PathBuf>,
}

/// What the files say about keys and certificates.
#[derive(Debug)]
pub(super) struct Found {
    keys: anyhow::Result<Vec<KeyStatus>>,
    certificates: anyhow::Result<Vec<CertificateStatus>>,
    own: anyhow::Result<Vec<CertificateStatus>>,
}

impl Files {
    /// Reads keys and certificates. Opens files, so it is not for a thread that answers requests.
    pub(super) fn read(&self, now: Timestamp) -> Found {
        let keys = keys(&self.data).map(|keys| keys.into_iter().map(KeyStatus::from).collect());
        let own = self.tls.as_deref().map(|file| own_certificates(file, now)).transpose();
        Found { keys, certificates: certificates(&self.data, now), own: own.map(Option::unwrap_or_default) }
    }
}

impl Found {
    /// Puts it into the state, and what could not be read into [`InstanceStatus::unread`].
    pub(super) fn put_into(self, status: &mut InstanceStatus) {
        status.keys = status.taken("keys", self.keys);
        status.certificates = status.taken("certificates", self.certificates);
        let own = status.taken("[listen] tls", self.own);
        status.certificates.extend(own);
    }
}

/// Puts the TUF repository into the state.
pub(super) async fn put_tuf(
    status: &mut InstanceStatus,
    publisher: &Publisher,
    repository: &Repository,
    now: Timestamp,
) {
    status.tuf = tuf_roles(publisher, repository, now).await;
    let waiting = publisher.pending(repository).map(|metadata| metadata.map(|metadata| metadata.version));
    status.targets_waiting_for_signatures = status.taken("TUF", waiting.map_err(anyhow::Error::from));
}

/// Every role of a TUF repository, root first.
pub(crate) async fn tuf_roles(publisher: &Publisher, repository: &Repository, now: Timestamp) -> Vec<TufRoleStatus> {
    let mut roles = Vec::new();
    for status in repository.status(publisher.lifetimes(), now) {
        let is_here = publisher.can_sign(repository, status.role).await;
        let signers = repository.root().role(status.role).keys.values();
        roles.push(TufRoleStatus::new(&status, signers, is_here, now));
    }
    roles
}

/// The certificates of both authorities, of every generation of their keys that was used or may be.
fn certificates(data: &Path, now: Timestamp) -> anyhow::Result<Vec<CertificateStatus>> {
    let files = RingFiles::of(data);
    let mut found = Vec::new();
    for role in [Role::Ca, Role::Tsa] {
        // A directory that was never used for timestamps has none.
        if !files.key_file(&format!("{role}-chain.pem")).exists() {
            continue;
        }
        for generation in files.ring(role)?.generations(role) {
            if generation.state == State::Abandoned {
                continue;
            }
            let of = Some((generation.number, generation.state));
            let (_, chain) = public_side(&files, role, generation)?;
            found.extend(chain.iter().map(|certificate| CertificateStatus::new(role.name(), of, certificate, now)));
        }
    }
    Ok(found)
}

/// The certificates that the server shows to clients.
fn own_certificates(file: &Path, now: Timestamp) -> anyhow::Result<Vec<CertificateStatus>> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let chain = Certificate::chain_from_pem(&text);
    let chain = chain.with_context(|| format!("cannot read the certificates in {}", file.display()))?;
    Ok(chain.iter().map(|certificate| CertificateStatus::new("tls", None, certificate, now)).collect())
}
