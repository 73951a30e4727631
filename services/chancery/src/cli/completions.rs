//! `chancery completions`: what a shell needs to complete commands, from the command line's own definition.

use super::Cli;
use crate::output;
use clap::Args;
use clap_complete::{Shell, generate};
use std::process::ExitCode;

/// Print the completions of a shell
///
/// The shell then completes verbs and options by name. Print them again after an upgrade.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery completions bash > /usr/share/bash-completion/completions/chancery
  chancery completions zsh > /usr/local/share/zsh/site-functions/_chancery
  chancery completions fish > /usr/share/fish/vendor_completions.d/chancery.fish")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(Arguments { shell }: &Arguments) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    // Into memory, because the generator panics if it cannot write.
    generate(*shell, &mut Cli::documented(), "chancery", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
