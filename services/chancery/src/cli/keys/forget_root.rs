//! `chancery keys forget-root`: removes the private keys of roots that an earlier version has left on a server.

use super::AuthorityName;
use crate::{
    instance::root_files,
    rotation::{RingFiles, Role},
};
use anyhow::Context as _;
use chancery_daemon::signer::{Signer, destroy};
use clap::Args;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// Destroy the private key of a root that is in the data directory
///
/// Earlier versions kept `ca-root.pem` and `tsa-root.pem` in `keys/`. No server needs them: a root's certificate is kept, and the
/// next rotation makes a new root. Copy the file to a safe place before if you want to issue with this root again. Snapshots and
/// backups of the directory may still have the key.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys forget-root ca --data /var/lib/chancery")]
pub(super) struct Arguments {
    /// Authority whose root it is
    #[arg(value_name = "ROLE")]
    role: AuthorityName,
    /// Data directory of the instance; a server may be running on it
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = RingFiles::of(&arguments.data);
    let role = Role::from(arguments.role);
    let mut out = io::stdout().lock();
    let found = root_files(&files, role)?;
    if found.is_empty() {
        writeln!(out, "there is no private key of a {role} root in {}", arguments.data.display())?;
    }
    for (path, certified) in found {
        let key = Signer::open(&path).with_context(|| format!("cannot use {}", path.display()))?;
        if key.public_key() == &certified {
            destroy(&path)?;
            writeln!(out, "destroyed: {}", path.display())?;
        } else {
            writeln!(out, "left: {} is not the key of the root whose certificate is kept", path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
