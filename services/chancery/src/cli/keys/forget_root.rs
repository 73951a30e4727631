//! `chancery keys forget-root`: removes the private keys of roots that an earlier version has left on a server.

use super::AuthorityName;
use crate::{
    cli::place::InstanceArguments,
    instance::root_files,
    output::Steps,
    rotation::{RingFiles, Role},
};
use anyhow::Context as _;
use chancery_daemon::signer::{Signer, destroy, is_overwritten};
use clap::Args;
use std::process::ExitCode;

/// Destroy the private key of a root that is in the data directory
///
/// Earlier versions kept `ca-root.pem` and `tsa-root.pem` in `keys/`. No server needs them: a root's certificate is kept, and the
/// next rotation makes a new root. If you want to issue with this root again, first copy the file to a safe place. Snapshots and
/// backups of the directory may still have the key.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery keys forget-root ca --data /var/lib/chancery")]
pub(super) struct Arguments {
    /// Authority whose root it is
    #[arg(value_name = "ROLE")]
    role: AuthorityName,
    #[command(flatten)]
    instance: InstanceArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let data = arguments.instance.data()?;
    let files = RingFiles::of(&data);
    let role = Role::from(arguments.role);
    let mut steps = Steps::new(false);
    let found = root_files(&files, role)?;
    if found.is_empty() {
        steps.say(&format!("there is no private key of a {role} root in {}", data.display()));
    }
    for (path, certified) in found {
        let is_certified = || Signer::open(&path).map(|key| key.public_key() == &certified);
        let is_ours =
            is_overwritten(&path).and_then(|is_half_done| if is_half_done { Ok(true) } else { is_certified() });
        if is_ours.with_context(|| format!("cannot use {}", path.display()))? {
            destroy(&path)?;
            steps.say(&format!("destroyed: {}", path.display()));
        } else {
            steps.say(&format!("left: {} is not the key of the root whose certificate is kept", path.display()));
        }
    }
    steps.finish()?;
    Ok(ExitCode::SUCCESS)
}
