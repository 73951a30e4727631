//! A log elsewhere as a source.

use crate::source::{Answer, LogKind, Source, SourceEntry, SourceError, SourceHead};
use chancery_log_client::{Protocol, ReadError, RemoteEntry, RemoteLog, Shard};
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};

/// A log at a URL.
#[derive(Debug, Clone)]
pub struct RemoteSource(RemoteLog);

impl From<RemoteLog> for RemoteSource {
    fn from(log: RemoteLog) -> Self {
        Self(log)
    }
}

impl From<ReadError> for SourceError {
    fn from(error: ReadError) -> Self {
        Self { reason: error.to_string(), is_refusal: error.is_refusal() }
    }
}

impl Source for RemoteSource {
    fn kind(&self) -> LogKind {
        if self.0.identity().protocol.has_certificates() { LogKind::Certificates } else { LogKind::Rekor }
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(async move {
            let head = self.0.head().await?;
            let tree = TreeHead { size: head.size, root: head.root };
            Ok(SourceHead { tree, checkpoint: head.checkpoint, timestamp_ms: head.timestamp_ms })
        })
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.0.open_checkpoint(checkpoint)
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            let entries = self.0.entries(first, end).await?;
            let source = |entry: RemoteEntry| SourceEntry {
                leaf: entry.leaf,
                extra: entry.extra,
                timestamp_ms: entry.timestamp_ms,
            };
            Ok(entries.into_iter().map(source).collect())
        })
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move { Ok(self.0.consistency_proof(old, new).await?) })
    }

    fn forget(&self) {
        self.0.forget();
    }

    /// Rekor v1 ends a tree by beginning another one below the same URL.
    fn successor(&self) -> Answer<'_, Option<String>> {
        Box::pin(async move {
            let own = self.0.origin();
            if self.0.identity().protocol != Protocol::RekorV1 || own.is_none() {
                return Ok(None);
            }
            let shards = self.0.shards().await?;
            let active = shards.iter().find(|shard| shard.is_active);
            Ok(active.and_then(Shard::origin).filter(|origin| Some(*origin) != own).map(str::to_owned))
        })
    }
}
