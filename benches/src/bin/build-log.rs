//! Makes a large Rekor or certificate log quickly: valid state, written through the store without server, admission or
//! proofs.
//!
//! It extends the log of an instance that `chancery dev` has made and that does not run. Bodies have the shape and size of
//! real entries; signatures and certificates in them are made up, which nobody verifies again once an entry is logged.
//! Everything else is as a server leaves it: entries, identities, tiles, head, and a checkpoint signed with the log's key for
//! every batch. `chancery log check` passes, and `chancery dev` starts on it.
//!
//! ```text
//! timeout 3 chancery dev --listen 127.0.0.1:8080 --data DIR
//! cargo run --release -p chancery-benches --bin build-log -- --data DIR --entries 10000000
//! ```

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_daemon::signer::Signer;
use chancery_log::check::Subject;
use chancery_log::store::{
    Batch, CommittedHead, Database, Extension, Integration, Location, LogRecord, Store, StoredEntry,
};
use chancery_log::{ct, rekor_v1};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::sct::{ExtraData, LogEntry, MerkleTreeLeaf, leaf_index_extension};
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::{Hash, Timestamp, hash};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Bytes of a hashedrekord that are neither signature nor key.
const FRAME_BYTES: usize = 300;

/// Extend a stopped instance's log with made-up entries
#[derive(Debug, Parser)]
struct Arguments {
    /// Data directory of the instance
    #[arg(long)]
    data: PathBuf,
    /// Where the log is, if not in the data directory's SQLite file: postgres://…
    #[arg(long)]
    database: Option<String>,
    /// Which log
    #[arg(long, default_value = "rekor")]
    log: Kind,
    /// Entries to add
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Size of what is logged: a body of cosign's, with a certificate inside, has 1,300, a precertificate some 700
    #[arg(long, default_value_t = 1300)]
    body_bytes: usize,
    /// Entries per batch, and so per stored checkpoint
    #[arg(long, default_value_t = 1024)]
    batch: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Rekor v1
    Rekor,
    /// Certificates
    Ct,
}

impl Kind {
    /// Name of the log in the database.
    fn name(self) -> &'static str {
        match self {
            Self::Rekor => rekor_v1::NAME,
            Self::Ct => ct::NAME,
        }
    }

    /// Where an instance keeps its key.
    fn key_file(self) -> &'static str {
        match self {
            Self::Rekor => "keys/rekor.pem",
            Self::Ct => "keys/ct.pem",
        }
    }

    /// The next entry. `digest` makes it differ from all others.
    fn entry(self, digest: &Hash, index: u64, now: Timestamp, bytes: usize) -> anyhow::Result<StoredEntry> {
        match self {
            Self::Rekor => {
                let leaf = Bytes::from(body(digest, bytes));
                let leaf_hash = merkle::leaf_hash(&leaf);
                Ok(StoredEntry {
                    index,
                    timestamp: now,
                    identity_hash: leaf_hash,
                    leaf_hash,
                    leaf,
                    extra: Bytes::new(),
                })
            }
            Self::Ct => {
                let entry =
                    LogEntry::Precert { issuer_key_hash: hash::sha256(b"issuer"), tbs: noise(digest, bytes, 0) };
                let extensions = leaf_index_extension(index)?.to_vec();
                let leaf = Bytes::from(MerkleTreeLeaf { timestamp: now, entry, extensions }.to_bytes()?);
                let precertificate = digest.to_vec();
                let (identity_hash, leaf_hash) = (hash::sha256(&precertificate), merkle::leaf_hash(&leaf));
                let extra = Bytes::from(ExtraData::Precert { precertificate, chain: Vec::new() }.to_bytes()?);
                Ok(StoredEntry { index, timestamp: now, identity_hash, leaf_hash, leaf, extra })
            }
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // A server that runs holds this.
    let lock = std::fs::File::options().write(true).open(arguments.data.join("lock"));
    let lock = lock.context("no instance: make one with `timeout 3 chancery dev --data DIR`")?;
    lock.try_lock().context("the instance runs; stop it")?;
    let signer = Signer::open(&arguments.data.join(arguments.log.key_file())).context("cannot read the log's key")?;
    let location = match &arguments.database {
        Some(url) => Location::Server(url.clone()),
        None => Location::File(arguments.data.join("chancery.db")),
    };
    let database = Database::open(&location).await?;
    build(&*database.store(), signer, &arguments).await?;
    database.close().await;
    Ok(())
}

async fn build(store: &dyn Store, signer: Signer, arguments: &Arguments) -> anyhow::Result<()> {
    let record = store.open(arguments.log.name()).await?.context("there is no such log in this database")?;
    let mut loader = Loader::open(store, record, signer, arguments.log).await?;
    let bar = indicatif::ProgressBar::new(arguments.entries);
    let mut left = arguments.entries;
    while left > 0 {
        let count = left.min(arguments.batch.max(1));
        loader.append(count, arguments.body_bytes).await?;
        left -= count;
        bar.inc(count);
    }
    bar.finish_and_clear();
    let (size, note) = loader.unstored.clone().context("nothing was added")?;
    store.publish(loader.subject.record.log_id, size, note).await?;
    println!("{} leaves, {:.0} entries/s", size, bar.per_sec());
    Ok(())
}

/// What the sequencer is to a server, without anybody who waits.
struct Loader<'a> {
    store: &'a dyn Store,
    kind: Kind,
    subject: Subject,
    signer: Signer,
    edge: Edge,
    head: CommittedHead,
    /// The checkpoint of the last batch; it rides along with the next.
    unstored: Option<(u64, String)>,
}

