//! The generations of a role's key, opened: which of them are to be trusted, shown, and signed with.

use super::{Generation, Place, Progress, Published, Ring, RingFiles, Role, State, credential::Credential};
use anyhow::{Context as _, anyhow, ensure};
use chancery_daemon::signer::Signer;
use chancery_trust::Validity;
use chancery_verify::{PublicKey, Timestamp, hash::Hash};
use std::{collections::BTreeMap, fs, sync::Arc};

/// The order in which generations are published: what signs now, what will, what did.
const ORDER: [State; 4] = [State::Active, State::Staged, State::Outgoing, State::Retired];

/// A generation whose public side was read.
struct Opened<C> {
    credential: Arc<C>,
    /// Only while it may be needed, and once it was seen to sign.
    signer: Option<Arc<Signer>>,
}

/// What is to be trusted, and when it counts.
#[derive(Clone)]
pub(crate) struct Trusted<C> {
    /// Of the generation.
    pub(crate) number: u64,
    pub(crate) credential: Arc<C>,
    pub(crate) validity: Validity,
    /// Since when it has signed, if it has.
    pub(crate) activated: Option<Timestamp>,
    /// Where it is, if not where all logs are.
    pub(crate) url: Option<String>,
}

/// All generations of a role's key.
pub(crate) struct Generations<C> {
    role: Role,
    files: RingFiles,
    ring: Ring,
    opened: BTreeMap<u64, Opened<C>>,
    pub(super) progress: Progress,
}

impl<C: Credential> Generations<C> {
    /// Opens what the ring names, and what signs: the active generation. Where that cannot be opened and the one before signed
    /// when the server last ran, this one goes on.
    pub(crate) async fn open(files: RingFiles, role: Role, now: Timestamp) -> anyhow::Result<Self> {
        let mut keys = Self::read(files, role)?;
        let last = keys.progress.signing;
        let active = keys.only(State::Active)?;
        let failed = match keys.open_key(&active, now).await {
            Ok(()) => None,
            Err(error) => {
                let former = keys.only(State::Outgoing).ok().filter(|former| former.number == last);
                let Some(former) = former else { return Err(error) };
                keys.open_key(&former, now).await?;
                Some((former.number, format!("{error:#}")))
            }
        };
        if let Some((former, reason)) = failed {
            tracing::error!(
                %role,
                generation = active.number,
                reason,
                "the active key cannot be used; the old key still signs"
            );
            keys.progress.obstacles.insert(active.number, reason);
            keys.progress.signing = former;
        } else {
            keys.signs(active.number, now);
        }
        // The first key of a role is published with the instance.
        if keys.ring.generations(role).len() == 1 {
            keys.progress.published_seconds.entry(keys.progress.signing).or_insert_with(|| now.seconds());
        }
        Ok(keys)
    }

    /// Reads what the ring names, and how far the process is that signs; opens no key.
    pub(crate) fn read(files: RingFiles, role: Role) -> anyhow::Result<Self> {
        let (ring, progress) = (files.ring(role)?, files.progress(role)?.unwrap_or_default());
        let mut keys = Self { role, files, ring, opened: BTreeMap::new(), progress };
        keys.progress.obstacles.clear();
        keys.read_credentials();
        Ok(keys)
    }

    fn only(&self, state: State) -> anyhow::Result<Generation> {
        let found = self.ring.find(self.role, state).cloned();
        found.with_context(|| format!("no {} key is {}", self.role.title(), state.name()))
    }

    /// Takes what the ring says now. What cannot be opened is an obstacle to itself and to nothing else.
    pub(super) async fn take(&mut self, ring: Ring, now: Timestamp) {
        self.ring = ring;
        self.progress.obstacles.clear();
        self.forget_withdrawn();
        self.read_credentials();
        for state in [State::Active, State::Staged] {
            let Ok(generation) = self.only(state) else { continue };
            if generation.number == self.progress.signing {
                continue;
            }
            if let Err(error) = self.open_key(&generation, now).await {
                self.obstruct(generation.number, format!("{error:#}"));
            }
        }
        let signing = self.progress.signing;
        for generation in self.ring.generations(self.role) {
            let needed = matches!(generation.state, State::Active | State::Staged) || generation.number == signing;
            if let Some(opened) = self.opened.get_mut(&generation.number).filter(|_| !needed) {
                opened.signer = None;
            }
        }
    }

