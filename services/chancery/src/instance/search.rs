//! The search index of an instance: it follows the logs that run in this process, in their database. A fault of the index is a
//! warning and never a failure, because no log depends on it.

use super::{
    events::{self, EventSettings},
    logs::Logs,
    readiness::Checked,
    rekor_shards,
    running::RunningLogs,
};
use crate::role::Role;
use axum::Router;
use bytes::Bytes;
use chancery_daemon::{
    clock::Clock,
    health::{Finding, State},
    metrics::Metrics,
};
use chancery_log::{
    Error, Log, ct,
    reader::{Readers, readers_only},
    rekor_v1::{self, RekorV1},
    series,
    store::{Database, StoredEntry},
};
use chancery_search::{
    Answer, Asking, Index, LogKind, MAX_ENTRIES, Source, SourceEntry, SourceError, SourceHead, Sources, Standing,
    State as Following, Status, Trust,
    events::Events,
    store::{Cursors, PostgresStore, SqliteStore, Store},
};
use chancery_trust::{CurrentFiles, FileName, TrustFiles};
use chancery_verify::{
    Hash, Rejection, Timestamp,
    merkle::TreeHead,
    trust_root::TrustRoot,
    verifier::{Options, Verifier},
};
use clap::Args;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;

/// An index that is behind for longer needs a word: it is busy with what was logged before, or has too little time.
const LONG: Duration = Duration::from_secs(10);

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// Build no search index of the logs
    #[arg(long = "without-search", help_heading = "Logs")]
    pub(crate) disabled: bool,
}

/// The indexes in this database.
pub(crate) fn store(database: &Database) -> Arc<dyn Store> {
    match database {
        Database::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
        Database::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
    }
}

/// How far events have been delivered, in this database.
fn cursors(database: &Database) -> Arc<dyn Cursors> {
    match database {
        Database::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
        Database::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
    }
}

/// What the entries of the log of this name are.
pub(crate) fn kind(name: &str) -> LogKind {
    if series::split(name).0 == ct::NAME { LogKind::Certificates } else { LogKind::Rekor }
}

/// An index that follows the logs of this process, and events about what it has read.
pub(super) struct Search {
    index: Index,
    logs: RunningLogs,
    readers: Readers,
    events: Option<Events>,
}

impl Search {
    /// Begins to follow the logs, and those that are made later, and to tell a receiver of their entries; only `readers` may ask.
    /// The tasks may be aborted at any moment.
    pub(super) fn start(
        logs: &Logs,
        readers: Readers,
        events: Option<EventSettings>,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<(Self, Vec<JoinHandle<()>>)> {
        let sources = sources(logs);
        let index = Index::new(store(logs.database()), Arc::clone(&sources));
        if let Some(metrics) = metrics {
            measure(metrics, index.clone())?;
        }
        let mut tasks = vec![index.follow()];
        let cursors = cursors(logs.database());
        let started = events.map(|events| events::start(events, index.clone(), sources, cursors, metrics));
        let (events, delivering) = started.transpose()?.unzip();
        tasks.extend(delivering);
        Ok((Self { index, logs: logs.running.clone(), readers, events }, tasks))
    }

    /// The routes and the checks. Searches verify what they find with the trust files of this process, if it has them.
    pub(super) fn part(&self, trust_files: Option<CurrentFiles>, clock: &Arc<dyn Clock>) -> (Router, Checked) {
        let asking = Asking::new(self.index.clone(), trust(trust_files), Arc::clone(clock));
        (readers_only(chancery_search::http::router(asking), &self.readers), self.checks())
    }

    /// Whether it follows each log, and the receiver of events is told.
    fn checks(&self) -> Checked {
        let (index, logs) = (self.index.clone(), self.logs.clone());
        let mut checked = Checked::known(move || {
            let status = index.status();
            let finding = |log: Log| {
                let record = log.record();
                let status = status.iter().find(|status| status.log_id == record.log_id);
                let state = status.map_or(State::Passed, state_of);
                Finding::new(Role::Log.name(), format!("{} index", record.name), state)
            };
            logs.logs().into_iter().map(finding).collect()
        });
        if let Some(events) = &self.events {
            checked.extend(events::checks(events.clone()));
        }
        checked
    }
}

/// The logs of this process, as they are followed: those that run at the moment when it is called.
pub(super) fn sources(logs: &Logs) -> Sources {
    let (followed, rekor) = (logs.running.clone(), rekor_shards::rekor(&logs.rekor).clone());
    Arc::new(move || {
        let source = |log| Arc::new(OwnLog { log, rekor: rekor.clone() }) as Arc<dyn Source>;
        followed.logs().into_iter().map(source).collect()
    })
}

/// Trust files, and the verifier that was made of them, if they can be used.
type Made = (Arc<TrustFiles>, Option<Arc<Verifier>>);

/// The trust files as a verifier, which is made again when they change.
fn trust(files: Option<CurrentFiles>) -> Trust {
    let made: Mutex<Option<Made>> = Mutex::default();
    Arc::new(move || {
        let files = Arc::clone(&files.as_ref()?.borrow());
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, verifier)) if Arc::ptr_eq(of, &files) => verifier.clone(),
            _ => {
                // Our own file, which every client parses: a defect if not.
                let root = TrustRoot::parse(files.contents(FileName::TrustedRoot).as_bytes());
                let root =
                    root.inspect_err(|refusal| tracing::error!(%refusal, "searches cannot use the trusted root"));
                let verifier = root.ok().map(|root| Arc::new(Verifier::new(root, Options::default())));
                *made = Some((files, verifier.clone()));
                verifier
            }
        }
    })
}

