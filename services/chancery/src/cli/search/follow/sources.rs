//! A log elsewhere as the index takes it. Twice: for following it, and for questions.
//!
//! Entries that are followed are hashed into the log's tree by the index itself, so they are read ahead and not verified here.
//! A question needs an entry here and there, and the index only says where to look: so the entry is proven to be in the tree
//! before it is an answer, and then remembered.

use super::followed::Followed;
use chancery_log_client::RemoteEntry;
use chancery_search::{Answer, LogKind, MAX_ENTRIES, Source, SourceEntry, SourceError, SourceHead};
use chancery_verify::{
    Hash, Rejection,
    merkle::{TreeHead, leaf_hash, verify_inclusion},
};
use futures_util::future::try_join_all;
use moka::sync::Cache;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Mutex;

/// Bytes of entries that questions remember.
const REMEMBERED_BYTES: u64 = 64 << 20;
/// Entries that are proven at the same time.
const PROOFS_AT_ONCE: usize = 8;

/// What to do if the log shows other entries than those of its tree.
const ADVICE: &str = "Nothing of them is indexed. The log has no repair for this: its operator, or a server on the way, shows other \
    entries than its key has signed. Keep the checkpoints, which are the evidence, read the log from another network, and ask its \
    operator and its witnesses";

/// A log elsewhere, as the index follows it or as questions ask it.
pub(super) struct Elsewhere {
    followed: Arc<Followed>,
    entries: Entries,
}

/// How its entries are read.
enum Entries {
    /// One after the other, for following it.
    Ahead(Mutex<Ahead>),
    /// Here and there, for questions: those that were proven, by index.
    Proven(Cache<u64, SourceEntry>),
}

/// Entries that were read and not taken yet.
#[derive(Default)]
struct Ahead {
    /// The index of the first.
    next: u64,
    entries: VecDeque<RemoteEntry>,
}

fn source_entry(RemoteEntry { leaf, extra, timestamp_ms }: RemoteEntry) -> SourceEntry {
    SourceEntry { leaf, extra, timestamp_ms }
}

impl Elsewhere {
    /// The log as the index follows it.
    pub(super) fn following(followed: Arc<Followed>) -> Self {
        Self { followed, entries: Entries::Ahead(Mutex::default()) }
    }

    /// The log as questions ask it.
    pub(super) fn asked(followed: Arc<Followed>) -> Self {
        let bytes = |entry: &SourceEntry| entry.leaf.len().saturating_add(entry.extra.len()).saturating_add(64);
        let weight = move |_: &u64, entry: &SourceEntry| u32::try_from(bytes(entry)).unwrap_or(u32::MAX);
        let proven = Cache::builder().weigher(weight).max_capacity(REMEMBERED_BYTES).build();
        Self { followed, entries: Entries::Proven(proven) }
    }

    /// Takes the next entries, and reads ahead where there are none.
    async fn take(&self, ahead: &Mutex<Ahead>, first: u64, end: u64) -> Result<Vec<SourceEntry>, SourceError> {
        let mut ahead = ahead.lock().await;
        if ahead.next != first || ahead.entries.is_empty() {
            let until = self.followed.size().max(end);
            let read = self.followed.ask(self.followed.log.entries(first, until)).await?;
            *ahead = Ahead { next: first, entries: read.into() };
        }
        let wanted = end.saturating_sub(first).min(MAX_ENTRIES);
        let count = usize::try_from(wanted).unwrap_or(usize::MAX).min(ahead.entries.len());
        let taken: Vec<SourceEntry> = ahead.entries.drain(..count).map(source_entry).collect();
        ahead.next = first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(taken)
    }

    /// Remembers entries, or reads them and proves each.
    async fn look_up(
        &self,
        proven: &Cache<u64, SourceEntry>,
        first: u64,
        end: u64,
    ) -> Result<Vec<SourceEntry>, SourceError> {
        let end = end.min(first.saturating_add(MAX_ENTRIES));
        let known: Vec<SourceEntry> = (first..end).map_while(|index| proven.get(&index)).collect();
        if !known.is_empty() {
            return Ok(known);
        }
        let head = self.followed.accepted().await?;
        let read = self.followed.ask(self.followed.log.entries(first, end)).await?;
        let numbered: Vec<(u64, SourceEntry)> = (first..end).zip(read.into_iter().map(source_entry)).collect();
        for some in numbered.chunks(PROOFS_AT_ONCE) {
            let mut proofs = Vec::with_capacity(some.len());
            for (index, entry) in some {
                proofs.push(self.prove(*index, leaf_hash(&entry.leaf), head));
            }
            try_join_all(proofs).await?;
        }
        for (index, entry) in &numbered {
            proven.insert(*index, entry.clone());
        }
        Ok(numbered.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn prove(&self, index: u64, leaf_hash: Hash, head: TreeHead) -> Result<(), SourceError> {
        let proof = self.followed.ask(self.followed.log.inclusion_proof(index, head.size)).await?;
        let verdict = verify_inclusion(index, head.size, &leaf_hash, &proof, &head.root);
        verdict.map_err(|rejection| self.followed.contradicts(index, rejection))
    }
}

impl Source for Elsewhere {
    fn log_id(&self) -> i64 {
        self.followed.log_id()
    }

    fn name(&self) -> String {
        self.followed.name().to_owned()
    }

    fn kind(&self) -> LogKind {
        self.followed.kind()
    }

    fn tells_times(&self) -> bool {
        self.followed.tells_times()
    }

    fn advice(&self) -> &'static str {
        ADVICE
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(self.followed.head())
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.followed.log.open_checkpoint(checkpoint)
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        match &self.entries {
            Entries::Ahead(ahead) => Box::pin(self.take(ahead, first, end)),
            Entries::Proven(proven) => Box::pin(self.look_up(proven, first, end)),
        }
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(self.followed.ask(self.followed.log.inclusion_proof(index, size)))
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(self.followed.ask(self.followed.log.consistency_proof(old, new)))
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        Box::pin(self.followed.ask(self.followed.log.index_of(leaf_hash)))
    }
}
