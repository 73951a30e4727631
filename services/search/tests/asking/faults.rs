//! Logs that cannot be read, or that show something else than what is indexed; and readers that take all places.

use crate::log::{FakeLog, digest};
use crate::{Asked, World, indices, text};
use chancery_search::{Answer, LogKind, Source, SourceEntry, SourceHead};
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Places for exports.
const EXPORTS: usize = 8;

/// A log that lies. To its readers it is the same as an index that lies about a log.
struct Liar {
    log: Arc<FakeLog>,
    /// The entry that is shown in the place of another.
    shown: fn(u64) -> u64,
    /// The entry of which the inclusion proof is.
    proven: fn(u64) -> u64,
    /// Whether it has signed its checkpoints.
    has_signed: bool,
}

impl Liar {
    /// It does not lie yet.
    fn of(world: &World) -> Self {
        Self { log: Arc::clone(&world.log), shown: |index| index, proven: |index| index, has_signed: true }
    }
}

impl Source for Liar {
    fn log_id(&self) -> i64 {
        self.log.log_id()
    }

    fn name(&self) -> String {
        self.log.name()
    }

    fn kind(&self) -> LogKind {
        self.log.kind()
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        self.log.head()
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        if self.has_signed { self.log.open_checkpoint(checkpoint) } else { Err(Rejection::NoteSignature) }
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            for index in (first..end).map(self.shown) {
                entries.extend(self.log.entries(index, index + 1).await?);
            }
            Ok(entries)
        })
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        self.log.inclusion_proof((self.proven)(index), size)
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        self.log.consistency_proof(old, new)
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        self.log.index_of(leaf_hash)
    }
}

#[tokio::test]
async fn an_index_that_names_other_entries_invents_nothing() {
    let world = World::of(100).await;
    world.log.grow_to(200);
    let digest = hex::encode(digest(27));
    let (by_digest, by_both) = (format!("digest={digest}"), format!("digest={digest}&kind=hashedrekord"));
    let found = async |asked: &Asked, question: &str| {
        let entries = asked.answer(200, &format!("/api/search?{question}")).await;
        let count = asked.answer(200, &format!("/api/search?{question}&count=1")).await;
        (indices(&entries), count["logs"][0]["count"].as_u64(), count["logs"][0]["counted"].clone())
    };
    let honest = world.asked();
    assert_eq!(found(&honest, &by_digest).await, (vec![33, 30, 27], Some(3), "index".into()));
    assert_eq!(found(&honest, &by_both).await, (vec![33, 30, 27], Some(3), "entries".into()));
    // The entry after each of them is about something else.
    let lying = world.asking(Arc::new(Liar { shown: |index| index + 1, ..Liar::of(&world) }));
    // A count without entries is the index's word, and says so.
    assert_eq!(found(&lying, &by_digest).await, (vec![], Some(3), "index".into()));
    assert_eq!(found(&lying, &by_both).await, (vec![], Some(0), "entries".into()));
    let nobody = lying.answer(200, &format!("/api/artifacts/sha256:{digest}")).await;
    assert_eq!(nobody["signatures"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn what_cannot_be_proven_is_not_answered_with_a_proof() {
    let world = World::of(100).await;
    world.log.grow_to(200);
    let question = "/api/search?kind=hashedrekord&limit=5";
    let proven = format!("{question}&proof=1");
    let honest = world.asked().answer(200, &proven).await;
    assert!(honest["entries"].as_array().unwrap().iter().all(|entry| entry["proof"]["leaf"].is_string()));
    let others = Liar { shown: |index| index + 3, ..Liar::of(&world) };
    let wrong_proofs = Liar { proven: |index| index ^ 1, ..Liar::of(&world) };
    for liar in [others, wrong_proofs] {
        let lying = world.asking(Arc::new(liar));
        assert_eq!(
            indices(&lying.answer(200, question).await).len(),
            5,
            "they are of this kind, and no proof is asked for"
        );
        lying.refused(500, &proven, "search.contradiction").await;
        // The status of a stream was sent before.
        let stream = text(lying.get(&format!("{proven}&format=ndjson")).await).await;
        let last: Value = serde_json::from_str(stream.lines().last().unwrap()).unwrap();
        assert_eq!(last["error"]["reason"], "search.contradiction", "{stream}");
        assert!(!stream.contains("\"end\""), "{stream}");
    }
    let unsigned = world.asking(Arc::new(Liar { has_signed: false, ..Liar::of(&world) }));
    unsigned.refused(500, question, "search.contradiction").await;
}

#[tokio::test]
async fn a_log_that_is_away_is_a_passing_fault() {
    let world = World::of(100).await;
    let asked = world.asked();
    world.log.is_away.store(true, Ordering::SeqCst);
    asked.refused(503, "/api/search", "search.log").await;
    asked.refused(503, &format!("/api/artifacts/sha256:{}", hex::encode(digest(0))), "search.log").await;
    // The index alone knows this.
    assert_eq!(asked.answer(200, "/api/search?count=1").await["count"], 100);
    let nothing = format!("/api/search?digest={}", hex::encode(digest(10_000)));
    assert_eq!(indices(&asked.answer(200, &nothing).await), Vec::<u64>::new());
    world.log.is_away.store(false, Ordering::SeqCst);
    assert_eq!(indices(&asked.answer(200, "/api/search?limit=3").await), [99, 98, 97]);
}

#[tokio::test]
async fn readers_that_take_all_places_are_told_to_wait_and_stop_no_questions() {
    let world = World::of(1000).await;
    let asked = world.asked();
    let mut open = Vec::new();
    for _ in 0..EXPORTS {
        let export = asked.get("/api/search?format=ndjson").await;
        assert_eq!(export.status().as_u16(), 200);
        open.push(export);
    }
    asked.refused(503, "/api/search?format=csv", "search.busy").await;
    asked.answer(200, "/api/search").await;
    // One has read everything, another is gone.
    let read = text(open.pop().unwrap()).await;
    assert_eq!(read.lines().count(), 1001);
    drop(open.pop());
    for _ in 0..2 {
        open.push(asked.get("/api/search?format=csv").await);
    }
    assert!(open.iter().all(|export| export.status().as_u16() == 200));
    asked.refused(503, "/api/search?format=ndjson", "search.busy").await;
}
