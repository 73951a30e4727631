//! A log elsewhere as a source.

use crate::source::{Answer, LogKind, Source, SourceEntry, SourceError, SourceHead};
use chancery_log_client::{ReadError, RemoteEntry, RemoteHead, RemoteLog};
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
            let RemoteHead { checkpoint, timestamp_ms, successor, .. } = head;
            Ok(SourceHead { tree, checkpoint, timestamp_ms, successor })
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
}
