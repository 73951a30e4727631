//! Checks a log in its store. The next step is read while the current one is checked.

use super::heads::Chain;
use super::identities::Identities;
use super::signatures::{self, Met};
use super::tree::Tree;
use super::{Finding, Options, Personality, Report, Subject, tables};
use crate::personality::ct;
use crate::store::{CommittedHead, EarlierHead, End, Lookup, Store, StoredEntry};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::tile::Tiles;
use chancery_verify::{Hash, Timestamp};
use std::collections::{HashSet, VecDeque};
use std::iter::Peekable;
use std::sync::Arc;
use tokio::task;

/// Entries that are read at once. Two steps have 256 MiB with the largest bodies, and 6 MiB with usual ones.
const STEP: u32 = 2048;
/// Checkpoints, and heads, that are read at once.
const CHECKPOINTS: u32 = 4096;

/// Re-derives one log; see [`super::check`].
pub(super) async fn check(
    store: &dyn Store,
    subject: &Subject,
    options: &Options,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Report, Finding> {
    let record = &subject.record;
    if record.key_fingerprint != subject.key.fingerprint() {
        return Err(Finding::Log("it was made with another key"));
    }
    if record.origin != subject.scheme.origin() {
        return Err(Finding::Log("it was made with another origin"));
    }
    let Extent { head, newest, ended, frozen } = Extent::read(store, record.log_id, options).await?;
    let mut source = Source::new(store, record.log_id, head, newest);
    let mut derivation = Derivation::new(subject.clone(), options.clone(), newest);
    progress(0, head.tree.size);
    let mut step = source.read(0).await?;
    loop {
        let (start, end) = (derivation.tree.size(), step.end);
        let derive = task::spawn_blocking(move || derivation.take(&step).map(|()| derivation));
        if end == head.tree.size {
            derivation = derive.await.map_err(|_| Finding::Interrupted)??;
            break;
        }
        let (derived, next) = tokio::join!(derive, source.read(end));
        derivation = derived.map_err(|_| Finding::Interrupted)??;
        debug_assert!(derivation.tree.size() > start, "every step has an entry");
        step = next?;
        progress(end, head.tree.size);
    }
    progress(head.tree.size, head.tree.size);
    if derivation.tree.root() != head.tree.root {
        return Err(Finding::Head { stated: head.tree.size, derived: derivation.tree.size() });
    }
    let Derivation { last, checkpoints, signatures, identities, misled, issuers, heads, .. } = derivation;
    if ended.is_none() && head.timestamp != last {
        return Err(Finding::Log("the time of its head is not that of its last entry"));
    }
    // An ended log has heads beyond its end.
    if ended.is_none() {
        heads.ends_at(head.tree.size, source.heads_ahead.front())?;
    }
    // If an entry is logged twice, no row or a wrong row leads to one of the two. So report the duplicate and not the
    // row.
    source.find_repeat(identities).await?;
    misled.map_or(Ok(()), Err)?;
    match ended {
        None => {
            tables::compare(subject.personality, store.census(record.log_id).await?)?;
            frozen.map_or(Ok(()), |(since, note)| signatures::verify_frozen(subject, &head.tree, since, note))?;
        }
        Some(end) => source.find_last_checkpoint(end.tree.size).await?,
    }
    tables::issuers(store, record.log_id, &issuers).await?;
    Ok(Report {
        log: record.name.clone(),
        origin: record.origin.clone(),
        tree_size: head.tree.size,
        root_hash: hex::encode(head.tree.root),
        checkpoints,
        signatures,
        extends: options.saved.iter().map(|saved| saved.size).collect(),
        lost: ended.map(|end| end.published.saturating_sub(end.tree.size)),
    })
}

/// How much of a log is checked.
struct Extent {
    head: CommittedHead,
    /// Size of the newest stored checkpoint.
    newest: Option<u64>,
    ended: Option<End>,
    /// Since when the log is frozen, and the checkpoint that says so, where one is stored.
    frozen: Option<(Option<Timestamp>, String)>,
}

impl Extent {
    async fn read(store: &dyn Store, log_id: i64, options: &Options) -> Result<Self, Finding> {
        // Read in this order, so that a running server cannot cause a false fault. Entries beyond the head are not read.
        let frozen = match store.frozen_checkpoint(log_id).await? {
            Some(note) => Some((store.frozen(log_id).await?, note)),
            None => None,
        };
        let mut newest = store.newest_checkpoint(log_id).await?.map(|(size, _)| size);
        let mut head = store.head(log_id).await?;
        let ended = store.ended(log_id).await?;
        if let Some(end) = ended {
            // What is shown of an ended log is checked: the rest cannot be proven, and nothing is added to it.
            (head.tree, newest) = (end.tree, Some(end.tree.size));
        }
        let saved = options.saved.iter().map(|saved| saved.size);
        match newest.into_iter().chain(saved).find(|size| *size > head.tree.size) {
            Some(published) => Err(Finding::RolledBack { head: head.tree.size, published }),
            None => Ok(Self { head, newest, ended, frozen }),
        }
    }
}

/// The data of one step.
struct Step {
    end: u64,
    entries: Vec<StoredEntry>,
    /// For each entry, the index to which the tables lead.
    lookups: Vec<Lookup>,
    /// The stored tiles that this step's entries complete.
    tiles: Tiles,
    /// The stored checkpoints up to the end of the step: size and note.
    checkpoints: Vec<(u64, String)>,
    /// The heads that the log has had up to the end of the step.
    heads: Vec<EarlierHead>,
    /// Whether this is the end of the log.
    last: bool,
}

struct Source<'a> {
    store: &'a dyn Store,
    log_id: i64,
    head: CommittedHead,
    newest: Option<u64>,
    /// Checkpoints read ahead.
    ahead: VecDeque<(u64, String)>,
    last_read: Option<u64>,
    /// Heads read ahead.
    heads_ahead: VecDeque<EarlierHead>,
    /// What the last head that was read extends.
    last_extended: Option<u64>,
    /// Whether all heads were read.
    no_more_heads: bool,
}

