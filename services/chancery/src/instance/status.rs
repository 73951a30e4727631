//! The state of an instance: what an operator wants to see first, as one document.
//!
//! It is read in two ways. A server says what it knows of itself ([`process`], over HTTP in [`http`]); a command reads data
//! directory and database ([`stored`]). Both read keys, certificates and the TUF repository in [`directory`], and say it in the
//! form of [`document`]. Nothing is judged here: that is readiness's, and `chancery trust status`'s.

mod directory;
mod document;
mod http;
mod logs;
mod process;
mod stored;

pub(crate) use directory::tuf_roles;
pub(crate) use document::{
    CertificateStatus, CheckResult, CheckStatus, InstanceStatus, KeyStatus, LogStatus, ServerStatus, Source,
    TufRoleStatus,
};
pub(super) use http::{describe, router};
pub(super) use process::Process;
pub(crate) use stored::{Stored, stored_status};
