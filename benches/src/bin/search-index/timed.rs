//! The database of an index, with a watch: how long each kind of work waits for it, and how long the longest transaction takes. For as
//! long as one takes, a log in SQLite waits.

use chancery_search::store::{Answer, Append, Held, Merge, Order, Progress, Run, Store, Strays};
use chancery_search::{Page, Problem};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time of one kind of work.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Together.
    pub(crate) total: Duration,
    longest: Duration,
    count: u64,
}

impl Spent {
    fn add(&mut self, time: Duration) {
        self.total += time;
        self.longest = self.longest.max(time);
        self.count += 1;
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest_ms = self.longest.as_secs_f64() * 1e3;
        write!(f, "{:.1} s, {} times, at most {longest_ms:.0} ms", self.total.as_secs_f64(), self.count)
    }
}

/// Time of each kind of work.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Watch {
    /// Transactions that add the runs of new entries.
    pub(crate) append: Spent,
    /// Transactions that write a part of a merged run.
    pub(crate) merge: Spent,
    /// Reads of the runs that are merged.
    pub(crate) read: Spent,
    /// Transactions that delete what was merged.
    pub(crate) sweep: Spent,
}

/// A database of which the times are taken.
pub(crate) struct Timed {
    store: Arc<dyn Store>,
    watch: Mutex<Watch>,
}

impl Timed {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, watch: Mutex::default() })
    }

    pub(crate) fn watch(&self) -> Watch {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timed<'a, T: Send + 'a>(&'a self, spent: fn(&mut Watch) -> &mut Spent, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            let start = Instant::now();
            let answer = answer.await;
            spent(&mut self.watch.lock().unwrap_or_else(PoisonError::into_inner)).add(start.elapsed());
            answer
        })
    }
}

impl Store for Timed {
    fn progress(&self, log_id: i64) -> Answer<'_, Option<Progress>> {
        self.store.progress(log_id)
    }

    fn begin<'a>(&'a self, log_id: i64, name: &'a str) -> Answer<'a, ()> {
        self.store.begin(log_id, name)
    }

    fn runs(&self, log_id: i64) -> Answer<'_, Vec<Run>> {
        self.store.runs(log_id)
    }

    fn append<'a>(&'a self, step: &'a Append<'a>) -> Answer<'a, bool> {
        self.timed(|watch| &mut watch.append, self.store.append(step))
    }

    fn merge<'a>(&'a self, step: &'a Merge<'a>) -> Answer<'a, bool> {
        self.timed(|watch| &mut watch.merge, self.store.merge(step))
    }

    fn sweep(&self, count: u32) -> Answer<'_, bool> {
        self.timed(|watch| &mut watch.sweep, self.store.sweep(count))
    }

    fn reset(&self, log_id: i64) -> Answer<'_, ()> {
        self.store.reset(log_id)
    }

    fn find<'a>(
        &'a self,
        log_id: i64,
        key: &'a [u8],
        range: &'a Range<u64>,
        order: Order,
        count: u32,
    ) -> Answer<'a, Vec<Held>> {
        self.store.find(log_id, key, range, order, count)
    }

    fn find_each<'a>(&'a self, log_id: i64, keys: &'a [Vec<u8>], range: &'a Range<u64>) -> Answer<'a, Vec<Held>> {
        self.store.find_each(log_id, keys, range)
    }

    fn is_live(&self, run_id: i64) -> Answer<'_, bool> {
        self.store.is_live(run_id)
    }

    fn page_at<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        self.timed(|watch| &mut watch.read, self.store.page_at(run_id, key))
    }

    fn page_before<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        self.timed(|watch| &mut watch.read, self.store.page_before(run_id, key))
    }

    fn pages_after<'a>(&'a self, run_id: i64, key: &'a [u8], count: u32) -> Answer<'a, Vec<Page>> {
        self.timed(|watch| &mut watch.read, self.store.pages_after(run_id, key, count))
    }

    fn problems<'a>(&'a self, log_id: i64, range: &'a Range<u64>, count: u32) -> Answer<'a, Vec<Problem>> {
        self.store.problems(log_id, range, count)
    }

    fn strays(&self) -> Answer<'_, Strays> {
        self.store.strays()
    }

    fn delete_strays(&self) -> Answer<'_, ()> {
        self.store.delete_strays()
    }
}