impl<'a> Source<'a> {
    fn new(store: &'a dyn Store, log_id: i64, head: CommittedHead, newest: Option<u64>) -> Self {
        let (ahead, heads_ahead) = (VecDeque::new(), VecDeque::new());
        let (last_read, last_extended, no_more_heads) = (None, None, false);
        Self { store, log_id, head, newest, ahead, last_read, heads_ahead, last_extended, no_more_heads }
    }

    /// The heads of trees of up to `end` leaves that were not returned yet.
    async fn heads(&mut self, end: u64) -> Result<Vec<EarlierHead>, Finding> {
        let mut heads = Vec::new();
        loop {
            while let Some(head) = self.heads_ahead.pop_front_if(|earlier| earlier.head.tree.size <= end) {
                heads.push(head);
            }
            if !self.heads_ahead.is_empty() || self.no_more_heads {
                return Ok(heads);
            }
            self.heads_ahead = self.store.earlier_heads(self.log_id, self.last_extended, CHECKPOINTS).await?.into();
            match self.heads_ahead.back() {
                // Only the first one extends none: after that, there is no more to read than there was.
                Some(EarlierHead { previous, .. }) => self.last_extended = Some(previous.unwrap_or_default()),
                None => self.no_more_heads = true,
            }
        }
    }

    async fn read(&mut self, start: u64) -> Result<Step, Finding> {
        let end = self.head.tree.size.min(start + u64::from(STEP));
        let last = end == self.head.tree.size;
        let count = u32::try_from(end - start).unwrap_or(STEP);
        let (entries, tiles) = tokio::try_join!(
            self.store.entries(self.log_id, start, count),
            self.store.tiles(self.log_id, Tree::tile_ids(start, end, last))
        )?;
        let lookups = self.store.lookups(self.log_id, tables::indexed(&entries)).await?;
        let mut checkpoints = Vec::new();
        loop {
            while let Some(checkpoint) = self.ahead.pop_front_if(|(size, _)| *size <= end) {
                checkpoints.push(checkpoint);
            }
            // Checkpoints that a running server has stored since then are of a later head.
            if !self.ahead.is_empty() || self.last_read >= self.newest {
                break;
            }
            self.ahead = self.store.checkpoints(self.log_id, self.last_read, CHECKPOINTS).await?.into();
            self.last_read = self.ahead.back().map(|(size, _)| *size).or(self.newest);
        }
        let heads = self.heads(end).await?;
        Ok(Step { end, entries, lookups, tiles, checkpoints, heads, last })
    }

    /// The checkpoint at which the log was ended, which was verified with the others if it is there.
    async fn find_last_checkpoint(&self, size: u64) -> Result<(), Finding> {
        let newest = self.store.checkpoint_below(self.log_id, size.saturating_add(1)).await?;
        let is_there = newest.is_some_and(|(found, _)| found == size);
        if is_there { Ok(()) } else { Err(Finding::Log("the checkpoint at which it was ended is missing")) }
    }

    /// The first entry that equals one with a lower index.
    async fn find_repeat(&self, identities: Identities) -> Result<(), Finding> {
        let suspects =
            task::spawn_blocking(move || identities.suspects()).await.map_err(|_| Finding::Interrupted)??;
        for mut look in suspects.passes() {
            let mut start = 0;
            while start < self.head.tree.size {
                for entry in self.store.entries(self.log_id, start, STEP).await? {
                    if entry.index < self.head.tree.size && look.is_repeated(entry.index, &entry.identity_hash) {
                        return Err(super::repeated(entry.index));
                    }
                }
                start += u64::from(STEP);
            }
        }
        Ok(())
    }
}

/// The log as derived from its entries so far.
struct Derivation {
    subject: Arc<Subject>,
    options: Options,
    newest: Option<u64>,
    tree: Tree,
    identities: Identities,
    last: Timestamp,
    checkpoints: u64,
    signatures: u64,
    /// The first entry to which the tables do not lead.
    misled: Option<Finding>,
    /// Issuer certificates that entries of a CT log name.
    issuers: HashSet<Hash>,
    /// The heads so far.
    heads: Chain,
}

