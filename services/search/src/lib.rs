//! An index of logs, derived from their entries by following them: what it is made of, how it is built and checked, and how it is
//! asked.
//!
//! Logs do not depend on it. It may be dropped, and is built again. It cannot make an entry up, because the terms of an entry
//! that is found are derived again from the log; but an index that was changed could hide an entry, which [`Index::check`] finds.
//!
//! # How an index is made
//! An entry has terms ([`chancery_verify::terms`]): digests, identities, keys. A *posting* is a term and the index of an entry that
//! has it. A *run* has the postings of entries that follow each other, sorted; it never changes. Larger runs are merged of
//! smaller ones, by a rule that depends on nothing but indices, so that the same entries make the same runs, byte for byte.
//!
//! # Order of dependence
//! Each module uses only those that come before it. A test reads the `use` lines.
//!
//! 1. `corrupt`: a self-check that failed. `source`: a log that is followed. `entry_id`: names of its entries. `turn`: which of
//!    several servers works.
//! 2. `page`, `run`, `derive`, `merge`: pure; postings in pages, the entries that a run covers, runs of entries, runs of runs.
//! 3. [`store`]: where an index is kept. `error`: what a caller is told.
//! 4. `worker`: the thread that computes. `status`: what is known of each log. `lookup`: questions to runs.
//! 5. `follower`: following logs. `check`: what an auditor does.
//! 6. `index`: all of these. [`events`]: telling a receiver of new entries.
//! 7. `cursor`, `query`: pure; where a page of an answer ended, and what is asked. `answer`: how it is answered.
//! 8. [`http`]: questions and answers over HTTP.
//! 9. [`evidence`]: answers with their proofs in one file, and how it is checked without a network.

mod answer;
mod check;
mod corrupt;
mod cursor;
mod derive;
mod entry_id;
mod error;
pub mod events;
pub mod evidence;
mod follower;
pub mod http;
mod index;
mod lookup;
mod merge;
mod page;
mod query;
mod run;
mod source;
mod status;
pub mod store;
mod turn;
mod worker;

pub use answer::{AskError, Asking, Trust};
pub use check::{Finding, Report};
pub use corrupt::Corrupt;
pub use cursor::CursorError;
pub use derive::{DerivedRun, Problem, Times};
pub use error::{Error, MAX_VALUES};
pub use index::{Coverage, Index};
pub use page::Page;
pub use query::Unusable;
pub use run::Span;
pub use source::{Answer, LogKind, MAX_ENTRIES, Source, SourceEntry, SourceError, SourceHead, Sources, Standing};
pub use status::{State, Status};
pub use store::Order;
