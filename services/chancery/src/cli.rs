//! The command line. Every verb is a file: its arguments, its help with an example, and what it prints.
//!
//! The exit code is 0 only if the verb did its work and found nothing wrong. Data goes to standard output, everything else
//! to standard error.

mod archive;
mod artifact;
mod authorities;
mod backup;
mod completions;
mod config;
mod conformance;
mod dev;
mod doctor;
mod evidence;
mod exit_codes;
mod foreign;
mod health;
mod identity;
mod init;
mod keys;
mod log;
mod man;
mod monitor;
mod overview;
mod place;
mod policy;
mod reference;
mod restore;
mod schema;
mod search;
mod serve;
mod status;
mod token;
mod token_file;
mod trust;
mod verify;
mod waiting;
mod witness;

use crate::output;
use clap::{Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::{io::Write as _, process::ExitCode};

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
  chancery serve --config /etc/chancery/chancery.toml

Exit codes: the help of each verb lists its own. Every verb also has 74 if standard output cannot
be written, and 141 if its reader has gone, as after `| head`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Artifact(Box<artifact::Arguments>),
    Backup(backup::Arguments),
    Completions(completions::Arguments),
    Config(config::Arguments),
    Conformance(conformance::Arguments),
    Dev(Box<dev::Arguments>),
    Doctor(Box<doctor::Arguments>),
    Evidence(Box<evidence::Arguments>),
    Health(health::Arguments),
    Identity(identity::Arguments),
    Init(init::Arguments),
    Keys(keys::Arguments),
    Log(log::Arguments),
    Man(man::Arguments),
    Monitor(monitor::Arguments),
    Policy(Box<policy::Arguments>),
    #[command(hide = true)]
    Reference(reference::Arguments),
    Restore(restore::Arguments),
    Schema(schema::Arguments),
    Search(Box<search::Arguments>),
    Serve(serve::Arguments),
    Status(status::Arguments),
    Token(token::Arguments),
    Trust(trust::Arguments),
    Verify(Box<verify::Arguments>),
    Witness(witness::Arguments),
}

impl Cli {
    /// The command line of this process, or the exit code if it only asks for `--help` or `--version`. The process ends here
    /// for wrong arguments.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        let read = Self::documented().try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        read.map_err(|error| if error.exit_code() == 0 { answered(&error) } else { error.exit() })
    }

    /// The definition of the command line, with the exit codes of each verb in its help.
    fn documented() -> Command {
        exit_codes::documented(Self::command())
    }

    /// Runs the verb.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Artifact(arguments) => Ok(artifact::run(*arguments).await),
            Verb::Backup(arguments) => backup::run(&arguments).await,
            Verb::Completions(arguments) => completions::run(&arguments),
            Verb::Config(arguments) => config::run(arguments),
            Verb::Conformance(arguments) => conformance::run(arguments).await,
            Verb::Dev(arguments) => dev::run(*arguments).await,
            Verb::Doctor(arguments) => doctor::run(&arguments).await,
            Verb::Evidence(arguments) => Ok(evidence::run(*arguments).await),
            Verb::Health(arguments) => health::run(arguments).await,
            Verb::Identity(arguments) => identity::run(arguments).await,
            Verb::Init(arguments) => init::run(arguments).await,
            Verb::Keys(arguments) => keys::run(arguments).await,
            Verb::Log(arguments) => log::run(arguments).await,
            Verb::Man(arguments) => man::run(&arguments),
            Verb::Monitor(arguments) => Ok(monitor::run(arguments).await),
            Verb::Policy(arguments) => policy::run(*arguments).await,
            Verb::Reference(arguments) => reference::run(arguments),
            Verb::Restore(arguments) => restore::run(&arguments).await,
            Verb::Schema(arguments) => schema::run(&arguments),
            Verb::Search(arguments) => Ok(search::run(*arguments).await),
            Verb::Serve(arguments) => serve::run(arguments).await,
            Verb::Status(arguments) => status::run(&arguments).await,
            Verb::Token(arguments) => token::run(arguments).await,
            Verb::Trust(arguments) => trust::run(arguments).await,
            Verb::Verify(arguments) => Ok(verify::run(*arguments).await),
            Verb::Witness(arguments) => witness::run(arguments).await,
        }
    }
}

/// Prints the help or the version that was asked for. clap does not notice that it cannot.
fn answered(asked: &clap::Error) -> ExitCode {
    let mut out = output::text();
    let printed = write!(out, "{}", asked.render().ansi()).and_then(|()| out.flush());
    printed.map_or_else(|error| output::failed(&error.into(), 1), |()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_consistent_and_shows_an_example() {
        let mut command = Cli::documented();
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
        let examples = examples(&verb.get_after_help().map(ToString::to_string).unwrap_or_default());
        let wanted = format!("{} ", without_role(&name));
        let own = examples.iter().filter(|words| format!(" {} ", without_role(&verb_of(words))).starts_with(&wanted));
        assert!(own.count() > 0, "{name} has no example of its own: {examples:?}");
        for verb in verb.get_subcommands_mut() {
            shows_an_example(verb, &name);
        }
    }

    /// Roles whose keys take the same steps show the same examples.
    fn without_role(verb: &str) -> String {
        let word = |word: &str| match word {
            "ca" | "tsa" | "ct" | "rekor" | "rekor2" => "ROLE".to_owned(),
            word if word.starts_with("tuf-") => "tuf-ROLE".to_owned(),
            word => word.to_owned(),
        };
        verb.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }

    /// The commands of examples, each as its words: without what a shell does with their output, and without remarks.
    fn examples(help: &str) -> Vec<Vec<String>> {
        let (examples, _) = help.split_once("\n\n").unwrap_or((help, ""));
        let examples = examples.replace("\\\n", " ");
        let commands = examples.lines().filter(|line| line.starts_with("  ")).flat_map(|line| line.split(" | "));
        let words = commands.map(|command| {
            let end = [" > ", " || ", "    ("].iter().filter_map(|end| command.find(end)).min();
            let command = command.get(..end.unwrap_or(command.len())).and_then(shlex::split);
            command.unwrap_or_else(|| panic!("{examples}"))
        });
        words.filter(|words| words.first().is_some_and(|word| word == "chancery")).collect()
    }

    /// The verb that the command line understands in an example.
    fn verb_of(words: &[String]) -> String {
        let matches = Cli::documented().try_get_matches_from(words);
        let matches = matches.unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")));
        let mut verb = Vec::new();
        let mut below = matches.subcommand();
        while let Some((name, matches)) = below {
            verb.push(name.to_owned());
            below = matches.subcommand();
        }
        verb.join(" ")
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
        // The first screen has what a new user needs.
        let screen: String =
            dev.render_long_help().to_string().lines().take(40).flat_map(|line| [line, "\n"]).collect();
        let places = ["Usage: chancery dev", "\n  chancery dev --demo\n", "\nOptions:\n", "--data <DIR>"];
        let places = places.map(|part| screen.find(part));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {screen}");
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
