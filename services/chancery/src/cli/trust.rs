//! `chancery trust`: the TUF repository of an instance, and what clients need to use it.
//!
//! Each verb works on the data directory, whether or not a server runs on it: changes are made under the repository's own
//! lock, and a running server serves them within a second or two.

mod export;
mod metadata;
mod renew;
mod rotate;
mod status;

pub(super) use status::line;

use super::place::InstanceArguments;
use chancery_trust::tuf::{Publisher, Repository, Role, repository::RoleStatus};
use chancery_verify::Timestamp;
use clap::{Args, Subcommand, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Maintain the TUF repository, and print the configuration that each client needs
///
/// Clients take trust from the TUF repository. The server renews the metadata of every role whose key it has. A running
/// server serves changes made with these commands within two seconds, without a restart. Old signatures still verify.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust status --data ./chancery-dev
  chancery trust status --config /etc/chancery/chancery.toml
  chancery trust renew --data ./chancery-dev
  chancery trust rotate --role root --data ./chancery-dev
  chancery trust metadata export --role root --root-key a.pub --root-key b.pub --root-threshold 2 --out 2.root.json
  chancery trust export --for kyverno --data ./chancery-dev
  chancery trust export --offline-bundle trust.tar.gz --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::Arguments),
    Renew(renew::Arguments),
    Rotate(rotate::Arguments),
    Metadata(metadata::Arguments),
    Export(export::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Status(arguments) => status::run(&arguments).await,
        Verb::Renew(arguments) => renew::run(&arguments).await,
        Verb::Rotate(arguments) => rotate::run(&arguments).await,
        Verb::Metadata(arguments) => metadata::run(arguments).await,
        Verb::Export(arguments) => export::run(&arguments),
    }
}

/// Replaces the key of a role of the TUF repository in `data`, as `chancery trust rotate` does.
pub(super) async fn rotate(data: PathBuf, role: Role, key: Option<&str>) -> anyhow::Result<ExitCode> {
    rotate::rotate(&Data(data), role, key).await
}

/// How soon the metadata of each role of the TUF repository in `data` expires.
pub(super) fn statuses(data: &Path, now: Timestamp) -> anyhow::Result<Vec<RoleStatus>> {
    let (publisher, repository) = Data(data.to_owned()).repository()?;
    Ok(repository.status(publisher.lifetimes(), now))
}

/// The data directory of an instance.
struct Data(PathBuf);

impl Data {
    fn of(instance: &InstanceArguments) -> anyhow::Result<Self> {
        Ok(Self(instance.data()?))
    }

    fn publisher(&self) -> anyhow::Result<Publisher> {
        crate::instance::publisher(&self.0)
    }

    /// What clients get now.
    fn repository(&self) -> anyhow::Result<(Publisher, Repository)> {
        crate::instance::repository(&self.0)
    }
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Root => Self::Root,
            RoleName::Targets => Self::Targets,
            RoleName::Snapshot => Self::Snapshot,
            RoleName::Timestamp => Self::Timestamp,
        }
    }
}