    /// Nobody waits any more for what was abandoned.
    fn forget_withdrawn(&mut self) {
        let generations = self.ring.generations(self.role);
        let waits = |number: &u64| {
            let found = generations.iter().find(|generation| generation.number == *number);
            found.is_some_and(|generation| matches!(generation.state, State::Staged | State::Active))
        };
        self.progress.offered.retain(&waits);
        self.progress.unpublished.retain(|number, _| waits(number));
    }

    /// Generations of which the process has done what the ring says, and the audit log does not say so.
    pub(super) fn unrecorded(&self) -> Vec<Generation> {
        let Progress { signing, published_seconds, recorded, .. } = &self.progress;
        let is_done = |generation: &&Generation| match generation.state {
            State::Staged => published_seconds.contains_key(&generation.number),
            State::Active => *signing == generation.number,
            State::Outgoing | State::Retired | State::Abandoned => *signing != generation.number,
        };
        let is_new = |generation: &&Generation| recorded.get(&generation.number) != Some(&generation.state);
        self.ring.generations(self.role).iter().filter(is_done).filter(is_new).cloned().collect()
    }

    /// Notes why a generation cannot be used.
    pub(super) fn obstruct(&mut self, number: u64, reason: String) {
        self.progress.obstacles.insert(number, reason);
    }

    /// Reads the public side of every generation that counts.
    fn read_credentials(&mut self) {
        for generation in self.ring.generations(self.role) {
            if generation.state == State::Abandoned || self.opened.contains_key(&generation.number) {
                continue;
            }
            match self.read_credential(generation) {
                Ok(credential) => {
                    let opened = Opened { credential: Arc::new(credential), signer: None };
                    self.opened.insert(generation.number, opened);
                }
                Err(error) => {
                    self.progress.obstacles.insert(generation.number, format!("{error:#}"));
                }
            }
        }
    }

    fn read_credential(&self, generation: &Generation) -> anyhow::Result<C> {
        let name = generation
            .chain
            .as_deref()
            .context("keys/ring.json is damaged: it names no file with the public key; restore it from a backup")?;
        let path = self.files.key_file(name);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let credential = C::parse(&text).with_context(|| format!("cannot use {}", path.display()))?;
        ensure!(
            is(generation, credential.key()),
            "{} is of the key with SHA-256 {}, but keys/ring.json has {} as generation {}; put that file back from a backup",
            path.display(),
            hex::encode(credential.key().fingerprint()),
            generation.fingerprint,
            generation.number
        );
        Ok(credential)
    }

    /// Opens the generation's key unless it is open, and has it sign once either way.
    async fn open_key(&mut self, generation: &Generation, now: Timestamp) -> anyhow::Result<()> {
        let reason = || anyhow!("{}", self.progress.obstacles.get(&generation.number).cloned().unwrap_or_default());
        let opened = self.opened.get(&generation.number).ok_or_else(reason)?;
        let (credential, known) = (Arc::clone(&opened.credential), opened.signer.clone());
        let signer = match known {
            Some(signer) => signer,
            None => Arc::new(open_generation(&self.files, self.role, generation).await?),
        };
        credential.check(now)?;
        verify_signs(&signer).await?;
        self.opened.insert(generation.number, Opened { credential, signer: Some(signer) });
        Ok(())
    }

    /// From now on `number` signs.
    pub(super) fn signs(&mut self, number: u64, now: Timestamp) {
        let former = match std::mem::replace(&mut self.progress.signing, number) {
            // Nobody has said when the outgoing one stopped, because the file that says so was lost: before now.
            0 => self.ring.find(self.role, State::Outgoing).map(|outgoing| outgoing.number),
            former => Some(former),
        };
        if let Some(former) = former.filter(|former| *former != number) {
            self.progress.stopped_seconds.insert(former, now.seconds());
        }
    }

