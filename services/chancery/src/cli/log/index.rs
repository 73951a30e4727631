//! The search index of an instance, in the database of its logs: how commands open, check and build it, beside a server or without
//! one.
//!
//! A log is read as its database has it, up to its newest stored checkpoint, or up to the one to which the index is complete, if
//! that is newer: a running server does not store each. Both must be signed by the key that the trust files of the instance name.

use super::{progress, trust::subjects};
use crate::instance::{search_kind, search_store, source_entry};
use chancery_daemon::random::SystemRandom;
use chancery_log::{StoredLog, store::Database};
use chancery_search::{
    Answer, Finding, Index, LogKind, MAX_ENTRIES, Report, Source, SourceEntry, SourceError, SourceHead, store::Store,
};
use chancery_verify::{
    Hash, Rejection,
    merkle::{self, TreeHead},
};
use indicatif::ProgressBar;
use std::{fmt, path::Path, sync::Arc};

/// The index of the logs of the instance in `data`.
pub(in crate::cli) async fn open(data: &Path, database: &Database) -> anyhow::Result<Index> {
    let (logs, store) = (database.store(), search_store(database));
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for subject in subjects(data, &*logs).await? {
        let log = StoredLog::open(Arc::clone(&logs), subject).await?;
        sources.push(Arc::new(StoredSource { log, index: Arc::clone(&store) }));
    }
    Ok(Index::new(store, Arc::new(move || sources.clone())))
}

/// Checks the index of each log, with a bar.
pub(in crate::cli) async fn check(index: &Index) -> anyhow::Result<Vec<Report>> {
    let mut bars = Bars::default();
    let reports = index.check(&SystemRandom, |log, done, total| bars.show(log, done, total)).await;
    bars.finish();
    Ok(reports?)
}

/// As [`check`] for an instance, where the schema of the database has an index: it may be older than this program, which does not
/// change it.
pub(super) async fn check_if_any(data: &Path, database: &Database) -> anyhow::Result<()> {
    match check(&open(data, database).await?).await {
        Err(error) if error.downcast_ref().is_some_and(lacks_tables) => Ok(()),
        reports => reports.map(|_| ()),
    }
}

fn lacks_tables(finding: &Finding) -> bool {
    let Finding::Unreadable(chancery_search::Error::Store(error)) = finding else { return false };
    error.is_absent()
}

/// A bar for each log, one after the other, on standard error where that is a terminal.
#[derive(Default)]
pub(in crate::cli) struct Bars(Option<(String, ProgressBar)>);

impl Bars {
    /// So many of so many entries of a log are done.
    pub(in crate::cli) fn show(&mut self, log: &str, done: u64, total: u64) {
        if self.0.as_ref().is_none_or(|(shown, _)| shown != log) {
            self.finish();
        }
        let (_, bar) = self.0.get_or_insert_with(|| (log.to_owned(), progress(log)));
        bar.set_length(total);
        bar.set_position(done);
    }

    /// Takes the last one away.
    pub(in crate::cli) fn finish(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// A log in its database, and the index of it.
struct StoredSource {
    log: StoredLog,
    index: Arc<dyn Store>,
}

fn unreadable(reason: &dyn fmt::Display) -> SourceError {
    SourceError { reason: reason.to_string() }
}

impl StoredSource {
    /// The checkpoint to which the index is complete.
    async fn indexed(&self) -> Result<Option<(TreeHead, String)>, SourceError> {
        let progress = self.index.progress(self.log_id()).await.map_err(|error| unreadable(&error))?;
        let Some(note) = progress.and_then(|progress| progress.checkpoint) else { return Ok(None) };
        // One that does not verify is for the check to find.
        Ok(self.log.open_checkpoint(&note).ok().map(|head| (head, note)))
    }
}

impl Source for StoredSource {
    fn log_id(&self) -> i64 {
        self.log.record().log_id
    }

    fn name(&self) -> String {
        self.log.record().name.clone()
    }

    fn kind(&self) -> LogKind {
        search_kind(&self.log.record().name)
    }

    fn is_ended(&self) -> bool {
        self.log.is_ended()
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(async move {
            let published = self.log.published().await.map_err(|error| unreadable(&error))?;
            let indexed = if self.is_ended() { None } else { self.indexed().await? };
            let newest = published.into_iter().chain(indexed).max_by_key(|(head, _)| head.size);
            let empty = || (TreeHead { size: 0, root: merkle::empty_root() }, String::new());
            let (TreeHead { size, root }, checkpoint) = newest.unwrap_or_else(empty);
            Ok(SourceHead { size, root, checkpoint })
        })
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.log.open_checkpoint(checkpoint)
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            let count = u32::try_from(end.saturating_sub(first).min(MAX_ENTRIES)).unwrap_or(u32::MAX);
            let entries = self.log.entries(first, count).await.map_err(|error| unreadable(&error))?;
            Ok(entries.into_iter().map(source_entry).collect())
        })
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move { self.log.inclusion_proof(index, size).await.map_err(|error| unreadable(&error)) })
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move { self.log.consistency_proof(old, new).await.map_err(|error| unreadable(&error)) })
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        Box::pin(async move { self.log.index_of(leaf_hash).await.map_err(|error| unreadable(&error)) })
    }
}