/// How following goes, as a check shows it.
pub(crate) fn state_of(status: &Status) -> State {
    let Status { name, indexed, behind_for, state, .. } = status;
    let complete = format!("searches know the first {indexed} entries of the {name} log");
    match state {
        Following::Stopped(reason) => State::Warning(format!("{complete}, and learn no more: {reason}")),
        Following::Failing(reason) => State::Warning(format!("{complete}: {reason}. It is tried again")),
        Following::Following if behind_for.is_some_and(|behind| behind > LONG) => {
            State::Warning(format!("{complete}, and {} newer ones are being indexed", status.lag()))
        }
        Following::Following => State::Passed,
    }
}

fn measure(metrics: &Metrics, index: Index) -> anyhow::Result<()> {
    let indexed = metrics.gauges(
        "chancery_search_indexed_entries",
        "Entries of the log that searches find, by any replica",
        &["log"],
    )?;
    let lag = metrics.gauges(
        "chancery_search_lag_entries",
        "Entries of the newest published checkpoint that searches do not find yet",
        &["log"],
    )?;
    let problems = metrics.gauges(
        "chancery_search_problem_entries",
        "Indexed entries that searches may miss, because a part of them cannot be parsed",
        &["log"],
    )?;
    let stopped = metrics.gauges(
        "chancery_search_stopped",
        "1 if the index of the log is not continued until it is built again, for a reason that /readyz?verbose shows; 0 otherwise",
        &["log"],
    )?;
    metrics.before_scrape(move || {
        for status in index.status() {
            let labels = [status.name.as_str()];
            indexed.set(&labels, status.indexed);
            lag.set(&labels, status.lag());
            problems.set(&labels, status.problems);
            stopped.set(&labels, u64::from(matches!(status.state, Following::Stopped(_))));
        }
    });
    Ok(())
}

/// An entry as the index takes it.
pub(crate) fn source_entry(entry: StoredEntry) -> SourceEntry {
    let timestamp_ms = i64::try_from(entry.timestamp.millis()).ok();
    SourceEntry { leaf: entry.leaf, extra: entry.extra, timestamp_ms }
}

/// A log of this process.
struct OwnLog {
    log: Log,
    /// The log of signatures that knows the shards of its series.
    rekor: RekorV1,
}

/// The log's error, as the index reports it.
fn unreadable(error: &Error) -> SourceError {
    SourceError { reason: error.to_string() }
}

impl OwnLog {
    /// The leaf hash of an entry, which the proofs of the log begin with.
    async fn leaf_hash(&self, index: u64) -> Result<Hash, SourceError> {
        let entries = self.log.entries(index, 1).await.map_err(|error| unreadable(&error))?;
        let missing = || SourceError { reason: format!("it shows no entry {index}") };
        entries.first().map(|entry| entry.leaf_hash).ok_or_else(missing)
    }
}

impl Source for OwnLog {
    fn log_id(&self) -> i64 {
        self.log.record().log_id
    }

    fn name(&self) -> String {
        self.log.record().name.clone()
    }

    fn kind(&self) -> LogKind {
        kind(&self.log.record().name)
    }