    /// The generation that should sign and does not, with its key, if nothing is in its way.
    pub(super) fn next(&self) -> Option<(u64, Arc<C>, Arc<Signer>)> {
        let number = self.ring.find(self.role, State::Active)?.number;
        if number == self.progress.signing || self.progress.obstacles.contains_key(&number) {
            return None;
        }
        let opened = self.opened.get(&number)?;
        Some((number, Arc::clone(&opened.credential), opened.signer.clone()?))
    }

    /// Every generation that is or was in use, the first one first.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = &Generation> {
        let generations = self.ring.generations(self.role).iter();
        generations.filter(|generation| generation.state != State::Abandoned)
    }

    /// The number and public side of the generation that signs, whether or not the key is open.
    pub(crate) fn signing_credential(&self) -> anyhow::Result<(u64, Arc<C>)> {
        let active = self.ring.find(self.role, State::Active).map_or(0, |active| active.number);
        // Nobody has said so yet where no key was ever rotated.
        let number = if self.progress.signing == 0 { active } else { self.progress.signing };
        let opened = self.opened.get(&number).map(|opened| (number, Arc::clone(&opened.credential)));
        opened.with_context(|| format!("the active {} key is not known", self.role.title()))
    }

    /// The generation that signs.
    pub(crate) fn signing(&self) -> anyhow::Result<(Arc<C>, Arc<Signer>)> {
        let opened = self.opened.get(&self.progress.signing);
        let open = opened.and_then(|opened| Some((Arc::clone(&opened.credential), opened.signer.clone()?)));
        open.with_context(|| format!("the {} key is not open", self.role.title()))
    }

    /// Whether the generation does not sign yet.
    pub(crate) fn is_coming(&self, number: u64) -> bool {
        let coming =
            [State::Active, State::Staged].map(|state| self.ring.find(self.role, state).map(|found| found.number));
        number != self.progress.signing && coming.contains(&Some(number))
    }

    /// Every generation whose public side was read, by number.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = (u64, &Arc<C>)> {
        self.opened.iter().map(|(number, opened)| (*number, &opened.credential))
    }

    /// Generations that may be published, in the order they are published in. One that was staged is, once it can be used; what
    /// was offered or published stays.
    fn publishable(&self) -> impl Iterator<Item = (&Generation, &Opened<C>)> {
        let in_state = |state| self.ring.generations(self.role).iter().rev().filter(move |found| found.state == state);
        ORDER.into_iter().flat_map(in_state).filter_map(|generation| {
            let number = generation.number;
            let known = generation.state != State::Staged
                || self.progress.offered.contains(&number)
                || self.progress.published_seconds.contains_key(&number)
                || !self.progress.obstacles.contains_key(&number) && self.opened.get(&number)?.signer.is_some();
            Some((generation, self.opened.get(&number).filter(|_| known)?))
        })
    }

    /// Generations that no client could fetch yet, and that sign or will sign.
    fn unpublished(&self) -> impl Iterator<Item = &Generation> {
        let publishable = self.publishable().map(|(generation, _)| generation);
        publishable.filter(|generation| {
            let counts = matches!(generation.state, State::Staged | State::Active);
            counts && !self.progress.published_seconds.contains_key(&generation.number)
        })
    }

    /// What may be signed with, or lately was.
    pub(crate) fn shown(&self) -> Vec<Arc<C>> {
        let published = self.publishable().filter(|(generation, _)| generation.state != State::Retired);
        published.map(|(_, opened)| Arc::clone(&opened.credential)).collect()
    }

    /// What is to be trusted, and when.
    pub(crate) fn trusted(&self) -> Vec<Trusted<C>> {
        let published = self.publishable().map(|(generation, opened)| Trusted {
            number: generation.number,
            credential: Arc::clone(&opened.credential),
            validity: Validity {
                start: Timestamp::from_seconds(generation.since_seconds),
                end: generation.ends_seconds.map(Timestamp::from_seconds),
            },
            activated: generation.activated_seconds.map(Timestamp::from_seconds),
            url: generation.url.clone(),
        });
        published.collect()
    }

    /// Notes that everything in [`Self::publishable`] may be published, also by another process.
    pub(super) fn note_offered(&mut self) {
        let numbers: Vec<u64> = self.unpublished().map(|generation| generation.number).collect();
        self.progress.offered.extend(numbers);
    }

    /// Whether there is something that clients could not fetch yet.
    pub(super) fn awaits_publication(&self) -> bool {
        self.unpublished().next().is_some()
    }

    /// Notes which generations clients are given: those in the trusted root that is served.
    pub(super) fn note_published(&mut self, served: Result<(&Published, Option<&str>), &str>, now: Timestamp) {
        const MISSING: &str = "the TUF repository that is served does not have it yet";
        let found: Vec<(u64, Result<(), String>)> = self
            .unpublished()
            .map(|generation| {
                let verdict = served.map_err(str::to_owned).and_then(|(published, behind)| {
                    let is_served = published.keys(self.role).contains_key(&generation.fingerprint);
                    if is_served { Ok(()) } else { Err(behind.unwrap_or(MISSING).to_owned()) }
                });
                (generation.number, verdict)
            })
            .collect();
        for (number, verdict) in found {
            if let Err(reason) = verdict {
                self.progress.unpublished.insert(number, reason);
            } else {
                self.progress.published_seconds.insert(number, now.seconds());
                self.progress.offered.remove(&number);
                self.progress.unpublished.remove(&number);
            }
        }
    }

    /// Tells `chancery keys` how far this is.
    pub(super) fn write_progress(&self) -> anyhow::Result<()> {
        self.files.write_progress(self.role, &self.progress)
    }

    pub(super) const fn files(&self) -> &RingFiles {
        &self.files
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }
}

