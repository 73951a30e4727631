//! The index as it is asked: what `query`, `answer` and the command line call. INTERFACE FIRST: the bodies follow, the
//! signatures and what they promise stay.
//!
//! ```text
//! pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;   // source.rs
//! pub type Sources = Arc<dyn Fn() -> Vec<Arc<dyn Source>> + Send + Sync>;   // later shards appear by themselves
//!
//! pub trait Source: Send + Sync {
//!     fn log_id(&self) -> i64;
//!     fn name(&self) -> String;
//!     fn kind(&self) -> LogKind;                                  // LogKind::{Rekor, Certificates}
//!     fn head(&self) -> Answer<'_, SourceHead>;                   // SourceHead { size: u64, root: Hash, checkpoint: String }
//!     fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>>;
//!                                                                 // SourceEntry { leaf: Bytes, extra: Bytes, timestamp_ms: Option<i64> };
//!                                                                 // at most 256, may be fewer than asked, never none
//!     fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>>;
//!     fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>>;    // added: how a prefix of a head is proven
//!     fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>>;
//! }
//!
//! #[derive(Clone)] pub struct Index;                              // clones are the same index
//! impl Index {
//!     pub fn new(store: Arc<dyn store::Store>, sources: Sources) -> Self;
//!     pub fn sources(&self) -> Vec<Arc<dyn Source>>;
//!     pub fn source(&self, log_id: i64) -> Option<Arc<dyn Source>>;
//!     /// How far the index of a log has come. `Coverage { size: u64, checkpoint: Option<String> }`: the first `size` entries
//!     /// are indexed, and proven to be the first leaves of the tree of `checkpoint` (its own size is `size` or MORE while the
//!     /// index catches up; proofs are made to it). None and 0 where nothing is indexed yet.
//!     pub async fn complete_to(&self, log_id: i64) -> Result<Coverage, Error>;
//!     /// Entries of `range` with this term, in order, at most `limit`. Error::NotCovered where the index does not cover all of
//!     /// `range` (ask complete_to first and cut the range to it).
//!     pub async fn postings(&self, log_id: i64, term: &Term, range: Range<u64>, order: Order, limit: usize) -> Result<Vec<u64>, Error>;
//!     /// For each of `terms`, as postings with Order::Newest; one pass over the database. Terms in any order, answers in theirs.
//!     pub async fn postings_of_each(&self, log_id: i64, terms: &[Term], range: Range<u64>, limit: usize) -> Result<Vec<Vec<u64>>, Error>;
//!     /// Entries with a term of the kind of `prefix` whose value begins with its value; each entry once.
//!     /// Error::PrefixTooWide where a run has more than MAX_VALUES of such values.
//!     pub async fn prefix(&self, log_id: i64, prefix: &Term, range: Range<u64>, order: Order, limit: usize) -> Result<Vec<u64>, Error>;
//!     /// How many entries of `range` have the term; counting ends at `at_most`.
//!     pub async fn count(&self, log_id: i64, term: &Term, range: Range<u64>, at_most: u64) -> Result<u64, Error>;
//!     /// The indices between which every entry is whose time is at or after `from_ms` and before `until_ms`.
//!     pub async fn between(&self, log_id: i64, from_ms: Option<i64>, until_ms: Option<i64>) -> Result<Range<u64>, Error>;
//!     /// Entries of `range` that could not be parsed: they are indexed by LeafHash alone. `Problem { index: u64, reason: String }`
//!     pub async fn problems(&self, log_id: i64, range: Range<u64>, limit: usize) -> Result<Vec<Problem>, Error>;
//!     pub fn status(&self) -> Vec<Status>;                        // in memory, never blocks: for readiness and metrics
//!     pub fn follow(&self) -> JoinHandle<()>;
//!     pub async fn rebuild(&self, progress: …) -> Result<…, Error>;
//!     pub async fn check(&self, random: &dyn Random, progress: …) -> Result<Vec<Report>, Finding>;
//! }
//! pub enum Order { Oldest, Newest }
//! pub const MAX_VALUES: usize = 4096;
//! pub enum Error { Store(StoreError), Source(SourceError), NotCovered { indexed: u64 }, PrefixTooWide, UnknownLog { log_id }, Corrupt{..} }
//! ```
