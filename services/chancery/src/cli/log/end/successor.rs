//! The successor of a log that was ended: the next generation of its key, and the empty log of it.

use crate::{
    cli::keys::Stage,
    instance::tree_id,
    rotation::{Generation, Ring, RingFiles, Role, State},
};
use anyhow::{Context as _, ensure};
use chancery_daemon::random::SystemRandom;
use chancery_log::{
    ct, rekor_v1, rekor_v2, series,
    store::{LogRecord, NewLog, Store},
};
use chancery_trust::{BaseUrl, log_name};
use chancery_verify::{PublicKey, Timestamp, checkpoint::Scheme};
use std::fs;

/// The public half of generation `number`.
pub(super) fn public_key(files: &RingFiles, ring: &Ring, role: Role, number: u64) -> anyhow::Result<PublicKey> {
    let found = ring.generations(role).iter().find(|generation| generation.number == number);
    public_key_of(files, found.with_context(|| format!("keys/ring.json has no generation {number}"))?)
}

/// What signs instead.
pub(super) enum Successor {
    /// A later generation signs already.
    Signs(u64),
    /// This one will.
    Next(Box<Generation>, Role),
}

impl Successor {
    /// The successor of generation `number`: a later one that signs, the staged one, or a new one, whose key is at the URI `key`
    /// or made now.
    pub(super) async fn of(
        files: &RingFiles,
        ring: &Ring,
        role: Role,
        number: u64,
        key: Option<String>,
        url: Option<String>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let active = ring.find(role, State::Active).context("no key is active")?.number;
        if active > number {
            return Ok(Self::Signs(active));
        }
        ensure!(
            active == number,
            "generation {number} has never signed; give it up instead: chancery keys rotate {role} abandon"
        );
        if let Some(staged) = ring.find(role, State::Staged) {
            ensure!(
                key.is_none() && url.is_none(),
                "generation {} is staged and becomes the successor; leave out --key and --url",
                staged.number
            );
            return Ok(Self::Next(Box::new(staged.clone()), role));
        }
        let last = ring.generations(role).last().map_or(number, |generation| generation.number);
        let next = Stage::of(key, url).make(files, role, last + 1, ring, now).await?;
        Ok(Self::Next(Box::new(next), role))
    }

    /// Freezes the empty shards of abandoned keys between the two, which would otherwise be the next to take entries.
    pub(super) async fn freeze_abandoned(
        &self,
        store: &dyn Store,
        ended: &LogRecord,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let Self::Next(next, Role::Rekor) = self else { return Ok(()) };
        let (name, number) = series::split(&ended.name);
        for record in store.logs().await? {
            let (series, other) = series::split(&record.name);
            if series == name && other > number && other < next.number {
                store.freeze(record.log_id, now).await?;
            }
        }
        Ok(())
    }

    /// Makes the log, where it is not there, and has the ring name its key as the one that signs. Returns its number.
    pub(super) async fn begin(
        self,
        files: &RingFiles,
        store: &dyn Store,
        ring: &mut Ring,
        ended: &LogRecord,
        now: Timestamp,
    ) -> anyhow::Result<u64> {
        let (next, role) = match self {
            Self::Signs(number) => return Ok(number),
            Self::Next(next, role) => (*next, role),
        };
        let number = next.number;
        let key = public_key_of(files, &next)?;
        let name = series::name(series::split(&ended.name).0, number);
        if let Some(found) = store.open(&name).await? {
            ensure!(
                found.key_fingerprint == key.fingerprint(),
                "the database has a log {name} of another key; it was made by another data directory"
            );
        } else {
            let tree_id = tree_id(&SystemRandom);
            let origin = scheme(role, ended, &next, tree_id).context("cannot name the successor")?.origin();
            let log = NewLog { name, origin, tree_id, key_fingerprint: key.fingerprint(), created: now };
            store.create(log).await.context("cannot make the successor; connect as the owner of the database")?;
        }
        ring.succeed(role, next, now)?;
        files.write_ring(ring)?;
        Ok(number)
    }
}

fn public_key_of(files: &RingFiles, generation: &Generation) -> anyhow::Result<PublicKey> {
    let name = generation.chain.as_deref().context("the generation names no file with its public key")?;
    let path = files.key_file(name);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKey::from_pem(&text).with_context(|| format!("{} is damaged; restore it from a backup", path.display()))
}

/// How the successor names its checkpoints: as a server names the log of that generation.
fn scheme(role: Role, ended: &LogRecord, next: &Generation, tree_id: i64) -> anyhow::Result<Scheme> {
    let malformed = || format!("the origin {} is not one", ended.origin);
    Ok(match role {
        Role::Rekor => {
            let host = ended.origin.strip_suffix(&format!(" - {}", ended.tree_id));
            rekor_v1::scheme(host.with_context(malformed)?, tree_id)?
        }
        Role::Rekor2 => {
            let url = next.url.as_deref().context("the generation has no URL")?;
            rekor_v2::scheme(&log_name(&BaseUrl::parse(url)?)?.to_string(), tree_id)?
        }
        // Its path has the generation's number, as its name has.
        _ => {
            let first = match series::split(&ended.name).1 {
                1 => Some(ended.origin.as_str()),
                number => ended.origin.strip_suffix(&format!("-{number}")),
            };
            ct::scheme(&series::name(first.with_context(malformed)?, next.number), tree_id)?
        }
    })
}
