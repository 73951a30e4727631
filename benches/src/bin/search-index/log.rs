//! A synthetic log as the index follows it. It makes an entry whenever it is read, and proves what it says from its own tree, because
//! here it *is* the log: the follower, the derivation of terms and the checks of proofs are the real ones.

use crate::entry::Entries;
use crate::kind::Kind;
use crate::tree::{Tree, trees};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::signer::Signer;
use chancery_search::{Answer, LogKind, MAX_ENTRIES, Source, SourceEntry, SourceError, SourceHead, Sources};
use chancery_verify::key::{KeyKind, PublicKey};
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is between a checkpoint and its signature.
const SIGNED: &str = "\n\n— ";

/// A log.
pub(crate) struct SyntheticLog {
    pub(crate) entries: Entries,
    tree: Tree,
    checkpoint: String,
    key: PublicKey,
    /// Nanoseconds that entries took to make.
    making: AtomicU64,
}

/// Every log, with `entries` entries together.
pub(crate) async fn logs(hashes: &Path, entries: u64) -> anyhow::Result<Vec<Arc<SyntheticLog>>> {
    let signer = signer(&hashes.with_extension("pem"))?;
    let mut logs = Vec::new();
    for (entries, tree) in trees(hashes, entries)? {
        logs.push(Arc::new(SyntheticLog::new(entries, tree, &signer).await?));
    }
    Ok(logs)
}

/// The same key in every process, because the database keeps the checkpoint.
fn signer(path: &Path) -> anyhow::Result<Signer> {
    if !path.exists() {
        std::fs::write(path, Signer::generate(KeyKind::P256)?.1)?;
    }
    Ok(Signer::from_pkcs8_pem(&std::fs::read_to_string(path)?)?)
}

/// What the index follows.
pub(crate) fn sources(logs: &[Arc<SyntheticLog>]) -> Sources {
    let logs = logs.to_vec();
    Arc::new(move || logs.iter().map(|log| Arc::clone(log) as Arc<dyn Source>).collect())
}

impl SyntheticLog {
    async fn new(entries: Entries, tree: Tree, signer: &Signer) -> anyhow::Result<Self> {
        let kind = entries.kind;
        // Only a log of Rekor v1 has the number of a tree in its first line.
        let number = if kind == Kind::V1 { " - 1193046" } else { "" };
        let TreeHead { size, root } = tree.head;
        let text = format!("{}.bench.example{number}\n{size}\n{}", kind.name(), STANDARD.encode(root));
        // Not the form of a signed note, but the work of verifying one.
        let signature = STANDARD.encode(signer.sign(text.as_bytes()).await?);
        let (checkpoint, key) = (format!("{text}{SIGNED}{signature}\n"), signer.public_key().clone());
        Ok(Self { entries, tree, checkpoint, key, making: AtomicU64::new(0) })
    }

    /// How long it has made entries.
    pub(crate) fn making(&self) -> Duration {
        Duration::from_nanos(self.making.load(Ordering::Relaxed))
    }

    fn made(&self, first: u64, end: u64) -> anyhow::Result<Vec<SourceEntry>> {
        let start = Instant::now();
        let entries = (first..end.min(first + MAX_ENTRIES)).map(|index| self.entries.entry(index)).collect();
        let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.making.fetch_add(nanoseconds, Ordering::Relaxed);
        entries
    }

    fn open(&self, checkpoint: &str) -> Option<Result<TreeHead, Rejection>> {
        let (text, signature) = checkpoint.split_once(SIGNED)?;
        let signature = STANDARD.decode(signature.trim_end()).ok()?;
        let (size, root) = text.split_once('\n')?.1.split_once('\n')?;
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let head = TreeHead { size: size.parse().ok()?, root };
        Some(self.key.verify(text.as_bytes(), &signature).map(|()| head))
    }
}

fn unreadable(error: &anyhow::Error) -> SourceError {
    SourceError { reason: format!("{error:#}") }
}

fn answer<'a, T: Send + 'a>(answer: anyhow::Result<T>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer.map_err(|error| unreadable(&error))))
}

impl Source for SyntheticLog {
    fn log_id(&self) -> i64 {
        self.entries.kind.log_id()
    }

    fn name(&self) -> String {
        self.entries.kind.name().to_owned()
    }

    fn kind(&self) -> LogKind {
        self.entries.kind.holds()
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        let TreeHead { size, root } = self.tree.head;
        answer(Ok(SourceHead { size, root, checkpoint: self.checkpoint.clone() }))
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.open(checkpoint).unwrap_or(Err(Rejection::CheckpointMalformed))
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        answer(self.made(first, end))
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        answer(self.tree.inclusion_proof(index, size))
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        answer(self.tree.consistency_proof(old, new))
    }

    fn index_of(&self, _leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        // Nothing that is measured asks for it.
        answer(Err(anyhow::anyhow!("this log does not look up hashes")))
    }
}
