//! Changing a signing key without a failed request: stage, activate, retire.
//!
//! ```text
//! operator: chancery keys rotate ──writes──▶ keys/ring.json ──read each second──▶ server
//!                                ◀──reads── served*.json ◀──writes── (what is published, what signs, what is in the way)
//! ```
//! Each file has one writer, and each is replaced as a whole: a verb or a server that is killed leaves the state before or the
//! state after. The verb decides what should be; the server does it as soon as it can and says how far it is; the verb does
//! not take the next step before the server has taken this one.
//!
//! [`ring`] is the states and which steps between them are allowed, for any role; [`files`] keeps the files; [`published`] is what
//! clients are given; [`agreement`] says whether a ring may follow on that; [`credential`] is what clients know a generation by;
//! [`generations`] opens keys; [`follow`] has a running server keep up, [`observe`] a process that must not have them; [`status`]
//! is what metrics tell of it.

mod agreement;
pub(crate) mod credential;
pub(crate) mod files;
pub(crate) mod follow;
pub(crate) mod generations;
pub(crate) mod observe;
pub(crate) mod published;
pub(crate) mod ring;
pub(crate) mod status;

pub(crate) use agreement::Contradiction;
pub(crate) use files::RingFiles;
pub(crate) use published::{Answer, Published, Served, Serving};
pub(crate) use ring::{Generation, Place, Progress, Ring, Role, Root, State};
