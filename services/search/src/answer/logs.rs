//! The logs that a query is about.

use super::AskError;
use crate::entry_id::{entry_id, tree_id};
use crate::index::Index;
use crate::query::{Query, Unusable};
use crate::source::{LogKind, Source};
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, shown};
use std::sync::Arc;

/// A log, as it stands for one answer. All that is answered is about these entries and this head.
pub(crate) struct AskedLog {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) log_id: i64,
    pub(crate) name: String,
    pub(crate) kind: LogKind,
    /// The first `size` entries are indexed.
    pub(crate) size: u64,
    /// The head of a tree that has them. `None` where nothing is indexed yet.
    pub(crate) head: Option<Head>,
}

/// The tree head of a log's checkpoint.
pub(crate) struct Head {
    /// The signed note.
    pub(crate) note: String,
    pub(crate) tree: TreeHead,
}

impl AskedLog {
    async fn open(index: &Index, source: Arc<dyn Source>) -> Result<Self, AskError> {
        let (log_id, name, kind) = (source.log_id(), source.name(), source.kind());
        let coverage = index.complete_to(log_id).await?;
        // The database keeps it, and the log's signature on it is checked again.
        let open = |note: String| source.open_checkpoint(&note).map(|tree| Head { note, tree });
        let head = coverage.checkpoint.map(open).transpose();
        let head = head.map_err(|rejection| AskError::Contradiction { log: name.clone(), rejection })?;
        Ok(Self { source, log_id, name, kind, size: coverage.size, head })
    }

    /// The number of the tree, if it has one.
    pub(crate) fn tree_id(&self) -> Option<i64> {
        tree_id(self.kind, &self.head.as_ref()?.note)
    }

    /// The name of an entry.
    pub(crate) fn entry_id(&self, leaf_hash: &Hash) -> String {
        entry_id(self.tree_id(), leaf_hash)
    }
}

/// The logs that `query` is about, by number.
pub(crate) async fn asked(index: &Index, query: &Query) -> Result<Vec<Arc<AskedLog>>, AskError> {
    let mut sources = index.sources();
    sources.sort_by_key(|source| source.log_id());
    let unknown = query.logs.iter().find(|name| !sources.iter().any(|source| source.name() == **name));
    if let Some(name) = unknown {
        let known = sources.iter().map(|source| source.name()).collect::<Vec<_>>().join(", ");
        return Err(Unusable::new("log", format!("there is no log {}; the logs are: {known}", shown(name))).into());
    }
    let is_meant = |source: &Arc<dyn Source>| {
        let is_named = query.logs.is_empty() || query.logs.contains(&source.name());
        is_named && query.kind.is_none_or(|kind| kind == source.kind())
    };
    sources.retain(is_meant);
    let mut logs = Vec::new();
    for source in sources {
        logs.push(Arc::new(AskedLog::open(index, source).await?));
    }
    if logs.is_empty() && !query.logs.is_empty() {
        let message =
            "this question is not about these logs: Rekor logs have signatures, certificate logs have certificates";
        return Err(Unusable::new("log", message).into());
    }
    Ok(logs)
}
