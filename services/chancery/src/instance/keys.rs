//! The signing keys of a data directory, as they can be listed while a server uses it.

use super::key_files;
use crate::{
    command, role,
    rotation::{Generation, Place, RingFiles, Role, Root, State},
};
use anyhow::Context as _;
use chancery_daemon::signer::{Signer, is_overwritten};
use chancery_trust::tuf;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate, key::KeyKind};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Name of a kind of key, for output.
pub(crate) fn kind_name(kind: KeyKind) -> String {
    match kind {
        KeyKind::P256 => "P-256".to_owned(),
        KeyKind::P384 => "P-384".to_owned(),
        KeyKind::P521 => "P-521".to_owned(),
        KeyKind::Rsa(bits) => format!("RSA {bits}"),
        KeyKind::Ed25519 => "Ed25519".to_owned(),
    }
}

/// One signing key.
pub(crate) struct KeyRecord {
    /// What it signs.
    pub(crate) role: String,
    /// Its public half.
    pub(crate) public_key: PublicKey,
    /// Its file, or its URI.
    pub(crate) place: String,
    /// When the certificate for it ends, where it has one.
    pub(crate) certificate_ends: Option<Timestamp>,
    /// Which key of its role it is, from 1.
    pub(crate) generation: u64,
    /// Whether it signs.
    pub(crate) state: State,
    /// Since when clients can fetch it, if the server says so.
    pub(crate) published: Option<Timestamp>,
    /// Why clients cannot fetch it yet.
    pub(crate) unpublished: Option<String>,
    /// What it signs after this time does not count.
    pub(crate) ends: Option<Timestamp>,
    /// Whether the server signs with it at this moment: another one than the active one, while that cannot be used.
    pub(crate) signing: bool,
    /// Why the server cannot use it.
    pub(crate) obstacle: Option<String>,
}

/// The keys in `directory`, by role, of each role the first one first; those of certificates' roots follow their authority's.
pub(crate) fn keys(directory: &Path) -> anyhow::Result<Vec<KeyRecord>> {
    let files = RingFiles::of(directory);
    let mut keys = rotated(&files, Role::Ca)?;
    keys.extend(rotated(&files, Role::Ct)?);
    keys.extend(rotated(&files, Role::Rekor)?);
    // A directory of an earlier version gets it at its next start.
    if files.key_file("rekor2.pub").exists() {
        keys.extend(rotated(&files, Role::Rekor2)?);
    }
    // Only a development server has an issuer.
    let path = files.key_file("issuer.pem");
    if path.exists() {
        let public_key = Signer::open(&path)?.public_key().clone();
        keys.push(unrotated("issuer", public_key, path.display().to_string()));
    }
    // A directory that was never used for timestamps has none.
    if files.key_file("tsa-chain.pem").exists() {
        keys.extend(rotated(&files, Role::Tsa)?);
    }
    keys.extend(repository_keys(directory)?);
    Ok(keys)
}

/// The keys of the TUF repository in files, old ones included: a key that the newest root does not name signs nothing any more.
fn repository_keys(directory: &Path) -> anyhow::Result<Vec<KeyRecord>> {
    let repository = tuf::Repository::read(&tuf::Directory::new(directory.join("tuf")));
    let repository = repository.context("which TUF keys sign cannot be told")?;
    let mut keys = Vec::new();
    for role in tuf::Role::ALL {
        // Nothing has been signed yet where there is no repository, and the first key of each role will sign.
        let named = repository.as_ref().map(|repository| &repository.root().role(role).keys);
        for (path, generation) in key_files(directory, role).into_iter().zip(1..) {
            let public_key = Signer::open(&path)?.public_key().clone();
            let signing = named.is_none_or(|named| named.values().any(|key| *key == public_key));
            let key = unrotated(&format!("tuf-{role}"), public_key, path.display().to_string());
            let state = if signing { State::Active } else { State::Retired };
            keys.push(KeyRecord { generation, state, signing, ..key });
        }
    }
    Ok(keys)
}

/// Every generation of a key, then the keys of its certificates' roots, where it has them.
fn rotated(files: &RingFiles, role: Role) -> anyhow::Result<Vec<KeyRecord>> {
    let ring = files.ring(role)?;
    let progress = files.progress(role)?;
    let (mut keys, mut roots) = (Vec::new(), Vec::new());
    for generation in ring.generations(role) {
        let (key, chain) = public_side(files, role, generation)?;
        let place = match &generation.key {
            Place::File(name) => files.key_file(name).display().to_string(),
            Place::Uri(uri) => uri.clone(),
        };
        let number = generation.number;
        let published = progress.as_ref().and_then(|progress| progress.published_seconds.get(&number));
        keys.push(KeyRecord {
            published: published.copied().map(Timestamp::from_seconds),
            unpublished: progress.as_ref().and_then(|progress| progress.unpublished.get(&number).cloned()),
            ends: generation.ends_seconds.map(Timestamp::from_seconds),
            obstacle: progress.as_ref().and_then(|progress| progress.obstacles.get(&number).cloned()),
            signing: progress.as_ref().map_or(generation.state == State::Active, |progress| progress.signing == number),
            ..record(role.name(), key, place, chain.first(), generation)
        });
        // A root that is not here was destroyed, or is another authority's: it signs nothing any more.
        let path = root_file(files, role, number);
        if let Some(Root::Uri(uri)) = &generation.root {
            let root = chain.last();
            roots.extend(root.map(|root| {
                record(&format!("{role}-root"), root.public_key().clone(), uri.clone(), Some(root), generation)
            }));
        } else if path.exists() && !is_overwritten(&path)? {
            let key = Signer::open(&path)?.public_key().clone();
            let certificate = chain.last().filter(|root| root.public_key() == &key);
            roots.push(record(&format!("{role}-root"), key, path.display().to_string(), certificate, generation));
        }
    }
    keys.append(&mut roots);
    Ok(keys)
}

