//! A log that is followed, in memory. What its entries are follows from their indices, so that every process has the same log.

use bytes::Bytes;
use chancery_search::{Answer, LogKind, Source, SourceEntry, SourceError, SourceHead, Sources};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::terms;
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::{Hash, Rejection, hash};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

pub(crate) const LOG_ID: i64 = 7;
pub(crate) const NAME: &str = "rekor";
/// Time of the first entry; each is a second after the one before.
pub(crate) const START_MS: i64 = 1_800_000_000_000;
/// Every so many entries one cannot be parsed.
pub(crate) const UNPARSED: u64 = 97;

/// Keys of entries, in base64: a plain key, and certificates of four people.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let end = "-----END CERTIFICATE-----\n";
    let certificates = include_str!("certificates.pem").split_inclusive(end);
    let keys = [include_str!("key.pem")].into_iter().chain(certificates);
    keys.map(|pem| base64(pem.as_bytes())).collect()
});

/// So that the test needs no crate for it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = usize::try_from((bits >> (18 - 6 * place)) & 63).unwrap();
            text.push(if place <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

/// The digest that the entry at `index` is about, if it is about an artifact: each third one is, three of them about the same.
pub(crate) fn digest(index: u64) -> Hash {
    hash::sha256(&(index / 9).to_be_bytes())
}

/// The leaf of the entry at `index`.
pub(crate) fn leaf(index: u64) -> Bytes {
    if index % UNPARSED == UNPARSED - 1 {
        return format!("not an entry: {index}").into();
    }
    // Most have the plain key, which is parsed faster.
    let key = if index.is_multiple_of(8) { usize::try_from(1 + index / 8 % 4).unwrap() } else { 0 };
    let (key, signature) = (&KEYS[key], base64(&index.to_be_bytes()));
    let object = |hash: &Hash| format!(r#"{{"algorithm":"sha256","value":"{}"}}"#, hex::encode(hash));
    let (kind, spec) = if index.is_multiple_of(3) {
        let hash = object(&digest(index));
        let signature = format!(r#"{{"content":"{signature}","publicKey":{{"content":"{key}"}}}}"#);
        ("hashedrekord", format!(r#"{{"data":{{"hash":{hash}}},"signature":{signature}}}"#))
    } else {
        let of = |what: u8| object(&hash::sha256_parts(&[&[what], &index.to_be_bytes()]));
        let [payload, envelope] = [0, 1].map(of);
        let signatures = format!(r#"[{{"signature":"{signature}","verifier":"{key}"}}]"#);
        ("dsse", format!(r#"{{"payloadHash":{payload},"envelopeHash":{envelope},"signatures":{signatures}}}"#))
    };
    format!(r#"{{"apiVersion":"0.0.1","kind":"{kind}","spec":{spec}}}"#).into()
}

/// Which entries have which terms, as plain as can be.
#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) size: u64,
    pub(crate) terms: BTreeMap<Vec<u8>, BTreeSet<u64>>,
}

impl Oracle {
    pub(crate) fn grow_to(&mut self, size: u64) {
        for index in self.size..size {
            let leaf = leaf(index);
            let found = match terms::of_rekor(&leaf) {
                Ok(found) => found.into_iter().collect(),
                Err(_) => vec![terms::of_leaf_hash(&merkle::leaf_hash(&leaf))],
            };
            for term in found {
                self.terms.entry(term.as_bytes().to_vec()).or_default().insert(index);
            }
        }
        self.size = size;
    }
}

#[derive(Default)]
struct Tree {
    edge: Edge,
    tiles: Tiles,
    leaves: Vec<Bytes>,
}

/// The log.
#[derive(Default)]
pub(crate) struct FakeLog {
    tree: Mutex<Tree>,
    /// Whether it shows another root hash than that of its entries.
    pub(crate) is_forked: AtomicBool,
    /// Whether it cannot be read.
    pub(crate) is_away: AtomicBool,
    /// Whether it was ended.
    pub(crate) is_ended: AtomicBool,
    /// Whether it does not tell times.
    pub(crate) is_timeless: AtomicBool,
}

impl FakeLog {
    pub(crate) fn of(size: u64) -> Arc<Self> {
        let log = Arc::new(Self::default());
        log.grow_to(size);
        log
    }

    pub(crate) fn grow_to(&self, size: u64) {
        let mut tree = self.tree.lock().unwrap();
        let Tree { edge, tiles, leaves } = &mut *tree;
        for index in edge.size()..size {
            let leaf = leaf(index);
            edge.append(merkle::leaf_hash(&leaf), tiles);
            leaves.push(leaf);
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.lock().unwrap().edge.size()
    }

    pub(crate) fn sources(self: &Arc<Self>) -> Sources {
        let log = Arc::clone(self);
        Arc::new(move || vec![Arc::clone(&log) as Arc<dyn Source>])
    }

    fn answer<T>(&self, answer: impl FnOnce(&Tree) -> T) -> Result<T, SourceError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(SourceError { reason: "it is away".to_owned() });
        }
        Ok(answer(&self.tree.lock().unwrap()))
    }
}

impl Source for FakeLog {
    fn log_id(&self) -> i64 {
        LOG_ID
    }

    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn kind(&self) -> LogKind {
        LogKind::Rekor
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        let head = self.answer(|tree| {
            let (size, mut root) = (tree.edge.size(), tree.edge.root());
            if self.is_forked.load(Ordering::SeqCst) {
                root[0] ^= 1;
            }
            SourceHead { size, root, checkpoint: format!("{size} {}", hex::encode(root)) }
        });
        Box::pin(std::future::ready(head))
    }

    fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::SeqCst)
    }

    fn tells_times(&self) -> bool {
        !self.is_timeless.load(Ordering::SeqCst)
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        let (size, root) = checkpoint.split_once(' ').ok_or(Rejection::CheckpointMalformed)?;
        let size = size.parse().map_err(|_| Rejection::CheckpointMalformed)?;
        let tree = self.tree.lock().unwrap();
        let stated = TreeHead { size, root: merkle::root_hash(size, &mut &tree.tiles).unwrap() };
        if hex::encode(stated.root) == root { Ok(stated) } else { Err(Rejection::NoteSignature) }
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        let entries = self.answer(|tree| {
            assert!(first < end && end <= tree.edge.size(), "{first} to {end} of {}", tree.edge.size());
            // Not always as many as there are.
            let end = end.min(first + 200);
            let time = |index: u64| START_MS + 1000 * i64::try_from(index).unwrap();
            let entry = |index: u64| SourceEntry {
                leaf: tree.leaves[usize::try_from(index).unwrap()].clone(),
                extra: Bytes::new(),
                timestamp_ms: self.tells_times().then(|| time(index)),
            };
            (first..end).map(entry).collect()
        });
        Box::pin(std::future::ready(entries))
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        let proof = self.answer(|tree| merkle::inclusion_proof(index, size, &mut &tree.tiles).unwrap());
        Box::pin(std::future::ready(proof))
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        let proof = self.answer(|tree| merkle::consistency_proof(old, new, &mut &tree.tiles).unwrap());
        Box::pin(std::future::ready(proof))
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        let index = self.answer(|tree| {
            let place = tree.leaves.iter().position(|leaf| merkle::leaf_hash(leaf) == leaf_hash);
            place.map(|place| u64::try_from(place).unwrap())
        });
        Box::pin(std::future::ready(index))
    }
}