impl<'a> Loader<'a> {
    async fn open(store: &'a dyn Store, record: LogRecord, signer: Signer, kind: Kind) -> anyhow::Result<Self> {
        anyhow::ensure!(record.key_fingerprint == signer.public_key().fingerprint(), "the log has another key");
        let head = store.head(record.log_id).await?;
        let tiles = store.tiles(record.log_id, Edge::tile_ids(head.tree.size)).await?;
        let edge = Edge::from_tiles(head.tree.size, &tiles)
            .ok()
            .filter(|edge| edge.root() == head.tree.root)
            .context("the log's tiles do not give its root hash; run chancery log check")?;
        let subject = Subject::new(record, signer.public_key().clone())?;
        Ok(Self { store, kind, subject, signer, edge, head, unstored: None })
    }

    async fn append(&mut self, count: u64, body_bytes: usize) -> anyhow::Result<()> {
        let now = SystemClock.now().max(self.head.timestamp);
        let (mut edge, mut tiles) = (self.edge.clone(), Tiles::default());
        let mut entries = Vec::new();
        for _ in 0..count {
            let index = edge.size();
            // The root makes entries of different logs, and of different batches, differ.
            let digest = hash::sha256_parts(&[&self.head.tree.root, &index.to_be_bytes()]);
            let entry = self.kind.entry(&digest, index, now, body_bytes)?;
            edge.append(entry.leaf_hash, &mut tiles);
            entries.push(entry);
        }
        let head = CommittedHead { tree: TreeHead { size: edge.size(), root: edge.root() }, timestamp: now };
        let extension = Extension::new(self.head, entries, tiles, head);
        let identities = extension.identities();
        let batch = Batch {
            log_id: self.subject.record.log_id,
            known: Some(self.head),
            identities: &identities,
            published: self.unstored.clone(),
        };
        let integration = self.store.integrate(&batch, &extension, None).await?;
        anyhow::ensure!(matches!(integration, Integration::Committed), "somebody else writes to this log");
        let scheme = &self.subject.scheme;
        let signature = self.signer.sign(&scheme.signed_bytes(&head.tree, now)).await?;
        let note = scheme.note(&head.tree, now, self.signer.public_key(), &signature);
        self.unstored = Some((head.tree.size, note));
        (self.edge, self.head) = (edge, head);
        Ok(())
    }
}

/// What signatures and certificates look like to a disk: bytes that do not compress.
fn noise(digest: &Hash, length: usize, tag: u8) -> Vec<u8> {
    let blocks = (0_u32..).flat_map(|block| hash::sha256_parts(&[digest, &[tag], &block.to_be_bytes()]));
    blocks.take(length).collect()
}

/// A canonical `hashedrekord` body of about `size` bytes over this digest.
fn body(digest: &Hash, size: usize) -> Vec<u8> {
    let noise = |length: usize, tag: u8| STANDARD.encode(noise(digest, length, tag));
    let key_bytes = size.saturating_sub(FRAME_BYTES) * 3 / 4;
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#,
        hex::encode(digest),
        noise(71, 0),
        noise(key_bytes, 1)
    )
    .into_bytes()
}