/// Whether this is the key that was staged.
fn is(generation: &Generation, key: &PublicKey) -> bool {
    generation.fingerprint == hex::encode(key.fingerprint())
}

/// Whether the key signs at this moment: a signature is made and verified.
pub(crate) async fn verify_signs(signer: &Signer) -> anyhow::Result<()> {
    let message = b"chancery: this signature shows that the key of this generation signs";
    let signature = signer.sign(message).await?;
    signer.public_key().verify(message, &signature).context("the signature of the key does not verify")
}

/// Opens a generation's key wherever it is: the one that was staged, and no other that is there now.
pub(crate) async fn open_generation(files: &RingFiles, role: Role, generation: &Generation) -> anyhow::Result<Signer> {
    let mut known = Hash::default();
    let decoded = hex::decode_to_slice(&generation.fingerprint, &mut known);
    ensure!(decoded.is_ok(), "keys/ring.json is damaged: a fingerprint is malformed; restore it from a backup");
    let signer = open_as(files, role, &generation.key, Some(&known)).await?;
    ensure!(
        is(generation, signer.public_key()),
        "{} is the key with SHA-256 {}, but {} is of generation {} of the {} key, with SHA-256 {}; put that key back, or, if it was \
         only staged, give it up: chancery keys rotate {role} abandon",
        match &generation.key {
            Place::File(name) => files.key_file(name).display().to_string(),
            Place::Uri(uri) => uri.clone(),
        },
        hex::encode(signer.public_key().fingerprint()),
        files.key_file(generation.chain.as_deref().unwrap_or("ring.json")).display(),
        generation.number,
        role.title(),
        generation.fingerprint,
    );
    Ok(signer)
}

/// Opens a role's key wherever it is.
pub(crate) async fn open_place(files: &RingFiles, role: Role, place: &Place) -> anyhow::Result<Signer> {
    open_as(files, role, place, None).await
}

async fn open_as(files: &RingFiles, role: Role, place: &Place, known: Option<&Hash>) -> anyhow::Result<Signer> {
    match place {
        Place::File(name) => {
            let path = files.key_file(name);
            ensure!(
                path.exists(),
                "{} is missing, and a new one would contradict what was signed before; put it back, or start afresh with \
                 another --data",
                path.display()
            );
            let opened = Signer::open_for(role.purpose(), &path);
            opened.with_context(|| format!("cannot use the {} key {}", role.title(), path.display()))
        }
        Place::Uri(uri) => {
            let key = uri.parse().with_context(|| format!("{uri} is not a key URI"))?;
            let opened = match known {
                Some(known) => chancery_keys::reopen(&key, known).await,
                None => chancery_keys::open(&key).await,
            };
            opened.with_context(|| format!("cannot use the {} key {uri}", role.title()))
        }
    }
}