    fn is_ended(&self) -> bool {
        self.log.is_ended()
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(async move {
            let published = self.log.latest().await.map_err(|error| unreadable(&error))?;
            let TreeHead { size, root } = published.tree;
            Ok(SourceHead { size, root, checkpoint: published.note.clone() })
        })
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.log.scheme().open(checkpoint, self.log.signer().public_key())
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            let count = u32::try_from(end.saturating_sub(first).min(MAX_ENTRIES)).unwrap_or(u32::MAX);
            let entries = self.log.entries(first, count).await.map_err(|error| unreadable(&error))?;
            Ok(entries.into_iter().map(source_entry).collect())
        })
    }

    fn entries_at<'a>(&'a self, indices: &'a [u64]) -> Option<Answer<'a, Vec<SourceEntry>>> {
        Some(Box::pin(async move {
            let entries = self.log.entries_at(indices).await.map_err(|error| unreadable(&error))?;
            Ok(entries.into_iter().map(source_entry).collect())
        }))
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move {
            let leaf_hash = self.leaf_hash(index).await?;
            self.inclusion_proof_of(index, leaf_hash, size).await
        })
    }

    fn inclusion_proof_of(&self, index: u64, leaf_hash: Hash, size: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move {
            self.log.inclusion_proof_at(index, &leaf_hash, size).await.map_err(|error| unreadable(&error))
        })
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move { self.log.consistency_proof(old, new).await.map_err(|error| unreadable(&error)) })
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        Box::pin(async move { self.log.index_of(leaf_hash).await.map_err(|error| unreadable(&error)) })
    }

    fn keeps_statements(&self) -> bool {
        series::split(&self.log.record().name).0 == rekor_v1::NAME && self.rekor.keeps_attestations()
    }

    fn statements_about(&self, terms: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        Box::pin(async move {
            if !self.keeps_statements() {
                return Ok(Vec::new());
            }
            self.rekor.attestations_about(terms, count).await.map_err(|error| unreadable(&error))
        })
    }

    fn statements<'a>(&'a self, leaves: &'a [Bytes]) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            if !self.keeps_statements() {
                return Ok(vec![None; leaves.len()]);
            }
            self.rekor.attestations(leaves).await.map_err(|error| unreadable(&error))
        })
    }

    fn standing<'a>(&'a self, index: u64, entry: &'a SourceEntry) -> Answer<'a, Standing> {
        Box::pin(async move {
            let record = self.log.record();
            if series::split(&record.name).0 != rekor_v1::NAME {
                let log_id = self.log.scheme().log_id(self.log.signer().public_key());
                return Ok(Standing { log_id, log_index: index, integrated_time: None, promise: None });
            }
            let millis = entry.timestamp_ms.and_then(|millis| u64::try_from(millis).ok());
            let timestamp = Timestamp::from_millis(millis.unwrap_or_default());
            let standing = self.rekor.standing(record.tree_id, index, &entry.leaf, timestamp).await;
            let unused = || SourceError { reason: "it is not a shard that is or was written to".to_owned() };
            let rekor_v1::Standing { log_id, index: log_index, promise } =
                standing.map_err(|error| unreadable(&error))?.ok_or_else(unused)?;
            Ok(Standing { log_id, log_index, integrated_time: Some(timestamp.seconds()), promise })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_behind_or_has_stopped_is_a_warning() {
        let status = |behind_for, state| Status {
            log_id: 1,
            name: "rekor".to_owned(),
            indexed: 7,
            problems: 0,
            published: 9,
            behind_for,
            state,
        };
        let warning = |status: &Status| match state_of(status) {
            State::Warning(warning) => warning,
            state => panic!("{state:?}"),
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(state_of(&status(None, Following::Following)), State::Passed);
        assert_eq!(state_of(&status(seconds(9), Following::Following)), State::Passed);
        let behind = warning(&status(seconds(11), Following::Following));
        assert_eq!(behind, "searches know the first 7 entries of the rekor log, and 2 newer ones are being indexed");
        assert!(warning(&status(None, Following::Failing("away".to_owned()))).contains("rekor log: away"));
        assert!(warning(&status(None, Following::Stopped("forked".to_owned()))).contains("learn no more: forked"));
    }

    #[test]
    fn shards_have_the_kind_of_their_series() {
        assert_eq!([kind("rekor"), kind("rekor2"), kind("rekor-2")], [LogKind::Rekor; 3]);
        assert_eq!([kind("ct"), kind("ct-2")], [LogKind::Certificates; 2]);
    }
}
