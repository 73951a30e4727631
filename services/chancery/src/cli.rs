//! The command line. Every verb is a file: its arguments, its help with an example, and what it prints.
//!
//! The exit code is 0 only if the verb did its work and found nothing wrong. Data goes to standard output, everything else
//! to standard error.

mod artifact;
mod authorities;
mod config;
mod conformance;
mod dev;
mod evidence;
mod health;
mod identity;
mod init;
mod keys;
mod log;
mod monitor;
mod overview;
mod policy;
mod reference;
mod search;
mod serve;
mod token;
mod token_file;
mod trust;
mod verify;
mod waiting;
mod witness;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Private keyless signing: certificate authority, transparency logs, timestamps and trust root.
///
/// To try it: chancery dev. To run it: chancery init, then chancery serve.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    help_template = overview::template(),
    after_help = "Examples:
  chancery dev --demo
  chancery serve --config /etc/chancery/chancery.toml"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Artifact(Box<artifact::Arguments>),
    Config(config::Arguments),
    Conformance(conformance::Arguments),
    Dev(Box<dev::Arguments>),
    Evidence(Box<evidence::Arguments>),
    Health(health::Arguments),
    Identity(identity::Arguments),
    Init(init::Arguments),
    Keys(keys::Arguments),
    Log(log::Arguments),
    Monitor(monitor::Arguments),
    Policy(Box<policy::Arguments>),
    #[command(hide = true)]
    Reference(reference::Arguments),
    Search(Box<search::Arguments>),
    Serve(serve::Arguments),
    Token(token::Arguments),
    Trust(trust::Arguments),
    Verify(Box<verify::Arguments>),
    Witness(witness::Arguments),
}

impl Cli {
    /// Runs the verb.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Artifact(arguments) => Ok(artifact::run(*arguments).await),
            Verb::Config(arguments) => config::run(arguments),
            Verb::Conformance(arguments) => conformance::run(arguments).await,
            Verb::Dev(arguments) => dev::run(*arguments).await,
            Verb::Evidence(arguments) => Ok(evidence::run(*arguments).await),
            Verb::Health(arguments) => health::run(arguments).await,
            Verb::Identity(arguments) => identity::run(arguments).await,
            Verb::Init(arguments) => init::run(arguments).await,
            Verb::Keys(arguments) => keys::run(arguments).await,
            Verb::Log(arguments) => log::run(arguments).await,
            Verb::Monitor(arguments) => Ok(monitor::run(arguments).await),
            Verb::Policy(arguments) => policy::run(*arguments).await,
            Verb::Reference(arguments) => reference::run(arguments),
            Verb::Search(arguments) => Ok(search::run(*arguments).await),
            Verb::Serve(arguments) => serve::run(arguments).await,
            Verb::Token(arguments) => token::run(arguments).await,
            Verb::Trust(arguments) => trust::run(arguments).await,
            Verb::Verify(arguments) => Ok(verify::run(*arguments).await),
            Verb::Witness(arguments) => witness::run(arguments).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_verb_is_consistent_and_shows_an_example() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands_mut() {
            shows_an_example(verb, "");
        }
    }

    /// Checks this verb and all below it.
    fn shows_an_example(verb: &mut clap::Command, above: &str) {
        let name = format!("{above} {}", verb.get_name());
        if verb.get_name() == "help" {
            return;
        }
        let help = verb.render_long_help().to_string();
        assert!(help.contains("chancery ") && help.contains("Example"), "{name}:\n{help}");
        for verb in verb.get_subcommands_mut() {
            shows_an_example(verb, &name);
        }
    }

    #[test]
    fn options_of_a_long_help_are_grouped() {
        let mut command = Cli::command();
        command.build();
        let dev = command.find_subcommand_mut("dev").unwrap();
        let ungrouped = dev.get_arguments().filter(|argument| argument.get_help_heading().is_none());
        let mut names: Vec<_> = ungrouped.map(|argument| argument.get_id().as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["commands", "data", "demo", "help", "log", "log_format"]);
        let short = dev.render_help().to_string();
        // Options that follow a group must not be taken for its members.
        let blob = command.find_subcommand_mut("verify").and_then(|verify| verify.find_subcommand_mut("blob")).unwrap();
        let ungrouped = blob.get_arguments().filter(|argument| argument.get_help_heading().is_none());
        let mut names: Vec<_> = ungrouped.map(|argument| argument.get_id().as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["bundle", "files", "help", "json", "legacy", "parallel"]);
        for heading in [
            "Listen",
            "Certificate authority",
            "Certificate log",
            "Limits",
            "Database",
            "Logs",
            "Witnesses",
            "Timestamps",
            "Trust",
        ] {
            assert!(short.contains(&format!("\n{heading}:\n")), "{heading}:\n{short}");
        }
    }
}
