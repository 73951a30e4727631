//! Makes a large Rekor log quickly: valid state, written through the store without server, admission or proofs.
//!
//! It extends the log of an instance that `chancery dev` has made and that does not run. Bodies have the shape and size of
//! real `hashedrekord`s; their signatures are made up, which nobody verifies again once an entry is logged. Everything else
//! is as a server leaves it: entries, identities, tiles, head, and a checkpoint signed with the log's key for every batch.
//! `chancery log check` passes, and `chancery dev` starts on it.
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
use chancery_log::rekor_v1;
use chancery_log::store::{Batch, CommittedHead, Database, Extension, Found, Location, LogRecord, Store, StoredEntry};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::{Hash, Timestamp, hash};
use clap::Parser;
use std::path::PathBuf;

/// Bytes of a hashedrekord that are neither signature nor key.
const FRAME_BYTES: usize = 300;

/// Extend a stopped instance's Rekor log with made-up entries
#[derive(Debug, Parser)]
struct Arguments {
    /// Data directory of the instance
    #[arg(long)]
    data: PathBuf,
    /// Where the log is, if not in the data directory's SQLite file: postgres://…
    #[arg(long)]
    database: Option<String>,
    /// Entries to add
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Size of a body; cosign's, with a certificate inside, have 1,300
    #[arg(long, default_value_t = 1300)]
    body_bytes: usize,
    /// Entries per batch, and so per stored checkpoint
    #[arg(long, default_value_t = 1024)]
    batch: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // A server that runs holds this.
    let lock = std::fs::File::options().write(true).open(arguments.data.join("lock"));
    let lock = lock.context("no instance: make one with `timeout 3 chancery dev --data DIR`")?;
    lock.try_lock().context("the instance runs; stop it")?;
    let signer = Signer::open(&arguments.data.join("keys/rekor.pem")).context("cannot read the log's key")?;
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
    let record = store.open(rekor_v1::NAME).await?.context("there is no Rekor log in this database")?;
    let mut loader = Loader::open(store, record, signer).await?;
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
    subject: Subject,
    signer: Signer,
    edge: Edge,
    head: CommittedHead,
    /// The checkpoint of the last batch; it rides along with the next.
    unstored: Option<(u64, String)>,
}

impl<'a> Loader<'a> {
    async fn open(store: &'a dyn Store, record: LogRecord, signer: Signer) -> anyhow::Result<Self> {
        anyhow::ensure!(record.key_fingerprint == signer.public_key().fingerprint(), "the log has another key");
        let head = store.head(record.log_id).await?;
        let tiles = store.tiles(record.log_id, Edge::tile_ids(head.tree.size)).await?;
        let edge = Edge::from_tiles(head.tree.size, &tiles)
            .ok()
            .filter(|edge| edge.root() == head.tree.root)
            .context("the log's tiles do not give its root hash; run chancery log check")?;
        let subject = Subject::new(record, signer.public_key().clone())?;
        Ok(Self { store, subject, signer, edge, head, unstored: None })
    }

    async fn append(&mut self, count: u64, body_bytes: usize) -> anyhow::Result<()> {
        let now = SystemClock.now().max(self.head.timestamp);
        let (mut edge, mut tiles) = (self.edge.clone(), Tiles::default());
        let entries: Vec<StoredEntry> =
            (0..count).map(|_| entry(&mut edge, &mut tiles, &self.head.tree.root, body_bytes, now)).collect();
        let head = CommittedHead { tree: TreeHead { size: edge.size(), root: edge.root() }, timestamp: now };
        let identities: Vec<Hash> = entries.iter().map(|entry| entry.identity_hash).collect();
        let mut extend = |found: Found| {
            let expected = found.head == self.head && found.duplicates.iter().all(Option::is_none);
            Ok(expected.then(|| Extension::new(entries.clone(), tiles.clone(), head)))
        };
        let batch = Batch {
            log_id: self.subject.record.log_id,
            known_size: self.edge.size(),
            identities: &identities,
            published: self.unstored.clone(),
            extend: &mut extend,
        };
        self.store.integrate(batch).await?;
        let committed = self.store.head(self.subject.record.log_id).await?;
        anyhow::ensure!(committed == head, "somebody else writes to this log");
        let scheme = &self.subject.scheme;
        let signature = self.signer.sign(&scheme.signed_bytes(&head.tree, now)).await?;
        let note = scheme.note(&head.tree, now, self.signer.public_key(), &signature);
        self.unstored = Some((head.tree.size, note));
        (self.edge, self.head) = (edge, head);
        Ok(())
    }
}

/// The next entry. `seed` makes entries of different logs, and of different batches, differ.
fn entry(edge: &mut Edge, tiles: &mut Tiles, seed: &Hash, body_bytes: usize, now: Timestamp) -> StoredEntry {
    let index = edge.size();
    let leaf = Bytes::from(body(&hash::sha256_parts(&[seed, &index.to_be_bytes()]), body_bytes));
    let leaf_hash = merkle::leaf_hash(&leaf);
    edge.append(leaf_hash, tiles);
    StoredEntry { index, timestamp: now, identity_hash: leaf_hash, leaf_hash, leaf, extra: Bytes::new() }
}

/// A canonical `hashedrekord` body of about `size` bytes over this digest.
fn body(digest: &Hash, size: usize) -> Vec<u8> {
    // What a signature and a certificate look like to a disk: bytes that do not compress.
    let noise = |length: usize, tag: u8| {
        let blocks = (0_u32..).flat_map(|block| hash::sha256_parts(&[digest, &[tag], &block.to_be_bytes()]));
        STANDARD.encode(blocks.take(length).collect::<Vec<u8>>())
    };
    let key_bytes = size.saturating_sub(FRAME_BYTES) * 3 / 4;
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#,
        hex::encode(digest),
        noise(71, 0),
        noise(key_bytes, 1)
    )
    .into_bytes()
}
