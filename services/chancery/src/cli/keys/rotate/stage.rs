//! `chancery keys rotate ROLE stage`: the next generation of a key, with what clients know it by.

use super::certificates::{self, Next, Roots};
use crate::{
    cli::keys::generate::Kind,
    durable,
    instance::{key_uri, kind_name},
    one_role,
    rotation::{
        Generation, Place, Ring, RingFiles, Role, State,
        generations::{open_place, verify_signs},
    },
};
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::{random::SystemRandom, signer::Signer};
use chancery_trust::{BaseUrl, log_name};
use chancery_verify::{PublicKey, Timestamp, key::KeyKind};
use clap::Args;
use std::path::PathBuf;

/// Generate or take the next key and publish it; it signs nothing yet
///
/// A new key is kept where the old one is and as that is kept: encrypted with the same password, if it is. A new root's key is
/// used once and destroyed. A root whose key is kept (--root-key, or `root_key` at `init`) issues again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys rotate ca --data ./chancery-dev stage
  chancery keys rotate ca --data ./chancery-dev stage --key 'awskms:///alias/ca-2?region=eu-central-1'
  chancery keys rotate ca stage --root-key 'awskms:///alias/ca-root?region=eu-central-1'
  chancery keys rotate rekor2 --data ./chancery-dev stage --url https://log2.example.org")]
pub(in crate::cli) struct Stage {
    /// Use the key at this URI instead of a new key beside the old one
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Generate a key of this kind; p256 by default, for a Rekor v2 log the kind of the old key
    #[arg(long, value_name = "KIND", conflicts_with = "key")]
    kind: Option<Kind>,
    /// Certificates of the key that another authority has issued, in PEM, root included
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["root_key", "new_root"])]
    chain: Option<PathBuf>,
    /// Issue with the root whose key is at this URI, or make a new root with that key
    #[arg(long, value_name = "URI", value_parser = key_uri, conflicts_with = "new_root")]
    root_key: Option<String>,
    /// Make a new root, whose key is destroyed, also if the old root is another authority's or its key is kept
    #[arg(long)]
    new_root: bool,
    /// URL of the next Rekor v2 log: https:// and a host name that no earlier log had
    ///
    /// Before: point the name to this server in DNS, add it to the TLS certificate, and have a proxy pass it on in `Host`.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The key for which certificates were requested.
    #[arg(skip)]
    requested: Option<Place>,
}

impl Stage {
    /// The next generation of a key, with a new key unless one is given.
    pub(in crate::cli) const fn of(key: Option<String>, url: Option<String>) -> Self {
        Self { key, kind: None, chain: None, root_key: None, new_root: false, url, requested: None }
    }

    /// The next generation of an authority, with the key for which certificates were requested, and with them.
    pub(in crate::cli) fn imported(key: Option<String>, requested: Option<Place>, chain: PathBuf) -> Self {
        Self { chain: Some(chain), requested, ..Self::of(key, None) }
    }

    /// The next generation of an authority whose certificates are to be requested.
    pub(in crate::cli::keys) fn requesting(key: Option<String>, kind: Option<Kind>) -> Self {
        Self { kind, ..Self::of(key, None) }
    }

    /// Has the ring name the next generation.
    pub(in crate::cli) async fn run(
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
        let has_roots = self.chain.is_some() || self.root_key.is_some() || self.new_root;
        ensure!(
            !role.is_log() || !has_roots,
            "the key of a log has no certificates; leave out --chain, --root-key and --new-root"
        );
        // Before a key is made that would be in vain.
        let roots = Roots { key: self.root_key.as_deref(), is_new: self.new_root || self.chain.is_some() };
        let root_key = if role.is_log() { None } else { certificates::root_of(role, ring, roots)? };
        let (key, signer) = self.key(files, role, number, ring).await?;
        let (public, root) = if role.is_log() {
            check_kind(role, signer.public_key().kind())?;
            (signer.public_key().to_pem(), None)
        } else if let Some(path) = &self.chain {
            certificates::given(path, role, &signer, now)?
        } else {
            certificates::make(Next { files, role, number, ring, now }, root_key, &signer).await?
        };
        let name = if role.is_log() { format!("{role}-{number}.pub") } else { format!("{role}-{number}-chain.pem") };
        durable::write(&files.key_file(&name), public.as_bytes())?;
        Ok(Generation {
            number,
            state: State::Staged,
            key,
            fingerprint: hex::encode(signer.public_key().fingerprint()),
            chain: Some(name),
            since_seconds: now.seconds(),
            activated_seconds: None,
            ends_seconds: None,
            url: url.map(|url| url.as_str().to_owned()),
            root,
        })
    }

    /// The next key, and where it is: made, unless it is given, and never a key that was ever used.
    pub(in crate::cli) async fn key(
        &self,
        files: &RingFiles,
        role: Role,
        number: u64,
        ring: &Ring,
    ) -> anyhow::Result<(Place, Signer)> {
        let place = match (&self.requested, &self.key) {
            (Some(place), _) => place.clone(),
            (None, Some(uri)) => Place::Uri(uri.clone()),
            (None, None) => self.made(files, role, number, ring).await?,
        };
        let signer = open_place(files, role, &place).await?;
        let found = signer.public_key().kind();
        ensure!(
            self.kind.is_none_or(|kind| KeyKind::from(kind) == found),
            "the next key is there, made by a request or an attempt before, and its kind is {}; leave out --kind, or stage this key, \
             abandon it, and begin again",
            kind_name(found)
        );
        let fingerprint = hex::encode(signer.public_key().fingerprint());
        let known = ring.generations(role).iter().find(|known| known.fingerprint == fingerprint);
        if let Some(known) = known {
            bail!(
                "this is already the key of generation {}; give another key with --key, or none to generate one",
                known.number
            );
        }
        one_role::verify_new(files.directory(), role.name(), signer.public_key())?;
        verify_signs(&signer).await.context("the key cannot sign")?;
        Ok((place, signer))
    }

    /// Makes the key where the one before is, and as that is kept.
    async fn made(&self, files: &RingFiles, role: Role, number: u64, ring: &Ring) -> anyhow::Result<Place> {
        let kind = match self.kind {
            Some(kind) => kind.into(),
            None if role == Role::Rekor2 => {
                PublicKey::from_pem(&certificates::active_public(files, role, ring)?)?.kind()
            }
            None => KeyKind::P256,
        };
        check_kind(role, kind)?;
        let active = ring.find(role, State::Active).context("no key is active")?;
        if let Place::Uri(uri) = &active.key {
            let next = chancery_keys::successor(uri, number)?;
            let made = chancery_keys::open_or_create(&next.parse()?, kind, &SystemRandom).await;
            made.with_context(|| format!("cannot make the key {next}"))?;
            return Ok(Place::Uri(next));
        }
        let name = format!("{role}-{number}.pem");
        let made = Signer::open_or_create_for(role.purpose(), &files.key_file(&name), kind);
        made.context("cannot make the key")?;
        Ok(Place::File(name))
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
