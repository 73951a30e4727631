//! The certificates of an authority's next key: below a root of ours, or another authority's.

use crate::{
    one_role,
    rotation::{Ring, RingFiles, Role, Root, State},
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::{random::SystemRandom, signer::Signer};
use chancery_tsa::chain as timestamp_chain;
use chancery_verify::{Timestamp, certificate::Certificate, timestamping::Authority};
use std::{fs, path::Path};

/// The generation that is to be.
#[derive(Clone, Copy)]
pub(super) struct Next<'a> {
    pub(super) files: &'a RingFiles,
    pub(super) role: Role,
    pub(super) number: u64,
    pub(super) ring: &'a Ring,
    pub(super) now: Timestamp,
}

/// What the command line says about the root.
#[derive(Clone, Copy)]
pub(super) struct Roots<'a> {
    /// Where its key is.
    pub(super) key: Option<&'a str>,
    /// Whether there is to be a new one, whatever the one before is.
    pub(super) is_new: bool,
}

/// Certificates in PEM, and the root that they end in.
type Certified = (String, Option<Root>);

/// What clients know the key by that signs, in PEM.
pub(super) fn active_public(files: &RingFiles, role: Role, ring: &Ring) -> anyhow::Result<Vec<u8>> {
    let active = ring.find(role, State::Active).and_then(|active| active.chain.as_deref());
    let path = files.key_file(active.context("no key is active")?);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The organisation in the certificates of the key that signs.
pub(in crate::cli) fn organization(files: &RingFiles, role: Role, ring: &Ring) -> anyhow::Result<String> {
    let leaf =
        Certificate::from_pem(&active_public(files, role, ring)?).context("cannot use the active certificates")?;
    let (organization, name) = leaf.subject_names();
    // Another authority may have left it out.
    Ok(if organization.is_empty() { name } else { organization })
}

/// Certificates that another authority has issued for the key, if they are good for the role now.
pub(super) fn given(path: &Path, role: Role, signer: &Signer, now: Timestamp) -> anyhow::Result<Certified> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let key = signer.public_key();
    let chain = match role {
        Role::Ca => IssuingChain::given(&text, key, now).map(|chain| chain.to_pem()),
        Role::Tsa => timestamp_chain::given(&text, key, now).map(|chain| timestamp_chain::to_pem(&chain)),
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates"),
    };
    let chain = chain.with_context(|| format!("cannot use {}", path.display()))?;
    Ok((chain, Some(Root::Imported)))
}

/// Where the key of a root is, and whether it was kept there for this; `None` where a new one is to be made and destroyed.
type RootKey = Option<(String, bool)>;

/// The root that the command line asks for, or the one that follows from what the active certificates have.
pub(super) fn root_of(role: Role, ring: &Ring, roots: Roots<'_>) -> anyhow::Result<RootKey> {
    let active = ring.find(role, State::Active).context("no key is active")?;
    Ok(match (roots.key, &active.root) {
        (Some(uri), _) => Some((uri.to_owned(), false)),
        (None, Some(Root::Uri(uri))) if !roots.is_new => Some((uri.clone(), true)),
        (None, Some(Root::Imported)) if !roots.is_new => bail!(
            "the certificates of generation {} are another authority's, and a root of ours would take its place; ask it for new \
             ones: chancery keys request {role}; to make a root of ours: --new-root",
            active.number
        ),
        (None, _) => None,
    })
}

/// New certificates for the key, below the root that is kept, or below a new one.
pub(super) async fn make(next: Next<'_>, root: RootKey, signer: &Signer) -> anyhow::Result<Certified> {
    let Next { files, role, .. } = next;
    let Some((uri, is_inherited)) = root else {
        // It signs here, and is gone when this returns.
        let root = Signer::ephemeral(signer.public_key().kind()).context("cannot make the root key")?;
        return Ok((below_new(next, &root, signer).await?, None));
    };
    let root = root_at(&uri, is_inherited, signer).await?;
    one_role::verify_new(files.directory(), &format!("{role}-root"), root.public_key())?;
    let chain = match renewed(next, &root, signer).await? {
        Some(chain) => chain,
        // It was not asked for.
        None if is_inherited => bail!(
            "the key at {uri} is not the one of the root that has issued before; bring that back for this step, or make a new root: \
             --new-root, or with this key: --root-key {uri}"
        ),
        None => below_new(next, &root, signer).await?,
    };
    Ok((chain, Some(Root::Uri(uri))))
}

/// Opens a root's key. One that was kept must be there.
async fn root_at(uri: &str, is_inherited: bool, signer: &Signer) -> anyhow::Result<Signer> {
    let key = uri.parse().with_context(|| format!("{uri} is not a key URI"))?;
    let root = if is_inherited {
        chancery_keys::open(&key).await.with_context(|| {
            format!("cannot use the root key {uri}; bring it back for this step, or make a new root: --new-root")
        })?
    } else {
        let opened = chancery_keys::open_or_create(&key, signer.public_key().kind(), &SystemRandom).await;
        opened.with_context(|| format!("cannot use the root key {uri}"))?
    };
    ensure!(
        root.public_key() != signer.public_key(),
        "the root key {uri} is the key that it is to certify; each needs a key of its own"
    );
    Ok(root)
}

/// Certificates below the root of the active ones, if `root` is its key; in PEM.
async fn renewed(next: Next<'_>, root: &Signer, signer: &Signer) -> anyhow::Result<Option<String>> {
    let Next { files, role, number, ring, now } = next;
    let known = active_public(files, role, ring)?;
    let certificates = Certificate::chain_from_pem(&known).context("cannot use the active certificates")?;
    if certificates.last().is_none_or(|certificate| certificate.public_key() != root.public_key()) {
        return Ok(None);
    }
    Ok(Some(match role {
        Role::Ca => {
            let chain = IssuingChain::inactive_from_pem(&known)?;
            chain.renewed(number, root, signer, &SystemRandom, now).await?.to_pem()
        }
        Role::Tsa => {
            let chain = Authority::new(certificates)?;
            let made = timestamp_chain::renewed(&chain, number, root, signer, &SystemRandom, now).await?;
            timestamp_chain::to_pem(&made)
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates"),
    }))
}

/// Certificates below a new root, in PEM.
async fn below_new(next: Next<'_>, root: &Signer, signer: &Signer) -> anyhow::Result<String> {
    let Next { files, role, number, ring, now } = next;
    let organization = organization(files, role, ring)?;
    Ok(match role {
        Role::Ca => IssuingChain::create(&organization, number, root, signer, &SystemRandom, now).await?.to_pem(),
        Role::Tsa => {
            let made = timestamp_chain::create(&organization, number, root, signer, &SystemRandom, now).await?;
            timestamp_chain::to_pem(&made)
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates"),
    })
}
