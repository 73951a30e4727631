//! Statements that a log keeps beside entries: they are read together, and looked for once for each question.

use crate::log::{FakeLog, digest};
use crate::{World, indices};
use bytes::Bytes;
use chancery_search::{Answer, LogKind, Source, SourceEntry, SourceHead};
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A log that says that it keeps statements, and counts how often it is asked for them. It has lost all of them.
struct Keeping {
    log: Arc<FakeLog>,
    asked: AtomicUsize,
    read: AtomicUsize,
}

impl Keeping {
    fn of(world: &World) -> Arc<Self> {
        let (asked, read) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { log: Arc::clone(&world.log), asked, read })
    }

    /// How often it was asked which statements name digests, and for statements, since the last call.
    fn questions(&self) -> (usize, usize) {
        (self.asked.swap(0, Ordering::SeqCst), self.read.swap(0, Ordering::SeqCst))
    }
}

impl Source for Keeping {
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
        self.log.open_checkpoint(checkpoint)
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        self.log.entries(first, end)
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>> {
        self.log.inclusion_proof(index, size)
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        self.log.consistency_proof(old, new)
    }

    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        self.log.index_of(leaf_hash)
    }

    fn keeps_statements(&self) -> bool {
        true
    }

    /// Two statements name every digest.
    fn statements_about(&self, terms: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let pairs = terms.into_iter().flat_map(|term| [(term.clone(), [1; 32]), (term, [2; 32])]);
        Box::pin(ready(Ok(pairs.take(count as usize).collect())))
    }

    fn statements<'a>(&'a self, leaves: &'a [Bytes]) -> Answer<'a, Vec<Option<Bytes>>> {
        self.read.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Ok(vec![None; leaves.len()])))
    }
}

#[tokio::test]
async fn statements_of_many_entries_are_read_together() {
    let world = World::of(1000).await;
    let keeping = Keeping::of(&world);
    let asked = world.asking(Arc::clone(&keeping) as Arc<dyn Source>);
    // Only a statement has a predicate type, so each of 660 entries that may have one is looked at.
    let answer = asked.answer(200, "/api/search?predicate-type=https://slsa.dev/provenance/v1&limit=1000").await;
    assert_eq!(indices(&answer), Vec::<u64>::new());
    let (_, read) = keeping.questions();
    assert!((11..=14).contains(&read), "{read} queries for 660 statements");
}

#[tokio::test]
async fn which_statements_name_a_digest_is_asked_once_for_a_count() {
    let world = World::of(100).await;
    let keeping = Keeping::of(&world);
    let asked = world.asking(Arc::clone(&keeping) as Arc<dyn Source>);
    let question = format!("/api/search?digest={}", hex::encode(digest(27)));
    assert_eq!(indices(&asked.answer(200, &question).await), [33, 30, 27]);
    assert_eq!(keeping.questions().0, 1);
    let counted = asked.answer(200, &format!("{question}&count=1")).await;
    assert_eq!((&counted["count"], keeping.questions().0), (&3.into(), 1), "{counted}");
    // By the index alone, where no statement leads to more.
    let counted = asked.answer(200, "/api/search?kind=hashedrekord&count=1").await;
    assert_eq!((&counted["logs"][0]["counted"], keeping.questions().0), (&"index".into(), 0), "{counted}");
}