/// Where a directory of an earlier version has the key of a generation's root.
fn root_file(files: &RingFiles, role: Role, number: u64) -> PathBuf {
    let name = if number == 1 { format!("{role}-root.pem") } else { format!("{role}-root-{number}.pem") };
    files.key_file(&name)
}

/// The files with private keys of a role's roots, which no server needs, and the roots' public halves as the certificates have
/// them. Only directories of earlier versions have such files.
pub(crate) fn root_files(files: &RingFiles, role: Role) -> anyhow::Result<Vec<(PathBuf, PublicKey)>> {
    let mut found = Vec::new();
    for generation in files.ring(role)?.generations(role) {
        let path = root_file(files, role, generation.number);
        if !path.exists() {
            continue;
        }
        let (_, chain) = public_side(files, role, generation)?;
        found.extend(chain.last().map(|root| (path, root.public_key().clone())));
    }
    Ok(found)
}

/// Warns of private keys of roots that a process with these roles finds in its data directory.
pub(crate) fn warn_of_roots(directory: &Path, roles: &BTreeSet<role::Role>) {
    for (role, authority) in [(role::Role::Ca, Role::Ca), (role::Role::Tsa, Role::Tsa)] {
        if !roles.contains(&role) {
            continue;
        }
        for (path, _) in root_files(&RingFiles::of(directory), authority).unwrap_or_default() {
            tracing::warn!(
                key = %path.display(),
                "the private key of a root is on this server, which does not need it: a thief of it could issue what clients \
                 trust; move it to a safe place or destroy it: chancery keys forget-root {role} --data {}",
                command::quoted(directory)
            );
        }
    }
}

/// A public key by which clients know the instance.
pub(crate) struct KnownKey {
    /// As in `chancery keys list`.
    pub(crate) role: String,
    pub(crate) state: State,
    pub(crate) public_key: PublicKey,
}

/// Every public key that clients know the instance by, as its files and its TUF metadata have them. Opens no private key. What
/// cannot be read is left out: the part that needs it says so.
pub(crate) fn known_keys(directory: &Path) -> Vec<KnownKey> {
    let files = RingFiles::of(directory);
    let mut known = Vec::new();
    for role in Role::ALL {
        let Ok(ring) = files.ring(role) else { continue };
        for generation in ring.generations(role) {
            let Ok((public_key, chain)) = public_side(&files, role, generation) else { continue };
            let state = generation.state;
            known.push(KnownKey { role: role.name().to_owned(), state, public_key });
            let root = chain.last().map(|root| root.public_key().clone());
            known.extend(root.map(|public_key| KnownKey { role: format!("{role}-root"), state, public_key }));
        }
    }
    let active = |role: String, public_key| KnownKey { role, state: State::Active, public_key };
    // Only a development server has an issuer.
    let issuer = fs::read(files.key_file("issuer.pub")).ok().and_then(|text| PublicKey::from_pem(&text).ok());
    known.extend(issuer.map(|public_key| active("issuer".to_owned(), public_key)));
    if let Ok(Some(repository)) = tuf::Repository::read(&tuf::Directory::new(directory.join("tuf"))) {
        for role in tuf::Role::ALL {
            let keys = repository.root().role(role).keys.values().cloned();
            known.extend(keys.map(|public_key| active(format!("tuf-{role}"), public_key)));
        }
    }
    known
}

/// The one key of a role that was never rotated.
fn unrotated(role: &str, public_key: PublicKey, place: String) -> KeyRecord {
    KeyRecord {
        role: role.to_owned(),
        public_key,
        place,
        certificate_ends: None,
        generation: 1,
        state: State::Active,
        published: None,
        unpublished: None,
        ends: None,
        signing: true,
        obstacle: None,
    }
}

fn record(
    role: &str,
    public_key: PublicKey,
    place: String,
    certificate: Option<&Certificate>,
    generation: &Generation,
) -> KeyRecord {
    KeyRecord {
        role: role.to_owned(),
        public_key,
        place,
        certificate_ends: certificate.map(Certificate::not_after),
        generation: generation.number,
        state: generation.state,
        published: None,
        unpublished: None,
        ends: None,
        signing: false,
        obstacle: None,
    }
}

/// What clients know a generation by: its key, and its certificates if it has them.
pub(super) fn public_side(
    files: &RingFiles,
    role: Role,
    generation: &Generation,
) -> anyhow::Result<(PublicKey, Vec<Certificate>)> {
    let path = files.key_file(
        generation
            .chain
            .as_deref()
            .context("keys/ring.json is damaged: it names no file with the public key; restore it from a backup")?,
    );
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let damaged = || format!("{} is damaged; restore it from a backup", path.display());
    if role.is_log() {
        return Ok((PublicKey::from_pem(&text).with_context(damaged)?, Vec::new()));
    }
    let chain = Certificate::chain_from_pem(&text).with_context(damaged)?;
    let key = chain.first().map(|leaf| leaf.public_key().clone()).with_context(damaged)?;
    Ok((key, chain))
}
