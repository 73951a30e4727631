//! `chancery keys rotate ROLE stage`: the next generation of a key, with what clients know it by.

use crate::{
    cli::keys::generate::Kind,
    durable,
    instance::key_uri,
    rotation::{
        Generation, Place, Ring, RingFiles, Role, State,
        generations::{open_place, verify_signs},
    },
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::{random::SystemRandom, signer::Signer};
use chancery_trust::{BaseUrl, log_name};
use chancery_tsa::chain as timestamp_chain;
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate, key::KeyKind};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Generate or take the next key and publish it; it signs nothing yet
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev stage
  chancery keys rotate ca --data ./chancery-dev stage --key 'awskms:///alias/ca-2?region=eu-central-1'
  chancery keys rotate rekor2 --data ./chancery-dev stage --url https://log2.example.org")]
pub(in crate::cli) struct Stage {
    /// Use the key at this URI instead of a new key in the data directory
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Generate a key of this kind; p256 by default, for a Rekor v2 log the kind of the old key
    #[arg(long, value_name = "KIND", conflicts_with = "key")]
    kind: Option<Kind>,
    /// Certificates of the key, in PEM, root last; by default new ones under a new root
    #[arg(long, value_name = "FILE", requires = "key")]
    chain: Option<PathBuf>,
    /// URL of the next Rekor v2 log: https:// and a host name that no earlier log had
    ///
    /// Before: point the name to this server in DNS, add it to the TLS certificate, and have a proxy pass it on in `Host`.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Stage {
    /// The next generation of a key, with a new key unless one is given.
    pub(in crate::cli) const fn of(key: Option<String>, url: Option<String>) -> Self {
        Self { key, kind: None, chain: None, url }
    }

    /// Has the ring name the next generation.
    pub(super) async fn run(
        self,
        files: &RingFiles,
        role: Role,
        ring: &mut Ring,
        now: Timestamp,
    ) -> anyhow::Result<u64> {
        let number = ring.next_number(role)?;
        let generation = self.make(files, role, number, ring, now).await?;
        ring.stage(role, generation);
        files.write_ring(ring)?;
        Ok(number)
    }

    /// Writes key and certificates of a generation: what was written before a crash is taken up, or written again, by the next
    /// attempt, and counts for nothing until the ring names it.
    pub(in crate::cli) async fn make(
        &self,
        files: &RingFiles,
        role: Role,
        number: u64,
        ring: &Ring,
        now: Timestamp,
    ) -> anyhow::Result<Generation> {
        let url = log_url(role, self.url.as_deref(), files, ring)?;
        let (key, signer) = self.key(files, role, number, ring).await?;
        let fingerprint = hex::encode(signer.public_key().fingerprint());
        let known = ring.generations(role).iter().find(|known| known.fingerprint == fingerprint);
        if let Some(known) = known {
            bail!(
                "this is already the key of generation {}; give another key with --key, or none to generate one",
                known.number
            );
        }
        verify_signs(&signer).await.context("the key cannot sign")?;
        let public = if role.is_log() {
            ensure!(self.chain.is_none(), "the key of a log has no certificates; leave out --chain");
            check_kind(role, signer.public_key().kind())?;
            signer.public_key().to_pem()
        } else if let Some(path) = &self.chain {
            given_chain(path, role, &signer, now)?
        } else {
            let path = files.key_file(&format!("{role}-root-{number}.pem"));
            let root = Signer::open_or_create(&path, signer.public_key().kind()).context("cannot use the root key")?;
            let organization = organization(files, role, ring)?;
            make_chain(role, &organization, number, &root, &signer, now).await?
        };
        let name = if role.is_log() { format!("{role}-{number}.pub") } else { format!("{role}-{number}-chain.pem") };
        durable::write(&files.key_file(&name), public.as_bytes())?;
        Ok(Generation {
            number,
            state: State::Staged,
            key,
            fingerprint,
            chain: Some(name),
            since_seconds: now.seconds(),
            activated_seconds: None,
            ends_seconds: None,
            url: url.map(|url| url.as_str().to_owned()),
        })
    }

    async fn key(&self, files: &RingFiles, role: Role, number: u64, ring: &Ring) -> anyhow::Result<(Place, Signer)> {
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
    ensure!(known, "some clients verify log keys of kind P-256 only; use --kind p256");
    Ok(())
}

/// The URL of the next Rekor v2 log, in normal form. Its host is the name of the log, by which clients know its checkpoints:
/// each log has another one.
fn log_url(role: Role, url: Option<&str>, files: &RingFiles, ring: &Ring) -> anyhow::Result<Option<BaseUrl>> {
    let Some(url) = url else {
        ensure!(
            role != Role::Rekor2,
            "the next Rekor v2 log needs a host name of its own: --url https://log2.example.org"
        );
        return Ok(None);
    };
    ensure!(role == Role::Rekor2, "the {} keeps its URL; leave out --url", role.title());
    let url = BaseUrl::parse(url)?;
    let name = log_name(&url)?;
    let known = ring.generations(role).iter().filter_map(|generation| generation.url.clone());
    for known in known.chain(files.published_log_urls()?) {
        // One that no Rekor v2 log could have is no log's name.
        let is_taken = BaseUrl::parse(&known).is_ok_and(|known| log_name(&known).as_ref() == Ok(&name));
        ensure!(
            !is_taken,
            "{name} is the name of an earlier log, and clients would confuse the checkpoints of both; choose another name"
        );
    }
    Ok(Some(url))
}

/// What clients know the key by that signs, in PEM.
fn active_public(files: &RingFiles, role: Role, ring: &Ring) -> anyhow::Result<Vec<u8>> {
    let active = ring.find(role, State::Active).and_then(|active| active.chain.as_deref());
    let path = files.key_file(active.context("no key is active")?);
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
    root: &Signer,
    signer: &Signer,
    now: Timestamp,
) -> anyhow::Result<String> {
    Ok(match role {
        Role::Ca => IssuingChain::create(organization, number, root, signer, &SystemRandom, now).await?.to_pem(),
        Role::Tsa => {
            let made = timestamp_chain::create(organization, number, root, signer, &SystemRandom, now).await?;
            timestamp_chain::to_pem(&made)
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates; leave out --chain"),
    })
}

/// Reads certificates that were made elsewhere for the key, and checks that they are good for the role now.
fn given_chain(path: &Path, role: Role, signer: &Signer, now: Timestamp) -> anyhow::Result<String> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let check = || match role {
        Role::Ca => {
            let chain = IssuingChain::from_pem(&text, signer.public_key(), now)?;
            ensure!(chain.certificates().len() > 1, "the file needs the issuing certificate and its root");
            Ok(chain.to_pem())
        }
        Role::Tsa => {
            let chain = timestamp_chain::from_pem(&text, signer.public_key())?;
            ensure!(
                chain.is_valid_at(now),
                "a certificate has expired or is not valid yet; give a chain that is valid now"
            );
            Ok(timestamp_chain::to_pem(&chain))
        }
        Role::Ct | Role::Rekor | Role::Rekor2 => bail!("the key of a log has no certificates; leave out --chain"),
    };
    check().with_context(|| format!("cannot use {}", path.display()))
}