impl Derivation {
    fn new(subject: Subject, options: Options, newest: Option<u64>) -> Self {
        // A log without entries has the time of its creation.
        let last = subject.record.created;
        Self {
            subject: Arc::new(subject),
            options,
            newest,
            tree: Tree::default(),
            identities: Identities::default(),
            last,
            checkpoints: 0,
            signatures: 0,
            misled: None,
            issuers: HashSet::new(),
            heads: Chain::default(),
        }
    }

    /// Derives a step: entries, the checkpoints between them, and then the tiles.
    fn take(&mut self, step: &Step) -> Result<(), Finding> {
        let mut met = Vec::new();
        let mut stored = step.checkpoints.iter().peekable();
        let mut heads = step.heads.iter().peekable();
        let mut entries = step.entries.iter().zip(&step.lookups);
        let derived = loop {
            while let Some((_, note)) = stored.next_if(|(size, _)| *size <= self.tree.size()) {
                met.push(self.meet(note));
            }
            if let Err(finding) = self.options.compare(self.tree.size(), || self.tree.root()) {
                break Err(finding);
            }
            if let Err(finding) = self.extend_chain(&mut heads) {
                break Err(finding);
            }
            match entries.next() {
                Some((entry, lookup)) if self.tree.size() < step.end => match self.append(entry) {
                    Ok(()) if self.misled.is_none() => self.misled = tables::misled(entry, *lookup),
                    Ok(()) => {}
                    Err(finding) => break Err(finding),
                },
                _ if self.tree.size() < step.end => break Err(Finding::Gap { index: self.tree.size() }),
                _ => break Ok(()),
            }
        };
        // A fault before the first wrong entry is reported first.
        signatures::verify(&self.subject, &met)?;
        derived?;
        self.compare_tiles(step)
    }

    /// Compares the heads up to the tree's current size with the tree.
    fn extend_chain<'a>(&mut self, heads: &mut Peekable<impl Iterator<Item = &'a EarlierHead>>) -> Result<(), Finding> {
        while let Some(earlier) = heads.next_if(|earlier| earlier.head.tree.size <= self.tree.size()) {
            self.heads.extend(
                earlier,
                &CommittedHead {
                    tree: TreeHead { size: self.tree.size(), root: self.tree.root() },
                    timestamp: self.last,
                },
            )?;
        }
        Ok(())
    }

    /// Records a stored checkpoint of the tree's current size.
    fn meet(&mut self, note: &str) -> Met {
        let derived = TreeHead { size: self.tree.size(), root: self.tree.root() };
        let with_signature = self.options.signatures.includes(self.checkpoints) || self.newest == Some(derived.size);
        self.checkpoints += 1;
        self.signatures += u64::from(with_signature);
        Met { note: note.to_owned(), derived, with_signature }
    }

    fn append(&mut self, entry: &StoredEntry) -> Result<(), Finding> {
        let index = self.tree.size();
        if entry.index != index {
            return Err(Finding::Gap { index });
        }
        let wrong = |what| Finding::Entry { index, what };
        let leaf_hash = merkle::leaf_hash(&entry.leaf);
        if leaf_hash != entry.leaf_hash {
            return Err(wrong("the stored leaf hash is not that of the leaf"));
        }
        if self.identity(leaf_hash, entry)? != entry.identity_hash {
            return Err(wrong("the stored identity hash is not that of the entry"));
        }
        self.identities.insert(&entry.identity_hash)?;
        if entry.timestamp < self.last {
            return Err(wrong("its time is before that of the entry before it"));
        }
        self.last = entry.timestamp;
        self.tree.append(leaf_hash);
        Ok(())
    }

    /// Compares derived tiles with stored ones. A stored tile at the right edge may be wider, because of a later head.
    fn compare_tiles(&mut self, step: &Step) -> Result<(), Finding> {
        for (id, hashes) in self.tree.take_tiles(step.last).0 {
            let prefix = step.tiles.0.get(&id).and_then(|stored| stored.get(..hashes.len()));
            if prefix != Some(hashes.as_slice()) {
                return Err(Finding::Tile { id });
            }
        }
        Ok(())
    }

    /// Returns the identity hash that the entry must have.
    fn identity(&mut self, leaf_hash: Hash, entry: &StoredEntry) -> Result<Hash, Finding> {
        let wrong = |what| Finding::Entry { index: entry.index, what };
        match self.subject.personality {
            // Equal bodies are equal entries.
            Personality::RekorV1 | Personality::RekorV2 => Ok(leaf_hash),
            Personality::Ct => {
                let logged = ct::logged(&entry.leaf, &entry.extra).map_err(|_| wrong("the leaf does not parse"))?;
                if logged.timestamp != entry.timestamp {
                    return Err(wrong("the stored time is not that of the leaf"));
                }
                self.issuers.extend(logged.issuers);
                Ok(logged.identity_hash)
            }
        }
    }
}
