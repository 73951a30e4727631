//! `chancery keys rotate ROLE stage`: the next generation of a key, with what clients know it by.

use crate::{
    cli::keys::generate::Kind,
    durable,
    instance::{key_uri, log_host},
    rotation::{
        Generation, Place, Ring, RingFiles, Role, State,
        generations::{open_place, verify_signs},
    },
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::{random::SystemRandom, signer::Signer};
use chancery_tsa::chain as timestamp_chain;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate, key::KeyKind};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Make or take the next key and have it published; it signs nothing yet
#[derive(Debug, Args)]
pub(super) struct Stage {
    /// Where the key is, if it is not to be made in the data directory
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Kind of key to make: p256 unless given, of a Rekor v2 log what the one before is
    #[arg(long, value_name = "KIND", conflicts_with = "key")]
    kind: Option<Kind>,
    /// Certificates for the key, in PEM: the issuing one first, the root last. Made, under a new root, if not given
    #[arg(long, value_name = "FILE", requires = "key")]
    chain: Option<PathBuf>,
    /// Where the next Rekor v2 log is: https:// and a host name that none had before. A DNS entry must lead this name to the
    /// same server, its certificate must be for it, too, and a proxy before it must leave the name in the request
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Stage {
    /// Writes key, certificates and ring, in this order: what was written before a crash is taken up, or written again, by the
    /// next attempt, and counts for nothing until the ring names it.
    pub(super) async fn run(
        self,
        files: &RingFiles,
        role: Role,
        ring: &mut Ring,
        now: Timestamp,
    ) -> anyhow::Result<u64> {
        let number = ring.next_number(role)?;
        check_url(role, self.url.as_deref(), files, ring)?;
        let (key, signer) = self.key(files, role, (number, ring)).await?;
        let fingerprint = hex::encode(signer.public_key().fingerprint());
        let known = ring.generations(role).iter().find(|known| known.fingerprint == fingerprint);
        if let Some(known) = known {
            bail!("this is the key of generation {}; a rotation needs another one", known.number);
        }
        verify_signs(&signer).await.context("the key does not sign")?;
        let public = if role.is_log() {
            ensure!(self.chain.is_none(), "a log's key has no certificates");
            check_kind(role, signer.public_key().kind())?;
            signer.public_key().to_pem()
        } else if let Some(path) = &self.chain {
            given_chain(path, role, &signer, now)?
        } else {
            let path = files.key_file(&format!("{role}-root-{number}.pem"));
            let root = Signer::open_or_create(&path, signer.public_key().kind()).context("cannot use the root key")?;
            let organization = organization(files, role, ring)?;
            make_chain(role, &organization, number, (&root, &signer), now).await?
        };
        let name = if role.is_log() { format!("{role}-{number}.pub") } else { format!("{role}-{number}-chain.pem") };
        durable::write(&files.key_file(&name), public.as_bytes())?;
        let generation = Generation {
            number,
            state: State::Staged,
            key,
            fingerprint,
            chain: Some(name),
            since_seconds: now.seconds(),
            activated_seconds: None,
            ends_seconds: None,
            url: self.url,
        };
        ring.stage(role, generation);
        files.write_ring(ring)?;
        Ok(number)
    }

    async fn key(
        &self,
        files: &RingFiles,
        role: Role,
        (number, ring): (u64, &Ring),
    ) -> anyhow::Result<(Place, Signer)> {
        let place = if let Some(uri) = &self.key {
            Place::Uri(uri.clone())
        } else {
            let kind = match self.kind {
                Some(kind) => kind.into(),
                None if role == Role::Rekor2 => PublicKey::from_pem(&active_public(files, role, ring)?)?.kind(),
                None => KeyKind::P256,
            };
            check_kind(role, kind)?;
            let name = format!("{role}-{number}.pem");
            let made = Signer::open_or_create_for(role.purpose(), &files.key_file(&name), kind);
            made.context("cannot make the key")?;
            Place::File(name)
        };
        let signer = open_place(files, role, &place).await?;
        Ok((place, signer))
    }
}

/// Refuses a kind of key that not every client verifies what the role signs with.
fn check_kind(role: Role, kind: KeyKind) -> anyhow::Result<()> {
    let checkpoints_alone = role == Role::Rekor2 && kind == KeyKind::Ed25519;
    let known = !role.is_log() || kind == KeyKind::P256 || checkpoints_alone;
    ensure!(known, "not every client verifies another kind of log key than P-256");
    Ok(())
}

/// The host name of a Rekor v2 log's URL is its name, by which clients know its checkpoints: each has another one.
fn check_url(role: Role, url: Option<&str>, files: &RingFiles, ring: &Ring) -> anyhow::Result<()> {
    let Some(url) = url else {
        ensure!(
            role != Role::Rekor2,
            "the next Rekor v2 log needs a host name of its own: --url https://log2.example.org"
        );
        return Ok(());
    };
    ensure!(role == Role::Rekor2, "the {} is at the URL it has", role.title());
    let host = log_host(url)?;
    let known = ring.generations(role).iter().filter_map(|generation| generation.url.clone());
    for known in known.chain(files.published_log_urls()?) {
        ensure!(
            log_host(&known)? != host,
            "{host} is the name of another log; its checkpoints would be taken for that one's"
        );
    }
    Ok(())
}

/// What clients know the key by that signs, in PEM.
fn active_public(files: &RingFiles, role: Role, ring: &Ring) -> anyhow::Result<Vec<u8>> {
    let active = ring.find(role, State::Active).and_then(|active| active.chain.as_deref());
    let path = files.key_file(active.context("no key with a public side is active")?);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The organisation in the certificates of the key that signs.
fn organization(files: &RingFiles, role: Role, ring: &Ring) -> anyhow::Result<String> {
    let leaf =
        Certificate::from_pem(&active_public(files, role, ring)?).context("cannot use the active certificates")?;
    Ok(leaf.subject_names().0)
}

/// New certificates for a role's new key, in PEM.
async fn make_chain(
    role: Role,
    organization: &str,
    number: u64,
    (root, signer): (&Signer, &Signer),
    now: Timestamp,
) -> anyhow::Result<String> {
    Ok(match role {
        Role::Ca => IssuingChain::create(organization, number, root, signer, &SystemRandom, now).await?.to_pem(),
        Role::Tsa => {
            let made = timestamp_chain::create(organization, number, root, signer, &SystemRandom, now).await?;
            timestamp_chain::to_pem(&made)
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("a log's key has no certificates"),
    })
}

/// Certificates that somebody else has made for the key, if they are good for the role now.
fn given_chain(path: &Path, role: Role, signer: &Signer, now: Timestamp) -> anyhow::Result<String> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let check = || match role {
        Role::Ca => {
            let chain = IssuingChain::from_pem(&text, signer.public_key(), now)?;
            ensure!(chain.certificates().len() > 1, "it needs the issuing certificate and its root");
            Ok(chain.to_pem())
        }
        Role::Tsa => {
            let chain = timestamp_chain::from_pem(&text, signer.public_key())?;
            ensure!(chain.is_valid_at(now), "a certificate is not valid at this time");
            Ok(timestamp_chain::to_pem(&chain))
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("a log's key has no certificates"),
    };
    check().with_context(|| format!("cannot use {}", path.display()))
}
