//! A monitor: follows transparency logs, proves that each has one history, and tells its operator of entries that concern them.
//!
//! A log proves nothing by itself. A reader must read all of it, remember the checkpoints that it has signed, and compare them with
//! those that others have seen. This crate does that for logs wherever they are ([`Source`]); [`RemoteSource`] is a log of any
//! protocol at a URL.
//!
//! # What is verified
//! Every head is signed by the log's key. Every head extends the one before. Every entry is hashed into the tree, and is among the
//! first leaves of a signed one, before anything that it says is told. A proof that fails or is missing is told, too.
//!
//! # What a crash does
//! The state of a log is one file, written durably. It has the alarms that are not delivered. So an alarm is delivered at least once,
//! and never without its entry being followed; its id is the same each time. `follower` has the steps.
//!
//! # Order of dependence
//! Each module uses only those that come before it. A test reads the `use` lines.
//!
//! 1. `source`: a log that is followed. `remote`: one at a URL. `client`: requests to others than logs.
//! 2. `authorities`, `expected`, `watch`, `scan`: pure but for files that are read again; what is found in entries.
//! 3. `alarm`, `conditions`, `relation`: what is told, what lasts, how two trees relate.
//! 4. `output`, `webhook`: where alarms go. `backoff`: when one is asked again. `gossip`: what others have seen. `status`: what is known now.
//! 5. `state`, `evidence`: files. `outputs`: deliveries.
//! 6. `step`, `ledger`, `follower`: following a log. [`monitor`](Monitor): several logs.
//! 7. [`http`], `measure`: what a monitor shows.

mod alarm;
mod authorities;
mod backoff;
mod client;
mod conditions;
mod evidence;
mod expected;
mod follower;
mod gossip;
pub mod http;
mod ledger;
mod measure;
mod monitor;
mod output;
mod outputs;
mod relation;
mod remote;
mod scan;
mod source;
mod state;
mod status;
mod step;
mod watch;
mod webhook;

pub use alarm::{Alarm, AlarmKind, Tree};
pub use authorities::Authorities;
pub use client::{ClientError, HttpClient};
pub use conditions::Patience;
pub use expected::ExpectedError;
pub use follower::{Begin, Following};
pub use gossip::Peer;
pub use ledger::Round;
pub use measure::measure;
pub use monitor::{Error, FollowedLog, Monitor, Settings, remembered_origin};
pub use output::{Delivering, LineFormat, Lines, Output, ProcessLog, Undelivered};
pub use outputs::Outputs;
pub use remote::RemoteSource;
pub use scan::{Finding, Scanned, scan};
pub use source::{Answer, LogKind, Source, SourceEntry, SourceError, SourceHead};
pub use state::StateError;
pub use status::{LogStatus, Statuses};
pub use watch::{Watch, WatchError, WatchTable, Watches, is_named};
pub use webhook::{Webhook, WebhookFormat};
