//! Questions, against a sorted map.

use crate::bench::{Bench, Database};
use crate::log::{FakeLog, LOG_ID, Oracle, START_MS, digest};
use chancery_daemon::random::SystemRandom;
use chancery_search::{Error, Index, Order};
use chancery_verify::terms::{Term, TermKind};
use std::collections::BTreeSet;
use std::ops::Range;

/// Indexes everything.
pub(crate) async fn catch_up(index: &Index) {
    index.catch_up(|_, _, _| {}).await.unwrap();
}

/// Derives the whole index again.
pub(crate) async fn check(index: &Index) -> u64 {
    let reports = index.check(&SystemRandom, |_, _, _| {}).await.unwrap();
    reports.iter().map(|report| report.indexed).sum()
}

/// What is asked of an index, and the answers of the map.
struct Asked<'a> {
    index: &'a Index,
    oracle: &'a Oracle,
}

impl Asked<'_> {
    fn expected(entries: &BTreeSet<u64>, range: &Range<u64>, order: Order, limit: usize) -> Vec<u64> {
        let entries = entries.range(range.clone()).copied();
        match order {
            Order::Oldest => entries.take(limit).collect(),
            Order::Newest => entries.rev().take(limit).collect(),
        }
    }

    async fn term(&self, term: &Term, range: Range<u64>, limit: usize) {
        let nothing = BTreeSet::new();
        let entries = self.oracle.terms.get(term.as_bytes()).unwrap_or(&nothing);
        for order in [Order::Oldest, Order::Newest] {
            let found = self.index.postings(LOG_ID, term, range.clone(), order, limit).await.unwrap();
            assert_eq!(found, Self::expected(entries, &range, order, limit), "{term} {range:?} {order:?} {limit}");
        }
        let count = self.index.count(LOG_ID, term, range.clone(), u64::MAX).await.unwrap();
        assert_eq!(count, u64::try_from(entries.range(range).count()).unwrap(), "{term}");
    }

    async fn prefix(&self, prefix: &Term, range: Range<u64>, limit: usize) {
        let terms = self.oracle.terms.range(prefix.as_bytes().to_vec()..);
        let terms = terms.take_while(|(term, _)| term.starts_with(prefix.as_bytes()));
        let entries: BTreeSet<u64> = terms.flat_map(|(_, entries)| entries).copied().collect();
        for order in [Order::Oldest, Order::Newest] {
            let found = self.index.prefix(LOG_ID, prefix, range.clone(), order, limit).await.unwrap();
            assert_eq!(found, Self::expected(&entries, &range, order, limit), "{prefix} {range:?} {order:?} {limit}");
        }
    }

    async fn everything(&self) {
        let size = self.oracle.size;
        let ranges = [0..size, size / 3..size / 2, size - 1..size, 5..5];
        // Terms that most entries have, and every hundredth of those that few have.
        let is_common = |entries: &BTreeSet<u64>| entries.len() > 50;
        let asked = self.oracle.terms.iter().enumerate();
        let asked = asked.filter(|(number, (_, entries))| number.is_multiple_of(100) || is_common(entries));
        let asked: Vec<_> = asked.map(|(_, (term, _))| Term::from_bytes(term).unwrap()).collect();
        for term in &asked {
            for (range, limit) in ranges.iter().zip([usize::MAX, 7, 1, 3]) {
                self.term(term, range.clone(), limit).await;
            }
            self.term(term, 0..size, 3).await;
        }
        for prefix in ["", "a", "alice@", "alice@dev.example.org", "b", "bob@dev.example.orgs", "d"] {
            let prefix = Term::new(TermKind::Identity, prefix.as_bytes());
            for limit in [1, 10, usize::MAX] {
                self.prefix(&prefix, 0..size, limit).await;
                self.prefix(&prefix, size / 3..size / 2, limit).await;
            }
        }
        self.prefix(&Term::new(TermKind::EntryKind, b"hashed"), 0..size, 100).await;
        self.batch(&asked).await;
    }

    async fn batch(&self, asked: &[Term]) {
        let unknown = Term::digest("sha256", &[9; 32]);
        let terms: Vec<Term> = asked.iter().rev().cloned().chain([unknown, asked[0].clone()]).collect();
        for (range, limit) in [(0..self.oracle.size, 3), (self.oracle.size / 3..self.oracle.size / 2, usize::MAX)] {
            for order in [Order::Oldest, Order::Newest] {
                let found = self.index.postings_of_each(LOG_ID, &terms, range.clone(), order, limit).await.unwrap();
                for (term, found) in terms.iter().zip(found) {
                    let nothing = BTreeSet::new();
                    let entries = self.oracle.terms.get(term.as_bytes()).unwrap_or(&nothing);
                    assert_eq!(found, Self::expected(entries, &range, order, limit), "{term} {range:?} {order:?}");
                }
            }
        }
    }
}

