//! The index that a command is about: that of an instance over its own logs, or one that `chancery search follow` has made of a
//! log elsewhere.

use super::follow::{self, LogArguments};
use crate::cli::{log::index, place::InstanceArguments};
use anyhow::{Context as _, bail, ensure};
use chancery_log::store::{Database, Location};
use chancery_search::Index;
use clap::Args;
use std::time::Duration;
use url::Url;

/// The index.
#[derive(Debug, Args)]
pub(super) struct SubjectArguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// `PostgreSQL` database of the server; with --followed the database or `SQLite` file of the index
    #[arg(long, value_name = "URL|FILE", value_parser = follow::location)]
    database: Option<Location>,
    /// Take the index that chancery search follow has made of the log at this URL; name the log as there
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "config"], requires = "database")]
    followed: Option<Url>,
    #[command(flatten)]
    log: LogArguments,
}

impl SubjectArguments {
    /// Where the index is. A file must be there.
    pub(super) fn location(&self) -> anyhow::Result<Location> {
        match (&self.followed, &self.database) {
            (Some(_), Some(Location::File(file))) => {
                ensure!(file.is_file(), "there is no index in {}: name the file that follows the log", file.display());
                Ok(Location::File(file.clone()))
            }
            (Some(_), Some(location)) => Ok(location.clone()),
            (None, Some(Location::File(file))) => bail!(
                "--database {} is a file: name the data directory of the instance with --data, or the log that is followed into \
                 this file with --followed",
                file.display()
            ),
            // It may name another user than the configuration file does.
            (None, Some(Location::Server(url))) => Ok(Location::Server(url.clone())),
            (_, None) => self.instance.place()?.existing_database(),
        }
    }

    /// The index in this database. A newer head of a followed log is asked for after `interval`.
    pub(super) async fn index(&self, database: &Database, interval: Duration) -> anyhow::Result<Index> {
        if let Some(url) = &self.followed {
            return Ok(follow::index(&self.log, url, (database, interval)).await?);
        }
        ensure!(
            !self.log.is_given(),
            "options that name a log need --followed with its URL; the logs of an instance need none"
        );
        index::open(&self.instance.data()?, database).await.context("cannot open the logs")
    }
}
