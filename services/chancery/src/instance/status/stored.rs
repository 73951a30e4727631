//! The state of an instance as its data directory and its database have it, whether or not a server is running.

use super::{
    directory::{Files, put_tuf},
    document::{InstanceStatus, LogStatus, Source},
    logs,
};
use crate::instance::tuf::repository;
use anyhow::Context as _;
use chancery_log::store::{Database, Location};
use chancery_verify::Timestamp;
use std::path::PathBuf;

/// An instance that a command reads.
pub(crate) struct Stored {
    /// Its data directory.
    pub(crate) data: PathBuf,
    /// File of the server's own certificates, if it is known.
    pub(crate) tls: Option<PathBuf>,
    /// The database of the logs, or why it is not known.
    pub(crate) database: anyhow::Result<Location>,
}

/// Reads it. What cannot be read is missing, and [`InstanceStatus::unread`] has the reason. No server is asked.
pub(crate) async fn stored_status(stored: Stored, now: Timestamp) -> InstanceStatus {
    let Stored { data, tls, database } = stored;
    let mut status = InstanceStatus::new(Source::Directory, now);
    let logs = match database {
        Ok(location) => stored_logs(&location, now).await,
        Err(error) => Err(error),
    };
    status.logs = status.taken("logs", logs);
    match repository(&data) {
        Ok((publisher, repository)) => put_tuf(&mut status, &publisher, &repository, now).await,
        Err(error) => status.unread.push(format!("TUF: {error:#}")),
    }
    Files { data, tls }.read(now).put_into(&mut status);
    status
}

async fn stored_logs(location: &Location, now: Timestamp) -> anyhow::Result<Vec<LogStatus>> {
    let database = Database::open_read_only(location).await.with_context(|| location.to_string())?;
    let found = logs::stored(&*database.store(), now).await;
    database.close().await;
    found.with_context(|| location.to_string())
}