pub(crate) async fn ask_everything(index: &Index, size: u64) {
    let mut oracle = Oracle::default();
    oracle.grow_to(size);
    Asked { index, oracle: &oracle }.everything().await;
}

pub(crate) async fn answers_are_those_of_a_sorted_map_while_the_log_grows(bench: Bench) {
    let (database, log, mut oracle) = (bench.open().await, FakeLog::of(0), Oracle::default());
    let index = database.index(&log);
    assert_eq!(index.complete_to(LOG_ID).await.unwrap().size, 0);
    let some = Term::digest("sha256", &digest(0));
    let early = index.postings(LOG_ID, &some, 0..1, Order::Oldest, 1).await;
    assert!(matches!(early, Err(Error::NotCovered { indexed: 0 })), "{early:?}");
    for size in [1, 63, 64, 65, 130, 511, 512, 1000, 1600, 5003] {
        log.grow_to(size);
        oracle.grow_to(size);
        catch_up(&index).await;
        let coverage = index.complete_to(LOG_ID).await.unwrap();
        assert_eq!(coverage.size, size);
        assert!(coverage.checkpoint.unwrap().starts_with(&format!("{size} ")));
        let beyond = size + 1;
        let too_far = index.postings(LOG_ID, &some, 0..beyond, Order::Newest, 1).await;
        assert!(matches!(too_far, Err(Error::NotCovered { indexed }) if indexed == size), "{too_far:?}");
        // The large ones take time.
        if !(600..=5000).contains(&size) {
            Asked { index: &index, oracle: &oracle }.everything().await;
        }
    }
    assert_eq!(check(&index).await, 5003);
    database.close().await;
}

pub(crate) async fn a_prefix_with_too_many_values_is_refused(bench: Bench) {
    // Of 4096 entries two thirds have two values each.
    let (database, log) = (bench.open().await, FakeLog::of(4200));
    let index = database.index(&log);
    catch_up(&index).await;
    let (all, size) = (Term::new(TermKind::AttestationDigest, b"sha256:"), log.size());
    let newest = index.prefix(LOG_ID, &all, 0..size, Order::Newest, 10).await.unwrap();
    assert!(newest.len() == 10 && newest[0] + 2 >= size, "the newest run has few: {newest:?}");
    let refused = index.prefix(LOG_ID, &all, 0..size, Order::Oldest, 10).await;
    assert!(matches!(refused, Err(Error::PrefixTooWide)), "{refused:?}");
    let narrower = Term::new(TermKind::AttestationDigest, b"sha256:\x07");
    assert_eq!(index.prefix(LOG_ID, &narrower, 0..size, Order::Oldest, 10).await.unwrap().len(), 10);
    database.close().await;
}

pub(crate) async fn times_lead_to_indices(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(1000));
    let index = database.index(&log);
    catch_up(&index).await;
    let at = |entry: i64, more: i64| Some(START_MS + 1000 * entry + more);
    for (from, until, expected) in [
        (None, None, 0..1000),
        (at(0, 0), None, 0..1000),
        (at(3, 0), at(3, 1), 3..4),
        (at(3, 1), at(9, 0), 4..9),
        (at(63, 0), at(64, 0), 63..64),
        (at(700, 999), None, 701..1000),
        (None, at(512, 0), 0..512),
        (at(5000, 0), None, 1000..1000),
        (None, at(-5, 0), 0..0),
        (at(9, 0), at(3, 0), 9..9),
    ] {
        assert_eq!(index.between(LOG_ID, from, until).await.unwrap(), expected, "{from:?} {until:?}");
    }
    assert!(matches!(index.between(8, None, None).await, Err(Error::UnknownLog { log_id: 8 })));
    database.close().await;
}

/// Pages with the span of their run instead of its number.
async fn contents(database: &Database, index: &Index) -> Vec<(Vec<u8>, Vec<u8>)> {
    catch_up(index).await;
    database.pages().await.into_iter().map(|(_, key, page)| (key, page)).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(crate) async fn the_same_entries_make_the_same_pages(bench: Bench) {
    let (database, log) = (bench.open().await, FakeLog::of(0));
    let index = database.index(&log);
    for size in [10, 64, 100, 700, 1100, 4000, 4700] {
        log.grow_to(size);
        catch_up(&index).await;
    }
    let in_steps = contents(&database, &index).await;
    index.rebuild(|_, _, _| {}).await.unwrap();
    let at_once = contents(&database, &index).await;
    assert!(in_steps == at_once, "{} pages, {} pages", in_steps.len(), at_once.len());
    // No page of a run that was merged is left.
    let runs = database.number("SELECT count(*) FROM search_runs").await;
    assert_eq!(runs, 1 + 1 + 1 + 1, "4096, 512, 64 and the rest of 4700");
    assert_eq!(check(&index).await, 4700);
    database.close().await;
}
